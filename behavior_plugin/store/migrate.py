"""Bring a database to the shape this version needs.

The files in sql/ do the work: each is one transaction under an advisory lock, notes itself in behavior.migrations,
and may run twice, so that `psql -f` can run them as well. Here is decided which are still due.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from behavior_plugin.errors import SchemaError, StoreUnavailableError
from behavior_plugin.store.query import STORAGES, Migration, Storage, migrations

NOT_MIGRATED = "Have the database's owner run `behavior db migrate`; until then events stay in the spool."


def migrate(owner: psycopg.Connection, storage: Storage = "behavior_patterns") -> list[str]:
    """Run what is due; returns the names of the files that ran. `owner` must be in autocommit mode.

    Raises:
        SchemaError: the database is newer than this version, refused a file, or does not let us look.
        StoreUnavailableError: the connection was lost, or the server is short of something for now.
    """
    due = due_migrations(owner, storage)
    for migration in due:
        _run(owner, migration)
    return [migration.file.name for migration in due]


def due_migrations(connection: psycopg.Connection, storage: Storage = "behavior_patterns") -> list[Migration]:
    """What a database still lacks. Raises as `migrate` does."""
    applied = _applied(connection)
    known = {migration.version for migration in migrations(*STORAGES)}
    if applied - known:
        raise SchemaError(
            f"The database has migration {max(applied)}, and this version knows only {max(known)}.",
            hint="Update the plugin; until then events stay in the spool.",
        )
    return [migration for migration in migrations(storage) if migration.version not in applied]


@contextmanager
def told(what: str, *, hint: str = "") -> Iterator[None]:
    """Tell what the server refuses in our words: what was being done, and what to do now.

    Raises:
        StoreUnavailableError: the connection was lost, or the server is short of something for now.
        SchemaError: anything else.
    """
    try:
        yield
    except psycopg.OperationalError as error:
        raise StoreUnavailableError(f"{what}: {_first_line(error)}") from None
    except psycopg.Error as error:
        raise SchemaError(f"{what}: {_first_line(error)}", hint=hint) from None


def _applied(connection: psycopg.Connection) -> set[int]:
    with told("behavior.migrations"):
        if connection.execute("select to_regclass('behavior.migrations')").fetchone() == (None,):
            return set()
        return {version for (version,) in connection.execute("select version from behavior.migrations")}


def _run(owner: psycopg.Connection, migration: Migration) -> None:
    with told(migration.file.name, hint=NOT_MIGRATED):
        try:
            owner.execute(migration.file.read_bytes())
        except psycopg.Error:
            if not owner.closed:
                owner.execute("rollback")
            raise


def _first_line(error: psycopg.Error) -> str:
    """What follows it may quote rows."""
    return error.diag.message_primary or type(error).__name__
