"""What is put into the spool is there whole, private and once, or the loss is told."""

from __future__ import annotations

import json
import os
import shutil
import stat
from pathlib import Path
from typing import Any

import pytest

from behavior_plugin.capture import paths, spool


def records() -> list[Path]:
    return sorted(Path(spool.folder("new")).iterdir())


def test_a_payload_is_kept_byte_for_byte() -> None:
    """Understanding it is the worker's work, where it can be corrected and done again."""
    raw = b'{"prompt": "\xff\x00\n"}\n'

    spool.put("PostToolUse", raw)

    [record] = records()
    envelope, kept = spool.read(record)
    assert kept == raw
    assert envelope["event"] == "PostToolUse"
    assert envelope["size"] == len(raw)


def test_the_envelope_says_when_where_and_for_whom(monkeypatch: pytest.MonkeyPatch) -> None:
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


@pytest.mark.parametrize("pid", ["", "no number", "-1", "12; touch pwn"])
def test_a_strange_host_pid_is_left_out(pid: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment is not ours."""
    monkeypatch.setenv("CLAUDE_PID", pid)

    spool.put("Stop", b"{}")

    assert spool.read(records()[0])[0]["host_pid"] is None


def test_files_and_folders_are_private() -> None:
    """What waits here is not redacted yet."""
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
def test_a_spool_that_was_swept_away_is_made_anew(names: list[str]) -> None:
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


def test_records_sort_by_their_time() -> None:
    """The oldest is taken first."""
    for number in range(20):
        spool.put("Stop", str(number).encode())

    assert [spool.read(record)[1] for record in records()] == [str(number).encode() for number in range(20)]


@pytest.mark.parametrize("written", [b"", b"\n", b"[]\n{}", b"{}\n{}", b'{"v":2}\n{}', b"\xff\xfe\n{}"])
def test_what_is_no_record_is_refused(written: bytes, tmp_path: Path) -> None:
    """A newer version's records, or a file that somebody put there."""
    (tmp_path / "record").write_bytes(written)

    with pytest.raises(ValueError):  # noqa: PT011 - several kinds, each of them one
        spool.read(tmp_path / "record")


def test_a_loss_is_told_and_counted(capfd: pytest.CaptureFixture[str]) -> None:
    """Silence means kept."""
    paths.make_private(paths.data_folder())

    spool.lose(OSError(28, "No space left on device"))

    assert capfd.readouterr().err == "behavior: event not recorded: OSError (No space left on device)\n"
    assert Path(paths.in_data("lost")).read_text().count("\n") == 1


def test_a_loss_is_told_without_what_was_lost(capfd: pytest.CaptureFixture[str]) -> None:
    """An error's text may hold the payload."""
    secret: Any = "the payload"

    spool.lose(ValueError(secret))

    assert secret not in capfd.readouterr().err


def test_an_envelope_is_strict_json() -> None:
    """It is written by hand, so that a hook need not import json."""
    spool.put("SessionStart", b"{}", True, {"project": "\x00\x1f\u2028'\""})

    line = records()[0].read_bytes().partition(b"\n")[0]
    assert json.loads(line)["is_cut"] is True
