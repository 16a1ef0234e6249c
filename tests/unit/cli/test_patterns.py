"""The commands by which users correct patterns: each makes the remark that was meant, and says what it changed."""

from __future__ import annotations

import json
import resource
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from behavior_plugin import api
from behavior_plugin.cli import cli, correcting, patterns, terminal
from behavior_plugin.errors import BehaviorError, NotFoundError
from behavior_plugin.model import Context
from behavior_plugin.recall import MIN_CONFIDENCE
from behavior_plugin.workflow import Episode, RemarkKind, StepKind, StoredPattern, Suggestion
from tests.factories import START, make_episode, make_pattern, make_step, make_workflow
from tests.settings import elsewhere

ID, SHORT = str(uuid.UUID(int=7)), "00000000"
UNDO = f"`behavior edit {SHORT} --show` takes that back."


def stored(
    number: int = 7, *, context: Context | None = None, confidence: float = 0.6, **workflow: Any
) -> StoredPattern:
    made = make_workflow(**workflow)
    place = context or Context(directory="/nowhere", root="/nowhere", project="/nowhere")
    fields = make_pattern(workflow=made, context=place, confidence=confidence, started_at=START).model_dump()
    return StoredPattern(**fields, id=uuid.UUID(int=number), use_count=3, created_at=START)


class FakeClient:
    """Answers with its patterns, and remembers the requests. `after` is the pattern as a remark leaves it."""

    def __init__(self) -> None:
        self.known = [stored()]
        self.episodes: tuple[Episode, ...] = ()
        self.after: StoredPattern | None = None
        self.remarks: list[api.AddRemark] = []
        self.asked: list[api.ListPatterns | api.ListTurns] = []

    def show_pattern(self, request: api.ShowPattern) -> api.Shown:
        found = [each for each in self.known if str(each.id).startswith(request.id)]
        if not found:
            raise NotFoundError("No such pattern.")
        return api.Shown(pattern=found[0], episodes=self.episodes)

    def list_patterns(self, request: api.ListPatterns) -> list[StoredPattern]:
        self.asked.append(request)
        return self.known[: request.limit]

    def list_turns(self, request: api.ListTurns) -> list[StoredPattern]:
        self.asked.append(request)
        return self.known[: request.limit]

    def add_remark(self, request: api.AddRemark) -> api.Shown:
        self.remarks.append(request)
        return api.Shown(pattern=self.after or self.known[0], episodes=())

    def recall(self, request: api.Recall) -> list[Suggestion]:
        return [
            Suggestion(
                pattern=each, similarity=0.8, score=0.8, occurrences=1, successes=1, last_seen_at=START, reason="x"
            )
            for each in self.known
        ]


@pytest.fixture(autouse=True)
def client(monkeypatch: pytest.MonkeyPatch) -> FakeClient:
    fake = FakeClient()
    for module in (patterns, correcting):
        monkeypatch.setattr(module, "Client", lambda: fake)
    return fake


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal that prints to the output of this test, not to that of the first."""
    monkeypatch.setattr(terminal, "console", Console(highlight=False, soft_wrap=True))


@pytest.fixture
def editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Makes an editor from a line of shell; returns the file that has the text as it was opened."""

    def running(line: str) -> Path:
        script, opened = tmp_path / "editor", tmp_path / "opened"
        script.write_text(f'#!/bin/sh\ncp "$1" {opened}\n{line}\n', encoding="utf-8")
        script.chmod(0o700)
        monkeypatch.setenv("EDITOR", str(script))
        return opened

    return running


def run(*words: str, text: str | None = None) -> Result:
    return CliRunner().invoke(cli, words, input=text)


def output_of(*words: str, text: str | None = None) -> str:
    done = run(*words, text=text)
    assert done.exit_code == 0, done.output
    return done.output


def steps_in(opened: Path) -> list[str]:
    return [line for line in opened.read_text("utf-8").splitlines() if line and not line.startswith("#")]


# Feedback


@pytest.mark.parametrize(("flag", "kind"), [("--good", RemarkKind.GOOD), ("--bad", RemarkKind.BAD)])
def test_feedback_is_a_remark_with_a_note(flag: str, kind: RemarkKind, client: FakeClient) -> None:
    output_of("feedback", "0000", flag, "--note", "the tests moved")

    assert client.remarks == [api.AddRemark(id="0000", kind=kind, note="the tests moved")]


@pytest.mark.parametrize(
    ("flag", "changes", "effect"),
    [
        ("--good", {}, "It will be suggested more."),
        ("--bad", {}, f"It will be suggested less; hide it with `behavior edit {SHORT} --hide`."),
        (
            "--bad",
            {"confidence": MIN_CONFIDENCE},
            f"It will be suggested less; hide it with `behavior edit {SHORT} --hide`.",
        ),
        ("--bad", {"confidence": 0.19}, "It is not suggested any more; `behavior recall` still finds it."),
        ("--good", {"confidence": 0.19}, "It is not suggested any more; `behavior recall` still finds it."),
        ("--good", {"is_hidden": True}, f"It stays hidden; {UNDO}"),
    ],
)
def test_feedback_says_what_it_changes(flag: str, changes: dict[str, Any], effect: str, client: FakeClient) -> None:
    """A user should see that it was heard, and how to go further."""
    client.after = stored(good=1, bad=2, **changes)

    first, second = output_of("feedback", ID, flag).splitlines()

    assert first == f"Noted. {effect}"
    assert second.startswith("Now: worked 7 of 8 times, in 5 sessions")
    assert second.endswith(f"; confidence {client.after.confidence:.2f} of 1; you said 1 good, 2 bad.")


def test_readme_names_the_limit_of_confidence() -> None:
    """The number that feedback prints needs it."""
    text = (Path(__file__).parents[3] / "README.md").read_text(encoding="utf-8")

    assert f"below {MIN_CONFIDENCE} it is not suggested any more" in " ".join(text.split())


def test_feedback_prints_the_pattern_for_scripts(client: FakeClient) -> None:
    client.after = stored(bad=1)

    printed = json.loads(output_of("feedback", ID, "--bad", "--json"))

    assert printed == client.after.model_dump(mode="json", exclude={"actions"})


def test_calls_are_printed_for_scripts_on_request_only(client: FakeClient) -> None:
    """They are a megabyte and more."""
    client.episodes = (make_episode(),)
    lean, whole = (json.loads(output_of("show", ID, "--json", *run)) for run in ([], ["--run"]))

    assert whole["actions"]
    assert whole["episodes"][0]["turns"][0]["actions"]
    assert whole.keys() - lean.keys() == {"actions"}
    assert whole["episodes"][0]["turns"][0].keys() - lean["episodes"][0]["turns"][0].keys() == {"actions"}
    for words in (["merge", ID, ID], ["edit", ID, "--hide"]):
        assert json.loads(output_of(*words, "--json")).keys() == lean.keys() - {"stale", "episodes"}


@pytest.mark.parametrize(
    "words",
    [
        ("feedback", ID),
        ("feedback", ID, "--good", "--bad"),
        ("feedback", "", "--good"),
        ("feedback", ID, "--good", "--note", "x" * 2_001),
        ("edit", ID, "--hide", "--show"),
        ("edit", ID, "--hide", "--steps", "-"),
        ("edit", ID, "--steps", "/no/such/file"),
        ("merge", ID),
        ("merge", ID, ""),
    ],
)
def test_wrong_usage_makes_no_remark(words: tuple[str, ...], client: FakeClient) -> None:
    assert run(*words).exit_code == click.UsageError.exit_code
    assert client.remarks == []


# Edit


def test_editor_gets_the_steps_and_an_explanation(client: FakeClient, editor: Callable[[str], Path]) -> None:
    """Each line can be read back as the step that it was."""
    client.known = [
        stored(steps=(make_step(kind=StepKind.EDIT, text="", files=("a.py",), until="make"), make_step("git\x1b push")))
    ]
    opened = editor("true")

    output_of("edit", ID)

    assert steps_in(opened) == ["edit a.py until `make` passes", "git push"]
    assert opened.read_text("utf-8").startswith("# fix and check\n# The steps of this pattern, one a line")


def test_saved_lines_become_the_steps(client: FakeClient, editor: Callable[[str], Path]) -> None:
    """Comments, blank lines and spaces are not steps."""
    editor("""printf '# note\\n\\n  make lint \\nAsk Ann\\n' > "$1" """)
    client.after = stored(steps=(make_step("make lint"), make_step("Ask Ann")), is_edited=True)

    text = output_of("edit", SHORT)

    assert client.remarks == [api.AddRemark(id=ID, kind=RemarkKind.EDIT, steps=("make lint", "Ask Ann"))]
    assert text == "These steps are suggested from now on:\n   1. `make lint`\n   2. `Ask Ann`\n"


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("true", "Nothing was saved, so nothing has changed.\n"),
        ("""sleep 0.01; echo '# more' >> "$1" """, "Nothing has changed: these are the steps that it has.\n"),
        ("""echo > "$1" """, "Nothing has changed: these are the steps that it has.\n"),
    ],
)
def test_unchanged_steps_are_not_saved(line: str, text: str, client: FakeClient, editor: Callable[[str], Path]) -> None:
    """Computed steps go on to be computed; so they do if they are deleted."""
    editor(line)

    assert output_of("edit", ID) == text
    assert client.remarks == []


def test_empty_text_gives_the_computed_steps_back(client: FakeClient, editor: Callable[[str], Path]) -> None:
    client.known = [stored(steps=(make_step("make mine"),), is_edited=True)]
    client.after = stored()
    editor("""echo '# nothing' > "$1" """)

    text = output_of("edit", ID)

    assert client.remarks == [api.AddRemark(id=ID, kind=RemarkKind.EDIT)]
    assert text == "The computed steps are back:\n   1. `make test`\n"


def test_steps_that_are_refused_are_not_lost(client: FakeClient, editor: Callable[[str], Path]) -> None:
    """The editor's file is gone by then."""
    editor(f"""printf 'make lint\\n{"x" * 501}\\n' > "$1" """)

    done = run("edit", ID)

    assert done.exit_code == click.UsageError.exit_code
    assert f"Your steps were not saved:\nmake lint\n{'x' * 501}\n" in done.stderr
    assert "steps, step 2: String should have at most 500 characters." in done.stderr


def test_pattern_that_never_worked_becomes_no_skill(client: FakeClient, tmp_path: Path) -> None:
    """No file is left either."""
    client.known = [stored(worked=0)]
    draft = tmp_path / "SKILL.md"

    done = run("export-skill", ID, "--output", str(draft))

    assert str(done.exception) == f"Pattern {ID} has not worked yet, so it is not written as a skill."
    assert done.exit_code == 1
    assert not draft.exists()


def test_draft_that_cannot_be_written_leaves_no_file(client: FakeClient, tmp_path: Path) -> None:
    """A half-written one would refuse the next try."""
    draft = tmp_path / "SKILL.md"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))
    try:
        done = run("export-skill", ID, "--output", str(draft))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert str(done.exception) == f"{draft} cannot be written: File too large"
    assert not draft.exists()


@pytest.mark.parametrize(("count", "title"), [(7, "These steps are suggested"), (8, "These 8 steps are saved. A sugg")])
def test_edit_says_how_many_steps_are_suggested(count: int, title: str, client: FakeClient) -> None:
    """A note leaves out the others."""
    lines = [f"make {number}" for number in range(count)]
    client.after = stored(steps=tuple(map(make_step, lines)), is_edited=True)

    text = output_of("edit", ID, "--steps", "-", text="\n".join(lines))

    assert text.startswith(title)
    assert ("room for at most 7" in text) is (count > 7)
    assert text.count("`make ") == count


def test_failing_editor_changes_nothing(client: FakeClient, editor: Callable[[str], Path]) -> None:
    editor("""echo make lint > "$1"; exit 3""")

    done = run("edit", ID)

    assert isinstance(done.exception, BehaviorError)
    assert str(done.exception).endswith("Editing failed. Nothing has changed.")
    assert done.exception.hint == "Set EDITOR to another editor, or give the steps with --steps FILE."
    assert client.remarks == []


def test_editor_needs_a_terminal_or_a_setting(client: FakeClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """An assistant's shell would wait for an editor that nobody sees."""
    monkeypatch.delenv("EDITOR", raising=False)
    monkeypatch.delenv("VISUAL", raising=False)

    done = run("edit", ID)

    assert done.exit_code == click.UsageError.exit_code
    assert "There is no terminal for an editor." in done.stderr


def test_row_of_another_program_is_not_edited(client: FakeClient, editor: Callable[[str], Path]) -> None:
    client.known = [client.known[0].model_copy(update={"workflow": None})]
    opened = editor("true")

    done = run("edit", ID)

    assert "is not computed from sessions" in str(done.exception)
    assert not opened.exists()


def test_steps_come_from_a_file_or_from_standard_input(client: FakeClient, tmp_path: Path) -> None:
    """Scripts have no editor."""
    file = tmp_path / "steps"
    file.write_text("make lint\n", encoding="utf-8")

    output_of("edit", ID, "--steps", str(file))
    output_of("edit", ID, "--steps", "-", text="make all\n")

    assert [remark.steps for remark in client.remarks] == [("make lint",), ("make all",)]


@pytest.mark.parametrize("content", [b"\xff\xfe", b"x" * 100_001], ids=["binary", "long"])
def test_file_that_is_no_text_is_refused(content: bytes, client: FakeClient, tmp_path: Path) -> None:
    file = tmp_path / "steps"
    file.write_bytes(content)

    done = run("edit", ID, "--steps", str(file))

    assert "steps" in str(done.exception)
    assert client.remarks == []


def test_hiding_can_be_taken_back(client: FakeClient) -> None:
    hidden, shown = output_of("edit", ID, "--hide"), output_of("edit", ID, "--show")

    assert [remark.kind for remark in client.remarks] == [RemarkKind.HIDE, RemarkKind.SHOW]
    assert hidden == f"It is hidden, and not suggested any more. {UNDO}\n"
    assert shown == "It can be suggested again.\n"


# Merge


def test_merge_says_how_much_work_is_in_the_whole(client: FakeClient) -> None:
    client.known = [stored(0xBBBB << 112)]
    client.after = stored(job="commit and push", times=12)

    text = output_of("merge", "aaaa", "bbbb")

    assert client.remarks == [api.AddRemark(id="aaaa", kind=RemarkKind.MERGE, into="bbbb")]
    assert text == f"Merged. {SHORT} (commit and push) has 12 pieces of work now.\n"


def test_merge_says_that_no_work_was_new(client: FakeClient) -> None:
    """The parts of an episode are counted with it."""
    client.known = [stored(times=3)]
    client.after = stored(job="commit", times=3)

    assert output_of("merge", SHORT, SHORT) == (
        f"Merged. {SHORT} (commit) still has 3 pieces of work: those of the other pattern were counted there already.\n"
    )


# Prune


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, client: FakeClient) -> Context:
    """The current directory, a project with one target and two patterns, of which the second is stale."""
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "Makefile").write_text("test:\n", encoding="utf-8")
    monkeypatch.chdir(folder)
    context = Context(directory=str(folder), root=str(folder), project=str(folder))
    client.known = [stored(1, context=context), stored(2, context=context, steps=(make_step("make gate"),))]
    return context


BECAUSE = "its step `make gate` has no target in the Makefile any more"


def test_prune_lists_stale_patterns_and_changes_nothing(project: Context, client: FakeClient) -> None:
    text = output_of("prune")

    assert client.asked == [api.ListPatterns(limit=10_000, directory=project.directory)]
    assert text.splitlines() == [
        f'{SHORT}  fix and check: "Fix the failing test"',
        f"   {BECAUSE}",
        "1 pattern to hide. This was a dry run: --apply hides them.",
    ]
    assert client.remarks == []


def test_prune_hides_stale_patterns_on_request(project: Context, client: FakeClient) -> None:
    text = output_of("prune", "--apply")

    assert client.remarks == [api.AddRemark(id=str(uuid.UUID(int=2)), kind=RemarkKind.HIDE)]
    assert text.endswith("Hidden: 1 pattern. `behavior edit ID --show` takes that back for one of them.\n")


@pytest.mark.parametrize(("confidence", "is_listed"), [(0.19, True), (MIN_CONFIDENCE, False)])
def test_prune_lists_what_failed_too_often(
    confidence: float, is_listed: bool, project: Context, client: FakeClient
) -> None:
    """It is not suggested in any case; hidden, it is out of the way."""
    client.known = [stored(1, context=project, confidence=confidence)]

    text = output_of("prune")

    assert ("it failed or was turned down too often (confidence 0.19)" in text) is is_listed
    nothing = "No pattern of this project is stale or failed too often. --all looks at all projects."
    assert (nothing in text) is not is_listed


def test_prune_leaves_hidden_and_foreign_patterns_alone(project: Context, client: FakeClient) -> None:
    """Nothing is known of a project that is not here."""
    steps = (make_step("make gate"),)
    client.known = [stored(1, context=project, steps=steps, is_hidden=True), stored(2, steps=steps)]

    assert output_of("prune", "--all") == "No pattern is stale or failed too often.\n"
    assert client.asked == [api.ListPatterns(limit=10_000)]


def test_prune_reads_other_projects_where_they_were(
    project: Context, client: FakeClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(elsewhere(tmp_path))

    found = json.loads(output_of("prune", "--all", "--json"))

    assert found == {
        "is_applied": False,
        "patterns": [
            {
                "id": str(uuid.UUID(int=2)),
                "job": "fix and check",
                "project": project.project,
                "trigger": "Fix the failing test",
                "reasons": [BECAUSE],
            }
        ],
    }
    assert f"fix and check in {project.project[:20]}" in output_of("prune", "--all")


def test_own_checkout_counts_for_its_project(project: Context, client: FakeClient, tmp_path: Path) -> None:
    """Patterns were learned in a worktree that is older."""
    older = tmp_path / "older"
    older.mkdir()
    (older / "Makefile").write_text("old:\n", encoding="utf-8")
    elsewhere = project.model_copy(update={"root": str(older)})
    client.known = [stored(1, context=elsewhere)]

    assert "No pattern of this project is stale or failed too often." in output_of("prune")


# Marks


@pytest.mark.usefixtures("screen")
def test_recall_and_show_mark_a_stale_pattern(project: Context) -> None:
    """A person who asks for it should know before trying it."""
    assert output_of("recall", "fix").count(f"   stale: {BECAUSE}\n") == 1
    assert f"\nstale             {BECAUSE}\n" in output_of("show", str(uuid.UUID(int=2)))
    assert json.loads(output_of("show", str(uuid.UUID(int=2)), "--json"))["stale"] == [BECAUSE]
    assert "stale" not in output_of("show", str(uuid.UUID(int=1)))


@pytest.mark.usefixtures("screen")
def test_list_marks_a_hidden_pattern(client: FakeClient) -> None:
    client.known = [stored(1), stored(2, is_hidden=True)]

    _, plain, hidden = output_of("list").splitlines()

    assert "hidden" not in plain
    assert hidden.startswith(f"{SHORT}  hidden: fix and check  ")


@pytest.mark.usefixtures("screen")
def test_recall_names_projects_where_there_may_be_several(project: Context, client: FakeClient) -> None:
    """Another project's steps are not to be taken for this one's."""
    one_here, all_projects = output_of("recall", "fix"), output_of("recall", "--all", "fix")
    client.known.append(stored(3))

    assert "\n   in /" not in one_here
    assert all_projects.count(f"\n   in {project.project}\n") == 2
    assert "\n   in /nowhere\n" in output_of("recall", "fix")


@pytest.mark.usefixtures("screen")
@pytest.mark.parametrize("turns", [[], ["--turns"]])
def test_list_says_that_there_is_more(turns: list[str], client: FakeClient) -> None:
    """Otherwise it looks complete."""
    client.known = [stored(number) for number in range(21)]

    cut, all_of_them = run("list", *turns), run("list", "--limit", "21", *turns)

    assert cut.stderr == "behavior: these are the newest 20; there are more: --limit 100\n"
    assert len(cut.stdout.splitlines()) == 1 + 20
    assert all_of_them.stderr == ""
    assert len(all_of_them.stdout.splitlines()) == 1 + 21
    for_scripts = run("list", "--json", *turns)
    assert (len(json.loads(for_scripts.stdout)), for_scripts.stderr) == (20, "")
    assert [request.limit for request in client.asked] == [21, 22, 21]


def test_list_asks_for_no_more_than_is_allowed(client: FakeClient) -> None:
    assert run("list", "--limit", "10000").exit_code == 0
    assert client.asked == [api.ListPatterns(limit=10_000)]


@pytest.mark.usefixtures("screen")
def test_list_of_turns_names_projects_unless_it_is_of_one(client: FakeClient) -> None:
    assert "project" in output_of("list", "--turns").splitlines()[0]
    assert "project" not in output_of("list", "--turns", "--here").splitlines()[0]


@pytest.mark.usefixtures("screen")
def test_show_has_what_the_user_said_of_a_pattern(client: FakeClient) -> None:
    client.known = [stored(is_hidden=True, is_edited=True, good=1, bad=2)]

    text = output_of("show", ID)

    assert "\nyour feedback     1 good, 2 bad\nsuggested         never, since you hid it\n" in text
    assert "\nSteps, as you wrote them\n" in text


def test_hostile_names_are_harmless(project: Context, client: FakeClient) -> None:
    evil = "\x1b[2Jclear\u202e"
    step = make_step(f"make gate {evil}", kind=StepKind.RUN)
    edit = make_step(kind=StepKind.EDIT, text="", files=(evil,))
    client.known = [stored(1, context=project, job=evil, triggers=(evil,), steps=(step, edit))]

    for words in (["prune"], ["feedback", SHORT, "--bad"], ["merge", SHORT, SHORT], ["edit", SHORT, "--steps", "-"]):
        text = output_of(*words, text="make\n")
        assert "\x1b" not in text
        assert "\u202e" not in text
