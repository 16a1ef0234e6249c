"""Dead letters lose no event and contain no secret, and their number is limited."""

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


def test_dead_letters_contain_no_secrets() -> None:
    """A dead letter may wait for weeks, and be sent to somebody who looks for the fault."""
    record = arrived()

    dead_letters.set_aside(record, "it is malformed")

    [letter] = dead_letters.letters()
    assert (letter.reason, letter.records) == ("it is malformed", 1)
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
def test_malformed_records_are_redacted_too(raw: bytes) -> None:
    """A broken agent may send any bytes."""
    record = Path(spool.folder("new", "1-1-Other"))
    record.write_bytes(raw)

    dead_letters.set_aside(record, "no record")

    [letter] = dead_letters.letters()
    assert SECRET.encode() not in letter.path.read_bytes()


def test_a_session_becomes_one_dead_letter_and_can_be_retried() -> None:
    """Events that a newer version can learn from must return to the spool, each once."""
    folder = session_folder(b'{"session_id": "s", "n": 1}', b'{"session_id": "s", "n": 2}')
    before = names(folder)
    dead_letters.set_aside(folder, "it failed")
    [letter] = dead_letters.letters()

    count = dead_letters.retry(letter)

    assert (letter.records, count) == (2, 2)
    assert names(Path(spool.folder("new"))) == before
    assert in_dead() == []


def test_retried_records_are_valid() -> None:
    """Redaction changes the length of a record, and the envelope must state the new one."""
    dead_letters.set_aside(arrived(), "once")
    [letter] = dead_letters.letters()

    dead_letters.retry(letter)

    [record] = Path(spool.folder("new")).iterdir()
    envelope, payload = spool.read(str(record))
    assert envelope["size"] == len(payload)


def test_delete_removes_the_letter_and_its_reason() -> None:
    """No trace of a deleted letter may remain."""
    dead_letters.set_aside(arrived(), "one")
    dead_letters.set_aside(session_folder(PAYLOAD), "two")

    for letter in dead_letters.letters():
        dead_letters.delete(letter)

    assert in_dead() == []


def test_letters_of_the_same_name_do_not_replace_each_other() -> None:
    """A resumed session may fail again."""
    dead_letters.set_aside(session_folder(PAYLOAD), "first")
    dead_letters.set_aside(session_folder(PAYLOAD), "second")

    assert [letter.reason for letter in dead_letters.letters()] == ["first", "second"]


def test_the_next_worker_redacts_unfinished_letters() -> None:
    """A worker may die between the rename and the redaction."""
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


def test_links_and_pipes_become_dead_letters_unread(tmp_path: Path) -> None:
    """Only a person can have put a link or a pipe among the records."""
    secret = tmp_path / "elsewhere"
    secret.write_text(SECRET, encoding="utf-8")
    link, pipe = Path(spool.folder("new", "link")), Path(spool.folder("new", "pipe"))
    link.symlink_to(secret)
    os.mkfifo(pipe)

    dead_letters.set_aside(link, "it is no file")
    dead_letters.set_aside(pipe, "it is no file")

    assert {letter.path.name for letter in dead_letters.letters()} == {"link", "pipe"}
    assert secret.read_text(encoding="utf-8") == SECRET


def test_the_oldest_letters_are_deleted_beyond_the_maximum(monkeypatch: pytest.MonkeyPatch) -> None:
    """A recurring fault must not fill the disk."""
    monkeypatch.setattr(dead_letters, "MAX_DEAD_LETTERS", 2)
    for number in range(4):
        dead_letters.set_aside(arrived(), f"number {number}")
        mark = Path(f"{dead_letters.letters()[-1].path}.reason")
        os.utime(mark, (1_000_000 + number, 1_000_000 + number))

    gone = dead_letters.enforce_limits(lambda _: False)

    assert gone == 2
    assert [letter.reason for letter in dead_letters.letters()] == ["number 2", "number 3"]


def test_letters_beyond_the_maximum_size_or_age_are_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Size and age are limited as well as the number."""
    dead_letters.set_aside(arrived(), "old")
    dead_letters.set_aside(arrived(), "new")
    old = datetime(2020, 1, 1, tzinfo=UTC)
    os.utime(Path(f"{dead_letters.letters()[0].path}.reason"), (old.timestamp(), old.timestamp()))

    assert dead_letters.enforce_limits(lambda letter: letter.set_aside_at == old) == 1
    assert [letter.reason for letter in dead_letters.letters()] == ["new"]

    monkeypatch.setattr(dead_letters, "MAX_BYTES", 10)
    assert dead_letters.enforce_limits(lambda _: False) == 1


@pytest.mark.parametrize("is_dry_run", [True, False])
def test_letters_of_older_rules_are_redacted_again(is_dry_run: bool) -> None:
    secret = "hunter3!" + "Blue"
    dead_letters.set_aside(session_folder(PAYLOAD, PAYLOAD), "it failed", name="kept")
    dead_letters.set_aside(arrived(), "it is malformed")
    record = next(path for path in sorted(Path(spool.folder("dead", "kept")).iterdir()))
    head, _, _ = record.read_bytes().partition(b"\n")
    record.write_bytes(head + b"\n" + json.dumps({"command": f"az login -u b -p {secret}"}).encode())

    assert dead_letters.redact_again(is_dry_run=is_dry_run) == 1

    assert (secret.encode() in record.read_bytes()) is is_dry_run
    assert dead_letters.redact_again(is_dry_run=True) == int(is_dry_run)
