"""Read the .behaviorignore of a project that may be hostile."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from behavior_plugin.capture import ignore_file
from behavior_plugin.capture.ignore_file import MAX_BYTES, MAX_LINE_CHARS, MAX_LINES, NAME, WHOLE_PROJECT


def test_the_lines_are_read(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text("# keys\n*.env\n\nsecrets/\n")

    assert ignore_file.read(str(tmp_path)) == ("# keys", "*.env", "", "secrets/")
    assert not ignore_file.excludes_project(str(tmp_path))


@pytest.mark.parametrize("content", ["*\n", "# all of it\n/\n", "*.env\n**\n!src/\n"])
def test_one_line_can_exclude_the_whole_project(tmp_path: Path, content: str) -> None:
    (tmp_path / NAME).write_text(content)

    assert ignore_file.excludes_project(str(tmp_path))


def test_a_project_without_the_file_is_not_excluded(tmp_path: Path) -> None:
    assert ignore_file.read(str(tmp_path)) == ()
    assert not ignore_file.excludes_project(str(tmp_path))
    assert not ignore_file.excludes_project(str(tmp_path / "gone"))


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    """It may lead to any file of the user's; its author's will is unknown, so nothing is learned."""
    (tmp_path / "other").write_text("*.env\n")
    (tmp_path / NAME).symlink_to(tmp_path / "other")

    assert ignore_file.read(str(tmp_path)) == WHOLE_PROJECT


def test_a_pipe_or_a_folder_keeps_nobody_waiting(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    os.mkfifo(tmp_path / "a" / NAME)
    (tmp_path / "b" / NAME).mkdir(parents=True)

    assert ignore_file.read(str(tmp_path / "a")) == WHOLE_PROJECT
    assert ignore_file.read(str(tmp_path / "b")) == WHOLE_PROJECT


@pytest.mark.parametrize("content", ["a\n" * (MAX_LINES + 1), "a" * (MAX_LINE_CHARS + 1), ("a" * 99 + "\n") * 200])
def test_a_file_beyond_the_bounds_excludes_the_project(tmp_path: Path, content: str) -> None:
    """A part of it would be learned from otherwise, against its author's will."""
    assert len(("a" * 99 + "\n") * 200) > MAX_BYTES
    (tmp_path / NAME).write_text(content)

    assert ignore_file.read(str(tmp_path)) == WHOLE_PROJECT


def test_a_file_at_the_bounds_is_read(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text("a\n" * (MAX_LINES - 1) + "b" * MAX_LINE_CHARS)

    assert len(ignore_file.read(str(tmp_path))) == MAX_LINES


def test_a_folder_that_cannot_exist_excludes_nothing() -> None:
    """Its events are kept, like those of any folder that is gone."""
    assert ignore_file.read("/" + 5_000 * "x") == ()
