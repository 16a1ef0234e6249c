"""Bring a database to the shape this version needs.

The files in sql/migrations/ do the work: each is one transaction under an advisory lock, notes itself in
behavior.migrations, and may run twice, so that `psql -f` can run them as well. Here is decided which are still due.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import psycopg
from psycopg import sql

from behavior_plugin.errors import SchemaError, StoreUnavailableError
from behavior_plugin.store.query import migrations


def migrate(owner: psycopg.Connection) -> list[str]:
    """Run what is due; returns the names of the files that ran. `owner` must be in autocommit mode.

    Raises:
        SchemaError: the database is newer than this version, refused a file, or does not let us look.
        StoreUnavailableError: the connection was lost, or the server is short of something for now.
    """
    applied = _applied(owner)
    known = {version for version, _, _ in migrations()}
    if applied - known:
        raise SchemaError(
            f"The database has migration {max(applied)}, and this version knows only {max(known)}.",
            hint="Update the plugin; until then events stay in the spool.",
        )
    due = [file for version, _, file in migrations() if version not in applied]
    for file in due:
        _run(owner, file.name, file.read_text(encoding="utf-8"))
    return [file.name for file in due]


def make_user(owner: psycopg.Connection, user_id: UUID) -> None:
    """See to it that patterns of this user can be stored. Raises as `migrate` does."""
    with _told("auth.users"):
        owner.execute("insert into auth.users (id) values (%s) on conflict do nothing", [user_id])


def make_login(owner: psycopg.Connection, login: str, password: str) -> None:
    """Make the role that the worker uses from then on: it owns nothing and cannot pass by row level security."""
    name = sql.Identifier(login)
    if owner.execute("select to_regrole(%s)", [login]).fetchone() != (None,):
        action = sql.SQL("alter role {} login password {}")
    else:
        action = sql.SQL("create role {} login nosuperuser nocreatedb nocreaterole nobypassrls noinherit password {}")
    owner.execute(action.format(name, sql.Literal(password)))
    owner.execute(sql.SQL("grant authenticated to {}").format(name))


def _applied(owner: psycopg.Connection) -> set[int]:
    with _told("behavior.migrations"):
        if owner.execute("select to_regclass('behavior.migrations')").fetchone() == (None,):
            return set()
        return {version for (version,) in owner.execute("select version from behavior.migrations")}


def _run(owner: psycopg.Connection, name: str, statements: str) -> None:
    with _told(name):
        try:
            owner.execute(statements.encode())
        except psycopg.Error:
            if not owner.closed:
                owner.execute("rollback")
            raise


@contextmanager
def _told(what: str) -> Iterator[None]:
    try:
        yield
    except psycopg.OperationalError as error:
        raise StoreUnavailableError(f"{what}: {_first_line(error)}") from None
    except psycopg.Error as error:
        raise SchemaError(f"{what}: {_first_line(error)}") from None


def _first_line(error: psycopg.Error) -> str:
    """What follows it may quote rows."""
    return error.diag.message_primary or type(error).__name__
