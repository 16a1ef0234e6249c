"""A log is opened and read with care, whatever it holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from behavior_plugin.agents import log_file as module
from behavior_plugin.agents.log_file import LogReader


def test_every_way_of_reading_opens_with_the_same_care(tmp_path: Path) -> None:
    """A path in a payload may be a link to a secret, and agents look at files in several ways."""
    file = tmp_path / "log.jsonl"
    file.write_text('{"a": 1}', encoding="utf-8")

    def refuse(path: str, flags: int) -> int:
        raise OSError(0, "refused")

    careful = LogReader(opener=refuse)

    for read in (lambda: careful.head(file, 9), lambda: list(careful.records(file)), lambda: careful.document(file)):
        with pytest.raises(OSError, match="refused"):
            read()
    assert LogReader().document(file) == {"a": 1}


def test_a_document_that_is_too_long_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is held whole while it is read, so there is a bound."""
    file = tmp_path / "log.json"
    file.write_text('{"a": 1}', encoding="utf-8")
    monkeypatch.setattr(module, "MAX_DOCUMENT_BYTES", file.stat().st_size - 1)
    reader = LogReader()

    assert reader.document(file) == {}
    assert [problem.reason for problem in reader.problems] == ["the file is too long"]


def test_a_growing_log_is_read_to_its_first_size(tmp_path: Path) -> None:
    """Later lines are read the next time."""
    log = tmp_path / "log.jsonl"
    log.write_bytes(b'{"number": 0}\n')

    with log.open("ab", buffering=0) as writer:
        lines = [writer.write(line) and line for line in LogReader().lines(log)]

    assert lines == [b'{"number": 0}\n']


def test_a_file_that_is_no_log_is_not_read_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A payload may name any file: 500 MB of zeros took the worker seconds. A long record is no such thing."""
    monkeypatch.setattr(module, "MAX_JUNK_BYTES", 100)
    zeros, log = tmp_path / "zeros.jsonl", tmp_path / "log.jsonl"
    zeros.write_bytes(b"\0" * 60 + b"\n" + b"\0" * 60 + b"\n" + b"{}\n")
    log.write_bytes((b"no record\n" * 9 + b"{" + b" " * 200 + b"}\n") * 9)

    with pytest.raises(OSError, match="no records"):
        list(LogReader().lines(zeros))

    assert len(list(LogReader().records(log))) == 9
