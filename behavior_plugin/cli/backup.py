"""`behavior db backup|restore|move|rollback`: copy what was learned to a file, back, and from table to table."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any
from uuid import UUID

import click

from behavior_plugin.capture import paths
from behavior_plugin.cli.connections import exclusive_owner_connection
from behavior_plugin.cli.output import counted, json_option, print_result, progress
from behavior_plugin.errors import SchemaError

if TYPE_CHECKING:
    # Imported where it is used: psycopg costs a tenth of a second.
    from behavior_plugin.store.maintenance.rows import Tally

# More would fill the screen; --json has them all.
MAX_NAMED = 20
STILL_MEMORIES = (
    "New patterns still go to memories: the setting `storage` in config.toml says so. "
    'Write storage = "behavior_patterns" there to change that.'
)
STILL_THERE = "The moved memories are still in their table: `behavior db move --delete-source` deletes them."
FATES = {
    "dropped": "The table {} is removed.",
    "kept": "The table {} is older than the plugin and stays; the plugin's additions to it are removed.",
    "absent": "There is no table {}.",
}
EVIDENCE = {
    "dropped": "The evidence in behavior.episodes is removed, and the remarks in behavior.remarks.",
    "kept": "The evidence in behavior.episodes stays, with the remarks: patterns in another table need them.",
    "absent": "There is no evidence.",
}
FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("file", type=FILE)
@click.option("--all-users", is_flag=True, help="The patterns of all users, not only yours.")
@click.option("--force", is_flag=True, help="Overwrite FILE.")
@json_option
def backup(file: Path, all_users: bool, force: bool, as_json: bool) -> None:
    """Write your patterns, their evidence and your remarks into FILE, which only you can read.

    Evidence is the recorded work that the patterns are computed from. Remarks are your feedback and edits, and which
    suggestions were followed. The backup is complete: ids, dates, counts and vectors. It is a gzip file with a line of
    JSON for each row, and can be restored to any server and either storage. Every member can run it, except with
    --all-users.
    """
    from behavior_plugin.store.maintenance import backup as backups
    from behavior_plugin.store.maintenance.rows import as_owner, as_user, export_rows
    from behavior_plugin.store.opening import own_user

    with exclusive_owner_connection() as (owner, settings), progress() as bar:
        user = None if all_users else own_user(owner, settings)
        with as_user(owner, user) if user else as_owner(owner, snapshot=True):
            rows = bar.track(export_rows(owner, settings.storage, everyone=all_users), description="Backup")
            count = backups.write(file, rows, storage=settings.storage, user_id=user, overwrite=force)
    found = {"file": str(file), "rows": count}
    print_result(found, f"{count} rows are in {file}: patterns, their evidence and remarks.", as_json=as_json)


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--user-id", type=click.UUID, help="The user who gets the patterns, for a backup of one user; by default you."
)
@json_option
def restore(file: Path, user_id: UUID | None, as_json: bool) -> None:
    """Restore the patterns, the evidence and the remarks in FILE.

    The rows of one user's backup become yours; in a backup of all users each row stays its user's. Rows that are in the
    database already stay as they are. The next worker computes the patterns of all evidence together. A damaged file,
    or one of a newer version, changes nothing. The exit status is 1 if a row was refused.
    """
    from behavior_plugin.store.maintenance import backup as backups
    from behavior_plugin.store.maintenance.rows import as_owner, check_restorer, check_user, import_rows
    from behavior_plugin.store.migrate import migrate
    from behavior_plugin.store.opening import own_user

    with file.open("rb") as raw:
        about, _ = backups.read(raw, str(file))  # before a server is started for nothing
    if user_id and about.user_id is None:
        raise click.UsageError("--user-id: this is a backup of all users, whose patterns stay theirs.")
    with exclusive_owner_connection() as (owner, settings), progress() as bar, file.open("rb") as raw:
        watched = bar.wrap_file(raw, total=file.stat().st_size, description="Restore")
        _, lines = backups.read(watched, str(file))
        migrate(owner, settings.storage)
        user = None if about.user_id is None else user_id or own_user(owner, settings)
        if user:
            check_restorer(owner, settings.storage, file, user)
            check_user(owner, user)
        with as_owner(owner):
            tally = import_rows(owner, settings.storage, lines, user_id=user)
    _report(_counts(tally, "restored"), as_json=as_json)


@click.command()
@click.option(
    "--to",
    type=click.Choice(["behavior_patterns"]),
    default="behavior_patterns",
    show_default=True,
    expose_value=False,
    help="The table to move to.",
)
@click.option("--delete-source", is_flag=True, help="Then delete the memories whose pattern is in the target table.")
@json_option
def move(delete_source: bool, as_json: bool) -> None:
    """Move patterns from a memories table into behavior_patterns.

    The patterns of all users are moved; their evidence is in another table, and stays there. Memories stay as they are,
    unless --delete-source deletes those whose pattern is in the target table. Patterns that cannot be moved stay, and
    are listed with the reason. An interruption loses nothing: run it again. The exit status is 1 if a pattern was not
    moved.
    """
    from behavior_plugin.store.maintenance import move as moving
    from behavior_plugin.store.maintenance.rows import Tally

    with exclusive_owner_connection() as (owner, settings), progress() as bar:
        unmoved, present = moving.prepare(owner)
        tally = Tally(present=present)
        task = bar.add_task("Move", total=unmoved)
        for batch in moving.move(owner):
            tally.add(batch)
            bar.advance(task, batch.total)
        tally.skipped += moving.unreadable(owner)
        counts = _counts(tally, "moved")
        if delete_source:
            counts["deleted"], stay = moving.delete_moved(owner)
            named = {each.id for each in tally.skipped}
            counts["skipped"] += [asdict(each) for each in stay if each.id not in named]
    if as_json:
        return _report(counts, as_json=True)
    if settings.storage == "memories":
        click.echo(STILL_MEMORIES)
    if not (unmoved or present or counts["skipped"]):
        return click.echo("There is nothing to move.")
    _report(counts, as_json=False)
    return None if delete_source else click.echo(STILL_THERE)


@click.command()
@click.option("--with-rows", is_flag=True, help="Also if there are rows; those of all users are backed up first.")
@click.option("--backup", "file", type=FILE, help="With --with-rows, the backup's file; else one in the data folder.")
@json_option
def rollback(with_rows: bool, file: Path | None, as_json: bool) -> None:
    """Remove the table of patterns from the database, and their evidence and remarks.

    All objects that were created for it are removed too. The command is refused while there are rows, or while your own
    objects, such as a view, depend on a table. An older table of memories stays, and so do users, members and pgvector.
    Evidence and remarks stay as long as another table of patterns needs them. The next worker creates empty tables
    again.
    """
    from behavior_plugin.store.maintenance import backup as backups
    from behavior_plugin.store.maintenance.rollback import rollback as run_rollback

    if file and not with_rows:
        raise click.UsageError("--backup: there is a backup only with --with-rows.")
    if file:
        backups.check_target(file)  # before a server is started for nothing, and a table dropped
    undo = ExitStack()
    with exclusive_owner_connection() as (owner, settings), progress() as bar:
        target = file or _backup_file(settings.storage)

        def save(rows: Iterable[str]) -> int:
            lines = bar.track(rows, description="Backup")
            count = backups.write(target, lines, storage=settings.storage, user_id=None)
            undo.callback(target.unlink)
            return count

        try:
            done = run_rollback(owner, settings.storage, save if with_rows else None)
        except SchemaError:  # nothing was changed; after other errors the backup may be the only copy
            undo.close()
            raise
    text = f"{FATES[done.table].format(settings.storage)}\n{EVIDENCE[done.evidence]}"
    if done.rows:
        text += f"\n{done.rows} rows are in {target}. To restore them: behavior db restore {quote(str(target))}"
    found = {"storage": settings.storage, **asdict(done), "backup": str(target) if done.rows else None}
    print_result(found, text, as_json=as_json)


def _backup_file(storage: str) -> Path:
    folder = paths.make_private(paths.in_data("backups"))
    return Path(folder, f"{storage}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.jsonl.gz")


def _counts(tally: Tally, what: str) -> dict[str, Any]:
    return {what: tally.added, "already_there": tally.present, "skipped": [asdict(each) for each in tally.skipped]}


def _report(counts: dict[str, Any], *, as_json: bool) -> None:
    """Print the result. Exits with status 1 if a pattern was skipped."""
    skipped = counts["skipped"]
    lines = [counted({**counts, "skipped": len(skipped)})]
    lines += [f"  skipped {each['id']} of user {each['user_id']}: {each['reason']}" for each in skipped[:MAX_NAMED]]
    if len(skipped) > MAX_NAMED:
        lines.append(f"  and {len(skipped) - MAX_NAMED} more; --json lists them all")
    print_result(counts, "\n".join(lines), as_json=as_json)
    if skipped:
        sys.exit(1)
