"""The inbox files each record with its session and loses none."""

from __future__ import annotations

import json
import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from behavior_plugin.agents import read_record
from behavior_plugin.api import Backlog
from behavior_plugin.capture import spool
from behavior_plugin.model import Event, EventKind
from behavior_plugin.store import Selection
from behavior_plugin.worker import dead_letters
from behavior_plugin.worker.inbox import BATCH, RECORDS_AT_A_TIME, Inbox, backlog, oldest
from behavior_plugin.worker.waiting import forget_waiting


@pytest.fixture(autouse=True)
def known_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    """All events come from this process."""
    monkeypatch.setenv("CLAUDE_PID", str(os.getpid()))


def put(event: str, session_id: str = "a", *, agent: str = "claude-code", **fields: Any) -> None:
    fields = {"session_id": session_id, "transcript_path": f"/{session_id}.jsonl", **fields}
    spool.put(event, json.dumps(fields).encode(), notes={"client": agent})


def filed_inbox() -> Inbox:
    inbox = Inbox()
    while inbox.file_new():
        pass
    return inbox


def kinds(inbox: Inbox) -> dict[str, list[EventKind]]:
    return {s.session_id: [event.kind for event in inbox.events(s)] for s in inbox.sessions.values()}


def in_spool(name: str) -> list[str]:
    return sorted(path.name for path in Path(spool.folder(name)).iterdir())


def test_alternating_ids_of_one_conversation_are_one_session() -> None:
    """A real agent did that; the prompt's id and the transcript prove that there is one session."""
    put("UserPromptSubmit", "a", prompt="fix it", prompt_id="p1")
    put("PostToolUse", "b", prompt_id="p1", transcript_path="/a.jsonl", tool_name="Bash")
    put("SessionEnd", "b", transcript_path="/a.jsonl", reason="other")

    inbox = filed_inbox()

    [session] = inbox.sessions.values()
    assert (session.session_id, session.is_ended) == ("a", True)
    assert len(inbox.events(session)) == 3


def test_sessions_without_a_common_key_stay_apart() -> None:
    """Two consecutive sessions of one agent process are two pieces of work."""
    put("UserPromptSubmit", "a", prompt="fix it", prompt_id="p1")
    put("UserPromptSubmit", "b", prompt="fix it", prompt_id="p2")

    assert set(kinds(filed_inbox())) == {"a", "b"}


def test_a_cleared_session_is_linked_with_the_one_before() -> None:
    """The same agent process continues under a new id."""
    put("SessionStart", "a", source="startup")
    put("SessionEnd", "a", reason="clear")
    put("SessionStart", "b", source="clear")

    inbox = filed_inbox()

    assert {s.session_id: s.follows for s in inbox.sessions.values()} == {"a": None, "b": "a"}


def test_compactions_are_noted_with_their_time() -> None:
    """So that the session may be shown its suggestions again. A new worker notes those of open sessions once more."""
    for source in ("startup", "compact", "resume"):
        put("SessionStart", "a", source=source)
    put("PostToolUse", "b", source="compact", tool_name="Bash")

    first, second = filed_inbox(), filed_inbox()

    [(session_id, at)] = first.compacted
    [event] = [each for each in first.events(next(iter(first.sessions.values()))) if each.reason == "compact"]
    assert (session_id, at) == ("a", event.at)
    assert second.compacted == first.compacted


@pytest.mark.parametrize("reason", ["startup", "resume"])
def test_new_and_resumed_sessions_follow_no_other(reason: str) -> None:
    """A new start is new work, and a resumed session leaves the previous one."""
    put("SessionStart", "a", source="startup")
    put("SessionStart", "b", source=reason)

    inbox = filed_inbox()

    assert {s.follows for s in inbox.sessions.values()} == {None}


@pytest.mark.parametrize("agent", ["codex", "someday"])
def test_concurrent_sessions_of_one_process_are_not_linked(agent: str) -> None:
    """Codex runs all sessions of a user in one process, so a fork need not belong to the latest session."""
    put("SessionStart", "a", agent=agent, source="startup")
    put("SessionStart", "b", agent=agent, source="fork")

    inbox = filed_inbox()

    assert {s.follows for s in inbox.sessions.values()} == {None}


def test_a_new_worker_restores_the_filed_sessions() -> None:
    """That includes the session of each prompt, and whether the session has ended."""
    put("SessionStart", "a", source="startup")
    put("UserPromptSubmit", "a", prompt="fix it", prompt_id="p1")
    put("PostToolUse", "a", prompt_id="p1", tool_name="Bash")
    filed_inbox()
    put("PostToolUse", "b", prompt_id="p1", transcript_path="", tool_name="Read")
    put("SessionEnd", "a", reason="other")

    inbox = filed_inbox()

    [session] = inbox.sessions.values()
    assert (session.session_id, session.is_ended) == ("a", True)
    assert [event.name for event in inbox.events(session)] == [
        *("SessionStart", "UserPromptSubmit", "PostToolUse", "PostToolUse", "SessionEnd")
    ]


def test_sessions_that_wait_can_be_spared() -> None:
    """The settings let old work go; an open session is not old, whenever it has begun."""
    put("SessionStart", "s")
    inbox = filed_inbox()
    tomorrow = Selection(until=datetime.now(UTC) + timedelta(days=1))

    assert forget_waiting(inbox, tomorrow, only_letters=True).session_ids == frozenset()
    assert len(inbox.sessions) == 1
    assert forget_waiting(inbox, tomorrow).session_ids == {"s"}
    assert inbox.sessions == {}


def test_calls_alone_are_a_session_too() -> None:
    """The worker may have died before any other event arrived."""
    put("PostToolUse", "a", tool_name="Bash")
    filed_inbox()

    assert kinds(filed_inbox()) == {"a": [EventKind.ACTION]}


def test_a_backlog_is_filed_in_batches_oldest_first() -> None:
    """Requests are answered between batches, and the oldest events wait no longer than newer ones."""
    for number in range(BATCH + 1):
        spool.put("Stop", json.dumps({"session_id": f"{number}"}).encode())
    inbox = Inbox()

    assert inbox.file_new() == BATCH
    assert {s.session_id for s in inbox.sessions.values()} == {str(number) for number in range(BATCH)}
    assert (inbox.file_new(), inbox.file_new()) == (1, 0)


def test_records_of_a_newer_version_stay_in_the_spool() -> None:
    """The newer version will be back; dead letters would have to be retried by hand."""
    put("Stop")
    [name] = in_spool("new")
    record = Path(spool.folder("new", name))
    record.write_bytes(record.read_bytes().replace(b'"v":1', b'"v":99'))

    inbox = filed_inbox()
    inbox.retry_postponed()
    inbox.file_new()

    assert in_spool("new") == [name]
    assert list(inbox.postponed) == [name]
    assert not inbox.sessions


def test_pipes_and_folders_become_dead_letters() -> None:
    """Opening a pipe would block forever."""
    spool.make()
    os.mkfifo(spool.folder("new", "1-1-Stop"))
    Path(spool.folder("new", "1-2-Stop")).mkdir()
    put("Stop")

    assert kinds(filed_inbox()) == {"a": [EventKind.TURN_END]}
    assert {letter.path.name for letter in dead_letters.letters()} == {"1-1-Stop", "1-2-Stop"}


def test_deleted_folders_are_made_again() -> None:
    """Somebody may delete the spool while the worker runs."""
    put("Stop", "a")
    inbox = filed_inbox()
    shutil.rmtree(spool.folder())

    assert inbox.file_new() == 0
    [session] = inbox.sessions.values()
    assert inbox.events(session) == []
    inbox.done(session)
    put("Stop", "b")
    assert inbox.file_new() == 1
    assert kinds(inbox) == {"b": [EventKind.TURN_END]}


def test_attempts_are_counted_across_workers() -> None:
    """A session that crashes every worker must not do so forever."""
    put("Stop")
    for times in (1, 2):
        inbox = filed_inbox()
        [session] = inbox.sessions.values()
        assert inbox.attempt(session) == times

    inbox.reset_attempts(session)
    assert inbox.attempt(session) == 1
    inbox.done(session)
    assert in_spool("tries") == []


def test_records_that_arrive_during_storing_are_filed_again() -> None:
    """A second worker, whose folder was deleted under it, may file records after ours has read the session."""
    put("UserPromptSubmit", "a", prompt="fix it")
    inbox = filed_inbox()
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


def test_discarding_an_unread_session_deletes_all_of_it() -> None:
    """A person wants the session forgotten."""
    put("UserPromptSubmit", "a", prompt="fix it")
    inbox = filed_inbox()
    [session] = inbox.sessions.values()

    inbox.done(session)

    assert (in_spool("new"), in_spool("open"), in_spool("tmp")) == ([], [], [])


def test_filing_reads_only_headers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A backlog has a hundred thousand records; each is parsed once, when the worker learns from its session."""
    read: list[str] = []

    def spy(envelope: dict[str, Any], raw: bytes) -> Event:
        read.append(str(envelope["event"]))
        return read_record(envelope, raw)

    monkeypatch.setattr("behavior_plugin.worker.inbox.read_record", spy)
    put("UserPromptSubmit", "a", prompt="fix it")
    put("PostToolUse", "a", tool_name="Bash")
    inbox = filed_inbox()
    before = list(read)

    [session] = inbox.sessions.values()
    inbox.events(session)

    assert (before, read) == ([], ["UserPromptSubmit", "PostToolUse"])


def test_the_time_of_the_oldest_waiting_event_is_reported() -> None:
    """The age of the oldest event shows whether anything is stuck."""
    spool.make()
    nothing = oldest()
    put("Stop", "a")
    filed_inbox()
    put("Stop", "b")

    [session_folder] = Path(spool.folder("open")).iterdir()
    [first] = session_folder.iterdir()
    assert nothing is None
    noted = datetime.fromtimestamp(int(first.name.partition("-")[0]) / 1e9, UTC)
    assert oldest() == noted.isoformat(timespec="seconds")
    assert backlog() == Backlog(new_events=1, open_sessions=1, dead_letters=0)


def test_prompts_go_first_while_a_long_session_is_read() -> None:
    """It may have 20,000 calls, which take many seconds."""
    pauses: list[int] = []
    for _ in range(2 * RECORDS_AT_A_TIME + 1):
        put("PostToolUse", tool_name="Bash")
    inbox = Inbox(lambda: pauses.append(1))
    while inbox.file_new():
        pass
    while_filed = len(pauses)

    [session] = inbox.sessions.values()
    inbox.events(session)

    assert (while_filed, len(pauses)) == (3, 6)
