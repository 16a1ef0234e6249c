"""Remove all that a storage added to a database, after its rows are backed up."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

import psycopg
from psycopg import sql

from behavior_plugin.config import Storage
from behavior_plugin.errors import SchemaError
from behavior_plugin.store.connection import value
from behavior_plugin.store.errors import translate_errors
from behavior_plugin.store.maintenance.rows import NOT_THE_OWNER, export_rows
from behavior_plugin.store.members import OURS
from behavior_plugin.store.sql_files import query, script

# Writes rows into a file; returns their number.
Save = Callable[[Iterable[str]], int]

# The table did not exist; it belongs to another program and stays; or it is dropped.
Fate = Literal["absent", "kept", "dropped"]

_HAS_ROWS = "--with-rows writes them into a file first, and prints the command that restores them."
_NO_PATTERNS = "Nothing was changed. Move or delete them yourself, then try again."
_DEPENDS = "Nothing was changed. Drop them if you no longer need them, then try again."


@dataclass(frozen=True)
class RolledBack:
    """The fate of the table, and the number of its rows that are gone."""

    table: Fate
    rows: int


def rollback(owner: psycopg.Connection, storage: Storage, save: Save | None = None) -> RolledBack:
    """Run <storage>/rollback.sql. `save` must back up the rows; without it, the table must be empty.

    Nobody can write in between: it is one transaction, and the table is locked.

    Raises:
        SchemaError: there are rows and no `save`, or rows that no backup can hold; something else depends on the
            table; or the connection lacks the rights. Nothing was changed then.
    """
    with translate_errors("The rollback was refused", hint=NOT_THE_OWNER):
        try:
            owner.execute("begin")
            fate = _fate(owner, storage)
            count = _save_rows(owner, storage, save) if fate == "dropped" else 0
            # Its "begin" only warns, since a transaction is open; its "commit" ends that one.
            owner.execute(script("rollback", storage))
        except psycopg.errors.DependentObjectsStillExist as error:
            raise SchemaError(
                f"Other objects depend on the table: {error.diag.message_detail}", hint=_DEPENDS
            ) from None
        finally:
            if not owner.closed:
                owner.rollback()
    return RolledBack(fate, count)


def _fate(owner: psycopg.Connection, storage: Storage) -> Fate:
    """Predict the effect of the script on the table: it leaves another program's memories table."""
    [(name, comment)] = owner.execute(
        "select to_regclass(%(table)s), obj_description(to_regclass(%(table)s))", {"table": f"public.{storage}"}
    )
    if name is None:
        return "absent"
    return "dropped" if storage == "behavior_patterns" or (comment or "").startswith(OURS) else "kept"


def _save_rows(owner: psycopg.Connection, storage: Storage, save: Save | None) -> int:
    table = sql.Identifier("public", storage)
    owner.execute("set local lock_timeout = '10s'")
    owner.execute(sql.SQL("lock table {} in access exclusive mode").format(table))
    owner.execute(query("exact_output"))
    owner.execute(query("bypass_row_security"))
    count = int(value(owner, sql.SQL("select count(*) from {}").format(table)))
    if count and save is None:
        raise SchemaError(f"There are {count} rows in public.{storage}.", hint=_HAS_ROWS)
    if count and save:
        saved = save(export_rows(owner, storage, everyone=True))
        if saved != count:
            raise SchemaError(
                f"{count - saved} of {count} rows are not patterns, so the backup does not contain them.",
                hint=_NO_PATTERNS,
            )
        owner.execute("set local behavior.rollback_with_rows = 'yes'")
    return count
