"""The spool's other end: each record reaches its session, and none is lost on the way."""

from __future__ import annotations

import json
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from behavior_plugin.agents import read_record
from behavior_plugin.api import Backlog
from behavior_plugin.capture import spool
from behavior_plugin.model import Event, EventKind
from behavior_plugin.worker import dead_letters
from behavior_plugin.worker.inbox import BATCH, Inbox, backlog, oldest


@pytest.fixture(autouse=True)
def known_client(monkeypatch: pytest.MonkeyPatch) -> None:
    """All events come from this very process."""
    monkeypatch.setenv("CLAUDE_PID", str(os.getpid()))


def put(event: str, session_id: str = "a", *, client: str = "claude-code", **fields: Any) -> None:
    fields = {"session_id": session_id, "transcript_path": f"/{session_id}.jsonl", **fields}
    spool.put(event, json.dumps(fields).encode(), notes={"client": client})


def filed() -> Inbox:
    inbox = Inbox()
    while inbox.file_new():
        pass
    return inbox


def kinds(inbox: Inbox) -> dict[str, list[EventKind]]:
    return {s.session_id: [event.kind for event in inbox.events(s)] for s in inbox.sessions.values()}


def in_spool(name: str) -> list[str]:
    return sorted(path.name for path in Path(spool.folder(name)).iterdir())


def test_two_ids_that_alternate_in_one_conversation_are_one_session() -> None:
    """A client was seen to do that; the prompt's id and the transcript prove that it is one."""
    put("UserPromptSubmit", "a", prompt="fix it", prompt_id="p1")
    put("PostToolUse", "b", prompt_id="p1", transcript_path="/a.jsonl", tool_name="Bash")
    put("SessionEnd", "b", transcript_path="/a.jsonl", reason="other")

    inbox = filed()

    [session] = inbox.sessions.values()
    assert (session.session_id, session.is_ended) == ("a", True)
    assert len(inbox.events(session)) == 3


def test_what_is_not_proven_to_belong_together_stays_apart() -> None:
    """Two sessions of one client, one after the other, are two pieces of work."""
    put("UserPromptSubmit", "a", prompt="fix it", prompt_id="p1")
    put("UserPromptSubmit", "b", prompt="fix it", prompt_id="p2")

    assert set(kinds(filed())) == {"a", "b"}


def test_a_cleared_session_is_linked_with_the_one_before() -> None:
    """The same client goes on, under a new id."""
    put("SessionStart", "a", source="startup")
    put("SessionEnd", "a", reason="clear")
    put("SessionStart", "b", source="clear")

    inbox = filed()

    assert {s.session_id: s.follows for s in inbox.sessions.values()} == {"a": None, "b": "a"}


@pytest.mark.parametrize("reason", ["startup", "resume"])
def test_a_session_that_only_comes_later_is_linked_with_none(reason: str) -> None:
    """A client that is started anew begins anew, and one that takes another session up leaves the one before."""
    put("SessionStart", "a", source="startup")
    put("SessionStart", "b", source=reason)

    inbox = filed()

    assert {s.follows for s in inbox.sessions.values()} == {None}


@pytest.mark.parametrize("client", ["codex", "someday"])
def test_sessions_that_one_process_has_at_the_same_time_are_not_linked(client: str) -> None:
    """Codex carries on all of a user's sessions in one; a fork there need not be of the one that was heard last."""
    put("SessionStart", "a", client=client, source="startup")
    put("SessionStart", "b", client=client, source="fork")

    inbox = filed()

    assert {s.follows for s in inbox.sessions.values()} == {None}


def test_a_new_worker_knows_what_the_old_one_filed() -> None:
    """Including which prompt belongs to which session, and whether it has ended."""
    put("SessionStart", "a", source="startup")
    put("UserPromptSubmit", "a", prompt="fix it", prompt_id="p1")
    put("PostToolUse", "a", prompt_id="p1", tool_name="Bash")
    filed()
    put("PostToolUse", "b", prompt_id="p1", transcript_path="", tool_name="Read")
    put("SessionEnd", "a", reason="other")

    inbox = filed()

    [session] = inbox.sessions.values()
    assert (session.session_id, session.is_ended) == ("a", True)
    assert [event.name for event in inbox.events(session)] == [
        *("SessionStart", "UserPromptSubmit", "PostToolUse", "PostToolUse", "SessionEnd")
    ]


def test_calls_alone_are_a_session_too() -> None:
    """They may be all that came before the worker died."""
    put("PostToolUse", "a", tool_name="Bash")
    filed()

    assert kinds(filed()) == {"a": [EventKind.ACTION]}


def test_a_backlog_is_filed_in_batches_the_oldest_first() -> None:
    """So that questions are answered in between, and nobody waits longer than who came before him."""
    for number in range(BATCH + 1):
        spool.put("Stop", json.dumps({"session_id": f"{number}"}).encode())
    inbox = Inbox()

    assert inbox.file_new() == BATCH
    assert {s.session_id for s in inbox.sessions.values()} == {str(number) for number in range(BATCH)}
    assert (inbox.file_new(), inbox.file_new()) == (1, 0)


def test_a_record_of_a_newer_version_stays_where_it_is() -> None:
    """The version that wrote it will be back; setting it aside would need a hand."""
    put("Stop")
    [name] = in_spool("new")
    record = Path(spool.folder("new", name))
    record.write_bytes(record.read_bytes().replace(b'"v":1', b'"v":99'))

    inbox = filed()
    inbox.retry_postponed()
    inbox.file_new()

    assert in_spool("new") == [name]
    assert list(inbox.postponed) == [name]
    assert not inbox.sessions


def test_what_is_no_file_is_set_aside() -> None:
    """A pipe would be waited for, for ever."""
    spool.make()
    os.mkfifo(spool.folder("new", "1-1-Stop"))
    Path(spool.folder("new", "1-2-Stop")).mkdir()
    put("Stop")

    assert kinds(filed()) == {"a": [EventKind.TURN_END]}
    assert {letter.path.name for letter in dead_letters.letters()} == {"1-1-Stop", "1-2-Stop"}


def test_folders_that_are_swept_away_are_made_again() -> None:
    """Somebody tidies up while we run."""
    put("Stop", "a")
    inbox = filed()
    shutil.rmtree(spool.folder())

    assert inbox.file_new() == 0
    [session] = inbox.sessions.values()
    assert inbox.events(session) == []
    inbox.done(session)
    put("Stop", "b")
    assert inbox.file_new() == 1
    assert kinds(inbox) == {"b": [EventKind.TURN_END]}


def test_attempts_are_counted_beyond_a_workers_death() -> None:
    """A session that brings each worker down must not do so for ever."""
    put("Stop")
    for times in (1, 2):
        inbox = filed()
        [session] = inbox.sessions.values()
        assert inbox.attempt(session) == times

    inbox.reset_attempts(session)
    assert inbox.attempt(session) == 1
    inbox.done(session)
    assert in_spool("tries") == []


def test_records_that_arrive_while_a_session_is_stored_are_filed_again() -> None:
    """Another worker, whose folder was deleted under it, may file some after ours has read the session."""
    put("UserPromptSubmit", "a", prompt="fix it")
    inbox = filed()
    [session] = inbox.sessions.values()
    read = inbox.events(session)
    put("Stop", "a")
    [late] = in_spool("new")
    Path(spool.folder("new", late)).rename(spool.folder("open", session.key, late))

    inbox.done(session)

    assert len(read) == 1
    assert (in_spool("new"), in_spool("open")) == ([late], [])
    inbox.file_new()
    assert kinds(inbox) == {"a": [EventKind.TURN_END]}


def test_a_session_that_is_discarded_unread_is_deleted_whole() -> None:
    """Somebody wants it forgotten."""
    put("UserPromptSubmit", "a", prompt="fix it")
    inbox = filed()
    [session] = inbox.sessions.values()

    inbox.done(session)

    assert (in_spool("new"), in_spool("open"), in_spool("tmp")) == ([], [], [])


def test_filing_reads_no_more_than_the_header(monkeypatch: pytest.MonkeyPatch) -> None:
    """A backlog has a hundred thousand records; each becomes an event once, when its session is learned from."""
    read: list[str] = []

    def spy(envelope: dict[str, Any], raw: bytes) -> Event:
        read.append(str(envelope["event"]))
        return read_record(envelope, raw)

    monkeypatch.setattr("behavior_plugin.worker.inbox.read_record", spy)
    put("UserPromptSubmit", "a", prompt="fix it")
    put("PostToolUse", "a", tool_name="Bash")
    inbox = filed()
    before = list(read)

    [session] = inbox.sessions.values()
    inbox.events(session)

    assert (before, read) == ([], ["UserPromptSubmit", "PostToolUse"])


def test_the_oldest_event_that_waits_is_reported() -> None:
    """The age of the oldest says whether anything is stuck."""
    spool.make()
    nothing = oldest()
    put("Stop", "a")
    filed()
    put("Stop", "b")

    [session_folder] = Path(spool.folder("open")).iterdir()
    [first] = session_folder.iterdir()
    assert nothing is None
    noted = datetime.fromtimestamp(int(first.name.partition("-")[0]) / 1e9, UTC)
    assert oldest() == noted.isoformat(timespec="seconds")
    assert backlog() == Backlog(new_events=1, open_sessions=1, dead_letters=0)
