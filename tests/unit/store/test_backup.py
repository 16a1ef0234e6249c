"""Backup files: complete or absent, and damage is always detected."""

from __future__ import annotations

import gzip
import json
import re
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from uuid import UUID

import pytest

from behavior_plugin.errors import BehaviorError
from behavior_plugin.store.maintenance import backup
from behavior_plugin.store.sql_files import migrations
from tests.database import A

USER = UUID(A)
NO_BACKUP = "is not a backup|is damaged"
PATTERNS = [
    json.dumps({"id": str(UUID(int=number)), "user_id": str(USER), "trigger": "שלום 🧵 \u2028 \\n"})
    for number in range(40)
]
EPISODES = [json.dumps({"source_key": f"key {number}", "user_id": str(USER), "turns": []}) for number in range(10)]
LINES = PATTERNS + EPISODES


@pytest.fixture
def file(tmp_path: Path) -> Path:
    written = tmp_path / "folder" / "backup.jsonl.gz"
    written.parent.mkdir()
    write(written, LINES)
    return written


def write(file: Path, lines: Iterable[str], *, overwrite: bool = False) -> int:
    return backup.write(file, lines, storage="behavior_patterns", user_id=USER, overwrite=overwrite)


def read(file: Path) -> list[str]:
    with file.open("rb") as raw:
        about, lines = backup.read(raw)
        assert (about.storage, about.user_id) == ("behavior_patterns", USER)
        return list(lines)


def rewrite(file: Path, text: str) -> None:
    file.write_bytes(gzip.compress(text.encode()))


def text_of(file: Path) -> str:
    return gzip.decompress(file.read_bytes()).decode()


def test_written_rows_are_read(file: Path) -> None:
    """A backup is only as good as its restore."""
    assert read(file) == LINES


def test_empty_backup_is_valid(file: Path, tmp_path: Path) -> None:
    """A new user may have a nightly backup from the first day."""
    assert write(tmp_path / "empty", []) == 0

    assert read(tmp_path / "empty") == []


def test_only_the_owner_can_read_a_backup(file: Path) -> None:
    """It contains prompts and paths, and the folder may be shared."""
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_existing_file_is_overwritten_only_on_request(file: Path) -> None:
    """It may be the only backup."""
    before = file.read_bytes()

    with pytest.raises(BehaviorError, match="exists already") as caught:
        write(file, LINES[:1])

    assert "--force" in caught.value.hint
    assert file.read_bytes() == before
    assert write(file, LINES[:1], overwrite=True) == 1
    assert read(file) == LINES[:1]


def test_failed_backup_leaves_no_file_and_damages_none(file: Path) -> None:
    """Half a backup would be discovered on the day it is needed."""

    def failing() -> Iterator[str]:
        yield LINES[0]
        raise KeyboardInterrupt

    before = file.read_bytes()
    for target in (file, file.with_name("new")):
        with pytest.raises(KeyboardInterrupt):
            write(target, failing(), overwrite=True)

    assert list(file.parent.iterdir()) == [file]
    assert file.read_bytes() == before


@pytest.mark.parametrize("name", ["no/such/folder", "file/in a file", "."])
def test_unwritable_folder_is_reported(file: Path, name: str) -> None:
    """A mistyped path is the most common mistake."""
    (file.parent / "file").touch()

    with pytest.raises(BehaviorError, match=r"cannot be written|exists already"):
        write(file.parent / name, LINES)


def test_every_truncation_is_detected(file: Path) -> None:
    """A full disk or a broken download can end a file anywhere."""
    whole = file.read_bytes()

    for length in range(0, len(whole), 7):
        file.write_bytes(whole[:length])
        with pytest.raises(BehaviorError, match=NO_BACKUP):
            read(file)


def test_every_changed_byte_is_detected(file: Path) -> None:
    """Disks and cables cause that. The first ten bytes hold a time and flags that mean nothing to us."""
    whole = file.read_bytes()

    for at in range(10, len(whole), 5):
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :])
        with pytest.raises(BehaviorError, match=rf"{NO_BACKUP}|format"):
            read(file)


@pytest.mark.parametrize(
    "changed",
    [
        "",
        "\n",
        "{}\n",
        "null\n",
        "[1]\n",
        '{"format": "another"}\n',
        "id,trigger\n1,x\n",
        100_000 * "[",
        "{0}",
        "{0}{1}",
        "{0}{last}{1}",
        "{0}{1}{1}{last}",
        "{0}{1}not JSON\n{last}",
        '{0}{1}{{"no": "id"}}\n{last}',
        '{0}{1}{{"id": "1", "user_id": "1"}}\n{last}',
        '{0}{1}{{"id": [1], "user_id": {{}}}}\n{last}',
        '{0}{1}{{"id": null, "user_id": "\\ud800"}}\n{last}',
        '{0}{1}{{"turns": [], "user_id": "{user}"}}\n{last}',
        '{0}{1}{{"turns": [], "user_id": "{user}", "source_key": ""}}\n{last}',
        '{0}{1}{{"turns": [], "user_id": "{user}", "source_key": 1}}\n{last}',
        '{0}{1}{{"turns": [], "user_id": "{user}", "source_key": ["x"]}}\n{last}',
        '{0}{1}{{"turns": [], "user_id": "1", "source_key": "x"}}\n{last}',
        '{0}{1}{{"turns": [], "user_id": "{user}", "source_key": "x", "id": "x"}}\n{last}',
        '{0}{1}{{"source_key": "x", "user_id": "{user}"}}\n{last}',
        "{0}{1}" + 100_000 * "[" + "\n{last}",
        "{0}{1}\ud800",
    ],
    ids=range(26),
)
def test_file_of_another_kind_or_edited_file_is_refused(file: Path, changed: str) -> None:
    """We cannot guess what was removed or added."""
    first, row, *_, last = text_of(file).splitlines(keepends=True)
    text = changed.replace("{0}", first).replace("{1}", row).replace("{last}", last).replace("{user}", str(USER))
    text = text.replace("{{", "{").replace("}}", "}")
    file.write_bytes(gzip.compress(text.encode("utf-8", "surrogatepass")))

    with pytest.raises(BehaviorError, match=NO_BACKUP) as caught:
        read(file)

    assert "Nothing was changed" in caught.value.hint


@pytest.mark.parametrize("content", [b"", b"plain text", b"\x00" * 100, b"PK\x03\x04"])
def test_file_without_gzip_is_refused(file: Path, content: bytes) -> None:
    """Anybody may mistype a name."""
    file.write_bytes(content)

    with pytest.raises(BehaviorError, match="not a backup"):
        read(file)


def test_error_names_the_damaged_file_and_the_line(file: Path) -> None:
    """Of several backups the user has to know which one to discard, and whether to download it again."""

    def refusal(content: bytes) -> str:
        file.write_bytes(content)
        with file.open("rb") as raw, pytest.raises(BehaviorError) as caught:
            list(backup.read(raw, str(file))[1])
        return str(caught.value)

    whole = file.read_bytes()
    lines = text_of(file).splitlines(keepends=True)

    assert refusal(b"# Readme") == refusal(b"") == f"{file} is not a backup of this plugin."
    assert refusal(gzip.compress(b"[]\n")) == f"{file} is not a backup of this plugin."
    assert f"{file} is damaged: it ends too early" in refusal(whole[:-20])
    assert refusal(gzip.compress("".join(lines[:10]).encode())).endswith("near line 11.")
    assert refusal(gzip.compress("".join([*lines[:9], "x\n"]).encode())) == f"{file} is damaged at line 10."


def test_newer_format_is_not_reported_as_damage(file: Path) -> None:
    """Users with two machines update one of them first."""
    newer = backup.VERSION + 1
    rewrite(file, text_of(file).replace(f'"version":{backup.VERSION}', f'"version":{newer}', 1))

    with pytest.raises(BehaviorError, match=f"format {newer}") as caught:
        read(file)

    assert "Update the plugin" in caught.value.hint


def test_older_format_is_still_read(file: Path) -> None:
    """Version 1 has no episodes; a backup is worth nothing if the next version cannot read it."""
    rewrite(file, text_of(file).replace(f'"version":{backup.VERSION}', '"version":1', 1))

    assert read(file) == LINES


def test_longest_episode_can_be_read() -> None:
    """The database may hold so long a row, and JSON takes six characters for some."""
    [file] = [migration.file for migration in migrations() if migration.name == "episodes"]
    limits = re.findall(r"(?:octet_length|pg_column_size)\(\w+\) (?:<=|between 1 and) (\d+)", file.read_text("utf-8"))

    assert len(limits) == 10
    assert 6 * sum(map(int, limits)) < backup.MAX_LINE_BYTES < 7 * sum(map(int, limits))


def test_numbers_too_long_for_python_are_valid(tmp_path: Path) -> None:
    """The database has no such limit, and its output must be restorable."""
    line = f'{{"id": "{A}", "user_id": "{A}", "actions": [' + 5000 * "9" + ", 1e400]}"

    write(tmp_path / "file", [line])

    assert read(tmp_path / "file") == [line]
