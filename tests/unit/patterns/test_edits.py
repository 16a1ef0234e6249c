"""Shell lines that change files in place are edits."""

from __future__ import annotations

import time

import pytest

from behavior_plugin.patterns.edits import edited_files

ROOT = "/home/dev/shop"


@pytest.mark.parametrize(
    ("command", "files"),
    [
        ("sed -i 's/a/b/' src/a.py src/b.py", ("src/a.py", "src/b.py")),
        ("cd web && sed -i.bak -e s/a/b/ /home/dev/shop/web/a.ts && npm test", ("web/a.ts",)),
        ("sed --in-place 1d a.py a.py", ("a.py",)),
        ("grep -rl old src | xargs sed -i s/old/new/g", ()),
        ("perl -pi -e 's/a/b/' a.py", ("a.py",)),
        ("python3 -c \"open('a.py', 'w').write('x')\"", ("a.py",)),
        ("python3 - <<'E'\nfrom pathlib import Path\nPath('src/a.py').write_text('x')\nE", ("src/a.py",)),
        ("node -e \"fs.writeFileSync('a.json', text)\"", ("a.json",)),
        ("uv run python - <<E\nPath(name).write_text('x')\nE", ()),
    ],
)
def test_a_line_may_change_files(command: str, files: tuple[str, ...]) -> None:
    """The files that it names are known; others it may find for itself."""
    assert edited_files(command, ROOT) == files


@pytest.mark.parametrize(
    "command",
    [
        "",
        "sed -n 1,5p a.py",
        "sed -i s/a/b/ /tmp/a.py",
        "python3 -c \"open('/tmp/a.py', 'w').write('x')\"",
        "python3 -c \"print(open('a.py').read())\"",
        "python3 tools/write.py a.py",
        "grep -n 'write_text(' a.py",
        "npm test",
    ],
)
def test_other_lines_change_no_file_of_the_project(command: str) -> None:
    """They read, or write elsewhere; a script may be run again, and is a command."""
    assert edited_files(command, ROOT) is None


@pytest.mark.parametrize("piece", ["open('", "'a/", "'a.", "open(a,", "sed -i "])
def test_hostile_lines_take_milliseconds(piece: str) -> None:
    """The length that is read has a bound."""
    began = time.process_time()

    edited_files("python3 - <<E\nx.write_text(" + piece * 20_000)

    assert time.process_time() - began < 0.5
