"""The floors: imports point down, and the light room needs nothing but an old standard library."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LIGHT = sorted([*(ROOT / "behavior_plugin" / "capture").glob("*.py"), *(ROOT / "hooks").glob("*.py")])
OLDEST = (3, 9)
# Modules that cost a hook more than the rest of its work; measured in docs of the trade, see ARCHITECTURE.md.
HEAVY = {
    "json",
    "pathlib",
    "re",
    "subprocess",
    "logging",
    "socket",
    "tempfile",
    "enum",
    "typing",
    "dataclasses",
    "signal",
}


def imports(source: Path) -> list[tuple[str, bool]]:
    """The modules that a file imports, and whether it does so at its top."""
    tree = ast.parse(source.read_text(encoding="utf-8"))
    top = set(map(id, ast.iter_child_nodes(tree)))
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(name.name, id(node) in top) for name in node.names]
        elif isinstance(node, ast.ImportFrom):
            found.append((node.module or "", id(node) in top))
    return found


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)


def test_imports_point_down() -> None:
    """A newcomer can read any room knowing only those below it."""
    linted = run(str(Path(sys.executable).with_name("lint-imports")), "--no-cache")

    assert linted.returncode == 0, linted.stdout


@pytest.mark.parametrize("source", LIGHT, ids=lambda path: path.name)
def test_the_light_room_needs_only_the_standard_library(source: Path) -> None:
    """A hook is run by whatever python3 the user has, with nothing installed."""
    foreign = {name for name, _ in imports(source) if name.partition(".")[0] not in sys.stdlib_module_names}

    ours = {name for name in foreign if name == "behavior_plugin" or name.startswith("behavior_plugin.capture")}
    assert foreign - ours == set()


@pytest.mark.parametrize("source", LIGHT, ids=lambda path: path.name)
def test_the_light_room_imports_nothing_heavy_at_its_top(source: Path) -> None:
    """Starting is a hook's cost; what only some need is imported where they need it."""
    assert {name for name, is_top in imports(source) if is_top} & HEAVY == set()


@pytest.mark.parametrize("event", ["PostToolUse", "PostToolUseFailure", "Stop"])
def test_noting_an_event_loads_next_to_nothing(event: str, tmp_path: Path) -> None:
    """The modules that a capture hook has really loaded when it is done."""
    code = (
        f"import os, sys; sys.argv[1:] = [{event!r}]; os._exit = lambda _: None; before = set(sys.modules)\n"
        "exec(compile(open('hooks/hook.py').read(), 'hooks/hook.py', 'exec'), {'__file__': 'hooks/hook.py'})\n"
        "print(' '.join(sorted(set(sys.modules) - before)), file=sys.stderr)"
    )
    environment = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}

    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code],
        cwd=ROOT,
        env=environment,
        input='{"session_id": "s"}',
        capture_output=True,
        text=True,
        check=True,
    )

    loaded = set(done.stderr.split())
    assert loaded & HEAVY == set()
    assert len(list((tmp_path / ".local/share/behavior-plugin/spool/new").iterdir())) == 1


def test_the_light_room_is_valid_on_the_oldest_python() -> None:
    """The user's python3 may be as old as macOS's."""
    checked = run(
        str(Path(sys.executable).with_name("vermin")),
        "--no-tips",
        "--violations",
        f"-t={OLDEST[0]}.{OLDEST[1]}-",
        *map(str, LIGHT),
    )

    assert checked.returncode == 0, checked.stdout


def test_the_hook_runs_on_the_oldest_python(tmp_path: Path) -> None:
    """Not only in theory."""
    oldest = f"python{OLDEST[0]}.{OLDEST[1]}"
    if shutil.which(oldest) is None or run(oldest, "-c", "pass").returncode != 0:
        pytest.skip(f"no {oldest} on the PATH; vermin has looked at the source")

    done = subprocess.run(
        [oldest, "-I", "-S", str(ROOT / "hooks" / "hook.py"), "UserPromptSubmit"],
        env={**os.environ, "HOME": str(tmp_path)},
        input='{"session_id": "s", "prompt": "p"}',
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
