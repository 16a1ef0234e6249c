"""The layers: imports point down, and the hook-safe package needs only an old standard library."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HOOK_SAFE = sorted([*(ROOT / "behavior_plugin" / "capture").glob("*.py"), *(ROOT / "hooks").glob("*.py")])
OLDEST = (3, 9)
# Importing one of these costs more than the rest of a hook's work, see ARCHITECTURE.md.
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
    """The modules that a file imports, each with whether the import is at the top level."""
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
    """A newcomer can read any module knowing only the layers below it."""
    linted = run(str(Path(sys.executable).with_name("lint-imports")), "--no-cache")

    assert linted.returncode == 0, linted.stdout


@pytest.mark.parametrize("source", HOOK_SAFE, ids=lambda path: path.name)
def test_hooks_need_only_the_standard_library(source: Path) -> None:
    """The user's own python3 runs the hooks, with no package installed."""
    foreign = {name for name, _ in imports(source) if name.partition(".")[0] not in sys.stdlib_module_names}

    ours = {name for name in foreign if name == "behavior_plugin" or name.startswith("behavior_plugin.capture")}
    assert foreign - ours == set()


@pytest.mark.parametrize("source", HOOK_SAFE, ids=lambda path: path.name)
def test_hooks_import_no_heavy_module_at_the_top(source: Path) -> None:
    """Starting is the cost of a hook, so modules for rare cases are imported inside functions."""
    assert {name for name, is_top in imports(source) if is_top} & HEAVY == set()


@pytest.mark.parametrize("event", ["PostToolUse", "PostToolUseFailure", "Stop"])
def test_a_capture_hook_loads_no_heavy_module(event: str, tmp_path: Path) -> None:
    """The check of the source misses indirect imports, so this one looks at a finished hook."""
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


def test_hooks_are_valid_on_the_oldest_python() -> None:
    """The user's python3 may be as old as macOS's."""
    checked = run(
        str(Path(sys.executable).with_name("vermin")),
        "--no-tips",
        "--violations",
        f"-t={OLDEST[0]}.{OLDEST[1]}-",
        *map(str, HOOK_SAFE),
    )

    assert checked.returncode == 0, checked.stdout


def test_the_hook_runs_on_the_oldest_python(tmp_path: Path) -> None:
    """The check of the source cannot find every incompatibility."""
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
