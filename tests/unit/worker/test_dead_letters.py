"""Dead letters: nothing is thrown away, no secret stays, and there is an end to their number."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from behavior_plugin.capture import spool
from behavior_plugin.worker import dead_letters

SECRET = "hunter2-canary"
PAYLOAD = json.dumps({"session_id": "s", "tool_input": {"command": f"login --password {SECRET}"}}).encode()


@pytest.fixture(autouse=True)
def made_spool() -> None:
    spool.make()


def arrived(payload: bytes = PAYLOAD, event: str = "PostToolUse") -> Path:
    spool.put(event, payload)
    return max(Path(spool.folder("new")).iterdir())


def session_folder(*payloads: bytes, key: str = "key") -> Path:
    folder = Path(spool.folder("open", key))
    folder.mkdir(parents=True)
    for payload in payloads:
        record = arrived(payload)
        record.rename(folder / record.name)
    return folder


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def in_dead() -> list[str]:
    return names(Path(spool.folder("dead")))


def test_a_letter_is_the_record_without_its_secrets() -> None:
    """It may lie there for weeks, and be sent to whoever is to find out what was wrong."""
    record = arrived()

    dead_letters.set_aside(record, "it did not please")

    [letter] = dead_letters.letters()
    assert (letter.reason, letter.records) == ("it did not please", 1)
    envelope, payload = spool.read(str(letter.path))
    assert envelope["event"] == "PostToolUse"
    assert json.loads(payload)["tool_input"] == {"command": "login --password [REDACTED]"}
    assert not record.exists()


@pytest.mark.parametrize(
    "raw",
    [
        b"token=" + SECRET.encode(),
        b'{"v": 1}\n{"password": "' + SECRET.encode(),
        b"\xff\xfe password: " + SECRET.encode(),
        b"[" * 100_000 + b' password="' + SECRET.encode() + b'"',
        b'{"v":1}\n{"n": ' + b"1" * 100_000 + b', "password": "' + SECRET.encode() + b'"}',
        b"",
    ],
    ids=["no record", "cut", "no text", "deep", "long number", "empty"],
)
def test_what_is_no_record_loses_its_secrets_as_well(raw: bytes) -> None:
    """Raw bytes of any kind may be what a broken client sends."""
    record = Path(spool.folder("new", "1-1-Other"))
    record.write_bytes(raw)

    dead_letters.set_aside(record, "no record")

    [letter] = dead_letters.letters()
    assert SECRET.encode() not in letter.path.read_bytes()


def test_a_session_is_one_letter_and_can_be_retried() -> None:
    """What a newer version can learn from must find its way back, each event once."""
    folder = session_folder(b'{"session_id": "s", "n": 1}', b'{"session_id": "s", "n": 2}')
    before = names(folder)
    dead_letters.set_aside(folder, "it failed")
    [letter] = dead_letters.letters()

    count = dead_letters.retry(letter)

    assert (letter.records, count) == (2, 2)
    assert names(Path(spool.folder("new"))) == before
    assert in_dead() == []


def test_a_retried_record_is_read_like_any_other() -> None:
    """Redaction changes its length, and the envelope must say so."""
    dead_letters.set_aside(arrived(), "once")
    [letter] = dead_letters.letters()

    dead_letters.retry(letter)

    [record] = Path(spool.folder("new")).iterdir()
    envelope, payload = spool.read(str(record))
    assert envelope["size"] == len(payload)


def test_a_deleted_letter_is_gone_with_its_reason() -> None:
    """Nothing of it may be found afterwards."""
    dead_letters.set_aside(arrived(), "one")
    dead_letters.set_aside(session_folder(PAYLOAD), "two")

    for letter in dead_letters.letters():
        dead_letters.delete(letter)

    assert in_dead() == []


def test_a_second_letter_of_the_same_name_does_not_replace_the_first() -> None:
    """A session that is taken up again may fail again."""
    dead_letters.set_aside(session_folder(PAYLOAD), "first")
    dead_letters.set_aside(session_folder(PAYLOAD), "second")

    assert [letter.reason for letter in dead_letters.letters()] == ["first", "second"]


def test_what_a_dead_worker_left_unredacted_is_redacted_by_the_next() -> None:
    """It may die between the rename and the redaction."""
    record = arrived()
    place = Path(spool.folder("dead", record.name))
    record.rename(place)
    place.with_name(f"{place.name}.unclean").write_text("it failed\n", encoding="utf-8")
    Path(spool.folder("dead", "gone.unclean")).write_text("it was not moved\n", encoding="utf-8")
    Path(spool.folder("dead", "moved.reason")).write_text("it was retried\n", encoding="utf-8")

    dead_letters.clean_up()

    [letter] = dead_letters.letters()
    assert letter.reason == "it failed"
    assert SECRET.encode() not in letter.path.read_bytes()
    assert in_dead() == [letter.path.name, f"{letter.path.name}.reason"]


def test_what_is_no_file_is_kept_and_harms_nobody(tmp_path: Path) -> None:
    """A link or a pipe among the records was put there by hand."""
    secret = tmp_path / "elsewhere"
    secret.write_text(SECRET, encoding="utf-8")
    link, pipe = Path(spool.folder("new", "link")), Path(spool.folder("new", "pipe"))
    link.symlink_to(secret)
    os.mkfifo(pipe)

    dead_letters.set_aside(link, "it is no file")
    dead_letters.set_aside(pipe, "it is no file")

    assert {letter.path.name for letter in dead_letters.letters()} == {"link", "pipe"}
    assert secret.read_text(encoding="utf-8") == SECRET


def test_the_oldest_letters_go_where_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault that repeats itself must not fill the disk."""
    monkeypatch.setattr(dead_letters, "MAX_DEAD_LETTERS", 2)
    for number in range(4):
        dead_letters.set_aside(arrived(), f"number {number}")
        mark = Path(f"{dead_letters.letters()[-1].path}.reason")
        os.utime(mark, (1_000_000 + number, 1_000_000 + number))

    gone = dead_letters.enforce_limits(lambda _: False)

    assert gone == 2
    assert [letter.reason for letter in dead_letters.letters()] == ["number 2", "number 3"]


def test_letters_beyond_the_bytes_and_the_days_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both bounds count beside the number."""
    dead_letters.set_aside(arrived(), "old")
    dead_letters.set_aside(arrived(), "new")
    old = datetime(2020, 1, 1, tzinfo=UTC)
    os.utime(Path(f"{dead_letters.letters()[0].path}.reason"), (old.timestamp(), old.timestamp()))

    assert dead_letters.enforce_limits(lambda letter: letter.set_aside_at == old) == 1
    assert [letter.reason for letter in dead_letters.letters()] == ["new"]

    monkeypatch.setattr(dead_letters, "MAX_BYTES", 10)
    assert dead_letters.enforce_limits(lambda _: False) == 1
