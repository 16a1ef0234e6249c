"""The commands on patterns: find them, look at them, and correct them."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import IO, Any

import click
from pydantic import ValidationError

from behavior_plugin import api
from behavior_plugin.cli.output import (
    OFF,
    SHORT_ID,
    current_folder,
    json_option,
    not_empty,
    print_json,
    print_result,
    range_of,
)
from behavior_plugin.cli.since import since_option
from behavior_plugin.errors import BehaviorError
from behavior_plugin.model import Outcome
from behavior_plugin.worker.client import Client
from behavior_plugin.workflow import RemarkKind, StoredPattern

MAX_LISTED = 10_000
# How many times as many rows to ask for where a list is cut.
MORE = 5
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


@click.command()
@an_id
@click.option("--good", is_flag=True, help="It helped.")
@click.option("--bad", is_flag=True, help="It was wrong here, or did not work.")
@click.option("--note", default="", metavar="TEXT", help="The reason, for yourself; it is kept with the pattern.")
@json_option
def feedback(pattern_id: str, good: bool, bad: bool, note: str, as_json: bool) -> None:
    """Say whether a suggested pattern helped, with --good or --bad.

    It counts more than a piece of work that ended well or badly: a bad pattern is suggested less, and after a few
    times not at all. `behavior edit` corrects its steps, or hides it at once.

    \b
    behavior feedback 3f2a --good
    behavior feedback 3f2a --bad --note "the tests are run by just now"
    """
    if good == bad:
        raise click.UsageError("Give either --good or --bad.")
    pattern = _remark(id=pattern_id, kind=RemarkKind.GOOD if good else RemarkKind.BAD, note=note)
    _report(pattern, _effect(pattern, is_good=good), as_json=as_json)


@click.command()
@an_id
@click.option(
    "--steps",
    type=click.File(encoding="utf-8"),
    metavar="FILE",
    help="Take the steps from FILE, one a line, or from standard input with -, instead of opening an editor.",
)
@click.option("--hide", is_flag=True, help="Never suggest it again; it stays in the list.")
@click.option("--show", is_flag=True, help="Take --hide back.")
@json_option
def edit(pattern_id: str, steps: IO[str] | None, hide: bool, show: bool, as_json: bool) -> None:
    """Correct the steps of a pattern, or hide it.

    It opens $VISUAL or $EDITOR with the steps, one a line. The lines that you save are suggested from then on, instead
    of the steps that are computed from your sessions; an empty text gives these back. If you save nothing, nothing
    changes.

    \b
    behavior edit 3f2a
    behavior edit 3f2a --hide
    printf '%s\\n' 'make lint' 'git commit -m {message}' | behavior edit 3f2a --steps -
    """
    if sum([steps is not None, hide, show]) > 1:
        raise click.UsageError("Choose one of --steps, --hide and --show.")
    if hide or show:
        pattern = _remark(id=pattern_id, kind=RemarkKind.HIDE if hide else RemarkKind.SHOW)
        text = f"It is hidden, and not suggested any more. {_undo(pattern)}" if hide else "It can be suggested again."
    else:
        pattern, text = _edit_steps(pattern_id, steps)
    _report(pattern, text, as_json=as_json)


@click.command()
@an_id
@click.argument("into", metavar="INTO", callback=not_empty)
@json_option
def merge(pattern_id: str, into: str, as_json: bool) -> None:
    """Make pattern ID a part of pattern INTO: both are one job.

    Their work is counted together from then on: steps, lessons and odds of INTO are computed from all of it, and ID is
    not listed any more. Both must be of one project. It cannot be taken back, so look at both first (`behavior show`).
    """
    from behavior_plugin.recall import wording
    from behavior_plugin.recall.quoting import quote

    before = wording.workflow_of(Client().show_pattern(api.ShowPattern(id=into)).pattern)
    pattern = _remark(id=pattern_id, kind=RemarkKind.MERGE, into=into)
    workflow = wording.workflow_of(pattern)
    whole = f"{_short(pattern)} ({quote(workflow.job, 100)})"
    count = f"{wording.plural(workflow.times, 'piece')} of work"
    text = f"Merged. {whole} has {count} now."
    if workflow.times == before.times:
        text = f"Merged. {whole} still has {count}: those of the other pattern were counted there already."
    _report(pattern, text, as_json=as_json)


@click.command()
@click.option("--all", "everywhere", is_flag=True, help="Patterns of all projects, not only of this directory's.")
@click.option("--apply", is_flag=True, help="Hide them: they are not suggested any more, but stay in the list.")
@json_option
def prune(everywhere: bool, apply: bool, as_json: bool) -> None:
    """Find patterns that are stale or failed too often; --apply hides them.

    A pattern is stale if its steps name a script, a test, a target of make or just, or a script of package.json that is
    gone, or if all files that it edited are gone. Without --apply, these patterns are only listed, with the reasons.
    Of a project that is not on this machine, only the patterns that failed too often are found.
    """
    from behavior_plugin.cli import stale

    client = Client()
    listed = client.list_patterns(
        api.ListPatterns(limit=MAX_LISTED, directory=None if everywhere else current_folder())
    )
    found = stale.find_stale(listed, current_folder())
    for pattern, _ in found if apply else ():
        client.add_remark(api.AddRemark(id=str(pattern.id), kind=RemarkKind.HIDE))
    text = stale.text(found, everywhere=everywhere, is_applied=apply)
    print_result({"is_applied": apply, "patterns": stale.as_dicts(found)}, text, as_json=as_json)


COMMANDS = (recall, list_patterns, show, export_skill, feedback, edit, merge, prune)


def _write_new(output: Path, text: str) -> None:
    """Write a file that does not exist yet. After a failure, such as a full disk, it does not exist either."""
    with output.open("x", encoding="utf-8") as file:
        try:
            file.write(text)
            file.flush()
        except OSError:
            output.unlink(missing_ok=True)
            raise


def _remark(**fields: Any) -> StoredPattern:
    """Make a remark; returns the pattern after it. A text that is too long is a wrong usage."""
    try:
        request = api.AddRemark(**fields)
    except ValidationError as error:
        problem = error.errors()[0]
        name, *place = problem["loc"]
        where = f", step {place[0] + 1}" if place and isinstance(place[0], int) else ""
        raise click.UsageError(f"{name}{where}: {problem['msg']}.") from None
    return Client().add_remark(request).pattern


def _edit_steps(pattern_id: str, file: IO[str] | None) -> tuple[StoredPattern, str]:
    """Let the user edit the steps; returns the pattern after it, and the effect."""
    from behavior_plugin.cli import editing

    pattern = Client().show_pattern(api.ShowPattern(id=pattern_id)).pattern
    before = editing.current_lines(pattern)
    lines = editing.lines_of_file(file) if file else editing.edited_lines(pattern)
    is_computed = not (pattern.workflow and pattern.workflow.is_edited)
    if lines is None:
        return pattern, "Nothing was saved, so nothing has changed."
    if lines == before or (not lines and is_computed):
        return pattern, "Nothing has changed: these are the steps that it has."
    try:
        pattern = _remark(id=str(pattern.id), kind=RemarkKind.EDIT, steps=lines)
    except (click.UsageError, BehaviorError):
        click.echo("\n".join(["Your steps were not saved:", *lines]), err=True)
        raise
    return pattern, "\n".join([editing.title(lines), *editing.shown_lines(pattern)])


def _effect(pattern: StoredPattern, *, is_good: bool) -> str:
    """The effect of feedback, and the new odds."""
    from behavior_plugin.recall import MIN_CONFIDENCE, wording

    workflow = wording.workflow_of(pattern)
    if workflow.is_hidden:
        does = f"It stays hidden; {_undo(pattern)}"
    elif pattern.confidence < MIN_CONFIDENCE:
        does = "It is not suggested any more; `behavior recall` still finds it."
    elif not workflow.worked:
        does = "It has not worked yet, so it is not suggested; `behavior recall` finds it."
    elif is_good:
        does = "It will be suggested more."
    else:
        does = f"It will be suggested less; hide it with `behavior edit {_short(pattern)} --hide`."
    odds = f"{wording.odds(workflow)}; confidence {wording.confidence(pattern)}; you said {wording.feedback(workflow)}"
    return f"Noted. {does}\nNow: {odds}."


def _report(pattern: StoredPattern, text: str, *, as_json: bool) -> None:
    print_result(pattern.model_dump(mode="json", exclude=CALLS), text, as_json=as_json)


def _undo(pattern: StoredPattern) -> str:
    return f"`behavior edit {_short(pattern)} --show` takes that back."


def _short(pattern: StoredPattern) -> str:
    return str(pattern.id)[:SHORT_ID]


def _nothing_found(client: Client, request: api.Recall) -> str:
    """The reason for an empty answer: this project may have no patterns."""
    if request.outcome or request.since or request.min_odds:
        return "No similar work found with these options."
    if request.everywhere or request.project:
        return "No similar work found."
    if client.list_patterns(api.ListPatterns(limit=1, directory=request.directory)):
        return "No similar work found. --all searches all projects."
    return f"{_nothing_listed(client, here=True)} --all searches all projects."


def _nothing_listed(client: Client, *, here: bool) -> str:
    """The reason for an empty list: other projects may have patterns."""
    if here and (others := client.status().patterns):
        known = f"{others:,} pattern{'s' if others > 1 else ''}"
        return f"Nothing has been learned in this project yet; other projects have {known}."
    return "No patterns yet. They are learned when a session ends."


def _warn_if_off() -> None:
    from behavior_plugin import config

    if config.are_hooks_off():
        click.echo(f"behavior: the hooks are {OFF}, so nothing new is learned or suggested.", err=True)
