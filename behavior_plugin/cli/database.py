"""`behavior db`: look after the database that patterns are kept in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import click

from behavior_plugin.cli.output import json_option, print_json
from behavior_plugin.worker.client import ask_worker

if TYPE_CHECKING:
    # Imported where it is used: psycopg and pydantic cost a tenth of a second each.
    import psycopg

    from behavior_plugin.config import Settings


@click.group()
def db() -> None:
    """Look after the database that patterns are kept in.

    It is the embedded server's, or that of BEHAVIOR_DATABASE_URL; these commands want the login of its owner.
    """


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
