"""Prompts that got no answer in time are counted, cheaply and without their text."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from behavior_plugin.capture import handlers, paths, spool, unanswered


@pytest.fixture
def record() -> Path:
    paths.make_private(paths.data_folder())
    return Path(paths.in_data("unanswered"))


def test_prompts_are_counted_with_the_first_and_the_last(record: Path) -> None:
    """The reason is that of the last."""
    assert unanswered.read() is None
    record.write_text("1767225600 no worker was running\n")

    unanswered.count("the worker took too long")

    found = unanswered.read()
    assert found
    count, first, last, why = found
    assert (count, first, why) == (2, 1767225600, "the worker took too long")
    assert last > first


def test_the_record_is_bounded_and_still_names_the_last(record: Path) -> None:
    """A worker may be missing for years."""
    record.write_bytes(b"1767225600 a\n" * (spool.MAX_COUNT_BYTES // 13 + 1))
    os.utime(record, (0, 0))
    size = record.stat().st_size

    unanswered.count("b")

    found = unanswered.read()
    assert found
    assert record.stat().st_size == size
    assert found[2] > found[1]


def test_the_record_is_private(record: Path) -> None:
    before = os.umask(0)
    try:
        unanswered.count("a reason")
    finally:
        os.umask(before)

    assert record.stat().st_mode & 0o777 == 0o600


@pytest.mark.timeout(10)
@pytest.mark.parametrize("kind", ["no folder", "pipe", "link", "folder", "text", "empty", "half a line"])
def test_an_odd_record_harms_nobody(kind: str, tmp_path: Path) -> None:
    """A hook counts on its way out, and must not fail."""
    record, outside = Path(paths.in_data("unanswered")), tmp_path / "outside"
    if kind != "no folder":
        paths.make_private(paths.data_folder())
    make: dict[str, Callable[[], object]] = {
        "pipe": lambda: os.mkfifo(record),
        "link": lambda: record.symlink_to(outside),
        "folder": record.mkdir,
        "text": lambda: record.write_bytes(b"\x1b[31m\xff no number\n"),
        "empty": record.touch,
        "half a line": lambda: record.write_bytes(b"17672256"),
    }
    make.get(kind, lambda: None)()

    unanswered.count("a reason")
    found = unanswered.read()

    assert (found is not None) is (kind in ("text", "empty", "half a line"))
    assert not outside.exists()


def test_a_line_that_was_cut_off_does_not_spoil_the_next(record: Path) -> None:
    """A killed hook leaves half a line, and no command could read a time of so many digits."""
    record.write_bytes(b"17672256" + b"1767225600 a reason\n" + b"9" * 5_000 + b"1767225700 another\n")

    assert (unanswered.read() or ())[:2] == (2, 1767225600)


@pytest.mark.usefixtures("record")
@pytest.mark.parametrize("is_asking", [True, False])
def test_a_prompt_whose_hook_runs_out_of_time_is_counted(is_asking: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last alarm ends the hook wherever it is; a hook of another event does not wait for an answer."""
    monkeypatch.setattr(handlers, "_is_late", True)
    monkeypatch.setattr(handlers, "_is_settled", True)
    monkeypatch.setattr(handlers, "_is_asking", is_asking)
    monkeypatch.setattr(os, "_exit", lambda _: None)
    monkeypatch.setattr(os, "dup2", lambda *_: None)

    handlers._be_late()

    assert bool(unanswered.read()) is is_asking
