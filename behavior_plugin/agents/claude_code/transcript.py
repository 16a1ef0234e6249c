"""Read a transcript of Claude Code: its records become events. Only this module and `records` know its format.

The client appends one record for each block of a message, repeats records when a session is resumed, and copies them
into a fork, there under the id of the fork's first prompt. A call and its result are two records; others may stand
between them, and the result may come first.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from behavior_plugin.agents.calls import bounded_parameters
from behavior_plugin.agents.claude_code.notifications import parse_task_notification
from behavior_plugin.agents.claude_code.records import Result, blocks, context_of, results, text_of, time_of, words_in
from behavior_plugin.agents.closing import read_closing
from behavior_plugin.agents.fields import (
    MAX_LINE_BYTES,
    MAX_NAME_CHARS,
    START,
    Skip,
    get_dict,
    get_id,
    get_str,
    is_plain,
    parse_json,
)
from behavior_plugin.agents.prompts import NOTIFICATION, read_prompt
from behavior_plugin.agents.session_log import SessionRecorder
from behavior_plugin.agents.verdict import call_verdict
from behavior_plugin.model import CLAUDE_CODE, MAIN, USER, Action, Event, EventKind, Outcome, PromptKind, elapsed_ms

# Results that are kept for calls whose records are still to come; they follow within a few records.
MAX_EARLY_RESULTS = 10

# Whole requests, two thirds of a file.
_REQUESTS = (b'{"type":"api-request', b'{"type": "api-request')
# Signs of life, a quarter of the records: not worth parsing. A record's own type comes before those within it.
_TYPE, _PROGRESS = b'"type":"', b'"type":"progress"'
# Records with nothing to learn from.
_OTHERS = frozenset(
    """
    agent-name agent-setting ai-title atis-latch cost-state custom-title file-history-delta file-history-snapshot
    frame-link last-prompt mode permission-mode pr-link progress queue-operation summary tag tools-used worktree-state
    """.split()  # noqa: SIM905 - words are easier to read and add than a list of strings
)
# Fields that mark text which the client writes in the user's place.
_NO_PROMPT = ("isMeta", "isCompactSummary", "repeatsCompactSummary", "isVisibleInTranscriptOnly", "isSidechain")
_SHELL_INPUT = "<bash-input>"
_SHELL_OUTPUT = ("<bash-stdout>", "<bash-stderr>")
_SHELL_TAG = re.compile(r"</?bash-std(?:out|err)>")


def read(
    lines: Iterable[bytes],
    *,
    session_id: str,
    actor: str = MAIN,
    session_ids: Collection[str] | None = None,
    skip: Skip = lambda _line, _reason: None,
) -> list[Event]:
    """The events of one transcript file, in its order; `actor` is the main agent or the subagent that wrote it.

    Records that name another session than `session_ids` are skipped; None takes all. Memory grows with the number of
    prompts and calls, not with the size of their inputs and outputs.
    """
    parser = _Parser(session_id, actor, session_ids)
    for _ in _read_lines(lines, parser, skip):
        pass
    return parser.finish()


def read_in_parts(lines: Iterable[bytes], *, session_id: str, skip: Skip) -> Iterator[list[Event]]:
    """The same for a main agent's file of any length, in parts that each hold whole turns.

    Only a very long file has more than one part. Records that belong to an earlier part, such as the late end of a
    background call, are then ignored.
    """
    parser = _Parser(session_id, MAIN, None)
    for _ in _read_lines(lines, parser, skip):
        if completed := parser.drain_completed():
            yield completed
    yield parser.finish()


def subagent_file(transcript: str, subagent: str) -> str | None:
    """The path of a subagent's transcript; None for an id that could lead elsewhere."""
    if not transcript.endswith(".jsonl") or not is_plain(subagent):
        return None
    return posixpath.join(transcript.removesuffix(".jsonl"), "subagents", f"agent-{subagent}.jsonl")


def _read_lines(lines: Iterable[bytes], parser: _Parser, skip: Skip) -> Iterator[None]:
    for number, line in enumerate(lines, start=1):
        if reason := _read_line(line, parser):
            skip(number, reason)
        yield


def _read_line(line: bytes, parser: _Parser) -> str | None:
    """Read one line; returns the reason where it cannot be read."""
    if line.startswith(_REQUESTS) or line.isspace() or line.startswith(_PROGRESS, line.find(_TYPE)):
        return None
    if len(line) > MAX_LINE_BYTES:
        return "the line is too long"
    try:
        record = parse_json(line)
    except (ValueError, RecursionError) as error:
        return f"the line is not JSON ({type(error).__name__})"
    if not isinstance(record, dict):
        return "the line is JSON, but no object"
    try:
        return parser.take(record)
    except (TypeError, ValueError, RecursionError) as error:
        return f"the record cannot be read ({type(error).__name__})"


class _Parser:
    """The state between records: the events so far, the calls without a result, the open turn."""

    def __init__(self, session_id: str, actor: str, session_ids: Collection[str] | None) -> None:
        self._recorder = SessionRecorder(CLAUDE_CODE, session_id)
        self._actor = actor
        self._session_ids = session_ids
        self._calls: set[str] = set()
        self._early: dict[str, Result] = {}
        self._prompts: set[str] = set()
        # By prompt id: the last prompt's record, and the indexes of the events since.
        self._turns: dict[str, tuple[str, list[int]]] = {}
        self._prompt_id: str | None = None
        self._shell_line: str | None = None
        self._at = START
        self._is_turn_open = False
        # The record with a message that may end the turn; the next record decides.
        self._last_words: dict[str, Any] | None = None
        # The last text of the agent in this turn.
        self._closing = ""

    def drain_completed(self) -> list[Event]:
        return self._recorder.drain_completed()

    def finish(self) -> list[Event]:
        self._end_unmarked_turn()
        return self._recorder.drain()

    def take(self, record: dict[str, Any]) -> str | None:
        kind = str(record.get("type"))
        if kind in _OTHERS or self._is_foreign(record):
            return None
        self._at = time_of(record) or self._at
        if kind == "user":
            self._user(record)
        elif kind == "assistant":
            self._assistant(record)
        elif kind == "attachment":
            self._attachment(record)
        elif kind == "system":
            if record.get("subtype") in ("turn_duration", "stop_hook_summary"):
                self._end_turn(record)
        else:
            return f"the record's type is unknown ({kind[:40]})"
        return None

    def _is_foreign(self, record: dict[str, Any]) -> bool:
        """Whether a record belongs to another session, which is stored on its own."""
        if self._session_ids is None:
            return False
        session_id = get_id(record, "sessionId")
        return session_id is not None and session_id not in self._session_ids

    def _user(self, record: dict[str, Any]) -> None:
        found = results(record, self._at)
        for result in found:
            self._result(result)
        if self._actor != MAIN:
            self._prompt_id = get_id(record, "promptId") or self._prompt_id
        elif not found and not any(record.get(mark) is True for mark in _NO_PROMPT):
            self._typed(text_of(get_dict(record, "message").get("content")), record)

    def _typed(self, text: str, record: dict[str, Any]) -> None:
        """Text that a person typed, or that the client wrote in a person's place."""
        uuid = get_id(record, "uuid")
        if uuid in self._prompts:
            return
        self._prompts.update([uuid] if uuid else [])
        # Older clients give prompts no id; the record's own is as good.
        prompt_id = get_id(record, "promptId") or uuid
        if text.startswith("[Request interrupted"):
            self._is_turn_open = False
        elif text.startswith(_SHELL_INPUT):
            self._shell(text, uuid, prompt_id, record)
        elif text.startswith(_SHELL_OUTPUT):
            self._shell_ended(text)
        else:
            self._prompt(text, prompt_id, record, begins=uuid)

    def _prompt(self, text: str, prompt_id: str | None, record: dict[str, Any], begins: str | None = None) -> None:
        """`begins` is the record's id if its prompt begins a turn of its own."""
        end = parse_task_notification(text)
        fields = read_prompt(text)
        kind = fields["prompt_kind"]
        if kind is PromptKind.MACHINE and not text.startswith(NOTIFICATION):
            return
        if begins and kind is not PromptKind.MACHINE:
            self._end_unmarked_turn()
            self._separate_turns(prompt_id, begins)
            self._closing = ""
        self._prompt_id = prompt_id
        self._is_turn_open = self._is_turn_open or kind is not PromptKind.BUILT_IN
        if end:
            self._add(EventKind.CALL_END, record, call_end=end)
        else:
            self._add(EventKind.PROMPT, record, **fields)

    def _separate_turns(self, prompt_id: str | None, uuid: str) -> None:
        """If two prompts share an id, the last one keeps it; a fork copied the others, which get their record's id."""
        if not prompt_id:
            return
        name, indexes = self._turns.get(prompt_id, ("", []))
        for index in indexes:
            self._recorder.rename_prompt(index, name)
        self._turns[prompt_id] = (uuid, [])

    def _shell(self, text: str, uuid: str | None, prompt_id: str | None, record: dict[str, Any]) -> None:
        """A line of the user's own shell. It is not a turn of the model, even if the model comments on it."""
        command = text.removeprefix(_SHELL_INPUT).removesuffix("</bash-input>")
        action = Action(
            id=uuid,
            tool="Bash",
            parameters=bounded_parameters({"command": command}),
            outcome=Outcome.PARTIAL,
            timestamp=self._at,
            actor=USER,
        )
        self._end_unmarked_turn()
        self._prompt_id, self._is_turn_open = prompt_id, False
        self._add(EventKind.ACTION, record, action=action, pending_id=uuid)
        self._shell_line = uuid

    def _shell_ended(self, output: str) -> None:
        name = self._shell_line or ""
        line = self._recorder.pending(name)
        if line and line.action:
            verdict = call_verdict("Bash", line.action.parameters, _SHELL_TAG.sub("\n", output))
            took = elapsed_ms(line.at, self._at)
            self._recorder.complete(name, outcome=Outcome.SUCCESS, duration_ms=took, verdict=verdict)

    def _assistant(self, record: dict[str, Any]) -> None:
        kind, is_end = None, get_dict(record, "message").get("stop_reason") == "end_turn"
        for block in blocks(record):
            kind = block.get("type")
            if kind == "tool_use":
                self._call(block, record)
            if self._actor_of(record) == MAIN:
                self._last_words = record if kind == "text" or (is_end and kind == "thinking") else None
                self._closing = words_in(block, record) or self._closing
        # The text of the same message follows its thinking, in a record of its own.
        if is_end and kind != "thinking":
            self._end_turn(record)

    def _call(self, block: dict[str, Any], record: dict[str, Any]) -> None:
        name = get_id(block, "id")
        if not name or name in self._calls:
            return
        action = Action(
            id=name,
            tool=get_str(block, "name", MAX_NAME_CHARS) or "unknown",
            parameters=bounded_parameters(get_dict(block, "input")),
            outcome=Outcome.PARTIAL,
            timestamp=self._at,
            actor=self._actor_of(record),
        )
        self._calls.add(name)
        self._is_turn_open = True
        self._add(EventKind.ACTION, record, action=action, pending_id=name)
        if name in self._early:
            self._result(self._early.pop(name))

    def _result(self, result: Result) -> None:
        name = get_id(result.block, "tool_use_id") or ""
        if call := self._recorder.pending(name):
            self._recorder.complete(name, **result.call_fields(call))
        elif name not in self._calls:
            self._early[name] = result
            if len(self._early) > MAX_EARLY_RESULTS:
                del self._early[next(iter(self._early))]

    def _attachment(self, record: dict[str, Any]) -> None:
        """The only record of a prompt that was typed while a call ran, or of a notification that arrived then."""
        attachment = get_dict(record, "attachment")
        if attachment.get("type") != "queued_command" or self._actor_of(record) != MAIN:
            return
        uuid = get_id(record, "uuid")
        # A queued line for the shell has records of its own.
        if uuid not in self._prompts and attachment.get("commandMode") != "bash":
            self._prompts.update([uuid] if uuid else [])
            self._prompt(text_of(attachment.get("prompt")), self._prompt_id, record)

    def _end_turn(self, record: dict[str, Any]) -> None:
        if self._is_turn_open and self._actor_of(record) == MAIN:
            self._add(EventKind.TURN_END, record, closing=read_closing(self._closing))
            self._is_turn_open, self._closing, self._last_words = False, "", None

    def _end_unmarked_turn(self) -> None:
        """Older clients do not mark the end of a turn: one that ends with text, and no call, has ended."""
        last, self._last_words = self._last_words, None
        if last and get_dict(last, "message").get("stop_reason") in (None, "end_turn"):
            self._end_turn(last)

    def _actor_of(self, record: dict[str, Any]) -> str:
        """The actor of a record; old clients wrote their subagents' records into the main file."""
        if self._actor == MAIN and record.get("isSidechain") is True:
            return get_id(record, "agentId") or "subagent"
        return self._actor

    def _add(self, kind: EventKind, record: dict[str, Any], **more: Any) -> None:
        if self._prompt_id in self._turns:
            self._turns[self._prompt_id][1].append(self._recorder.next_index)
        self._recorder.add(
            kind,
            name=str(record.get("type")),
            at=self._at,
            context=context_of(record),
            prompt_id=self._prompt_id,
            **more,
        )
