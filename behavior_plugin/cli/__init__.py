"""The command `behavior`: parse arguments, ask the worker, show the answer.

Exit status: 0 done, 1 not possible (the message says why), 2 wrong usage, 3 internal error, 130 interrupted.
"""

from __future__ import annotations

import copy
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from behavior_plugin import __version__, api
from behavior_plugin.capture import paths, spool, variables, wake
from behavior_plugin.cli import correcting, measuring, patterns, pausing
from behavior_plugin.cli.agent_name import AgentName
from behavior_plugin.cli.database import db
from behavior_plugin.cli.dead import dead
from behavior_plugin.cli.exporting import export
from behavior_plugin.cli.forgetting import forget
from behavior_plugin.cli.importing import import_sessions
from behavior_plugin.cli.output import INTERRUPTED, OFF, counted, json_option, print_json, print_result, range_of
from behavior_plugin.cli.redacting import redact_again
from behavior_plugin.cli.sizes import size_line, sizes
from behavior_plugin.cli.suggesting import suggest
from behavior_plugin.cli.why import unanswered_line, unanswered_prompts, why
from behavior_plugin.errors import BehaviorError, ConfigError, WorkerUnavailableError
from behavior_plugin.model import CLAUDE_CODE
from behavior_plugin.worker.client import Client, start_worker
from behavior_plugin.worker.lifecycle import stop_worker

AGENT = AgentName(with_hooks=True)
ELSEWHERE = "Write its absolute path, of a folder outside your projects; or unset it."
FROZEN = "does not answer (`behavior worker stop` stops it)"


def main() -> None:
    try:
        cli(standalone_mode=False)
    except click.exceptions.Abort:
        sys.exit(INTERRUPTED)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except BehaviorError as error:
        click.echo(f"behavior: {error}\n{error.hint}", err=True)
        sys.exit(1)
    except Exception as error:
        click.echo(f"behavior: unexpected {type(error).__name__}: {error}", err=True)
        sys.exit(3)


@click.group(
    invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="behavior")
@click.pass_context
def cli(context: click.Context) -> None:
    """Remember how work was done in Claude Code, and bring the workflow back when it fits.

    Commands that need the worker start it; it ends by itself a few minutes after the last session.
    All data is in one folder: BEHAVIOR_HOME, else the per-user data folder (`behavior status` names it).
    """
    if context.invoked_subcommand is None:
        return click.echo(context.get_help())
    if misplaced := paths.misplaced():
        raise ConfigError(f"{misplaced}.", hint=ELSEWHERE)
    if unused := variables.of_settings():
        click.echo(f"behavior: {variables.not_used(unused, paths.in_data('config.toml'))}.", err=True)
    return None


cli.add_command(db)
cli.add_command(dead)
cli.add_command(forget)
cli.add_command(export)
cli.add_command(import_sessions)
cli.add_command(redact_again)
cli.add_command(suggest)
cli.add_command(why)
for of_group in (*patterns.COMMANDS, *correcting.COMMANDS, *measuring.COMMANDS, *pausing.COMMANDS):
    cli.add_command(of_group)


@cli.command()
@json_option
def status(as_json: bool) -> None:
    """Show the state of worker, store and spool.

    It changes nothing, and does not start the worker.
    """
    from behavior_plugin.cli import terminal

    state = _state_of_worker()
    found = {
        "data_folder": paths.data_folder(),
        "size": sizes() if as_json else size_line(sizes()),
        "hooks": _hooks_problem(),
        "links": _links_problem(),
        "lost_events": spool.lost(),
        "unanswered": unanswered_prompts(),
        **pausing.excluded_state(),
        "spool": f"full, hooks save nothing more: {why}" if (why := spool.why_full()) else "",
        **_settings(),
        **state,
    }
    if as_json:
        return print_json(found)
    if without := found["unanswered"]:
        found["unanswered"] = unanswered_line(without)
    for name in ("paused", "excluded"):
        found[name] = "; ".join(found[name])
    return terminal.show_state(found)


@cli.group()
def worker() -> None:
    """Control the background worker that sessions start."""


@worker.command()
def start() -> None:
    """Start the worker and wait until it answers."""
    click.echo("Worker started." if start_worker() else "The worker is already running.")


@worker.command()
def stop() -> None:
    """Stop the worker and the embedded server. Waiting events stay in the spool."""
    click.echo("Worker stopped." if stop_worker() else "No worker is running.")


@worker.command()
@json_option
def drain(as_json: bool) -> None:
    """Learn from all ended sessions now, without waiting until they settle.

    Open sessions are not touched.
    """
    found = Client().drain(api.Drain()).model_dump()
    print_result(found, counted(found), as_json=as_json)


@worker.command()
@click.option(
    "--idle",
    "idle_min",
    **range_of(api.Reap, "idle_s"),
    help="Also close sessions that are idle for this many minutes.",
)
@json_option
def reap(idle_min: float | None, as_json: bool) -> None:
    """Close sessions whose agent was killed, and learn from them.

    The worker also does so by itself.
    """
    found = Client().reap(api.Reap(idle_s=None if idle_min is None else idle_min * 60)).model_dump()
    print_result(found, counted(found), as_json=as_json)


def _hidden(command: click.Command) -> click.Command:
    """An old name of a command: it still works, and no help lists it."""
    alias = copy.copy(command)
    alias.hidden = True
    return alias


for former in (drain, reap):
    cli.add_command(_hidden(former))


@cli.command()
@click.option("--keep", is_flag=True, help="Keep the demo's data folder.")
def demo(keep: bool) -> None:
    """Show each stage of the main job on a recorded session.

    It runs in a scratch folder and does not touch your own data.
    """
    from behavior_plugin.cli import terminal
    from behavior_plugin.demo import demo as run_demo

    run_demo(terminal.console.print, keep=keep)


@cli.command()
@json_option
def doctor(as_json: bool) -> None:
    """Check every part, from the real hook to the real table.

    The last check sends a probe through the hook into the table and finds it again.
    """
    from behavior_plugin.cli import terminal
    from behavior_plugin.doctor import examine

    checks = []
    for check in examine():
        checks.append(check)
        if not as_json:
            terminal.show_check(check)
    if as_json:
        print_json([asdict(check) for check in checks])
    if not all(check.is_ok for check in checks):
        sys.exit(1)


@cli.command()
@click.option("--agent", type=AGENT, default=CLAUDE_CODE, show_default=True, help="The agent whose settings to change.")
@click.option("--settings", type=click.Path(path_type=Path), help="The agent's settings file, if not the usual one.")
@click.option("--dry-run", is_flag=True, help="Only show the changes, without making them.")
@json_option
def install(agent: str, settings: Path | None, dry_run: bool, as_json: bool) -> None:
    """Add the hooks to the settings of Claude Code or another agent.

    Your own settings stay, and a backup is made. You do not need this if the plugin is loaded as a plugin
    (--plugin-dir, or from a marketplace).
    """
    from behavior_plugin.agents import install as installing

    file = settings or installing.agent_settings_file(agent)
    interpreter = Path(sys.executable)
    change = installing.install(
        settings_file=file, plugin_root=Path(wake.ROOT), interpreter=interpreter, agent=agent, dry_run=dry_run
    )
    _report_change(change.model_dump(mode="json"), as_json=as_json, dry_run=dry_run)


@cli.command()
@click.option("--agent", type=AGENT, default=CLAUDE_CODE, show_default=True, help="The agent whose settings to change.")
@click.option("--settings", type=click.Path(path_type=Path), help="The agent's settings file, if not the usual one.")
@click.option("--data", is_flag=True, help="Also delete the data folder: everything that was learned, and settings.")
@click.option("--yes", is_flag=True, help="With --data, do not ask.")
@click.option("--dry-run", is_flag=True, help="Only show the changes, without making them.")
@json_option
def uninstall(agent: str, settings: Path | None, data: bool, yes: bool, dry_run: bool, as_json: bool) -> None:
    """Remove the hooks from an agent's settings, and stop the worker.

    Learned patterns stay, unless --data deletes them: all files of ours in the data folder, with the embedded server.
    Rows in a Postgres of your own stay there; `behavior forget --everything --apply` deletes them before. A terminal
    asks before. Uninstall the plugin first, or its hooks make the folder again.
    """
    from behavior_plugin.agents import install as installing
    from behavior_plugin.cli.removing import data_of_ours, delete_data

    if data and not (dry_run or yes) and sys.stdin.isatty():
        click.confirm(f"Delete everything in {paths.data_folder()} for good?", abort=True, err=True)
    if not dry_run:
        stop_worker()
    change = installing.uninstall(settings_file=settings or installing.agent_settings_file(agent), dry_run=dry_run)
    found = change.model_dump(mode="json")
    if data:
        deleted = [str(path) for path in data_of_ours()]
        left = [] if dry_run else delete_data()
        found["done"] = [*found["done"], *(f"{path}: deleted." for path in deleted)]
        found["notes"] = [f"{path} is not ours, and stays." for path in left]
        found["changed"] = found["changed"] or bool(deleted)
    _report_change(found, as_json=as_json, dry_run=dry_run)


def _state_of_worker() -> dict[str, Any]:
    """The state as the worker reports it, else as the spool shows it."""
    from behavior_plugin.worker.inbox import backlog, oldest

    try:
        return {"worker": "running", **Client(is_starting=False).status().model_dump(mode="json")}
    except WorkerUnavailableError:
        worker = FROZEN if wake.is_listening() else "not running (it starts with a session)"
        return {"worker": worker, **backlog().model_dump(), "oldest_event": oldest()}


def _hooks_problem() -> str:
    from behavior_plugin import config
    from behavior_plugin.doctor import why_no_folder

    if config.are_hooks_off():
        return OFF
    return f"cannot save events: {why}" if (why := why_no_folder()) else ""


def _links_problem() -> str:
    from behavior_plugin.errors import LinkError
    from behavior_plugin.worker.links import refuse_links

    try:
        refuse_links()
    except LinkError as error:
        return f"{error} {error.hint}"
    return ""


def _settings() -> dict[str, str]:
    """The configured store, and a problem with the settings, if there is one."""
    from behavior_plugin import config

    try:
        settings = config.load()
    except BehaviorError as error:
        return {"settings": str(error)}
    return {"settings": config.unused_variables(), "store": settings.where, "storage": settings.storage}


def _report_change(change: dict[str, Any], *, as_json: bool, dry_run: bool) -> None:
    end = ["Nothing was changed: this was a dry run."] if dry_run else []
    print_result(change, "\n".join([*change["done"], *change["notes"], *end]), as_json=as_json)
