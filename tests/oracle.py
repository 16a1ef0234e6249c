"""Check that each accepted event is in exactly one place: pending in the spool, stored as evidence, or a dead letter.

Each prompt and each call carries a unique mark, by which it is recognized in any of these places. A mark begins with
the number of its conversation, so a stored session with marks of two conversations was joined by mistake.
"""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from behavior_plugin.capture import spool
from behavior_plugin.workflow import StoredPattern

MARK = re.compile(rb"mark-\d+-\d+")


class Oracle:
    """Records sent and accepted events, and checks where they ended up."""

    def __init__(self) -> None:
        self.accepted: Counter[str] = Counter()
        self._sent: list[str] = []
        self._calls: dict[str, set[str]] = {}

    def mark(self, conversation: int) -> str:
        """A new mark for the next event."""
        self._sent.append(f"mark-{conversation}-{len(self._sent)}")
        return self._sent[-1]

    def accept(self, mark: str, *, prompt: str = "") -> None:
        """Record that the hook accepted an event; `prompt` is the mark of its prompt, or its own if it is one."""
        self.accepted[mark] += 1
        if prompt:
            self._calls.setdefault(prompt, set()).update({mark} - {prompt})

    def check(
        self, turns: Iterable[StoredPattern], *, is_over: bool = False, is_disk_good: bool = True
    ) -> Counter[str]:
        """Fail if an event was lost, duplicated or joined to another conversation; return the number in each place.

        `turns` are all stored ones with work in them, as the worker lists them. `is_over`: all sessions are closed, so
        stored events must have left the spool. On a faulty disk (`is_disk_good` is false), an unreadable prompt may
        arrive after its calls were stored with the previous prompt, and then has no work.
        """
        stored, wrong = _stored(turns)
        waiting, dead = _marks_in("new", "open"), _marks_in("dead")
        for mark in self._sent:
            copies = waiting[mark] + dead[mark]
            if stored[mark] > 1 or copies > max(1, self.accepted[mark]):
                wrong.append(f"{mark} is stored {stored[mark]} times and is {copies} times in the spool")
            if is_over and stored[mark] + copies > max(1, self.accepted[mark]):
                wrong.append(f"{mark} is stored, and also pending {waiting[mark]} times, dead {dead[mark]} times")
            if self.accepted[mark] and not stored[mark] + copies and not self._has_no_work(mark, stored, is_disk_good):
                wrong.append(f"{mark} is lost")
        wrong += [f"{mark} was never sent" for mark in (stored + waiting + dead).keys() - set(self._sent)]
        assert not wrong, "; ".join(wrong[:10])
        return Counter(stored=stored.total(), waiting=waiting.total(), dead=dead.total(), accepted=len(self.accepted))

    def _has_no_work(self, mark: str, stored: Counter[str], is_disk_good: bool) -> bool:
        """Whether the mark is a prompt without a stored call: without work there is nothing to learn."""
        return mark in self._calls and not (is_disk_good and any(stored[call] for call in self._calls[mark]))


def _stored(turns: Iterable[StoredPattern]) -> tuple[Counter[str], list[str]]:
    """How often each mark is stored, and a message for each session with marks of two conversations."""
    found: Counter[str] = Counter()
    sessions: defaultdict[str, set[str]] = defaultdict(set)
    for turn in turns:
        parts = [turn.trigger.encode(), *(action.model_dump_json().encode() for action in turn.actions)]
        marks = [mark for part in parts for mark in set(_marks(part))]
        found.update(marks)
        sessions[turn.session_id] |= {mark.rpartition("-")[0] for mark in marks}
    wrong = [f"one session has {', '.join(sorted(marks))}" for marks in sessions.values() if len(marks) > 1]
    return found, wrong


def _marks_in(*folders: str) -> Counter[str]:
    found: Counter[str] = Counter()
    for record in (record for name in folders for record in _files(Path(spool.folder(name)))):
        marks = set(_marks(record.read_bytes()))
        assert len(marks) <= 1, f"{record.name} contains {sorted(marks)}"
        found.update(marks)
    return found


def _files(folder: Path) -> Iterator[Path]:
    for parent, _, names in os.walk(folder):
        yield from (Path(parent, name) for name in names)


def _marks(text: bytes) -> list[str]:
    return [mark.decode("ascii") for mark in MARK.findall(text)]
