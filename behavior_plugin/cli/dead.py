"""`behavior dead`: look after dead letters."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from behavior_plugin.cli.output import json_option, not_empty, print_json, print_result
from behavior_plugin.errors import BehaviorError

if TYPE_CHECKING:
    # Imported on use: redaction takes a tenth of a second to load.
    from behavior_plugin.worker.dead_letters import DeadLetter


AGAIN = "`behavior dead list` shows those that fail again."
NONE = "There are no dead letters."


@click.group()
def dead() -> None:
    """Look after dead letters: events that cannot be learned from.

    They are redacted, and deleted after 30 days, or when there are more than a thousand or 256 MB.
    """
    from behavior_plugin.worker.links import refuse_links

    refuse_links()  # letters are deleted, and reasons shown


@dead.command("list")
@json_option
def list_letters(as_json: bool) -> None:
    """List the dead letters with their reasons, oldest first."""
    from behavior_plugin.cli import terminal
    from behavior_plugin.worker import dead_letters

    found = dead_letters.letters()
    if as_json:
        return print_json([_as_dict(letter) for letter in found])
    return terminal.show_letters(found) if found else click.echo(NONE)


def _which(command: Callable[..., None]) -> Callable[..., None]:
    command = click.argument("ids", metavar="[ID]...", nargs=-1, callback=not_empty)(command)
    return click.option("--all", "is_all", is_flag=True, help="All dead letters.")(command)


@dead.command()
@_which
@json_option
def retry(ids: tuple[str, ...], is_all: bool, as_json: bool) -> None:
    """Try to learn from dead letters again.

    This helps if a newer version can read them. ID is the id that `list` shows, or the beginning of it.
    """
    from behavior_plugin.worker import dead_letters

    chosen = _chosen(ids, is_all=is_all)
    count = sum(dead_letters.retry(letter) for letter in chosen)
    text = f"{count} {'event waits' if count == 1 else 'events wait'} to be learned from again. {AGAIN}"
    print_result({"events": count}, text if chosen else NONE, as_json=as_json)


@dead.command()
@_which
@json_option
def delete(ids: tuple[str, ...], is_all: bool, as_json: bool) -> None:
    """Delete dead letters for good.

    ID is the id that `list` shows, or the beginning of it.
    """
    from behavior_plugin.worker import dead_letters

    chosen = _chosen(ids, is_all=is_all)
    for letter in chosen:
        dead_letters.delete(letter)
    text = "1 dead letter deleted." if len(chosen) == 1 else f"{len(chosen)} dead letters deleted."
    print_result({"deleted": len(chosen)}, text if chosen else NONE, as_json=as_json)


def _chosen(ids: tuple[str, ...], *, is_all: bool) -> list[DeadLetter]:
    from behavior_plugin.worker import dead_letters

    if bool(ids) == is_all:
        raise click.UsageError("Give ids, or --all.")
    found = dead_letters.letters()
    return found if is_all else list(dict.fromkeys(_named(each, found) for each in ids))


def _named(beginning: str, found: list[DeadLetter]) -> DeadLetter:
    named = [letter for letter in found if letter.id.startswith(beginning)]
    if len(named) != 1:
        problem = "More than one dead letter has" if named else "No dead letter has"
        hint = "`behavior dead list` shows the ids."
        raise BehaviorError(f"{problem} an id that begins with {beginning}.", hint=hint)
    return named[0]


def _as_dict(letter: DeadLetter) -> dict[str, object]:
    return {
        "id": letter.id,
        "reason": letter.reason,
        "set_aside_at": letter.set_aside_at.isoformat(),
        "events": letter.records,
        "bytes": letter.size,
        "path": str(letter.path),
    }
