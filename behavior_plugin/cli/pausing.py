"""The commands `pause` and `resume`, and the words for pauses and exclusions.

They write files in the data folder, and need no worker.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import click

from behavior_plugin.cli.output import current_folder, json_option, print_result
from behavior_plugin.errors import BehaviorError

if TYPE_CHECKING:
    # Expensive imports, only for types.
    from behavior_plugin.exclude import Exclusions
    from behavior_plugin.exclude.pauses import Pause, Scope

F = TypeVar("F", bound=Callable[..., Any])

_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
_WHILE = "nothing is recorded, learned or suggested"
MAX_NAME_CHARS = 200
OWNER_HINT = "Check who owns the data folder."


class Duration(click.ParamType[timedelta]):
    """A length of time: 30m, 2h, 1d."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        if isinstance(value, timedelta):
            return value
        found = re.fullmatch(r"([1-9]\d{0,3})\s?([mhd])", value.strip())
        if not found:
            self.fail(f"{value} is not a time such as 30m, 2h or 1d.", param, ctx)
        return timedelta(**{_UNITS[found[2]]: int(found[1])})


def _scope_options(command: F) -> F:
    session = click.option("--session", "session_id", metavar="ID", help="Only the session with this id.")
    everywhere = click.option("--everywhere", is_flag=True, help="All projects, not only that of this directory.")
    return session(everywhere(command))


@click.command()
@_scope_options
@click.option(
    "--for", "length", type=Duration(), help="End it after this time: 30m, 2h, 1d. Default: `behavior resume`."
)
@json_option
def pause(session_id: str | None, everywhere: bool, length: timedelta | None, as_json: bool) -> None:
    """Notice nothing of this project's sessions for a while.

    Hooks record nothing and ask for nothing, so that nothing of this time is on disk, and no prompt gets a suggestion.
    Later, neither the agent's log nor `behavior import` brings it back. The work that a pause falls into ends there,
    and what follows the pause counts from the next prompt on. `behavior status` and the start of each session show the
    pause.
    """
    from behavior_plugin.exclude import pauses

    scope, name = _scope(session_id, everywhere=everywhere)
    until = datetime.now(UTC) + length if length else None
    try:
        begun = pauses.begin(scope, name, until)
    except OSError as error:
        raise BehaviorError(f"The pause cannot be saved: {error.strerror}.", hint=OWNER_HINT) from None
    text = f"Paused {pause_words(begun)}{_sooner(begun)}: {_WHILE}."
    print_result(begun.model_dump(mode="json"), text, as_json=as_json)


@click.command()
@_scope_options
@json_option
def resume(session_id: str | None, everywhere: bool, as_json: bool) -> None:
    """End a pause of this project, of a session, or of everything.

    Each kind of pause is ended by the options that it was begun with.
    """
    from behavior_plugin.exclude import pauses

    scope, name = _scope(session_id, everywhere=everywhere)
    try:
        ended = pauses.end(scope, name)
    except OSError as error:
        raise BehaviorError(f"The pause cannot be ended: {error.strerror}.", hint=OWNER_HINT) from None
    left = pauses.running()
    what = pause_words(ended[0]).partition(" until ")[0] if ended else ""
    lines = [f"Resumed {what}." if ended else "There is no such pause."]
    lines += [f"Still paused: {pause_words(each)}{_sooner(each)}." for each in left]
    value = {"ended": _as_dicts(ended), "left": _as_dicts(left)}
    print_result(value, "\n".join(lines), as_json=as_json)


COMMANDS = (pause, resume)


def pause_words(found: Pause) -> str:
    """The scope of a pause and its end, as one clause."""
    from behavior_plugin.recall.quoting import quote

    name = quote(found.name, MAX_NAME_CHARS)
    what = {"everywhere": "everywhere", "project": f"in {name}", "session": f"in the session {name}"}
    end = f"{found.until.astimezone():%Y-%m-%d %H:%M}" if found.until else f"`{_resume_command(found)}`"
    return f"{what[found.scope]} until {end}"


def excluded_state() -> dict[str, Any]:
    """The pauses and exclusions for `behavior status`; with the problem, if they cannot be read."""
    from behavior_plugin import exclude

    try:
        found = exclude.current()
    except BehaviorError as error:
        return {"paused": [], "excluded": [], "exclusions": f"{error} {error.hint}"}
    now = datetime.now(UTC)
    running = [pause_words(each) for each in found.pauses if each.is_running(now)]
    return {"paused": running, "excluded": list(excluded(found))}


def excluded(found: Exclusions) -> Iterator[str]:
    """The exclusions of the settings, and of the .behaviorignore of the project here, each as one clause."""
    from behavior_plugin.capture import ignore_file
    from behavior_plugin.recall.wording import plural

    yield from (f"projects {glob}" for glob in found.exclude_projects)
    yield from (f"files {glob}" for glob in found.exclude_paths)
    root = _place_here().get("root", "")
    if ignore_file.excludes_project(root):
        yield f"this project, by {os.path.join(root, ignore_file.NAME)}"  # noqa: PTH118
    elif globs := [line for line in ignore_file.read(root) if line.strip() and not line.startswith("#")]:
        yield f"files of this project, by {plural(len(globs), 'line')} of {os.path.join(root, ignore_file.NAME)}"  # noqa: PTH118


def why_silent_here() -> str:
    """A sentence if prompts in this directory get no answer now, because of a pause or an exclusion; else empty."""
    from behavior_plugin import exclude
    from behavior_plugin.capture import skip
    from behavior_plugin.worker.requests import context_of

    found = exclude.current()
    reason = found.why_silent("", context_of(current_folder()))
    if reason == skip.EXCLUDED:
        return "This project is excluded: no prompt is looked at here (`behavior status` says by what)."
    now, project = datetime.now(UTC), _place_here().get("project", "")
    here = [each for each in found.pauses if each.is_running(now) and (each.scope != "project" or each.name == project)]
    return "\n".join(f"Paused {pause_words(each)}: no prompt of this time is looked at." for each in here)


def _scope(session_id: str | None, *, everywhere: bool) -> tuple[Scope, str]:
    if session_id is not None and everywhere:
        raise click.UsageError("Give --session or --everywhere, not both.")
    if session_id is not None:
        if not session_id.strip():
            raise click.BadParameter("The id is empty.", param_hint="--session")
        return "session", session_id.strip()
    if everywhere:
        return "everywhere", ""
    project = _place_here().get("project", current_folder())
    if not project.isprintable():
        raise BehaviorError("This project's name cannot be recorded.", hint="Use --everywhere, or --session ID.")
    return "project", project


def _as_dicts(found: Iterable[Pause]) -> list[dict[str, Any]]:
    return [each.model_dump(mode="json") for each in found]


def _place_here() -> dict[str, str]:
    from behavior_plugin.capture import context as places

    return dict(places.describe(current_folder()))


def _sooner(found: Pause) -> str:
    """The command that ends a pause before its end."""
    return f" (`{_resume_command(found)}` ends it sooner)" if found.until else ""


def _resume_command(found: Pause) -> str:
    options = {"everywhere": " --everywhere", "project": "", "session": f" --session {found.name}"}
    return f"behavior resume{options[found.scope]}"
