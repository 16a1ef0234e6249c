"""The link to the Python that runs the hooks: made where it helps, and never in the place of anything else."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from behavior_plugin.capture import paths, python_link
from tests.settings import elsewhere

REAL = Path(sys.executable).resolve()


@pytest.fixture
def link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("CLAUDE_PLUGIN_DATA", str(folder))
    return folder / "python3"


def test_the_link_leads_to_the_python_behind_the_environment(link: Path) -> None:
    """A project's environment may be deleted with the project."""
    python_link.refresh()

    assert link.readlink() == REAL
    assert list(link.parent.iterdir()) == [link]


def test_hooks_in_settings_have_their_link_in_the_data_folder(link: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody gives them a folder of their own."""
    monkeypatch.delenv("CLAUDE_PLUGIN_DATA")
    paths.make_private(paths.data_folder())

    python_link.refresh()

    assert Path(paths.in_data("python3")).readlink() == REAL
    assert not link.is_symlink()


@pytest.mark.parametrize("target", ["/no/such/python3", "/etc/passwd", "/bin/true", "python3", "."])
def test_an_outdated_link_is_replaced(link: Path, target: str) -> None:
    """That interpreter is gone, or could not start: else it would be the one that runs."""
    link.symlink_to(target)

    python_link.refresh()

    assert link.readlink() == REAL


def test_a_correct_link_is_not_changed(link: Path) -> None:
    """Every session begins with this."""
    python_link.refresh()
    before = link.lstat()

    python_link.refresh()

    assert link.lstat() == before


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_file_in_the_links_place_is_not_changed(link: Path, kind: str) -> None:
    """We have not put it there."""
    link.mkdir() if kind == "folder" else link.write_text("somebody's")

    python_link.refresh()

    assert not link.is_symlink()
    assert list(link.parent.iterdir()) == [link]


@pytest.mark.parametrize("folder", ["data", "./data", "../data"])
def test_a_relative_folder_gets_no_link(
    link: Path, folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The session may be in a folder that somebody prepared."""
    monkeypatch.chdir(elsewhere(tmp_path))
    monkeypatch.setenv("CLAUDE_PLUGIN_DATA", folder)

    python_link.refresh()

    assert not link.is_symlink()
    assert not Path(paths.in_data("python3")).is_symlink()


def test_a_missing_folder_is_not_made(link: Path) -> None:
    """The client makes it, and deletes it on uninstall."""
    link.parent.rmdir()

    python_link.refresh()

    assert not link.parent.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
@pytest.mark.parametrize(("owner", "mode"), [(65534, 0o755), (0, 0o777)])
def test_a_world_writable_folder_gets_no_link(link: Path, owner: int, mode: int) -> None:
    """They could put their own program there."""
    os.chown(link.parent, owner, owner)
    link.parent.chmod(mode)

    python_link.refresh()

    assert not link.is_symlink()


@pytest.mark.parametrize("executable", ["", None, "python3", "/no/such/python3", "/etc/passwd"])
def test_a_python_without_a_known_path_makes_no_link(
    link: Path, executable: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be embedded, or have been replaced while it ran."""
    monkeypatch.setattr(sys, "executable", executable)
    monkeypatch.setattr(sys, "_base_executable", executable)

    python_link.refresh()

    assert not link.is_symlink()
