"""Remove what a way of storing added to a database, once its rows are safe in a file."""

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

# Writes rows into a file; returns how many.
Save = Callable[[Iterable[str]], int]

# What became of it: it was not there; it was another program's before us, and stays; or it is dropped.
Fate = Literal["absent", "kept", "dropped"]

_HAS_ROWS = "--with-rows writes them into a file first, and says how to bring them back."
_NO_PATTERNS = "Nothing was changed. Move or delete them yourself, then try again."
_DEPENDS = "Nothing was changed. Drop it yourself if it is not needed any more, then try again."


@dataclass(frozen=True)
class RolledBack:
    """What became of the table, and how many rows went with it."""

    table: Fate
    rows: int


def rollback(owner: psycopg.Connection, storage: Storage, save: Save | None = None) -> RolledBack:
    """Run <storage>/rollback.sql. `save` must keep the rows that go; without it, no row may be there.

    Nobody can write between the two: it is one transaction, and the table is locked.

    Raises:
        SchemaError: there are rows and no `save`, or rows that no backup holds; something else depends on the
            table; or the connection may not do that. Nothing was changed then.
    """
    with translate_errors("The rollback was refused", hint=NOT_THE_OWNER):
        try:
            owner.execute("begin")
            fate = _fate(owner, storage)
            count = _save_rows(owner, storage, save) if fate == "dropped" else 0
            # Its "begin" finds a transaction open and only warns; its "commit" ends it.
            owner.execute(script("rollback", storage))
        except psycopg.errors.DependentObjectsStillExist as error:
            raise SchemaError(f"Something else needs the table: {error.diag.message_detail}", hint=_DEPENDS) from None
        finally:
            if not owner.closed:
                owner.rollback()
    return RolledBack(fate, count)


def _fate(owner: psycopg.Connection, storage: Storage) -> Fate:
    """What the script will do with the table: one of memories that was there before us stays."""
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
                f"{count - saved} of {count} rows are not patterns: no backup has them.", hint=_NO_PATTERNS
            )
        owner.execute("set local behavior.rollback_with_rows = 'yes'")
    return count
