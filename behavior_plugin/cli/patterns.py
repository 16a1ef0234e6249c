"""The commands that find patterns and show them."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from behavior_plugin import api
from behavior_plugin.cli.output import (
    OFF,
    current_folder,
    json_option,
    not_empty,
    print_json,
    range_of,
)
from behavior_plugin.cli.since import since_option
from behavior_plugin.errors import BehaviorError
from behavior_plugin.model import Outcome
from behavior_plugin.worker.client import Client

MAX_LISTED = 10_000
# How many times as many rows to ask for where a list is cut.
MORE = 5
NONE_YET = "No patterns yet. They are learned when a session ends."
# The field of a pattern or a turn that holds its calls: a megabyte and more.
CALLS = {"actions"}
an_id = click.argument("pattern_id", metavar="ID", callback=not_empty)


@click.command()
@click.argument("text", nargs=-1, required=True)
@click.option("--limit", "-k", **range_of(api.Recall, "limit"), help="Maximum number of results.")
@click.option("--all", "everywhere", is_flag=True, help="Search all projects, not only this directory's.")
@click.option("--project", default="", metavar="NAME", help="Search this project: its name, or the end of it.")
@click.option(
    "--outcome",
    type=click.Choice([outcome.value for outcome in Outcome]),
    help="Only past work that ended so; partial: it was not finished.",
)
@since_option("Only work begun on or after")
@click.option("--explain", is_flag=True, help="Show each factor, and how much it counted.")
@click.option("--min-odds", "--floor", **range_of(api.Recall, "min_odds"), help="How likely it has to fit, 0 to 1.")
@json_option
def recall(
    text: tuple[str, ...],
    limit: int,
    everywhere: bool,
    project: str,
    outcome: str | None,
    since: datetime | None,
    explain: bool,
    min_odds: float | None,
    as_json: bool,
) -> None:
    """Find past work that resembles TEXT, best first.

    Each way of working has one row; the odds say how likely it is the right one. Work that failed, was refused or no
    longer fits its project (`behavior prune`) is found too, and marked.

    \b
    behavior recall cut a release
    behavior recall --all --outcome failed --since 2w speed up loading
    behavior recall --project shop --explain fix the total
    """
    _warn_if_off()
    if everywhere and project:
        raise click.UsageError("Choose one of --all and --project.")
    request = api.Recall(
        text=" ".join(text),
        directory=current_folder(),
        limit=limit,
        everywhere=everywhere,
        min_odds=min_odds,
        project=project,
        outcome=Outcome(outcome) if outcome else None,
        since=since,
        explain=explain,
    )
    client = Client()
    found = client.recall(request)
    if as_json:
        return print_json([suggestion.model_dump(mode="json") for suggestion in found])
    from behavior_plugin.cli import terminal
    from behavior_plugin.cli.stale import stale_notes

    if not found:
        return click.echo(_nothing_found(client, request))
    # A setting may allow other projects without --all.
    has_projects = everywhere or len({each.pattern.context.project for each in found}) > 1
    stale = stale_notes([each.pattern for each in found], current_folder())
    return terminal.show_suggestions(found, stale, has_projects=has_projects)


@click.command("list")
@click.option("--limit", **range_of(api.ListPatterns, "limit"), help="Maximum number of results.")
@click.option("--here", is_flag=True, help="Only patterns of this directory's project.")
@click.option("--turns", is_flag=True, help="List the evidence instead: each prompt with its work.")
@json_option
def list_patterns(limit: int, here: bool, turns: bool, as_json: bool) -> None:
    """List the learned patterns, newest first."""
    _warn_if_off()
    client, directory = Client(), current_folder() if here else None
    # One more than is shown, since nobody counts them.
    asked = min(limit + 1, MAX_LISTED)
    if turns:
        found = client.list_turns(api.ListTurns(limit=asked, directory=directory))
    else:
        found = client.list_patterns(api.ListPatterns(limit=asked, directory=directory))
    is_cut, found = len(found) > limit, found[:limit]
    if is_cut and not as_json:
        more = min(MORE * limit, MAX_LISTED)
        click.echo(f"behavior: these are the newest {limit:,}; there are more: --limit {more}", err=True)
    if as_json:
        return print_json([row.model_dump(mode="json") for row in found])
    from behavior_plugin.cli import terminal

    if not found:
        return click.echo(_nothing_listed(client, here=here))
    return terminal.show_turns(found, has_projects=not here) if turns else terminal.show_list(found)


@click.command()
@an_id
@click.option("--run", "has_run", is_flag=True, help="Also show the calls of one run, uncut; in JSON those of all.")
@json_option
def show(pattern_id: str, has_run: bool, as_json: bool) -> None:
    """Show one pattern: steps, lessons, odds and evidence. ID may be shortened while it is unique."""
    from behavior_plugin.cli.stale import stale_reasons
    from behavior_plugin.patterns.staleness import stale_note

    shown = Client().show_pattern(api.ShowPattern(id=pattern_id))
    stale = stale_reasons([shown.pattern], current_folder()).get(shown.pattern.id, ())
    if as_json:
        without = None if has_run else {"turns": {"__all__": CALLS}}
        episodes = [episode.model_dump(mode="json", exclude=without) for episode in shown.episodes]
        pattern = shown.pattern.model_dump(mode="json", exclude=None if has_run else CALLS)
        return print_json({**pattern, "stale": stale, "episodes": episodes})
    from behavior_plugin.cli import terminal

    return terminal.show_pattern(shown.pattern, shown.episodes, stale=stale_note(stale), has_run=has_run)


@click.command("export-skill")
@an_id
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write a new file.",
)
def export_skill(pattern_id: str, output: Path | None) -> None:
    """Write one pattern as a draft of a SKILL.md, with its evidence.

    It is never installed by itself: read it, correct it, and put it where your agent looks for skills.
    """
    from behavior_plugin.recall.skill import skill_draft

    shown = Client().show_pattern(api.ShowPattern(id=pattern_id))
    draft = skill_draft(shown.pattern, shown.episodes)
    if output is None:
        return click.echo(draft)
    try:
        _write_new(output, draft)
    except OSError as error:
        hint = "Choose another file; an existing one is never overwritten."
        raise BehaviorError(f"{output} cannot be written: {error.strerror}", hint=hint) from None
    return click.echo(f"The draft is in {output}.")


COMMANDS = (recall, list_patterns, show, export_skill)


def _write_new(output: Path, text: str) -> None:
    """Write a file that does not exist yet. After a failure, such as a full disk, it does not exist either."""
    with output.open("x", encoding="utf-8") as file:
        try:
            file.write(text)
            file.flush()
        except OSError:
            output.unlink(missing_ok=True)
            raise


def _nothing_found(client: Client, request: api.Recall) -> str:
    """The reason for an empty answer: this project may have no patterns."""
    if request.outcome or request.since or request.min_odds:
        return "No similar work found with these options."
    if request.everywhere or request.project:
        return "No similar work found."
    if client.list_patterns(api.ListPatterns(limit=1, directory=request.directory)):
        return "No similar work found. --all searches all projects."
    nothing = _nothing_listed(client, here=True)
    return nothing if nothing == NONE_YET else f"{nothing} --all searches all projects."


def _nothing_listed(client: Client, *, here: bool) -> str:
    """The reason for an empty list: other projects may have patterns."""
    if here and (others := client.status().patterns):
        known = f"{others:,} pattern{'s' if others > 1 else ''}"
        return f"Nothing has been learned in this project yet; other projects have {known}."
    return NONE_YET


def _warn_if_off() -> None:
    from behavior_plugin import config

    if config.are_hooks_off():
        click.echo(f"behavior: the hooks are {OFF}, so nothing new is learned or suggested.", err=True)
