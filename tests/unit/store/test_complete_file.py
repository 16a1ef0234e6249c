"""Tests of files that are there only once they are complete."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from behavior_plugin.store.maintenance.complete_file import complete_file


def test_the_file_is_private_and_has_the_content(tmp_path: Path) -> None:
    file = tmp_path / "rows"

    with complete_file(file) as target:
        target.write(b"one\n")
        is_there_early = file.exists()

    assert not is_there_early
    assert file.read_bytes() == b"one\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_an_error_leaves_the_former_file_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    file = folder / "rows"
    file.write_bytes(b"former")

    with pytest.raises(ZeroDivisionError), complete_file(file) as target:
        target.write(b"%d" % (1 // 0))

    assert file.read_bytes() == b"former"
    assert list(folder.iterdir()) == [file]
