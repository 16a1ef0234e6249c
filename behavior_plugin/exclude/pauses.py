"""The record of pauses: the file `pauses`, a line of JSON for each, also for those that are over.

Hooks read only the file `skip`, which has the pauses that run. The record is kept, because an agent's log has the work
of a pause too, and may be imported much later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, ValidationError

from behavior_plugin.capture import ignore_file, paths, skip
from behavior_plugin.errors import PausesUnreadableError
from behavior_plugin.model import Frozen

# 10,000 pauses and more.
MAX_BYTES = 4 * 1024 * 1024

Scope = Literal["everywhere", "project", "session"]


class Pause(Frozen):
    """A stretch of time in which nothing is noticed: everywhere, in a project, or in a session, which `name` names.

    `until` is None as long as it is to last until it is ended.
    """

    scope: Scope
    name: str = ""
    since: AwareDatetime
    until: AwareDatetime | None = None

    def is_running(self, now: datetime) -> bool:
        return self.since <= now and (self.until is None or now < self.until)

    def overlaps(self, start: datetime, end: datetime) -> bool:
        return self.since <= end and (self.until is None or start < self.until)


def read() -> tuple[Pause, ...]:
    """All pauses, the oldest first. Raises PausesUnreadableError."""
    try:
        with open(file(), "rb", opener=paths.open_carefully) as source:
            return tuple(Pause.model_validate_json(line) for line in source.read(MAX_BYTES).splitlines())
    except (FileNotFoundError, NotADirectoryError):
        return ()
    except (OSError, ValidationError) as error:
        hint = f"Mend or delete {file()}: it has a line of JSON for each pause."
        raise PausesUnreadableError(hint=hint) from error


def running(now: datetime | None = None) -> tuple[Pause, ...]:
    """The pauses that have not ended. Raises PausesUnreadableError."""
    return tuple(each for each in read() if each.is_running(now or datetime.now(UTC)))


def begin(scope: Scope, name: str, until: datetime | None) -> Pause:
    """Begin a pause; one that runs already for the same gets this end. Raises PausesUnreadableError, OSError."""
    now = datetime.now(UTC)
    begun = Pause(scope=scope, name=name, since=now, until=until)

    def change(known: Sequence[Pause]) -> list[Pause]:
        nonlocal begun
        same = [each for each in known if _is_same(each, scope, name) and each.is_running(now)]
        begun = begun.model_copy(update={"since": min([each.since for each in same], default=now)})
        return [*(each for each in known if each not in same), begun]

    _change(change)
    return begun


def end(scope: Scope, name: str) -> list[Pause]:
    """End the running pauses of this; returns them. Raises PausesUnreadableError, OSError."""
    now = datetime.now(UTC)
    ended: list[Pause] = []

    def change(known: Sequence[Pause]) -> list[Pause]:
        ended.extend(each for each in known if _is_same(each, scope, name) and each.is_running(now))
        return [each.model_copy(update={"until": now}) if each in ended else each for each in known]

    _change(change)
    return ended


def sync(exclude_projects: Iterable[str]) -> None:
    """Bring `skip`, the hooks' file, up to date. Raises PausesUnreadableError, OSError."""
    with skip.Lock():
        _write_skip(read(), list(exclude_projects))


def file() -> Path:
    return Path(paths.in_data("pauses"))


def _change(change: Callable[[Sequence[Pause]], list[Pause]]) -> None:
    """The record first: whatever a hook saves in between is left out by it later."""
    with skip.Lock():
        known = change(read())
        paths.replace_file(str(file()), b"".join(each.model_dump_json().encode() + b"\n" for each in known))
        _write_skip(known, None)


def _write_skip(known: Iterable[Pause], exclude_projects: list[str] | None) -> None:
    """Without `exclude_projects` those in the file stay."""
    now = datetime.now(UTC)
    try:
        before = skip.read()
    except ValueError:  # not ours; it is made anew
        before = {"exclude_projects": [], "roots": []}
    after = {
        "pauses": [
            {"scope": each.scope, "name": each.name, "until": each.until.timestamp() if each.until else None}
            for each in known
            if each.is_running(now)
        ],
        "exclude_projects": before["exclude_projects"] if exclude_projects is None else exclude_projects,
        "roots": [root for root in before["roots"] if ignore_file.excludes_project(root)],
    }
    if after != before:
        skip.write(after)


def _is_same(pause: Pause, scope: str, name: str) -> bool:
    return (pause.scope, pause.name) == (scope, name)
