"""Bring a database to the shape this version needs.

The files in sql/ do the work: each is one transaction under an advisory lock, notes itself in behavior.migrations,
and may run twice, so that `psql -f` can run them as well. Here is decided which are still due.
"""

from __future__ import annotations

import psycopg

from behavior_plugin.config import Storage
from behavior_plugin.errors import SchemaError
from behavior_plugin.store.connection import run_script, value
from behavior_plugin.store.errors import translate_errors
from behavior_plugin.store.sql_files import STORAGES, Migration, migrations

NOT_MIGRATED = "Have the database's owner run `behavior db migrate`; until then events stay in the spool."


def migrate(owner: psycopg.Connection, storage: Storage = "behavior_patterns") -> list[str]:
    """Run the migrations that are due; returns the names of their files. `owner` must be in autocommit mode.

    Raises:
        SchemaError: the database is newer than this version, refused a file, or does not let this login read its state.
        StoreUnavailableError: the connection was lost, or the server is short of resources for now.
    """
    due = _due(owner, storage)
    for migration in due:
        with translate_errors(migration.file.name, hint=NOT_MIGRATED):
            run_script(owner, migration.file.read_bytes())
    return [migration.file.name for migration in due]


def _due(connection: psycopg.Connection, storage: Storage) -> list[Migration]:
    applied = applied_migrations(connection)
    known = {migration.version for migration in migrations(*STORAGES)}
    if unknown := applied - known:
        raise SchemaError(
            f"The database has migration {max(unknown)}, which this version does not know.",
            hint="Update the plugin; until then events stay in the spool.",
        )
    return [migration for migration in migrations(storage) if migration.version not in applied]


def applied_migrations(connection: psycopg.Connection) -> set[int]:
    """The numbers of the migrations that a database has. Raises as `migrate` does."""
    with translate_errors("behavior.migrations"):
        if value(connection, "select to_regclass('behavior.migrations')") is None:
            return set()
        return {version for (version,) in connection.execute("select version from behavior.migrations")}
