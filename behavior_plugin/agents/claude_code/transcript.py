"""Understand what the client wrote down: the records of a transcript become Events. The only place that knows them.

The client appends one record for each block of a message, repeats records when a session is resumed, and copies them
into a fork, there under the name of the fork's first prompt. A call and its result are two records, anything may stand
between them, and the result may come first.
"""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from behavior_plugin.agents import fields
from behavior_plugin.agents.claude_code.records import Result, blocks, context_of, results, time_of, words
from behavior_plugin.agents.fields import LONGEST_LINE, LONGEST_NAME, NOTIFICATION, identifier, is_plain, section, text
from behavior_plugin.agents.prompts import PromptKind, as_typed, kind_of
from behavior_plugin.agents.recorder import Telling
from behavior_plugin.agents.records import START, Skip
from behavior_plugin.model import CLAUDE_CODE, MAIN, USER, Action, Event, EventKind, Outcome

# Results that are kept for a call whose record is yet to come; it is the next but few.
MOST_EARLY = 10

# Whole requests, two thirds of a file.
_REQUESTS = (b'{"type":"api-request', b'{"type": "api-request')
# Records that hold nothing for us.
_OTHERS = frozenset(
    """
    agent-name agent-setting ai-title atis-latch cost-state custom-title file-history-delta file-history-snapshot
    frame-link last-prompt mode permission-mode pr-link progress queue-operation summary tag tools-used worktree-state
    """.split()  # noqa: SIM905 - words are easier to read and add than a list of strings
)
# What the client writes in the user's place.
_NO_PROMPT = ("isMeta", "isCompactSummary", "repeatsCompactSummary", "isVisibleInTranscriptOnly", "isSidechain")
_SHELL_INPUT = "<bash-input>"
_SHELL_OUTPUT = ("<bash-stdout>", "<bash-stderr>")


def read(
    lines: Iterable[bytes],
    *,
    session_id: str,
    agent: str = MAIN,
    session_ids: Collection[str] | None = None,
    skip: Skip = lambda _line, _reason: None,
) -> list[Event]:
    """The events of one transcript file, in its order; `agent` is whose file it is.

    Records that name another session than `session_ids` are passed over; None takes all.

    What is kept grows with the number of prompts and calls, not with the size of what they read and wrote.
    """
    reader = _Reader(session_id, agent, session_ids)
    for _ in _taken(lines, reader, skip):
        pass
    return reader.finish()


def read_in_parts(lines: Iterable[bytes], *, session_id: str, skip: Skip) -> Iterator[list[Event]]:
    """The same of a main agent's file of any length, in parts that each hold whole pieces of work.

    Only in a very long file there is more than one part; what then comes later of an earlier one, such as the end of a
    call that went on in the background, is not told of.
    """
    reader = _Reader(session_id, MAIN, None)
    for _ in _taken(lines, reader, skip):
        if finished := reader.take_finished():
            yield finished
    yield reader.finish()


def subagent_file(transcript: str, agent: str) -> str | None:
    """Where the client keeps the transcript of a subagent; None for an id that could lead elsewhere."""
    if not transcript.endswith(".jsonl") or not is_plain(agent):
        return None
    return posixpath.join(transcript.removesuffix(".jsonl"), "subagents", f"agent-{agent}.jsonl")


def _taken(lines: Iterable[bytes], reader: _Reader, skip: Skip) -> Iterator[None]:
    """Have the reader take line after line."""
    for number, line in enumerate(lines, start=1):
        if reason := _take(line, reader):
            skip(number, reason)
        yield


def _take(line: bytes, reader: _Reader) -> str | None:
    """Read one line; says why where it could not be."""
    if line.startswith(_REQUESTS) or line.isspace():
        return None
    if len(line) > LONGEST_LINE:
        return "the line is too long"
    try:
        record = fields.read_json(line)
    except (ValueError, RecursionError) as error:
        return f"the line is not JSON ({type(error).__name__})"
    if not isinstance(record, dict):
        return "the line is JSON, but no object"
    try:
        return reader.take(record)
    except (TypeError, ValueError, RecursionError) as error:
        return f"the record cannot be read ({type(error).__name__})"


class _Reader:
    """What is known so far: the events, the calls that have no result yet, whose turn it is."""

    def __init__(self, session_id: str, agent: str, session_ids: Collection[str] | None) -> None:
        self._telling = Telling(session_id, CLAUDE_CODE)
        self._agent = agent
        self._session_ids = session_ids
        self._calls: set[str] = set()
        self._early: dict[str, Result] = {}
        self._prompts: set[str] = set()
        # By prompt id: the last prompt's record, and the places of the events since.
        self._turns: dict[str, tuple[str, list[int]]] = {}
        self._prompt_id: str | None = None
        self._shell_line: str | None = None
        self._at = START
        self._is_turn_open = False
        # The record with the words that the turn may end with, as far as no record says so.
        self._last_words: dict[str, Any] | None = None

    def take_finished(self) -> list[Event]:
        return self._telling.take_finished()

    def finish(self) -> list[Event]:
        self._end_unsaid()
        return self._telling.take_all()

    def take(self, record: dict[str, Any]) -> str | None:
        if self._is_foreign(record):
            return None
        self._at = time_of(record) or self._at
        kind = record.get("type")
        if kind == "user":
            self._user(record)
        elif kind == "assistant":
            self._assistant(record)
        elif kind == "attachment":
            self._attachment(record)
        elif kind == "system":
            if record.get("subtype") in ("turn_duration", "stop_hook_summary"):
                self._end_turn(record)
        elif str(kind) not in _OTHERS:
            return f"the record's type is unknown ({str(kind)[:40]})"
        return None

    def _is_foreign(self, record: dict[str, Any]) -> bool:
        """Whether it is another session's; that one has it stored itself."""
        session_id = identifier(record, "sessionId")
        return self._session_ids is not None and session_id is not None and session_id not in self._session_ids

    def _user(self, record: dict[str, Any]) -> None:
        found = results(record, self._at)
        for result in found:
            self._result(result)
        if self._agent != MAIN:
            self._prompt_id = identifier(record, "promptId") or self._prompt_id
        elif not found and not any(record.get(mark) is True for mark in _NO_PROMPT):
            self._typed(words(section(record, "message").get("content")), record)

    def _typed(self, said: str, record: dict[str, Any]) -> None:
        """What a person typed, or the client in a person's place."""
        uuid = identifier(record, "uuid")
        if uuid in self._prompts:
            return
        self._prompts.update([uuid] if uuid else [])
        # Older clients name no prompts; the record's own name is as good.
        prompt_id = identifier(record, "promptId") or uuid
        if said.startswith("[Request interrupted"):
            self._is_turn_open = False
        elif said.startswith(_SHELL_INPUT):
            self._shell(said, uuid, prompt_id, record)
        elif said.startswith(_SHELL_OUTPUT):
            self._shell_ended()
        else:
            self._prompt(said, prompt_id, record, begins=uuid)

    def _prompt(self, said: str, prompt_id: str | None, record: dict[str, Any], begins: str | None = None) -> None:
        """`begins` names the record of a prompt that begins a turn of its own."""
        typed = as_typed(said)
        kind = kind_of(typed)
        if kind is PromptKind.MACHINE and not typed.startswith(NOTIFICATION):
            return
        if begins and kind is not PromptKind.MACHINE:
            self._end_unsaid()
            self._tell_apart(prompt_id, begins)
        self._prompt_id = prompt_id
        self._is_turn_open = self._is_turn_open or kind is not PromptKind.BUILT_IN
        self._add(EventKind.PROMPT, record, prompt=typed)

    def _tell_apart(self, prompt_id: str | None, uuid: str) -> None:
        """The last prompt of a name owns it. One before it was copied, and goes by its record's name."""
        if not prompt_id:
            return
        name, places = self._turns.get(prompt_id, ("", []))
        for place in places:
            self._telling.rename_prompt(place, name)
        self._turns[prompt_id] = (uuid, [])

    def _shell(self, said: str, uuid: str | None, prompt_id: str | None, record: dict[str, Any]) -> None:
        """A line of the user's own shell. It is no turn of the model's, even if the model has a word to say on it."""
        command = said.removeprefix(_SHELL_INPUT).removesuffix("</bash-input>")
        action = Action(
            id=uuid,
            tool="Bash",
            parameters=fields.parameters({"command": command}),
            outcome=Outcome.PARTIAL,
            timestamp=self._at,
            agent=USER,
        )
        self._end_unsaid()
        self._prompt_id, self._is_turn_open = prompt_id, False
        self._add(EventKind.ACTION, record, action=action, waits_for=uuid)
        self._shell_line = uuid

    def _shell_ended(self) -> None:
        name = self._shell_line or ""
        if line := self._telling.waiting(name):
            self._telling.complete(name, outcome=Outcome.SUCCESS, duration_ms=fields.between(line.at, self._at))

    def _assistant(self, record: dict[str, Any]) -> None:
        for block in blocks(record):
            if block.get("type") == "tool_use":
                self._call(block, record)
            if self._whose(record) == MAIN:
                self._last_words = record if block.get("type") == "text" else None
        if section(record, "message").get("stop_reason") == "end_turn":
            self._end_turn(record)

    def _call(self, block: dict[str, Any], record: dict[str, Any]) -> None:
        name = identifier(block, "id")
        if not name or name in self._calls:
            return
        action = Action(
            id=name,
            tool=text(block, "name", LONGEST_NAME) or "unknown",
            parameters=fields.parameters(section(block, "input")),
            outcome=Outcome.PARTIAL,
            timestamp=self._at,
            agent=self._whose(record),
        )
        self._calls.add(name)
        self._is_turn_open = True
        self._add(EventKind.ACTION, record, action=action, waits_for=name)
        if name in self._early:
            self._result(self._early.pop(name))

    def _result(self, result: Result) -> None:
        name = identifier(result.block, "tool_use_id") or ""
        if call := self._telling.waiting(name):
            self._telling.complete(name, **result.told_of(call))
        elif name not in self._calls:
            self._early[name] = result
            if len(self._early) > MOST_EARLY:
                del self._early[next(iter(self._early))]

    def _attachment(self, record: dict[str, Any]) -> None:
        """A prompt that was typed while a call ran, or a notification that came meanwhile, has no other record."""
        attachment = section(record, "attachment")
        if attachment.get("type") != "queued_command" or self._whose(record) != MAIN:
            return
        uuid = identifier(record, "uuid")
        # A queued line for the shell has records of its own.
        if uuid not in self._prompts and attachment.get("commandMode") != "bash":
            self._prompts.update([uuid] if uuid else [])
            self._prompt(words(attachment.get("prompt")), self._prompt_id, record)

    def _end_turn(self, record: dict[str, Any]) -> None:
        if self._is_turn_open and self._whose(record) == MAIN:
            self._add(EventKind.TURN_END, record)
            self._is_turn_open = False

    def _end_unsaid(self) -> None:
        """Older clients do not say why the assistant stops. What ends with words, and no call, is a turn that ended."""
        last, self._last_words = self._last_words, None
        if last and section(last, "message").get("stop_reason") is None:
            self._end_turn(last)

    def _whose(self, record: dict[str, Any]) -> str:
        """The agent that a record is about; old clients wrote their subagents' records into the main file."""
        if self._agent == MAIN and record.get("isSidechain") is True:
            return identifier(record, "agentId") or "subagent"
        return self._agent

    def _add(self, kind: EventKind, record: dict[str, Any], **more: Any) -> None:
        if self._prompt_id in self._turns:
            self._turns[self._prompt_id][1].append(self._telling.next_place)
        self._telling.add(
            kind,
            name=str(record.get("type")),
            at=self._at,
            context=context_of(record),
            prompt_id=self._prompt_id,
            **more,
        )
