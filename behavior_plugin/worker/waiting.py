"""Forget what waits in the spool: sessions that are not learned from yet, and dead letters.

A session that waits goes as a whole. Here texts are not redacted yet, so that they are compared as they came.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from behavior_plugin.agents import read_record
from behavior_plugin.agents.fields import parse_json
from behavior_plugin.capture import spool
from behavior_plugin.capture.handlers import HARD_STOP_S
from behavior_plugin.model import Event, Turn
from behavior_plugin.redact import PROJECT_LIMIT, redact
from behavior_plugin.store import Selection
from behavior_plugin.worker import dead_letters
from behavior_plugin.worker.dead_letters import DeadLetter
from behavior_plugin.worker.inbox import Inbox

# Of a record: twice the longest payload that a hook saves.
MAX_BYTES = dead_letters.MAX_RECORD_BYTES
# Twice as long as a hook may take: what is older in the temporary folder was left by one that was killed.
HOOK_S = 2 * HARD_STOP_S


@dataclass(frozen=True)
class Waiting:
    """What waited: the ids of the sessions, their keys, those that are still open, and how many dead letters.

    `turns` are those of the sessions, as far as they can be read.
    """

    session_ids: frozenset[str] = frozenset()
    keys: frozenset[str] = frozenset()
    live: frozenset[str] = frozenset()
    dead_letters: int = 0
    turns: tuple[Turn, ...] = ()


def forget_waiting(
    inbox: Inbox, selection: Selection, *, is_dry_run: bool = False, only_letters: bool = False
) -> Waiting:
    """Delete the sessions and dead letters that fit a selection; no pattern has any. A dry run only finds them."""
    if selection.pattern_key:
        return Waiting()
    waiting = [] if only_letters else inbox.sessions.values()
    real = [session for session in waiting if not session.is_probe or selection.is_everything]
    chosen = [session for session in real if _fits(inbox.records(session), session.session_id, selection)]
    letters = [letter for letter in dead_letters.letters() if _is_chosen_letter(letter, selection)]
    found = Waiting(
        frozenset(session.session_id for session in chosen),
        frozenset(session.key for session in chosen),
        frozenset(session.session_id for session in chosen if session.is_live()),
        len(letters),
    )
    if not is_dry_run:
        for session in chosen:
            session.read = set()  # whatever has come since goes too
            inbox.done(session)
        for letter in letters:
            dead_letters.delete(letter)
        inbox.sweep_temporary(HOOK_S)
        if selection.is_everything:
            _empty(Path(spool.folder("new")))  # records that could not be read
    return found


def _fits(records: list[Path], session_id: str, selection: Selection) -> bool:
    """Whether the records of a session fit, each criterion by any of them."""
    if selection.is_everything:
        return True
    read = [_read(record) for record in records]
    events = [event for event, _ in read if event]
    ids, projects = {session_id, *(each.session_id for each in events)}, {_project_of(each) for each in events}
    begun = min((each.at for each in events), default=None)
    return (
        (not selection.session_id or selection.session_id in ids)
        and (selection.project is None or selection.project in projects)
        and _is_within(begun, selection)
        and (not selection.text or any(_has(text, selection.text) for _, texts in read for text in texts))
    )


def _is_chosen_letter(letter: DeadLetter, selection: Selection) -> bool:
    """A letter may be unreadable, so that an id or a project counts wherever its text has it."""
    if selection.is_everything:
        return True
    if not _is_within(letter.set_aside_at, selection):
        return False
    texts = [text for record in dead_letters.records_of(letter.path) for text in _read(record)[1]]
    wanted = [selection.session_id, selection.project or "", selection.text]
    return all(any(_has(text, each) for text in texts) for each in wanted if each)


def _is_within(at: datetime | None, selection: Selection) -> bool:
    if selection.since is None and selection.until is None:
        return True
    return at is not None and (selection.since or at) <= at and not (selection.until and at >= selection.until)


def _read(record: Path) -> tuple[Event | None, list[str]]:
    """The event of a record, if it is readable, and every text in it."""
    try:
        envelope, payload = spool.read(record)
        texts = [*_texts(envelope), *_texts(parse_json(payload))]
    except (OSError, ValueError, RecursionError):
        return None, [_raw(record)]
    try:
        return read_record(envelope, payload), texts
    except ValueError:
        return None, texts


def _texts(value: Any) -> Iterator[str]:
    """Every text in a JSON value, names too."""
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, str):
            yield each
        elif isinstance(each, dict):
            waiting.extend((*each.keys(), *each.values()))
        elif isinstance(each, list):
            waiting.extend(each)


def _raw(record: Path) -> str:
    try:
        with record.open("rb") as source:
            return source.read(MAX_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""


def _has(text: str, wanted: str) -> bool:
    return wanted.casefold() in text.casefold()


def _project_of(event: Event) -> str:
    """As it would be stored."""
    return redact(event.context.project, PROJECT_LIMIT)


def _empty(folder: Path) -> None:
    for each in list(folder.iterdir()):
        each.unlink(missing_ok=True)
