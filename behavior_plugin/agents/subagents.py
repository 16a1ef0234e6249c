"""Which subagents of a session are read besides it, and how often: each that it names, once, up to a bound.

For logs that are files of their own. Where an adapter asks for the records instead, `session` does the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from behavior_plugin.agents.fields import is_plain
from behavior_plugin.agents.log_file import Reading
from behavior_plugin.model import MAIN, USER, Event

# Of one session; a forged log may name any number.
MOST_SUBAGENTS = 500


class Subagents:
    """The subagents of one session that have logs of their own. Each is read once, and told of behind what started it.

    `places` has the files that the log of one may be in, and `read_one` the events of such a file. One that cannot be
    read costs no more than itself; that it is not there is no problem, since a fork has none of those it was copied
    with.
    """

    def __init__(
        self,
        places: Callable[[str], Iterable[Path]],
        read_one: Callable[[Path, str], Iterable[Event]],
        reading: Reading,
    ) -> None:
        self._places = places
        self._read_one = read_one
        self._reading = reading
        self._known = {MAIN, USER}
        self._left = MOST_SUBAGENTS
        self._calls: set[str | None] = set()

    def followed(self, part: Sequence[Event], *, also: Iterable[Event] = ()) -> list[Event]:
        """The calls of those that are named in a part of the session, and of those that these started.

        `also` are events that may name more of them.
        """
        told: list[Event] = []
        self._calls.update(event.action.id for event in part if event.action)
        new = self._new([*also, *part])
        while new:
            done = [event for agent in new for event in self._of(agent)]
            told += done
            new = self._new(done)
        return told

    def _new(self, events: Iterable[Event]) -> list[str]:
        actions = [event.action for event in events if event.action]
        named = {agent for action in actions for agent in (action.agent, action.started_agent) if agent}
        new = sorted(agent for agent in named - self._known if is_plain(agent))[: self._left]
        self._known.update(new)
        self._left -= len(new)
        return new

    def _of(self, agent: str) -> list[Event]:
        """Its own calls: one that was forked off begins with what the other had done."""
        found: list[Event] = []
        for place in self._places(agent):
            try:
                found += [event for event in self._read_one(place, agent) if self._is_own(event)]
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                self._reading.skip(place, 0, f"the file cannot be read ({error.strerror})")
        return found

    def _is_own(self, event: Event) -> bool:
        if event.action is None:
            return False
        is_own = event.action.id is None or event.action.id not in self._calls
        self._calls.add(event.action.id)
        return is_own
