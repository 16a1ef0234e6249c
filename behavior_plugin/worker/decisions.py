"""The last decisions on prompts, in a file of the data folder, so that `behavior why` needs no worker.

One line of JSON for each, the oldest first, redacted and bounded. The file is replaced as a whole, by one rename.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import datetime
from itertools import accumulate, takewhile
from pathlib import Path

from pydantic import ValidationError

from behavior_plugin.capture import paths
from behavior_plugin.errors import describe_for_log
from behavior_plugin.recall.decision import Decision
from behavior_plugin.redact import PROJECT_LIMIT, redact, redact_model
from behavior_plugin.worker import MAX_DECISIONS

# Of the whole file. A usual decision has 3 kB.
MAX_BYTES = 1024 * 1024
MAX_PROMPT_CHARS, MAX_NOTE_CHARS = 300, 2_000

# The end of a line whose decision has shown nothing: `shown` is the last field.
_NOT_SHOWN = b'"shown":null}'

log = logging.getLogger(__name__)


class Decisions:
    """The worker's side of the file. Safe to use from several threads; a disk that fails costs only the record."""

    def __init__(self) -> None:
        self._lines: list[bytes] | None = None
        self._lock = threading.Lock()

    def add(self, decision: Decision) -> None:
        """Add the newest decision, redacted; beyond the limits the oldest go."""
        line = _line(_redacted(decision))
        self._change(lambda lines: [*lines, line])

    def forget(self, session_id: str, projects: Collection[str] = ()) -> None:
        """Delete the decisions of a session, and those that may quote its work: all that found work of its projects."""
        name = redact(session_id)
        quoted = {redact(project, PROJECT_LIMIT) for project in projects}

        def is_kept(decision: Decision) -> bool:
            found = {each.candidate.project for each in decision.considered}
            return decision.session_id != name and not found & quoted

        self._change(lambda lines: [line for line, each in _parsed(lines) if is_kept(each)])

    def forget_all(self, is_gone: Callable[[Decision], bool], *, is_dry_run: bool) -> int:
        """Delete the decisions that are gone; returns how many. Those that cannot be read go with any other."""
        gone = 0

        def rest(lines: list[bytes]) -> list[bytes]:
            nonlocal gone
            kept = [line for line, each in _parsed(lines) if not is_gone(each)]
            gone = sum(1 for _ in _parsed(lines)) - len(kept)
            return lines if is_dry_run or not gone else kept

        self._change(rest)
        return gone

    def rearm(self, session_id: str, before: datetime) -> None:
        """Note that what a session was shown before a moment may be shown to it again."""
        name = redact(session_id)

        def rearmed(line: bytes, each: Decision) -> bytes:
            is_meant = each.shown and each.session_id == name and each.at < before
            return _line(each.model_copy(update={"shown": None})) if is_meant else line

        self._change(lambda lines: [rearmed(line, each) for line, each in _parsed(lines)])

    def redact_again(self, *, is_dry_run: bool) -> int:
        """Apply the present rules for secrets to all decisions; returns how many change."""
        changed = 0

        def redacted(lines: list[bytes]) -> list[bytes]:
            nonlocal changed
            again = [(line, each, _redacted(each)) for line, each in _parsed(lines)]
            changed = sum(new != old for _, old, new in again)
            return lines if is_dry_run else [line if new == old else _line(new) for line, old, new in again]

        self._change(redacted)
        return changed

    def shown(self) -> list[Decision]:
        """The decisions with a pattern that their session is not shown again, the oldest first."""
        with self._lock:
            # A worker that starts asks this first, and parsing all would take it 7 ms.
            lines = [line for line in self._read() if not line.endswith(_NOT_SHOWN)]
        return [each for _, each in _parsed(lines) if each.shown]

    def _change(self, change: Callable[[list[bytes]], list[bytes]]) -> None:
        with self._lock:
            before = self._read()
            after = _bounded(change(before))
            if after == before:
                return
            self._lines = after
            try:
                paths.replace_file(str(file()), b"".join(line + b"\n" for line in after))
            except OSError as error:
                log.warning("the decisions cannot be saved: %s", describe_for_log(error))
                if len(after) < len(before):  # what was forgotten must go, even with the rest
                    with contextlib.suppress(OSError):
                        file().unlink(missing_ok=True)

    def _read(self) -> list[bytes]:
        if self._lines is None:
            self._lines = _lines()
        return self._lines


def read() -> list[Decision]:
    """The decisions in the file, the newest first. Those that another version has written otherwise are left out."""
    return [each for _, each in _parsed(_lines())][::-1]


def lines() -> list[str]:
    """The decisions in the file as they stand there, the oldest first."""
    return [line.decode("utf-8", "replace") for line, _ in _parsed(_lines())]


def put_back(given: Iterable[str]) -> int:
    """Add decisions that are not there, by their time, where no worker runs; returns how many. They are redacted again.

    Raises:
        OSError: the file cannot be written.
    """
    there = {line: each.at for line, each in _parsed(_lines())}
    added = {_line(_redacted(each)): each.at for _, each in _parsed(line.encode() for line in given)}
    together = {**added, **there}
    kept = _bounded(sorted(together, key=lambda line: together[line]))
    if added.keys() - there.keys():
        paths.replace_file(str(file()), b"".join(line + b"\n" for line in kept))
    return len(set(kept) - there.keys())


def file() -> Path:
    return Path(paths.in_data("decisions.jsonl"))


def _bounded(lines: list[bytes]) -> list[bytes]:
    """The newest lines that are few and short enough."""
    sizes = accumulate(len(line) + 1 for line in reversed(lines[-MAX_DECISIONS:]))
    kept = sum(1 for _ in takewhile(lambda size: size <= MAX_BYTES, sizes))
    return lines[len(lines) - kept :]


def _redacted(decision: Decision) -> Decision:
    """The note has more room than other texts, and the prompt less."""
    texts = {"note": redact(decision.note, MAX_NOTE_CHARS), "prompt": redact(decision.prompt, MAX_PROMPT_CHARS)}
    return redact_model(decision).model_copy(update=texts)


def _line(decision: Decision) -> bytes:
    return decision.model_dump_json().encode("utf-8", "replace")


def _lines() -> list[bytes]:
    try:
        with open(file(), "rb", opener=paths.open_carefully) as source:
            return source.read(MAX_BYTES).splitlines()[-MAX_DECISIONS:]
    except (OSError, ValueError):
        return []


def _parsed(lines: Iterable[bytes]) -> Iterator[tuple[bytes, Decision]]:
    for line in lines:
        try:
            yield line, Decision.model_validate_json(line)
        except ValidationError:
            continue
