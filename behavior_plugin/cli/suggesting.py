"""The command that names the next steps."""

from __future__ import annotations

import click

from behavior_plugin import api
from behavior_plugin.cli.output import current_folder, json_option, print_json, range_of
from behavior_plugin.worker.client import Client
from behavior_plugin.workflow import NextStep

# Less would be shown as 0%.
MIN_SHOWN_ODDS = 0.005


@click.command()
@click.argument("prompt", nargs=-1)
@click.option("--done", multiple=True, metavar="STEP", help="A step that was done; repeat it, the last one last.")
@click.option("--session", "session_id", default="", metavar="ID", help="Begin with what an open session has done.")
@click.option("--limit", "-k", **range_of(api.NextSteps, "limit"), help="Maximum number of steps.")
@click.option("--all", "everywhere", is_flag=True, help="Learn from all projects, not only this directory's.")
@json_option
def suggest(
    prompt: tuple[str, ...], done: tuple[str, ...], session_id: str, limit: int, everywhere: bool, as_json: bool
) -> None:
    """Name the likeliest next steps of work that has begun.

    They are those that followed the same steps in earlier work; work for a prompt like PROMPT counts more. A STEP is a
    shell line, or a tool with its argument. The percentage says how likely the step comes next.

    \b
    behavior suggest "cut release 1.5.0" --done "make check" --done "Edit CHANGELOG.md"
    behavior suggest --session 3f2a77c0-5d0e-4b6f-9a53-0c8f6f1f7a11
    """
    if not (any(word.strip() for word in prompt) or done or session_id):
        raise click.UsageError("Give a PROMPT, --done or --session.")
    if not all(step.strip() for step in done):
        raise click.BadParameter("The step is empty.", param_hint="--done")
    request = api.NextSteps(
        prompt=" ".join(prompt),
        done=done,
        session_id=session_id,
        directory=current_folder(),
        limit=limit,
        everywhere=everywhere,
    )
    found = Client().next_steps(request)
    if as_json:
        return print_json([each.model_dump(mode="json") for each in found])
    more = "" if everywhere else " --all learns from all projects."
    shown = [_line(each) for each in found if each.odds >= MIN_SHOWN_ODDS]
    return click.echo("\n".join(shown) or f"No earlier work is known here.{more}")


def _line(found: NextStep) -> str:
    from behavior_plugin.recall import wording

    came = f", came next {wording.plural(found.times, 'time')}" if found.times else ""
    return f"{found.odds:>4.0%}  {wording.step_line(found.step)}{came}"
