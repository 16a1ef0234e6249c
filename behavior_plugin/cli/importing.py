"""`behavior import`: learn from the sessions that agents have kept logs of."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from behavior_plugin.cli.output import json_option, print_json, progress
from behavior_plugin.errors import BehaviorError

if TYPE_CHECKING:
    # Imported where it is used: pydantic and what reads logs cost a quarter of a second.
    from behavior_plugin.adapters import Adapter
    from behavior_plugin.importer.logs import Found

# Every adapter's name; tested against them.
AGENTS = ("claude-code", "codex", "copilot-cli", "gemini-cli", "opencode", "pi")
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
@click.option("--agent", type=click.Choice([*AGENTS, "all"]), help="Whose logs; by default claude-code, of PATHS all.")
@click.option("--project", type=click.Path(path_type=Path), help="Only work done in this folder's project.")
@click.option("--since", type=_Since(), metavar="DAY", help="Only work begun since then: 2026-01-31, or 30d.")
@click.option("--dry-run", is_flag=True, help="Only say what there is; nothing is kept.")
@json_option
def import_sessions(
    paths: tuple[Path, ...],
    agent: str | None,
    project: Path | None,
    since: datetime | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Learn from past sessions, out of the logs that agents keep of them.

    PATHS are logs or folders with logs; whose a log is, is found out. Without PATHS all that Claude Code has kept is
    read, from the folder projects in its configuration. It runs beside everything else. Doing it again changes
    nothing, except where a log has grown; so does having learned from the session before, while it was live. If it is
    broken off, what was learned until then stays: run it again.
    """
    from behavior_plugin.importer import Wanted, import_logs
    from behavior_plugin.importer.logs import find_logs

    wanted = Wanted(project and project.absolute(), since, is_dry_run=dry_run)
    found = find_logs(paths, _chosen(agent or ("all" if paths else AGENTS[0])), since)
    if paths and not found.logs and not found.older:
        raise BehaviorError("No agent's log is there.", hint=f"Logs of these can be read: {', '.join(AGENTS)}.")
    with _bar(found) as tell:
        report = import_logs(found, wanted, tell)
    if as_json:
        return print_json(report.model_dump(mode="json"))
    from behavior_plugin import terminal

    terminal.show_report(report)
    for other in _others() if not paths and not agent else ():
        click.echo(f"{other.TITLE} keeps logs on this machine too: `behavior import --agent {other.NAME}`.")
    return None


def _others() -> Iterator[Adapter]:
    from behavior_plugin.adapters import ADAPTERS

    return (adapter for adapter in ADAPTERS if AGENTS[0] != adapter.NAME and adapter.folder().is_dir())


def _chosen(agent: str) -> tuple[Adapter, ...]:
    from behavior_plugin.adapters import ADAPTERS

    return tuple(adapter for adapter in ADAPTERS if agent in ("all", adapter.NAME))


@contextmanager
def _bar(found: Found) -> Iterator[Callable[[int, int], object]]:
    """A bar on stderr with the rate and the time that is left."""
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with progress(*columns, TimeRemainingColumn()) as bar:
        task = bar.add_task("starting", total=sum(log.size for log in found.logs))

        def tell(size: int, logs: int) -> None:
            bar.update(task, completed=size, description=f"{logs} of {len(found.logs)} sessions")

        yield tell
