"""The command `why`: why each of the last prompts got a note or none.

It reads a file, so it needs no worker, and shows the past answer, not the one that would be given now.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from behavior_plugin.capture import unanswered
from behavior_plugin.cli.output import current_folder, json_option, print_result
from behavior_plugin.cli.pausing import why_silent_here
from behavior_plugin.worker import MAX_DECISIONS

if TYPE_CHECKING:
    # Expensive imports, only for types.
    from behavior_plugin.recall.decision import Decision

NONE_HERE = "Of this project no prompt is kept; --all shows those of all projects."
NONE = "No prompt is kept, or none of this session."


@click.command()
@click.option(
    "-n",
    "--last",
    "count",
    type=click.IntRange(1, MAX_DECISIONS),
    default=1,
    show_default=True,
    help="How many prompts, the newest first.",
)
@click.option(
    "--session", "session_id", help="Only prompts of the session with this id, or the beginning of it, of any project."
)
@click.option("--all", "everywhere", is_flag=True, help="Prompts of all projects, not only of this directory's.")
@json_option
def why(count: int, session_id: str | None, everywhere: bool, as_json: bool) -> None:
    """Show why the last prompt got a note, or none.

    It names the work that was found, each factor and how much it counted, and the odds that a note needs. The last
    100 prompts are kept in the data folder, without secrets. The worker need not run. In a pause and in an excluded
    project no prompt is kept; a line says so.
    """
    from behavior_plugin.worker import decisions

    project = None if everywhere or session_id else _project_here()
    found = [
        each
        for each in decisions.read()
        if project in (None, each.project) and each.session_id.startswith(session_id or "")
    ][:count]
    without = unanswered_prompts()
    silent = why_silent_here()
    value = {"prompts": [each.model_dump(mode="json") for each in found], "unanswered": without, "silent": silent}
    text = _text(found, without, has_projects=project is None)
    print_result(value, "\n\n".join(filter(None, (silent, text))), as_json=as_json)


def unanswered_prompts() -> dict[str, Any] | None:
    """The prompts that got no answer in time: how many, since when, when the last and for which reason."""
    found = unanswered.read()
    if found is None:
        return None
    count, first, last, reason = found
    since, at = (datetime.fromtimestamp(each, UTC).isoformat(timespec="seconds") for each in (first, last))
    return {"prompts": count, "since": since, "last": at, "reason": reason}


def unanswered_line(without: dict[str, Any]) -> str:
    """The same as one clause."""
    since, last = (datetime.fromisoformat(without[name]).astimezone() for name in ("since", "last"))
    count = "1 prompt" if without["prompts"] == 1 else f"{without['prompts']:,} prompts"
    return (
        f"{count} got no answer in time since {since:%Y-%m-%d}, the last at {last:%Y-%m-%d %H:%M}: {without['reason']}"
    )


def _text(found: list[Decision], without: dict[str, Any] | None, *, has_projects: bool) -> str:
    from behavior_plugin.cli.decisions import decision_lines

    shown = ["\n".join(decision_lines(each, has_project=has_projects)) for each in found]
    nothing = [] if found else [NONE if has_projects else NONE_HERE]
    return "\n\n".join([*shown, *nothing, *([f"{unanswered_line(without)}."] if without else [])])


def _project_here() -> str | None:
    from behavior_plugin.worker.requests import project_of

    return project_of(current_folder())
