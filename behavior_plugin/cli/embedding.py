"""`behavior db embed`: make vectors anew by the model that is wanted."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable

import click

from behavior_plugin import api
from behavior_plugin.cli.output import INTERRUPTED, json_option, print_result, progress
from behavior_plugin.embed.extra import offer
from behavior_plugin.errors import EmbedError
from behavior_plugin.worker.client import Client

STUCK = "Some vectors cannot be made anew now."


@click.command("embed")
@click.option("--dry-run", is_flag=True, help="Only report which vectors are by another model than is wanted.")
@json_option
def embed(dry_run: bool, as_json: bool) -> None:
    """Make vectors anew after a change of the embedder.

    Prompts are compared by vectors, and those of different models cannot be compared. All of yours are made anew that
    are not by the model that is wanted for their project; rows that other programs wrote keep theirs. The worker does
    so by itself after a change of the setting `embedder` on this machine, but never sends stored prompts to a service:
    with `openai`, this command does. An interruption loses nothing: run it again to continue.
    """
    client = Client()
    before = client.embed_anew(api.EmbedAnew(is_dry_run=True))
    done, after = (0, before) if dry_run else _embedded(client, before)
    found = {"embedded": done, **after.model_dump(mode="json", exclude={"done"})}
    lines = _planned(after) if dry_run else [f"{done:,} vectors were made anew." if done else "Nothing was due."]
    print_result(found, "\n".join([*lines, *filter(None, [offer(len(after.unreadable_projects))])]), as_json=as_json)


def _embedded(client: Client, before: api.EmbeddedAnew) -> tuple[int, api.EmbeddedAnew]:
    """Make them anew, with a bar; returns how many, and the last answer, with nothing left."""
    done, found = 0, before
    total = _count(before.left)
    try:
        with progress() as bar:
            task = bar.add_task("vectors", total=total)
            while found.left:
                left = _count(found.left)
                found = client.embed_anew(api.EmbedAnew())
                done += found.done
                bar.update(task, completed=total - _count(found.left))
                if _count(found.left) >= left:
                    raise EmbedError(STUCK, hint="Another machine may be changing them too: run it again later.")
    except KeyboardInterrupt:
        click.echo("behavior: interrupted. What was made so far stays; run it again to continue.", err=True)
        sys.exit(INTERRUPTED)
    return done, found


def _planned(found: api.EmbeddedAnew) -> list[str]:
    """A line for each change of models."""
    counts: Counter[tuple[str, str]] = Counter()
    for each in found.left:
        counts[each.model, each.wanted] += each.count
    changes = [f"{count:,} vectors by {model} would be made by {wanted}." for (model, wanted), count in counts.items()]
    return changes or ["All vectors are by the models that are wanted."]


def _count(left: Iterable[api.OutdatedVectors]) -> int:
    return sum(each.count for each in left)
