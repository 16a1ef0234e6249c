"""`behavior forget`: delete learned work, for good."""

from __future__ import annotations

import sys
from datetime import datetime
from typing import Any

import click

from behavior_plugin import api
from behavior_plugin.cli.output import json_option, print_result
from behavior_plugin.cli.since import Since, since_option
from behavior_plugin.worker.client import FORGET_S, Client

MAX_TRIGGER_CHARS, MAX_PROJECT_CHARS = 70, 70
# The counts of a report, in the order in which they are shown.
COUNTS = {
    "patterns": "pattern",
    "episodes": "piece of work",
    "turns": "prompt with its calls",
    "remarks": "suggestion or remark",
    "waiting_sessions": "session that waits in the spool",
    "dead_letters": "dead letter",
    "decisions": "line of `behavior why`",
    "log_lines": "line of the worker's log",
}
PLURALS = {
    "piece of work": "pieces of work",
    "prompt with its calls": "prompts with their calls",
    "suggestion or remark": "suggestions and remarks",
    "session that waits in the spool": "sessions that wait in the spool",
    "line of `behavior why`": "lines of `behavior why`",
    "line of the worker's log": "lines of the worker's log",
}
NOTHING = "Nothing matches."
# Where the words are that have to be given whole.
WHOLE_ID = "--session takes a whole id; `behavior list --turns --json` has them."
WHOLE_NAME = "--project takes a name or the end of it, in whole words; `behavior list --turns` shows them."


@click.command("forget")
@click.option("--pattern", metavar="ID", default="", help="The work that one pattern stands on.")
@click.option("--session", metavar="ID", default="", help="One session, by its whole id.")
@click.option("--project", metavar="NAME", default="", help="One project: its name, or the end of it.")
@since_option("Work begun on or after")
@click.option("--until", type=Since(), metavar="DAY", help="Work begun before DAY: 2026-01-31, 30d, or 2w.")
@click.option("--matching", metavar="TEXT", default="", help="Work with this text in a prompt, command, file or error.")
@click.option("--everything", is_flag=True, help="All of it. The settings stay.")
@click.option("--apply", "is_applied", is_flag=True, help="Delete it, instead of only counting it.")
@click.option("--yes", is_flag=True, help="With --apply, do not ask.")
@json_option
def forget(
    pattern: str,
    session: str,
    project: str,
    since: datetime | None,
    until: datetime | None,
    matching: str,
    *,
    everything: bool,
    is_applied: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Delete learned work, for good.

    Without --apply nothing is deleted: it is a dry run that counts, and shows examples. All of the given options
    have to fit. TEXT is looked for as it is, in upper and lower case; secrets were replaced before they were
    stored, and are not found. A piece of work goes as a whole, and a session that waits in the spool too. Patterns are
    computed again from what is left.

    Forgotten work does not come back when a log is read or imported again, except after --everything. A session that is
    still open goes on, and what comes from now on is learned. The database's files are rewritten without the deleted
    rows; `docs/privacy.md` says what is left where. The exit status is 1 if nothing matches.
    """
    given = {"pattern": pattern, "session_id": session, "project": project, "matching": matching}
    chosen: dict[str, Any] = {name: value for name, value in given.items() if value.strip()}
    chosen |= {name: value for name, value in (("since", since), ("until", until)) if value}
    if bool(chosen) == everything:
        raise click.UsageError(
            "Name what to forget, or --everything." if not chosen else "--everything leaves no choice."
        )
    client = Client(within_s=FORGET_S)
    request = api.Forget(**chosen, is_everything=everything, is_dry_run=True)
    if is_applied and not yes and sys.stdin.isatty():
        _ask(client.forget(request), request, as_json=as_json)
    report = client.forget(request.model_copy(update={"is_dry_run": not is_applied}))
    found = {"is_applied": is_applied, **report.model_dump(mode="json")}
    print_result(found, _text(report, request, is_applied=is_applied), as_json=as_json)
    sys.exit(1 if report.is_empty else 0)


def _ask(report: api.ForgetReport, request: api.Forget, *, as_json: bool) -> None:
    """Show the work that is to be deleted, and ask; a "no" ends the command."""
    if report.is_empty:
        return
    if not as_json:
        click.echo(_text(report, request, is_applied=False, is_asking=True))
    click.confirm("Delete it for good?", abort=True, err=True)


def _text(report: api.ForgetReport, request: api.Forget, *, is_applied: bool, is_asking: bool = False) -> str:
    # Imported here: it is heavy, and commands that only ask for help should start fast.
    from behavior_plugin.recall.wording import plural

    if report.is_empty:
        hints = (WHOLE_ID if request.session_id else "", WHOLE_NAME if request.project else "")
        return " ".join(filter(None, (NOTHING, *hints)))
    found = {text: getattr(report, name) for name, text in COUNTS.items()}
    lines = [f"  {counted_as(count, text)}" for text, count in found.items() if count]
    lines.insert(0, "Deleted:" if is_applied else "To delete:")
    if report.changed_patterns:
        lines.append(f"{plural(report.changed_patterns, 'pattern')} computed again from what is left.")
    if not is_applied and report.examples:
        lines += ["Of the work, for example:", *map(_example, report.examples)]
    lines += _remaining(report, is_applied=is_applied)
    if not (is_applied or is_asking):
        lines.append("This was a dry run: --apply deletes it for good.")
    return "\n".join(lines)


def _remaining(report: api.ForgetReport, *, is_applied: bool) -> list[str]:
    lines = []
    if report.open_sessions:
        lines.append(f"Still open: {', '.join(report.open_sessions)}. What comes from now on is learned.")
    if report.backups:
        lines.append(f"Backups stay as they are, unless everything goes: {', '.join(report.backups)}")
    if is_applied and report.left_in_files:
        lines.append(f"The rows are deleted, but {report.left_in_files}.")
    return lines


def counted_as(count: int, text: str) -> str:
    """A number with a noun of COUNTS."""
    return f"{count} {text if count == 1 else PLURALS.get(text, text + 's')}"


def _example(work: api.ForgottenWork) -> str:
    from behavior_plugin.recall.quoting import quote, said

    where = quote(work.project, MAX_PROJECT_CHARS) if work.project else "no project"
    return f"  {work.started_at:%Y-%m-%d}  {where}: {said(work.trigger, MAX_TRIGGER_CHARS)}"
