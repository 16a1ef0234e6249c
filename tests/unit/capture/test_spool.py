"""A saved event is whole, private and there once, or its loss is reported."""

from __future__ import annotations

import json
import os
import resource
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from behavior_plugin.capture import paths, spool


def records() -> list[Path]:
    return sorted(Path(spool.folder("new")).iterdir())


def test_a_payload_is_saved_byte_for_byte() -> None:
    """Understanding it is the worker's work, where it can be corrected and done again."""
    raw = b'{"prompt": "\xff\x00\n"}\n'

    spool.put("PostToolUse", raw)

    [record] = records()
    envelope, kept = spool.read(record)
    assert kept == raw
    assert envelope["event"] == "PostToolUse"
    assert envelope["size"] == len(raw)


def test_the_envelope_has_time_machine_and_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """The payload has no time, no branch and no process of its host."""
    monkeypatch.setenv("CLAUDE_PID", "4711")

    spool.put("UserPromptSubmit", b"{}", False, {"branch": 'a"b\\c\nü\udcff', "directory": "/x"})

    envelope, _ = spool.read(records()[0])
    assert envelope["v"] == spool.VERSION
    assert envelope["host_pid"] == 4711
    assert envelope["machine"] == os.uname().nodename
    assert envelope["time_ns"] > 1_700_000_000 * 10**9
    assert envelope["monotonic_ns"] > 0
    assert envelope["branch"] == 'a"b\\c\nü\udcff'


@pytest.mark.parametrize("pid", ["", "no number", "-1", "12; touch pwn", "\u00b2", "9" * 5000])
def test_a_strange_host_pid_is_left_out(pid: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment is not ours."""
    monkeypatch.setenv("CLAUDE_PID", pid)

    spool.put("Stop", b"{}")

    assert spool.read(records()[0])[0]["host_pid"] is None


def test_files_and_folders_are_private() -> None:
    """Waiting events are not redacted yet."""
    before = os.umask(0)
    try:
        spool.put("Stop", b"{}")
    finally:
        os.umask(before)

    modes = {stat.S_IMODE(path.stat().st_mode) for path in [Path(paths.data_folder()), *Path(spool.folder()).iterdir()]}
    assert modes == {0o700}
    assert stat.S_IMODE(records()[0].stat().st_mode) == 0o600


def test_nothing_is_left_under_a_temporary_name() -> None:
    """A record is there whole or not at all."""
    spool.put("Stop", b"{}")

    assert list(Path(spool.folder("tmp")).iterdir()) == []


@pytest.mark.parametrize("names", [["new"], ["tmp"], ["new", "tmp"], [""]])
def test_a_deleted_spool_is_made_again(names: list[str]) -> None:
    """Somebody may tidy up under us."""
    spool.put("Stop", b"1")
    for name in names:
        shutil.rmtree(spool.folder(name))

    spool.put("Stop", b"2")

    assert spool.read(records()[-1])[1] == b"2"


def test_a_spool_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    """It may lead into somebody else's folder."""
    paths.make_private(paths.data_folder())
    Path(spool.folder()).symlink_to(tmp_path)

    with pytest.raises(OSError, match="directory"):
        spool.put("Stop", b"{}")


@pytest.mark.parametrize("name", ["new", "tmp", ".."])
def test_no_link_is_followed_inside_the_data_folder(name: str, tmp_path: Path) -> None:
    """Nor may the data folder itself be one: the checked folder is the one that is written to."""
    spool.put("Stop", b"1")
    elsewhere = tmp_path / "elsewhere"
    folder = Path(os.path.normpath(spool.folder(name)))
    folder.rename(elsewhere)
    folder.symlink_to(elsewhere)

    with pytest.raises(OSError, match="directory"):
        spool.put("Stop", b"2")

    assert b"2" not in [file.read_bytes()[-1:] for file in elsewhere.rglob("*") if file.is_file()]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
@pytest.mark.parametrize("name", ["new", "tmp", "", ".."])
def test_no_folder_of_another_user_is_written_to(name: str) -> None:
    """He could read the waiting events, or take them away."""
    spool.put("Stop", b"1")
    os.chown(os.path.normpath(spool.folder(name)), 65534, 65534)

    with pytest.raises(PermissionError):
        spool.put("Stop", b"2")


@contextmanager
def longest_file(size: int) -> Iterator[None]:
    """No file may grow beyond this, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("size", [0, 100, 50_000])
def test_a_record_that_cannot_be_written_whole_leaves_nothing(size: int) -> None:
    """Its pieces would help to fill the disk that was full."""
    spool.put("Stop", b"1")

    with longest_file(size), pytest.raises(OSError, match="large"):
        spool.put("Stop", b"2" * 100_000)

    spool.put("Stop", b"3")
    assert list(Path(spool.folder("tmp")).iterdir()) == []
    assert [spool.read(record)[1] for record in records()] == [b"1", b"3"]


def test_no_descriptor_stays_open() -> None:
    """Neither where an event is kept nor where it is refused."""
    spool.put("Stop", b"1")
    before = len(list(Path("/dev/fd").iterdir()))

    for _ in range(3):
        spool.put("Stop", b"2")
    Path(spool.folder("full")).touch()
    with pytest.raises(spool.SpoolFull):
        spool.put("Stop", b"3")

    assert len(list(Path("/dev/fd").iterdir())) == before


def test_records_sort_by_their_time() -> None:
    """The oldest is taken first."""
    for number in range(20):
        spool.put("Stop", str(number).encode())

    assert [spool.read(record)[1] for record in records()] == [str(number).encode() for number in range(20)]


@pytest.mark.parametrize("written", [b"", b"\n", b"[]\n{}", b"{}\n{}", b'{"v":2}\n{}', b"\xff\xfe\n{}"])
def test_a_malformed_record_is_refused(written: bytes, tmp_path: Path) -> None:
    """A newer version's records, or a file that somebody put there."""
    (tmp_path / "record").write_bytes(written)

    with pytest.raises(ValueError):  # noqa: PT011 - several kinds, each of them one
        spool.read(tmp_path / "record")


@pytest.mark.parametrize(("change", "reason"), [(b"1234567", "cut off"), (b"123456789", "extra bytes")])
def test_a_record_of_another_length_is_refused(change: bytes, reason: str) -> None:
    """A power cut can leave a file short that was reported as kept."""
    spool.put("Stop", b"12345678")
    [record] = records()
    record.write_bytes(record.read_bytes().replace(b"12345678", change))

    with pytest.raises(ValueError, match=reason):
        spool.read(record)


def test_a_newer_record_is_not_reported_as_broken(tmp_path: Path) -> None:
    """The later version will understand it, so nobody may throw it away."""
    (tmp_path / "record").write_bytes(b'{"v": %d, "whatever": []}\n{}' % (spool.VERSION + 1))

    with pytest.raises(spool.NewerRecord):
        spool.read(tmp_path / "record")


@pytest.mark.timeout(10)
def test_only_regular_files_are_read(tmp_path: Path) -> None:
    """A pipe would be waited for, and a link may lead anywhere."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(__file__)

    with pytest.raises(ValueError):  # noqa: PT011 - to JSON it is an empty text
        spool.read(tmp_path / "pipe")
    with pytest.raises(OSError, match="symbolic"):
        spool.read(tmp_path / "link")


@pytest.mark.parametrize(("bound", "most"), [("MAX_WAITING", 4), ("MAX_BYTES", 2**20)])
def test_a_full_spool_refuses_events_until_there_is_room(
    bound: str, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a worker, events must not fill the disk; the old ones stay, and the refusal is reported."""
    monkeypatch.setattr(spool, bound, most)
    for _ in range(3):
        spool.put("Stop", b"x" * 300_000)
    assert spool.enforce_limits() == ""
    session = Path(spool.folder("open", "session"))
    session.mkdir()
    records()[0].rename(session / records()[0].name)
    spool.put("Stop", b"x" * 300_000)

    assert "wait" in spool.enforce_limits()

    with pytest.raises(spool.SpoolFull, match="the spool is full: "):
        spool.put("Stop", b"{}")
    assert len(records()) == 3
    shutil.rmtree(session)
    assert spool.enforce_limits() == ""
    spool.put("Stop", b"{}")


def test_a_missing_spool_is_within_its_limits() -> None:
    """Nothing waits, and nothing is made."""
    assert spool.enforce_limits() == ""
    assert not Path(paths.data_folder()).exists()


@pytest.mark.timeout(10)
@pytest.mark.parametrize("kind", ["pipe", "empty", "text"])
def test_an_unreadable_mark_still_marks_the_spool_as_full(kind: str, capfd: pytest.CaptureFixture[str]) -> None:
    """Whatever lies there, the hook neither waits for it nor repeats it at length."""
    spool.make()
    mark = Path(spool.folder("full"))
    os.mkfifo(mark) if kind == "pipe" else mark.write_bytes(b"" if kind == "empty" else b"\x1b[31m\nx\xff" * 1000)

    with pytest.raises(spool.SpoolFull) as refused:
        spool.put("Stop", b"{}")
    spool.lose(refused.value)

    told = capfd.readouterr().err
    assert told.startswith("behavior: event not recorded: SpoolFull (the spool is full: ")
    assert told.count("\n") == 1
    assert told.isascii()
    assert len(told) <= spool.MAX_LINE_BYTES + 1


def test_the_file_of_losses_is_bounded(capfd: pytest.CaptureFixture[str]) -> None:
    """It is written where the disk is full, too."""
    paths.make_private(paths.data_folder())
    Path(paths.in_data("lost")).write_bytes(b"x\n" * (spool.MAX_COUNT_BYTES // 2))

    spool.lose(OSError(28, "No space left on device"))

    assert capfd.readouterr().err
    assert spool.lost() == spool.MAX_COUNT_BYTES // 2


@pytest.mark.timeout(10)
@pytest.mark.parametrize("kind", ["no folder", "pipe", "link", "folder"])
def test_a_loss_that_cannot_be_counted_is_still_reported(
    kind: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The line on standard error is the promised report."""
    lost = Path(paths.in_data("lost"))
    if kind != "no folder":
        paths.make_private(paths.data_folder())
    if kind == "pipe":
        os.mkfifo(lost)
    elif kind == "link":
        lost.symlink_to(tmp_path / "target")
    elif kind == "folder":
        lost.mkdir()

    spool.lose(OSError(28, "No space left on device"))

    assert capfd.readouterr().err.count("\n") == 1
    assert spool.lost() == 0
    assert not (tmp_path / "target").exists()


def test_a_loss_is_reported_and_counted(capfd: pytest.CaptureFixture[str]) -> None:
    """Silence means kept."""
    paths.make_private(paths.data_folder())

    spool.lose(OSError(28, "No space left on device"))

    assert capfd.readouterr().err == "behavior: event not recorded: OSError (No space left on device)\n"
    assert Path(paths.in_data("lost")).read_text().count("\n") == 1


def test_the_report_of_a_loss_does_not_quote_the_event(capfd: pytest.CaptureFixture[str]) -> None:
    """An error's text may hold the payload."""
    secret: Any = "the payload"

    spool.lose(ValueError(secret))

    assert secret not in capfd.readouterr().err


def test_an_envelope_is_strict_json() -> None:
    """It is written by hand, so that a hook need not import json."""
    spool.put("SessionStart", b"{}", True, {"project": "\x00\x1f\u2028'\""})

    line = records()[0].read_bytes().partition(b"\n")[0]
    assert json.loads(line)["is_cut"] is True
