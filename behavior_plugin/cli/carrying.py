"""`behavior db backup|restore|move|rollback`: carry patterns out of the database, into it, and from table to table."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import click

from behavior_plugin.capture import paths
from behavior_plugin.cli.output import json_option, print_json
from behavior_plugin.errors import BehaviorError
from behavior_plugin.worker.lock import without_worker

if TYPE_CHECKING:
    # Imported where it is used: psycopg and pydantic cost a tenth of a second each.
    import psycopg
    from rich.progress import Progress

    from behavior_plugin.config import Settings
    from behavior_plugin.store.rows import Tally

# More would fill the screen; --json has them all.
MOST_NAMED = 20
STILL_MEMORIES = "New patterns still go to memories: the setting `storage` says so (BEHAVIOR_STORAGE, or config.toml)."
BACKUP = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("file", type=BACKUP)
@click.option("--all-users", is_flag=True, help="Everybody's patterns; wants the login of the database's owner.")
@click.option("--force", is_flag=True, help="Overwrite FILE.")
@json_option
def backup(file: Path, all_users: bool, force: bool, as_json: bool) -> None:
    """Write your patterns into FILE, which only you can read.

    Everything of them is in it: ids, dates, counts, vectors. It is gzip with a line of JSON for each pattern, and can
    be restored to any server and either way of storing.
    """
    from behavior_plugin.store import backup as backups
    from behavior_plugin.store import own_user
    from behavior_plugin.store.rows import as_owner, as_user, export_rows

    with _alone() as (owner, settings), _progress() as progress:
        user = None if all_users else own_user(owner, settings)
        with as_user(owner, user) if user else as_owner(owner, one_state=True):
            rows = progress.track(export_rows(owner, settings.storage, everyone=all_users), description="Backup")
            count = backups.write(file, backups.header(settings.storage, user), rows, overwrite=force)
    if as_json:
        return print_json({"file": str(file), "rows": count})
    return click.echo(f"{count} patterns are in {file}.")


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--user-id", type=click.UUID, help="Whose they become, for a backup of one user; by default yours.")
@json_option
def restore(file: Path, user_id: UUID | None, as_json: bool) -> None:
    """Bring the patterns in FILE back; wants the login of the database's owner, since it sets ids and dates.

    Those of a backup of one user become yours; those of all users stay theirs. What is there already stays as it is.
    A file that is damaged, or of a newer version, changes nothing. The exit status is 1 where a pattern was refused.
    """
    from behavior_plugin.store import backup as backups
    from behavior_plugin.store import own_user
    from behavior_plugin.store.migrate import migrate
    from behavior_plugin.store.rows import as_owner, import_rows

    with file.open("rb") as raw:
        about, _ = backups.read(raw)  # before a server is started for nothing
    if user_id and about.users == "all":
        raise click.UsageError("--user-id: this backup is of all users, and its patterns stay theirs.")
    with _alone() as (owner, settings), _progress() as progress, file.open("rb") as raw:
        _, lines = backups.read(progress.wrap_file(raw, total=file.stat().st_size, description="Restore"))
        migrate(owner, settings.storage)
        user = None if about.users == "all" else user_id or own_user(owner, settings)
        with as_owner(owner):
            tally = import_rows(owner, settings.storage, lines, user_id=user)
    _report(_counts(tally, "restored"), as_json)


@click.command()
@click.option(
    "--to", type=click.Choice(["behavior_patterns"]), required=True, expose_value=False, help="The table to move to."
)
@click.option("--delete-source", is_flag=True, help="Then delete the memories whose pattern is in the other table.")
@json_option
def move(delete_source: bool, as_json: bool) -> None:
    """Move everybody's patterns out of a memories table into the table behavior_patterns.

    Memories stay as they were, unless --delete-source: then those go whose pattern is in the other table. What could
    not be moved is named with the reason and stays. To stop in the middle loses nothing: begin again.
    The exit status is 1 where a pattern stays behind. Wants the login of the database's owner.
    """
    from behavior_plugin.store import move as moving
    from behavior_plugin.store.rows import Tally

    with _alone() as (owner, settings), _progress() as progress:
        unmoved, present = moving.prepare(owner)
        tally = Tally(present=present)
        task = progress.add_task("Move", total=unmoved)
        for batch in moving.move(owner):
            tally.add(batch)
            progress.advance(task, len(batch))
        tally.left += moving.unreadable(owner)
        counts = _counts(tally, "moved")
        if delete_source:
            counts["deleted"], stay = moving.delete_moved(owner)
            named = {each.id for each in tally.left}
            counts["left"] += [asdict(each) for each in stay if each.id not in named]
    if settings.storage == "memories" and not as_json:
        click.echo(STILL_MEMORIES)
    _report(counts, as_json)


@click.command()
@click.option("--with-rows", is_flag=True, help="Also where there are patterns: everybody's are backed up first.")
@click.option("--backup", "file", type=BACKUP, help="The backup's file; by default one in the data folder.")
@json_option
def rollback(with_rows: bool, file: Path | None, as_json: bool) -> None:
    """Take the table of patterns out of the database, with all that was made for it.

    It is refused while there are patterns, and where something of yours, such as a view, depends on the table. A table
    of memories that was there before stays, and so do users, members and pgvector. The next worker makes anew what it
    needs, empty. Wants the login of the database's owner.
    """
    from behavior_plugin.store import backup as backups
    from behavior_plugin.store.rollback import rollback as run_rollback

    written: list[Path] = []
    with _alone() as (owner, settings), _progress() as progress:
        target = file or _backup_file(settings.storage)

        def save(rows: Iterable[str]) -> int:
            lines = progress.track(rows, description="Backup")
            count = backups.write(target, backups.header(settings.storage, None), lines)
            written.append(target)
            return count

        try:
            count = run_rollback(owner, settings.storage, save if with_rows else None)
        except BehaviorError:
            for each in written:
                each.unlink()
            raise
    if as_json:
        return print_json({"storage": settings.storage, "rows": count, "backup": str(written[0]) if written else None})
    click.echo(f"{settings.storage} is out of the database.")
    if written:
        click.echo(f"{count} patterns are in {target}. To bring them back: behavior db restore '{target}'")
    return None


@contextmanager
def _alone() -> Iterator[tuple[psycopg.Connection, Settings]]:
    """The owner's connection, while no worker of this machine runs: events wait in the spool."""
    from behavior_plugin import config
    from behavior_plugin.store import open_as_owner

    settings = config.load()
    with without_worker(), open_as_owner(settings) as owner:
        yield owner, settings


def _progress() -> Progress:
    """A bar on stderr, where that is a terminal; it goes when the work is done."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    return Progress(console=console, transient=True, disable=not console.is_terminal)


def _backup_file(storage: str) -> Path:
    folder = paths.make_private(paths.in_data("backups"))
    return Path(folder, f"{storage}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.jsonl.gz")


def _counts(tally: Tally, what: str) -> dict[str, Any]:
    return {what: tally.added, "already_there": tally.present, "left": [asdict(each) for each in tally.left]}


def _report(counts: dict[str, Any], as_json: bool) -> None:
    """Say what was done. Ends with status 1 where something was left."""
    left = counts["left"]
    if as_json:
        print_json(counts)
    else:
        shown = {name: len(left) if name == "left" else count for name, count in counts.items()}
        click.echo(", ".join(f"{count} {name.replace('_', ' ')}" for name, count in shown.items()))
        for each in left[:MOST_NAMED]:
            click.echo(f"  {each['id']} of user {each['user_id']} stays: {each['reason']}")
        if len(left) > MOST_NAMED:
            click.echo(f"  and {len(left) - MOST_NAMED} more; --json names them all")
    if left:
        sys.exit(1)
