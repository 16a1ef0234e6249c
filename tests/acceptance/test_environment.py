"""In any environment a hook exits with 0 and prints nothing, and saves the event or reports its loss in one line."""

from __future__ import annotations

import os
import resource
import shutil
import socket
import stat
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from behavior_plugin.capture import paths, spool, wake
from tests.acceptance.feeding import (
    LOSS_NOTICE,
    data_folder,
    feed,
    hook_environment,
    is_user_message,
    plugin_copy,
    spooled_payloads,
)
from tests.settings import elsewhere
from tests.waiting import wait_for

RAW = '{"session_id": "s", "prompt": "größer 世界 \\udcff"}\n'.encode("utf-8", "surrogateescape")
# An event that is only saved, and the one that causes the most work.
EVENTS = pytest.mark.parametrize("event", ["PostToolUse", "UserPromptSubmit"])
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else, or mount a disk")
NOBODY: dict[str, Any] = {"user": 65534, "group": 65534, "extra_groups": [], "cwd": "/"}


@pytest.fixture(autouse=True)
def data(own_home: Path) -> Iterator[Path]:
    """Tests of the hooks alone."""
    with data_folder(own_home) as folder:
        yield folder


@pytest.fixture
def shared_folder() -> Iterator[Path]:
    """A folder that another user can enter, with the plugin and a folder of that user's own."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        folder.chmod(0o755)
        plugin_copy(folder / "plugin")
        (folder / "own").mkdir(mode=0o700)
        os.chown(folder / "own", 65534, 65534)
        if subprocess.run(["/usr/bin/python3", "-c", "pass"], **NOBODY, check=False).returncode != 0:
            pytest.skip("another user has no python3 here")
        yield folder


def feed_nobody(
    event: str, shared_folder: Path, variables: dict[str, str], *, limit: Callable[[], None] | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run a hook as another user, with nothing in its environment but these variables."""
    plugin = {"CLAUDE_PLUGIN_ROOT": str(shared_folder / "plugin"), "PATH": "/usr/bin:/bin"}
    return feed(event, RAW, env={**plugin, **variables}, preexec_fn=limit, **NOBODY)


def assert_loss_reported(done: subprocess.CompletedProcess[bytes]) -> None:
    assert done.returncode == 0
    assert not done.stdout or is_user_message(done.stdout)
    assert done.stderr.startswith(LOSS_NOTICE)
    assert done.stderr.count(b"\n") == 1


def assert_saved(done: subprocess.CompletedProcess[bytes], folder: Path | None = None) -> None:
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert spooled_payloads(folder) == [RAW]


@AS_ROOT
@EVENTS
@pytest.mark.parametrize("home", [None, "", "/dev/null", "/nonexistent", "relative", "read-only"])
def test_without_a_writable_home_the_loss_is_reported(event: str, home: str | None, shared_folder: Path) -> None:
    """Sandboxes and services have none."""
    (shared_folder / "read-only").mkdir(mode=0o555)
    place = str(shared_folder / "read-only") if home == "read-only" else home

    assert_loss_reported(feed_nobody(event, shared_folder, {} if place is None else {"HOME": place}))


@AS_ROOT
@EVENTS
def test_a_data_folder_can_be_set_without_a_home(event: str, shared_folder: Path) -> None:
    """The platform's variable is enough."""
    done = feed_nobody(event, shared_folder, {"XDG_DATA_HOME": str(shared_folder / "own")})

    assert_saved(done, shared_folder / "own" / "behavior-plugin" / "spool" / "new")


@AS_ROOT
@EVENTS
def test_another_users_data_folder_is_not_written_to(event: str, shared_folder: Path, data: Path) -> None:
    """Under sudo, HOME may still be the other user's."""
    theirs = shared_folder / "theirs"
    theirs.mkdir()
    theirs.chmod(0o777)

    assert_loss_reported(feed_nobody(event, shared_folder, {"BEHAVIOR_HOME": str(theirs)}))
    assert_loss_reported(feed_nobody(event, shared_folder, {"BEHAVIOR_HOME": str(data)}))
    assert list(theirs.iterdir()) == []


@AS_ROOT
@EVENTS
def test_without_access_to_the_data_folder_the_loss_is_reported(event: str, shared_folder: Path) -> None:
    """Its user has removed all permissions."""
    (shared_folder / "own").chmod(0)

    assert_loss_reported(feed_nobody(event, shared_folder, {"BEHAVIOR_HOME": str(shared_folder / "own")}))


@AS_ROOT
@pytest.mark.parametrize("event", ["SessionStart", "UserPromptSubmit"])
def test_an_event_is_saved_even_if_no_process_can_be_started(event: str, shared_folder: Path) -> None:
    """A failure after saving the event is no loss, so none is reported."""
    record = shared_folder / "own" / "interpreter"
    record.write_text(f"/bin/true\n{record.parent.stat().st_ino}\n")
    record.chmod(0o600)
    os.chown(record, 65534, 65534)
    hook = shared_folder / "plugin" / "hooks" / "hook.py"
    environment = {"BEHAVIOR_HOME": str(shared_folder / "own"), "PATH": "/usr/bin:/bin"}

    done = subprocess.run(
        ["/usr/bin/python3", "-I", "-S", str(hook), event],
        input=RAW,
        env=environment,
        capture_output=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NPROC, (0, 0)),
        check=False,
        **NOBODY,
    )

    assert_saved(done, shared_folder / "own" / "spool" / "new")


@AS_ROOT
@EVENTS
def test_a_shell_that_cannot_start_python_does_not_yield_2(event: str, shared_folder: Path) -> None:
    """Some shells exit with 2 if they cannot fork, before they evaluate any


    ; 2 would erase the prompt.
    """
    done = feed_nobody(event, shared_folder, {}, limit=lambda: resource.setrlimit(resource.RLIMIT_NPROC, (0, 0)))

    assert (done.returncode, done.stdout) == (0, b"")


@EVENTS
@pytest.mark.parametrize("limit", ["-n 32", "-v 524288"])
def test_narrow_limits_are_enough(event: str, limit: str) -> None:
    """A hook needs few resources."""
    assert_saved(feed(event, RAW, before=f"ulimit {limit}; "))


@EVENTS
def test_if_no_file_may_be_written_the_loss_is_reported(event: str) -> None:
    """The limit on the size of a file applies to hooks too."""
    spool.make()

    assert_loss_reported(feed(event, RAW, before="ulimit -f 0; "))
    assert list(Path(spool.folder("tmp")).iterdir()) == []


@EVENTS
@pytest.mark.parametrize("language", ["C", "POSIX", "xx_XX.ISO-8859-15", ""])
def test_any_locale_works(event: str, language: str, tmp_path: Path) -> None:
    """Payloads are saved as bytes, and the name of a folder is bytes too."""
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/gr\xc3\xb6\xc3\x9fer \xff"))
    odd.mkdir()

    assert_saved(feed(event, RAW, env=hook_environment(LANG=language, LC_ALL=language), cwd=odd))


@pytest.mark.parametrize("event", ["SessionStart", "UserPromptSubmit"])
def test_a_deleted_working_directory_is_no_loss(event: str, tmp_path: Path) -> None:
    """Worktrees come and go."""
    gone = tmp_path / "gone"
    gone.mkdir()

    assert_saved(feed(event, RAW, before=f"cd '{gone}'; rmdir '{gone}'; "))


@EVENTS
def test_modules_in_the_working_directory_are_not_imported(event: str, tmp_path: Path) -> None:
    """A repository must not get its code into the hook."""
    mark = tmp_path / "mark"
    planted = f"open({str(mark)!r}, 'w')\n"
    for name in ("os", "time", "json", "select", "sitecustomize", "usercustomize", "behavior_plugin"):
        (tmp_path / f"{name}.py").write_text(planted)
    (tmp_path / "encodings").mkdir()
    (tmp_path / "encodings" / "__init__.py").write_text(planted)
    (tmp_path / ".env").write_text("BEHAVIOR_HOME=/nowhere\n")
    names = ("PYTHONPATH", "PYTHONHOME", "PYTHONUSERBASE")
    environment = hook_environment(PYTHONSTARTUP=str(tmp_path / "os.py")) | dict.fromkeys(names, str(tmp_path))

    assert_saved(feed(event, RAW, cwd=elsewhere(tmp_path), env=environment))
    assert not mark.exists()


@EVENTS
@pytest.mark.parametrize("kind", ["link", "dangling link", "file", "pipe", "socket"])
@pytest.mark.parametrize("name", [".", "spool", "spool/new", "spool/tmp"])
def test_a_replaced_folder_of_the_spool_is_not_used(
    event: str, name: str, kind: str, data: Path, tmp_path: Path
) -> None:
    """No event is written to a place that others may read, and opening a pipe would block."""
    spool.make()
    place, elsewhere = data / name, tmp_path / "elsewhere"
    shutil.rmtree(place)
    if kind == "link":
        for inside in ("new", "tmp", "spool/new", "spool/tmp"):
            (elsewhere / inside).mkdir(parents=True, exist_ok=True)
    if "link" in kind:
        place.symlink_to(elsewhere)
    elif kind == "file":
        place.write_text("a file")
    else:
        os.mknod(place, 0o600 | (stat.S_IFIFO if kind == "pipe" else stat.S_IFSOCK))

    assert_loss_reported(feed(event, RAW))
    assert not [file for file in elsewhere.rglob("*") if file.is_file()]


@pytest.mark.parametrize("event", ["SessionStart", "UserPromptSubmit"])
@pytest.mark.parametrize("kind", ["file", "pipe", "dangling link"])
def test_an_event_is_saved_even_if_the_worker_cannot_start(event: str, kind: str, data: Path) -> None:
    """The worker's folder is separate from the spool."""
    run = data / "run"
    if kind == "file":
        run.write_text("")
    elif kind == "pipe":
        os.mkfifo(run)
    else:
        run.symlink_to("/no/such/folder")

    assert_saved(feed(event, RAW, env=hook_environment(TMPDIR="/no/such/folder")))


@pytest.fixture
def small_disk(data: Path) -> Iterator[Path]:
    """A data folder on a disk of 128 kilobytes."""
    shutil.rmtree(data)
    data.mkdir(mode=0o700)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128k,mode=700", "tmpfs", str(data)], check=False)
    if mounted.returncode != 0:
        pytest.skip("only root can mount a small disk")
    yield data
    subprocess.run(["umount", str(data)], check=True)


@EVENTS
def test_a_full_disk_is_reported_and_damages_nothing(event: str, small_disk: Path) -> None:
    """A partial record is removed, and events are saved again when there is room."""
    wake.record("/bin/true")
    assert_saved(feed(event, RAW))

    assert_loss_reported(done := feed(event, b"{" + b" " * 200_000 + b"}"))

    assert done.stderr == LOSS_NOTICE + b"OSError (No space left on device)\n"
    assert list((small_disk / "spool" / "tmp").iterdir()) == []
    assert spooled_payloads() == [RAW]
    (small_disk / "filler").write_bytes(b"x" * 60_000)
    with pytest.raises(OSError, match="space"):
        (small_disk / "rest").write_bytes(b"x" * 100_000)
    assert_loss_reported(feed(event, RAW))
    (small_disk / "rest").unlink()
    assert feed(event, RAW).stderr == b""
    assert spooled_payloads() == [RAW, RAW]


@AS_ROOT
def test_on_a_read_only_disk_the_loss_is_reported(small_disk: Path) -> None:
    """The system remounts a disk with errors read-only."""
    feed("PostToolUse", RAW)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)

    assert_loss_reported(feed("PostToolUse", RAW))


def test_a_full_spool_takes_no_event_and_reports_the_loss(data: Path) -> None:
    """Events that no worker learns from must not fill the disk."""
    spool.make()
    Path(spool.folder("full")).write_text("250000 events wait\n")

    assert_loss_reported(done := feed("PostToolUse", RAW))

    assert done.stderr == LOSS_NOTICE + b"SpoolFull (the spool is full: 250000 events wait)\n"
    assert spool.lost() == 1


@pytest.mark.parametrize("event", ["SessionStart", "UserPromptSubmit"])
def test_a_full_spool_does_not_prevent_starting_the_worker(event: str, data: Path) -> None:
    """Only the worker can make room."""
    spool.make()
    Path(spool.folder("full")).write_text("250000 events wait\n")

    assert_loss_reported(feed(event, RAW))

    assert Path(paths.run_folder(), "starting").exists()


def test_without_a_worker_a_session_enforces_the_limits(data: Path, tmp_path: Path) -> None:
    """A plugin without setup has no worker that would."""
    (data / "interpreter").unlink()
    spool.make()
    mark = Path(spool.folder("full"))
    mark.write_text("250000 events wait\n")

    feed("SessionStart", RAW, root=plugin_copy(tmp_path / "plugin"))

    wait_for(lambda: not mark.exists(), "the mark's end")
    assert feed("PostToolUse", RAW).stderr == b""


def test_a_frozen_worker_delays_a_few_prompts_at_most(data: Path) -> None:
    """A second worker starts and takes over if the first is dead, but not at each prompt."""
    script, starts = data.parent / "python", data / "starts"
    script.write_text(f"#!/bin/sh\necho started >>'{starts}'\n")
    script.chmod(0o755)
    wake.record(str(script))
    paths.make_run_folder()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(paths.worker_socket())
        listener.listen()

        for _ in range(2):
            done = feed("UserPromptSubmit", RAW)
            assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")

        mark = Path(paths.run_folder(), "replacing")
        wait_for(starts.exists, "a start")
        os.utime(mark, (1, 1))
        feed("UserPromptSubmit", RAW)
        wait_for(lambda: len(starts.read_text().split()) > 1, "another start")
    assert starts.read_text().split() == ["started"] * 2
    assert len(spooled_payloads()) == 3
