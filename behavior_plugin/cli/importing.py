"""`behavior import`: learn from the sessions that agents have kept logs of."""

from __future__ import annotations

import re
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from behavior_plugin.cli.agent_name import AgentName
from behavior_plugin.cli.output import json_option, print_json, progress
from behavior_plugin.errors import BehaviorError
from behavior_plugin.model import CLAUDE_CODE

if TYPE_CHECKING:
    # Imported where it is used: what runs processes costs a tenth of a second.
    from behavior_plugin.agents import Agent
    from behavior_plugin.importer import Report
    from behavior_plugin.importer.logs import Found

# As a shell has it of a command that Ctrl-C ended.
BROKEN_OFF = 130
_DAYS = re.compile(r"(\d{1,5})\s?d(?:ays?)?")


class _Since(click.ParamType[datetime]):
    """A day, or a number of days ago."""

    name = "day"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if days := _DAYS.fullmatch(value):
            return datetime.now().astimezone() - timedelta(days=int(days[1]))
        try:
            return datetime.fromisoformat(value).astimezone()
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is neither a day such as 2026-01-31 nor a number of days such as 30d.", param, ctx)


@click.command("import")
@click.argument("paths", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option("--agent", type=AgentName(also=("all",)), help="Whose logs; by default claude-code, of PATHS all.")
@click.option("--project", metavar="FOLDER", help="Only work done in this folder's project.")
@click.option("--since", type=_Since(), metavar="DAY", help="Only work begun since then: 2026-01-31, or 30d.")
@click.option("--dry-run", is_flag=True, help="Only say what there is; nothing is kept.")
@json_option
def import_sessions(
    paths: tuple[Path, ...],
    agent: str | None,
    project: str | None,
    since: datetime | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Learn from past sessions, out of the logs that agents keep of them.

    PATHS are logs or folders with logs; whose a log is, is found out. Without PATHS all that Claude Code has kept is
    read, from the folder `projects` of its configuration. It runs beside everything else. To do it again takes what is
    new and doubles nothing, nor does it matter whether a session was learned from while it was live. If it is broken
    off, what was learned until then stays: run it again.
    """
    chosen = _chosen(agent or ("all" if paths else CLAUDE_CODE))
    report = _imported(paths, chosen, project, since, is_dry_run=dry_run)
    if as_json:
        return print_json(report.model_dump(mode="json"))
    from behavior_plugin.cli import terminal

    terminal.show_report(report)
    others = [] if paths or agent else _others()
    if others:
        named = ", ".join(f"{other.title} ({other.name})" for other in others)
        click.echo(f"\nThese keep logs on this machine too: {named}. `--agent` takes one of them, or `all`.")
    return None


def _imported(
    paths: Sequence[Path], chosen: tuple[Agent, ...], project: str | None, since: datetime | None, *, is_dry_run: bool
) -> Report:
    from behavior_plugin.importer import ImportFilter, import_logs
    from behavior_plugin.importer.logs import find_logs

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        found = find_logs(paths, chosen, since)
        _see_that_there_are_logs(found, paths, chosen)
        with _bar(found) as tell:
            report = import_logs(found, ImportFilter.of(project, since, is_dry_run=is_dry_run), tell)
    except KeyboardInterrupt:
        click.echo("behavior: broken off. What was learned until then stays; run it again to go on.", err=True)
        sys.exit(BROKEN_OFF)
    if project and not report.sessions and report.projects:
        known = "\n  ".join(report.projects)
        raise BehaviorError(f"No session was in {project}.", hint=f"Most sessions were in:\n  {known}")
    return report


def _see_that_there_are_logs(found: Found, paths: Sequence[Path], chosen: tuple[Agent, ...]) -> None:
    """Raises BehaviorError where there are none, and says why; that there are none yet is no error."""
    if found.logs or found.older:
        return
    whose = ", ".join(agent.title for agent in chosen)
    if paths:
        why = "\n".join(f"{problem.file}: {problem.reason}" for problem in found.problems)
        raise BehaviorError(f"No log of {whose} is there.", hint=why or "docs/agents.md tells which logs can be read.")
    folders = ", ".join(str(folder) for agent in chosen for folder in agent.logs.folders())
    click.echo(f"No log of {whose} is in {folders}.", err=True)


def _chosen(agent: str) -> tuple[Agent, ...]:
    from behavior_plugin.agents import AGENTS

    return tuple(AGENTS.values()) if agent == "all" else (AGENTS[agent],)


def _others() -> list[Agent]:
    from behavior_plugin.agents import AGENTS

    others = [agent for agent in AGENTS.values() if agent.name != CLAUDE_CODE]
    return [agent for agent in others if any(map(Path.is_dir, agent.logs.folders()))]


@contextmanager
def _bar(found: Found) -> Iterator[Callable[[int, int], object]]:
    """A bar on stderr with the rate and the time that is left."""
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with progress(*columns, TimeRemainingColumn()) as bar:
        task = bar.add_task("starting", total=sum(log.size for log in found.logs))

        def tell(size: int, logs: int) -> None:
            bar.update(task, completed=size, description=f"{logs} of {len(found.logs)} logs")

        yield tell
