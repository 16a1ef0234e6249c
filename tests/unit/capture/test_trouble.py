"""The worker's word for the start of the next session."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from behavior_plugin.capture import paths, trouble


@pytest.fixture
def record() -> Path:
    paths.make_private(paths.data_folder())
    return Path(paths.in_data("trouble"))


def test_trouble_is_read_until_it_is_over(record: Path) -> None:
    """Nothing remains of it."""
    assert trouble.read() == ""
    trouble.write("the store\nis gone")
    assert trouble.read() == "the store is gone"
    assert record.stat().st_mode & 0o777 == 0o600

    trouble.write("another")
    assert trouble.read() == "another"
    trouble.write("")
    trouble.write("")

    assert trouble.read() == ""
    assert list(record.parent.iterdir()) == []


def test_trouble_is_one_short_line(record: Path) -> None:
    """Whoever wrote it; the hook quotes the rest."""
    record.write_bytes(b"\xff\n" * 100_000)

    assert len(trouble.read()) <= trouble.MAX_BYTES
    assert "\n" not in trouble.read()


@pytest.mark.timeout(10)
@pytest.mark.parametrize("kind", ["pipe", "link", "folder", "no folder"])
def test_an_odd_record_is_no_trouble(kind: str, tmp_path: Path) -> None:
    """A session's start must not wait for a pipe, nor show another file."""
    record, outside = Path(paths.in_data("trouble")), tmp_path / "outside"
    outside.write_text("secret")
    if kind != "no folder":
        paths.make_private(paths.data_folder())
    make: dict[str, Callable[[], object]] = {
        "pipe": lambda: os.mkfifo(record),
        "link": lambda: record.symlink_to(outside),
        "folder": record.mkdir,
    }
    make.get(kind, lambda: None)()

    assert trouble.read() == ""
