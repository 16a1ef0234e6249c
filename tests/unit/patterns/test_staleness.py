"""A pattern is stale if something that its steps name is certainly gone."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from behavior_plugin.patterns.staleness import reasons, stale_note
from behavior_plugin.workflow import Step, StepKind, StoredPattern
from tests.factories import START, make_pattern, make_step, make_workflow

GONE = "no such name"


def pattern_with(*steps: Step | str, **changes: Any) -> StoredPattern:
    made = [make_step(step) if isinstance(step, str) else step for step in steps]
    fields = make_pattern(**{"workflow": make_workflow(steps=made), **changes}).model_dump()
    return StoredPattern(**fields, id=uuid.UUID(int=7), use_count=0, created_at=START)


def edit(*files: str, until: str = "") -> Step:
    return Step(kind=StepKind.EDIT, files=files, until=until)


def found(
    *steps: Step | str,
    files: tuple[str, ...] = (),
    scripts: tuple[str, ...] | None = (GONE,),
    targets: tuple[str, ...] | None = (GONE,),
) -> tuple[str, ...]:
    """The reasons against these steps in a project with these files, package scripts and targets."""
    return reasons(
        pattern_with(*steps),
        has_file=lambda path: path in files,
        scripts=lambda: None if scripts is None else frozenset(scripts),
        targets=lambda program: None if targets is None else frozenset(targets),
    )


# Targets


@pytest.mark.parametrize(
    ("step", "because"),
    [
        pytest.param("make gate", "its step `make gate` has no target in the Makefile any more", id="make"),
        pytest.param(
            "just gate --fast", "its step `just gate --fast` has no recipe in the justfile any more", id="just"
        ),
        pytest.param(
            "time make -j4 gate", "its step `time make -j4 gate` has no target in the Makefile any more", id="wrapped"
        ),
        pytest.param(
            "make known gate", "its step `make known gate` has no target in the Makefile any more", id="one of two"
        ),
        pytest.param(
            "make -C docs gate", "its step `make -C docs gate` has no target in the Makefile any more", id="folder"
        ),
    ],
)
def test_step_without_its_target_is_stale(step: str, because: str) -> None:
    assert found(step, targets=("known",)) == (because,)


@pytest.mark.parametrize(
    "step",
    [
        pytest.param("make known", id="known"),
        pytest.param("make docs-html", id="a rule for many"),
        pytest.param("make gate {files}", id="a slot"),
        pytest.param("make", id="default target"),
        pytest.param("make -f other.mk gate", id="another Makefile"),
        pytest.param("just --justfile other gate", id="another justfile"),
        pytest.param("make app.o", id="a file"),
        pytest.param("make sure that it works", id="a sentence"),
        pytest.param("just tools::gate", id="a recipe of a module"),
        pytest.param("gmake gate", id="another program"),
        pytest.param("echo make gate", id="an argument"),
        pytest.param("make CI=1 known", id="a variable"),
        pytest.param("make -o gate known", id="the value of a flag"),
    ],
)
def test_step_with_a_target_that_may_exist_is_not_stale(step: str) -> None:
    """A wrong word costs a good suggestion."""
    assert found(step, targets=("known", "docs-%")) == ()


def test_unknown_targets_make_nothing_stale() -> None:
    """A Makefile may make its targets."""
    assert found("make gate", "just gate", targets=None) == ()


def test_pattern_rule_needs_both_of_its_ends() -> None:
    """The text for % is not empty twice."""
    assert found("make aa", targets=("aa%aa",))
    assert not found("make aaaa", targets=("aa%aa",))
    assert found("make xlib", targets=("lib%",))


# Scripts of package.json


@pytest.mark.parametrize("manager", ["npm", "pnpm", "yarn", "bun"])
def test_step_without_its_package_script_is_stale(manager: str) -> None:
    because = f"its step `{manager} run gate` has no script in package.json any more"

    assert found(f"{manager} run gate", scripts=("known",)) == (because,)
    assert found(f"{manager} run known", scripts=("known",)) == ()
    assert found(f"{manager} run gate", scripts=None) == ()


@pytest.mark.parametrize(
    "step",
    [
        pytest.param("npm run gate --if-present", id="optional"),
        pytest.param("npm install gate", id="a package"),
        pytest.param("npm run {branch}", id="a slot"),
        pytest.param("cargo run gate", id="another program"),
        pytest.param("yarn run eslint .", id="a program of a package"),
        pytest.param("bun run present .", id="an installed program"),
        pytest.param("bun run ./present.ts", id="a file"),
    ],
)
def test_step_without_a_package_script_is_not_stale(step: str) -> None:
    assert found(step, scripts=(), files=("node_modules/.bin/present", "present.ts")) == ()


def test_flags_hide_no_package_script() -> None:
    """Workspaces are named between the words."""
    assert found("pnpm --filter {package} run gate", scripts=())
    assert found("npm run eslint", scripts=()), "npm runs scripts only"


# Scripts and tests


@pytest.mark.parametrize(
    ("step", "path"),
    [
        ("python tools/gate.py --all", "tools/gate.py"),
        ("bash ./ci/gate.sh", "ci/gate.sh"),
        ("uv run tools/gate.py", "tools/gate.py"),
        ("./scripts/gate", "scripts/gate"),
        (".github/tools/gate.sh", ".github/tools/gate.sh"),
        ("pytest tests/unit/test_cart.py::test_total", "tests/unit/test_cart.py"),
        ("bundle exec rspec spec/cart_spec.rb:12", "spec/cart_spec.rb"),
        ("pytest ./tests/unit/", "tests/unit/"),
    ],
)
def test_step_without_its_script_or_test_is_stale(step: str, path: str) -> None:
    [because] = found(step)

    assert because.startswith(f"`{path}` of its step `")
    assert because.endswith("` is gone")
    assert found(step, files=(path,)) == ()


@pytest.mark.parametrize(
    "step",
    [
        pytest.param("bin/shop --serve", id="a product of a build"),
        pytest.param("node dist/scripts/main.js", id="a built script"),
        pytest.param(".venv/bin/tools/gate.py", id="an environment"),
        pytest.param("python ../other/gate.py", id="another project"),
        pytest.param("python /opt/gate.py", id="another folder"),
        pytest.param("bash ~/gate.sh", id="a folder of the user's"),
        pytest.param("python tools/{files}.py", id="a slot"),
        pytest.param("python -m tools.gate", id="a module"),
        pytest.param("jest src/cart.test", id="a filter"),
        pytest.param("pytest {test}", id="a slot for tests"),
        pytest.param("go test ./...", id="all tests"),
        pytest.param("pytest src/cart.py", id="a source"),
        pytest.param("cat tests/test_cart.py", id="looking"),
    ],
)
def test_step_without_a_certain_path_is_not_stale(step: str) -> None:
    assert found(step) == ()


# Edits


def test_edits_are_stale_if_all_files_are_gone() -> None:
    """One that is left shows that the work is still done."""
    assert found(edit("a.py")) == ("the file that it edited is gone: `a.py`",)
    assert found(edit("a.py", "b.py"), edit("b.py")) == ("all files that it edited are gone: `a.py`, `b.py`",)
    assert found(edit("a.py"), edit("b.py"), files=("b.py",)) == ()
    assert found(edit()) == ()


def test_long_lists_of_files_are_cut() -> None:
    assert found(edit(*"abcde")) == ("all files that it edited are gone: `a`, `b`, `c` and 2 more",)


def test_check_of_an_edit_is_a_step() -> None:
    assert found(edit("a.py", until="make gate"), files=("a.py",)) == (
        "its step `make gate` has no target in the Makefile any more",
    )


# Confidence


@pytest.mark.parametrize(("confidence", "is_refused"), [(0.19, True), (0.2, False)])
def test_pattern_below_the_confidence_is_refused(confidence: float, is_refused: bool) -> None:
    [*found] = reasons(
        pattern_with(confidence=confidence),
        has_file=lambda path: True,
        scripts=lambda: None,
        targets=lambda program: None,
        min_confidence=0.2,
    )

    assert found == (["it failed or was turned down too often (confidence 0.19)"] if is_refused else [])


# All together


def test_reasons_are_given_once_and_in_the_order_of_the_commands() -> None:
    """Only shell lines are read; a tool may have any name."""
    named = [Step(kind=kind, text="make gate") for kind in (StepKind.SKILL, StepKind.TOOL, StepKind.AGENT)]

    assert found(*named) == ()
    assert found("make one && make two", "make one") == (
        "its step `make one` has no target in the Makefile any more",
        "its step `make two` has no target in the Makefile any more",
    )


def test_pattern_without_a_workflow_is_not_stale() -> None:
    """Another program wrote it."""
    pattern = pattern_with(workflow=None, confidence=0.0)

    assert reasons(pattern, has_file=lambda path: False, scripts=frozenset, targets=lambda _: frozenset()) == ()


def test_long_step_is_cut_before_the_reason() -> None:
    [because] = found(f"make gate A={'x' * 200}")

    assert because.startswith("its step `make gate A=xxx")
    assert because.endswith("…` has no target in the Makefile any more")
    assert len(because) < 140


def test_note_has_the_first_reasons() -> None:
    assert stale_note([]) == ""
    assert stale_note(["one", "two", "three"]) == "one; two; three"
    assert stale_note(["one", "two", "three", "four", "five"]) == "one; two; three; and 2 more"
