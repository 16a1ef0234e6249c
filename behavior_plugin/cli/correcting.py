"""The commands by which users correct patterns; each adds a remark."""

from __future__ import annotations

from typing import IO, Any

import click
from pydantic import ValidationError

from behavior_plugin import api
from behavior_plugin.cli.output import SHORT_ID, current_folder, json_option, not_empty, print_result
from behavior_plugin.cli.patterns import CALLS, MAX_LISTED, an_id
from behavior_plugin.errors import BehaviorError
from behavior_plugin.worker.client import Client
from behavior_plugin.workflow import RemarkKind, StoredPattern


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
@click.option(
    "--apply", "is_applied", is_flag=True, help="Hide them: they are not suggested any more, but stay in the list."
)
@json_option
def prune(everywhere: bool, is_applied: bool, as_json: bool) -> None:
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
    for pattern, _ in found if is_applied else ():
        client.add_remark(api.AddRemark(id=str(pattern.id), kind=RemarkKind.HIDE))
    text = stale.text(found, everywhere=everywhere, is_applied=is_applied)
    print_result({"is_applied": is_applied, "patterns": stale.as_dicts(found)}, text, as_json=as_json)


COMMANDS = (feedback, edit, merge, prune)


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
