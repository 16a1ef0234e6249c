"""Where our files lie, and that nobody else can get there first."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from behavior_plugin.capture import paths

ROOT = Path(__file__).parents[3]


def test_the_data_folder_is_the_users(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same answer in a hook and in a terminal."""
    monkeypatch.delenv("BEHAVIOR_HOME")
    monkeypatch.setattr("sys.platform", "linux")

    assert paths.data_folder() == str(own_home / ".local" / "share" / "behavior-plugin")

    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert paths.data_folder() == "/data/behavior-plugin"


@pytest.mark.parametrize("chosen", ["memory", "./memory", "../memory", "~nobody-of-that-name/memory"])
def test_a_relative_data_folder_is_ignored(chosen: str, own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each directory would have a memory of its own, and nobody would know why."""
    monkeypatch.delenv("BEHAVIOR_HOME")
    usual = paths.data_folder()
    assert not paths.misplaced()

    monkeypatch.setenv("BEHAVIOR_HOME", chosen)

    assert paths.data_folder() == usual
    assert paths.misplaced() == "BEHAVIOR_HOME is not an absolute path"


def test_a_data_folder_may_begin_with_a_tilde(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no shell has done it, we do."""
    monkeypatch.setenv("BEHAVIOR_HOME", "~/memory/../mine")

    assert paths.data_folder() == str(own_home / "mine")
    assert not paths.misplaced()


def test_a_missing_home_is_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Services and sandboxes start without HOME."""
    monkeypatch.delenv("BEHAVIOR_HOME")
    monkeypatch.delenv("HOME")

    assert Path(paths.data_folder()).is_absolute()


def test_a_user_without_any_home_gets_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a container, a process may run under a number that no account has."""
    monkeypatch.delenv("BEHAVIOR_HOME")
    monkeypatch.delenv("HOME")
    monkeypatch.setattr("os.geteuid", lambda: 3_141_592)

    with pytest.raises(OSError, match="no home"):
        paths.data_folder()


# A project cannot choose the data folder


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository, in which the session works."""
    folder = tmp_path / "project"
    (folder / ".git").mkdir(parents=True)
    (folder / "deep" / "below").mkdir(parents=True)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def of_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's home as the system knows it."""
    home = tmp_path / "of record"
    home.mkdir()
    entry = pwd.struct_passwd(["me", "x", os.geteuid(), 0, "", str(home), "/bin/sh"])
    monkeypatch.setattr(pwd, "getpwuid", lambda _: entry)
    return home


def usual(home: Path) -> str:
    return str(home / ".local" / "share" / "behavior-plugin")


@pytest.mark.parametrize("name", ["BEHAVIOR_HOME", "XDG_DATA_HOME", "HOME"])
@pytest.mark.parametrize(
    ("works_in", "folder"),
    [
        (".", "{project}/.b"),
        (".", "{project}"),
        (".", "/proc/self/cwd/.b"),
        (".", "/proc/self/root{project}/../other"),
        (".", "/../{project}/./deep/../.b"),
        (".", "{project}/../link/.b"),
        ("deep/below", "{project}/.b"),
        ("..", "{project}/.b"),
    ],
)
def test_a_folder_in_the_project_is_not_used(
    name: str, works_in: str, folder: str, project: Path, of_record: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Our files would lie in the repository, and those that lie there would be ours."""
    (project.parent / "link").symlink_to(project)
    monkeypatch.delenv("BEHAVIOR_HOME")
    monkeypatch.delenv("HOME")
    monkeypatch.chdir(works_in)

    monkeypatch.setenv(name, folder.format(project=project))

    assert paths.data_folder() == usual(of_record)
    assert name in paths.misplaced()
    assert "lies in a project" in paths.misplaced()
    assert paths.home() == str(of_record)


@pytest.mark.parametrize("marks", ["CLAUDE_PROJECT_DIR", "working directory"])
def test_a_project_need_not_be_a_repository(
    marks: str, tmp_path: Path, own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have been unpacked from an archive."""
    (tmp_path / "unpacked").mkdir()
    if marks == "CLAUDE_PROJECT_DIR":
        monkeypatch.setenv("CLAUDE_PROJECT_DIR", str(tmp_path / "unpacked"))
        monkeypatch.chdir("/")
    else:
        monkeypatch.chdir(tmp_path / "unpacked")

    monkeypatch.setenv("BEHAVIOR_HOME", str(tmp_path / "unpacked" / ".b"))

    assert paths.data_folder() == usual(own_home)
    assert paths.misplaced()


def test_a_child_that_has_left_the_project_does_not_decide_again(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes on in the root folder."""
    (project / ".git").rmdir()
    monkeypatch.setenv("BEHAVIOR_HOME", str(project / ".b"))
    before = paths.data_folder()

    os.chdir("/")

    assert paths.data_folder() == before != str(project / ".b")


def test_the_home_may_be_a_repository(of_record: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many people have their settings under version control."""
    (of_record / ".git").mkdir()
    monkeypatch.setenv("HOME", str(of_record))
    monkeypatch.delenv("BEHAVIOR_HOME")
    for works_in in (of_record, of_record.parent, Path("/")):
        monkeypatch.chdir(works_in)
        monkeypatch.setattr(paths, "_decided", {})
        assert (paths.data_folder(), paths.misplaced()) == (usual(of_record), "")

    monkeypatch.setenv("BEHAVIOR_HOME", str(of_record / "memory"))
    assert (paths.data_folder(), paths.misplaced()) == (str(of_record / "memory"), "")


@pytest.mark.parametrize("is_repository", [False, True])
def test_a_home_that_is_set_may_be_worked_in_unless_it_is_a_repository(
    is_repository: bool, own_home: Path, of_record: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Containers set HOME, and so can a project."""
    monkeypatch.delenv("BEHAVIOR_HOME")
    monkeypatch.chdir(own_home)
    if is_repository:
        (own_home / ".git").mkdir()

    assert paths.data_folder() == usual(of_record if is_repository else own_home)
    assert bool(paths.misplaced()) is is_repository


def test_the_usual_folder_needs_no_look_at_the_accounts(tmp_path: Path) -> None:
    """A hook starts with each call, and the module costs time."""
    (tmp_path / "project" / ".git").mkdir(parents=True)
    program = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from behavior_plugin.capture import paths
paths.data_folder()
assert "pwd" not in sys.modules
"""
    command = [sys.executable, "-I", "-S", "-c", program]

    subprocess.run(command, cwd=tmp_path / "project", check=True)


@pytest.mark.timeout(10)
def test_a_careful_open_neither_follows_nor_waits(tmp_path: Path) -> None:
    """Another user with write access to the folder could otherwise block a hook, or redirect it."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "target")

    with open(tmp_path / "pipe", "rb", opener=paths.open_carefully) as pipe:
        assert pipe.read() == b""
    for name in ("pipe", "link"):
        with pytest.raises(OSError, match=r"symbolic|device"):
            paths.open_carefully(str(tmp_path / name), os.O_WRONLY | os.O_CREAT)
    assert not (tmp_path / "target").exists()


def test_a_file_is_replaced_whole_and_is_private(tmp_path: Path) -> None:
    """A link that somebody planted beside it is replaced, and not written through."""
    file, stranger = tmp_path / "file", tmp_path / "stranger"
    file.write_text("a longer text than the next one")
    file.chmod(0o644)
    stranger.write_text("untouched")
    left = tmp_path / "file.new"
    left.write_text("of a writer that was killed")
    left.chmod(0o644)

    paths.replace_file(str(file), b"short")
    left.symlink_to(stranger)
    assert (file.read_bytes(), stat.S_IMODE(file.stat().st_mode)) == (b"short", 0o600)

    paths.replace_file(str(file), b"another")
    assert (file.read_bytes(), file.is_symlink()) == (b"another", False)
    assert stranger.read_text() == "untouched"


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_folders_are_private_whatever_the_umask(umask: int, tmp_path: Path) -> None:
    """Waiting events are not redacted yet."""
    before = os.umask(umask)
    try:
        made = Path(paths.make_private(str(tmp_path / "local" / "share" / "made")))
    finally:
        os.umask(before)

    for folder in (made, made.parent, made.parent.parent):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_folder_open_to_others_is_made_private(tmp_path: Path) -> None:
    """Somebody's chmod -R is mended."""
    tmp_path.chmod(0o755)

    paths.make_private(str(tmp_path))

    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700


def test_a_link_or_file_in_the_place_of_a_folder_is_refused(tmp_path: Path) -> None:
    """Somebody else may have put it there."""
    (tmp_path / "link").symlink_to(tmp_path)
    (tmp_path / "file").touch()

    for name in ("link", "file"):
        with pytest.raises(NotADirectoryError):
            paths.make_private(str(tmp_path / name))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make another user's folder")
def test_another_users_folder_is_refused(tmp_path: Path) -> None:
    """With sudo, HOME may still be the other user's."""
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    os.chown(theirs, 65534, 65534)

    with pytest.raises(PermissionError):
        paths.make_private(str(theirs))


def test_a_socket_fits_with_any_length_of_data_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Unix socket's path is short; a home's need not be."""
    monkeypatch.setenv("BEHAVIOR_HOME", str(tmp_path / ("long" * 40)))

    folder = Path(paths.make_run_folder())

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / ".s.PGSQL.5432"))
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert paths.make_run_folder() == paths.run_folder() == str(folder)
    shutil.rmtree(folder)


def test_a_deleted_short_folder_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Temporary folders are swept."""
    monkeypatch.setenv("BEHAVIOR_HOME", str(tmp_path / ("long" * 40)))
    before = paths.make_run_folder()
    Path(before).rmdir()

    made = Path(paths.make_run_folder())
    assert made.is_dir()
    made.rmdir()


def test_only_the_short_folder_of_the_sockets_is_reached_by_a_link(own_home: Path) -> None:
    """A link that somebody planted would have us make sockets in a folder of theirs, and delete what is in it."""
    paths.make_private(paths.data_folder())
    run, victim = Path(paths.in_data("run")), own_home / "victim"
    victim.mkdir()
    (victim / "letter").touch()
    run.symlink_to(victim)

    assert paths.run_folder() == str(run)
    assert paths.planted_links() == [str(run)]
    paths.leave_short_run_folder()

    assert (victim / "letter").exists()


def test_a_planted_link_to_a_folder_is_not_taken_for_the_short_one(
    own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the path is so long that `run` is a link by design."""
    monkeypatch.setenv("BEHAVIOR_HOME", str(own_home / ("long" * 20)))
    paths.make_private(paths.data_folder())
    run, victim = Path(paths.in_data("run")), own_home / "victim"
    victim.mkdir()
    (victim / "starting").touch()
    run.symlink_to(victim)

    assert paths.planted_links() == [str(run)]
    paths.leave_short_run_folder()
    assert (victim / "starting").exists()

    short = Path(paths.make_run_folder())
    assert short != victim
    assert paths.planted_links() == []
    (short / "starting").touch()
    (short / "of_somebody_else").touch()
    paths.leave_short_run_folder()
    assert [file.name for file in short.iterdir()] == ["of_somebody_else"]
    shutil.rmtree(short)
