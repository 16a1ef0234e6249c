"""Where every event has ended that was accepted: it waits, it is stored, or it is a dead letter; in one place only.

Each event that a pattern keeps, a prompt or a call, carries a mark of its own, so that it is known again wherever it
lies. A mark begins with the number of its conversation: what is found among the marks of another was glued to it.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from behavior_plugin.capture import spool
from behavior_plugin.model import Pattern

MARK = re.compile(rb"mark-\d+-\d+")


class Oracle:
    """Notes what was sent and what was accepted, and says what became of it."""

    def __init__(self) -> None:
        self.accepted: Counter[str] = Counter()
        self._sent: list[str] = []
        self._calls: dict[str, set[str]] = {}

    def mark(self, conversation: int) -> str:
        """A mark for an event that is sent now."""
        self._sent.append(f"mark-{conversation}-{len(self._sent)}")
        return self._sent[-1]

    def accept(self, mark: str, *, prompt: str = "") -> None:
        """The event is ours from now on; `prompt` is the mark of the prompt that it belongs to, or is."""
        self.accepted[mark] += 1
        if prompt:
            self._calls.setdefault(prompt, set()).update({mark} - {prompt})

    def check(self, patterns: Iterable[Pattern], *, is_over: bool = False, is_disk_good: bool = True) -> Counter[str]:
        """Fail where an event was lost, doubled or glued; returns how many ended where.

        `is_over`: every session has been closed, so that what is stored waits no more. Where the disk is not good, a
        prompt that could not be read comes after its calls were stored with the one before it, and gives no pattern.
        """
        stored, wrong = _stored(patterns)
        waiting, dead = _marks_in("new", "open"), _marks_in("dead")
        for mark in self._sent:
            copies = waiting[mark] + dead[mark]
            if stored[mark] > 1 or copies > max(1, self.accepted[mark]):
                wrong.append(f"{mark} is {stored[mark]} times stored and lies {copies} times in the spool")
            if is_over and stored[mark] + copies > max(1, self.accepted[mark]):
                wrong.append(f"{mark} is stored, and lies {waiting[mark]} times waiting, {dead[mark]} times dead")
            if (
                self.accepted[mark]
                and not stored[mark] + copies
                and not self._gives_nothing(mark, stored, is_disk_good)
            ):
                wrong.append(f"{mark} is lost")
        wrong += [f"{mark} was never sent" for mark in (stored + waiting + dead).keys() - set(self._sent)]
        assert not wrong, "; ".join(wrong[:10])
        return Counter(stored=stored.total(), waiting=waiting.total(), dead=dead.total(), accepted=len(self.accepted))

    def _gives_nothing(self, mark: str, stored: Counter[str], is_disk_good: bool) -> bool:
        """Whether it is a prompt under which nothing was done that is stored: no work, and no pattern."""
        return mark in self._calls and not (is_disk_good and any(stored[call] for call in self._calls[mark]))


def _stored(patterns: Iterable[Pattern]) -> tuple[Counter[str], list[str]]:
    """How often each mark is stored, and what is stored with what it does not belong to."""
    found: Counter[str] = Counter()
    wrong = []
    for pattern in patterns:
        parts = [pattern.trigger.encode(), *(action.model_dump_json().encode() for action in pattern.actions)]
        marks = [mark for part in parts for mark in set(_marks(part))]
        found.update(marks)
        if len({mark.rpartition("-")[0] for mark in marks}) > 1:
            wrong.append(f"one pattern has {', '.join(marks)}")
    return found, wrong


def _marks_in(*folders: str) -> Counter[str]:
    found: Counter[str] = Counter()
    for record in (record for name in folders for record in _files(Path(spool.folder(name)))):
        marks = set(_marks(record.read_bytes()))
        assert len(marks) <= 1, f"{record.name} holds {sorted(marks)}"
        found.update(marks)
    return found


def _files(folder: Path) -> Iterator[Path]:
    for place, _, names in os.walk(folder):
        yield from (Path(place, name) for name in names)


def _marks(text: bytes) -> list[str]:
    return [mark.decode("ascii") for mark in MARK.findall(text)]
