"""`behavior import`: learn from the logs of past sessions."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from behavior_plugin.cli.agent_name import AgentName
from behavior_plugin.cli.output import INTERRUPTED, counted, json_option, print_json, print_result, progress
from behavior_plugin.cli.since import since_option
from behavior_plugin.errors import BehaviorError
from behavior_plugin.model import CLAUDE_CODE

if TYPE_CHECKING:
    # Imported on use: running processes costs a tenth of a second to load.
    from behavior_plugin.agents import Agent
    from behavior_plugin.importer import Report
    from behavior_plugin.importer.logs import Found

_OTHERS = "`--agent` names another agent, or `all`."


@click.command("import")
@click.argument("paths", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option(
    "--agent",
    type=AgentName(also=("all",)),
    help="The agent whose logs to read. Default: claude-code, or all with PATHS.",
)
@click.option("--project", metavar="FOLDER", help="Import only work done in FOLDER's project.")
@since_option("Import only work begun on or after")
@click.option("--dry-run", is_flag=True, help="Only report, without learning anything.")
@click.option(
    "--from-export",
    "exported",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Instead, bring back what `behavior export` wrote into FILE.",
)
@json_option
def import_sessions(
    paths: tuple[Path, ...],
    agent: str | None,
    project: str | None,
    since: datetime | None,
    dry_run: bool,
    exported: Path | None,
    as_json: bool,
) -> None:
    """Learn from past sessions in the logs of your agents.

    PATHS are logs or folders with logs, of any agent. Without PATHS, the logs of Claude Code are read, in the folder
    `projects` of its configuration. The import runs at low priority. Running it again imports only what is new, and
    sessions that were learned from live are not imported twice. An interrupted import keeps what it has learned: run
    it again to continue. Work that was forgotten is not imported again.

    What --from-export brings back becomes yours. Records that are there already stay as they are, and settings are left
    alone. The exit status is 1 if a record was refused.
    """
    if exported:
        if paths or agent or project or since or dry_run:
            raise click.UsageError("--from-export takes no PATHS and no other options but --json.")
        return _bring_back(exported, as_json=as_json)
    chosen = _chosen(agent or ("all" if paths else CLAUDE_CODE))
    report = _imported(paths, chosen, project, since, is_dry_run=dry_run)
    if as_json:
        return print_json(report.model_dump(mode="json"))
    from behavior_plugin.cli.import_report import show_report

    show_report(report)
    if offered := "" if dry_run or not report.patterns else _offer():
        click.echo(f"\n{offered}")
    others = [] if paths or agent else _others()
    if others:
        named = ", ".join(f"{other.title} ({other.name})" for other in others)
        click.echo(f"\nThere are logs of other agents: {named}. `--agent` names one of them, or `all`.")
    return None


def _bring_back(file: Path, *, as_json: bool) -> None:
    from behavior_plugin.cli.exporting import import_export

    found = import_export(file)
    print_result(found, counted(found), as_json=as_json)
    if found["refused"]:
        sys.exit(1)


def _offer() -> str:
    """The offer of the model for other languages, if prompts were imported that none here can read."""
    from behavior_plugin import api
    from behavior_plugin.embed.extra import offer
    from behavior_plugin.worker.client import Client

    return offer(len(Client().embed_anew(api.EmbedAnew(is_dry_run=True)).unreadable_projects))


def _imported(
    paths: Sequence[Path], chosen: tuple[Agent, ...], project: str | None, since: datetime | None, *, is_dry_run: bool
) -> Report:
    from behavior_plugin.importer import ImportFilter, import_logs
    from behavior_plugin.importer.logs import find_logs

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        found = find_logs(paths, chosen, since)
        _check_logs(found, paths, chosen)
        with _bar(found) as on_progress:
            report = import_logs(found, ImportFilter.of(project, since, is_dry_run=is_dry_run), on_progress)
    except KeyboardInterrupt:
        click.echo("behavior: interrupted. What was learned so far stays; run it again to continue.", err=True)
        sys.exit(INTERRUPTED)
    if project and not report.sessions and report.projects:
        known = "\n  ".join(report.projects)
        raise BehaviorError(f"No session in {project}.", hint=f"Most sessions are in:\n  {known}")
    return report


def _check_logs(found: Found, paths: Sequence[Path], chosen: tuple[Agent, ...]) -> None:
    """Raises BehaviorError if PATHS hold no logs; an agent without logs so far is not an error."""
    if found.logs or found.older:
        return
    whose = ", ".join(agent.title for agent in chosen)
    folders = ", ".join(str(folder) for folder in paths or [each for agent in chosen for each in agent.logs.folders()])
    nothing = f"No log of {whose} in {folders}."
    if paths:
        why = "\n".join(f"{problem.file}: {problem.reason}" for problem in found.problems)
        raise BehaviorError(nothing, hint=why or "docs/agents.md lists the logs that can be read, and their folders.")
    click.echo(f"{nothing}\nIf they are elsewhere, name the folder: `behavior import FOLDER`. {_OTHERS}", err=True)


def _chosen(agent: str) -> tuple[Agent, ...]:
    from behavior_plugin.agents import AGENTS

    return tuple(AGENTS.values()) if agent == "all" else (AGENTS[agent],)


def _others() -> list[Agent]:
    from behavior_plugin.agents import AGENTS

    others = [agent for agent in AGENTS.values() if agent.name != CLAUDE_CODE]
    return [agent for agent in others if any(map(Path.is_dir, agent.logs.folders()))]


@contextmanager
def _bar(found: Found) -> Iterator[Callable[[int, int], object]]:
    """A progress bar on stderr with rate and remaining time."""
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with progress(*columns, TimeRemainingColumn()) as bar:
        task = bar.add_task("starting", total=sum(log.size for log in found.logs))

        def show_progress(size: int, logs: int) -> None:
            bar.update(task, completed=size, description=f"{logs} of {len(found.logs)} logs")

        yield show_progress
