"""Read the logs of the subagents that a session names, each once, up to a limit.

This is for subagents with log files of their own. `session_log` does the same with records.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from behavior_plugin.agents.fields import is_plain
from behavior_plugin.agents.log_file import LogReader
from behavior_plugin.model import MAIN, USER, Event

# Of one session; a forged log may name any number.
MAX_SUBAGENTS = 500


class Subagents:
    """The subagents of one session that have logs of their own.

    `places` has the files that a subagent's log may be in, and `read_one` the events of such a file. A file that cannot
    be read costs only its own calls. A missing one is no problem: a fork copies calls of subagents without their logs.
    """

    def __init__(
        self,
        places: Callable[[str], Iterable[Path]],
        read_one: Callable[[Path, str], Iterable[Event]],
        reader: LogReader,
    ) -> None:
        self._places = places
        self._read_one = read_one
        self._reader = reader
        self._known = {MAIN, USER}
        self._left = MAX_SUBAGENTS
        self._calls: set[str | None] = set()

    def calls_named_in(self, part: Sequence[Event], *, also: Iterable[Event] = ()) -> list[Event]:
        """The calls of the subagents that a part of the session names, and of those that these started in turn.

        `also` are further events that may name subagents.
        """
        found: list[Event] = []
        self._calls.update(event.action.id for event in part if event.action)
        new = self._new([*also, *part])
        while new:
            done = [event for subagent in new for event in self._calls_of(subagent)]
            found += done
            new = self._new(done)
        return found

    def _new(self, events: Iterable[Event]) -> list[str]:
        actions = [event.action for event in events if event.action]
        named = {agent for action in actions for agent in (action.actor, action.started_agent) if agent}
        new = sorted(agent for agent in named - self._known if is_plain(agent))[: self._left]
        self._known.update(new)
        self._left -= len(new)
        return new

    def _calls_of(self, subagent: str) -> list[Event]:
        """A subagent's own calls: the log of a forked subagent begins with the calls of its origin."""
        found: list[Event] = []
        for place in self._places(subagent):
            try:
                found += [event for event in self._read_one(place, subagent) if self._is_own(event)]
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                self._reader.skip(place, 0, f"the file cannot be read ({error.strerror})")
        return found

    def _is_own(self, event: Event) -> bool:
        if event.action is None:
            return False
        is_own = event.action.id is None or event.action.id not in self._calls
        self._calls.add(event.action.id)
        return is_own
