"""Remove all that a storage added to a database, after its rows are backed up."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import chain
from typing import Literal

import psycopg
from psycopg import sql

from behavior_plugin.config import Storage
from behavior_plugin.errors import SchemaError
from behavior_plugin.store.connection import value
from behavior_plugin.store.errors import translate_errors
from behavior_plugin.store.maintenance.rows import NOT_THE_OWNER, SHARED_TABLES, Kind, export_kind, shared_kinds
from behavior_plugin.store.members import OURS
from behavior_plugin.store.migrate import applied_migrations
from behavior_plugin.store.sql_files import migrations, query, script

# Writes rows into a file; returns their number.
Save = Callable[[Iterable[str]], int]

# The table did not exist; it stays, since somebody else needs it; or it is dropped.
Fate = Literal["absent", "kept", "dropped"]

_HAS_ROWS = "--with-rows writes them into a file first, and prints the command that restores them."
_NO_PATTERNS = "Nothing was changed. Move or delete them yourself, then try again."
_DEPENDS = "Nothing was changed. Drop them if you no longer need them, then try again."


@dataclass(frozen=True)
class RolledBack:
    """The fates of the table of patterns and of the evidence with its remarks, and the number of rows that are gone."""

    table: Fate
    evidence: Fate
    rows: int


def rollback(owner: psycopg.Connection, storage: Storage, save: Save | None = None) -> RolledBack:
    """Run <storage>/rollback.sql. `save` must back up the rows; without it, the tables must be empty.

    Nobody can write in between: it is one transaction, and the tables are locked.

    Raises:
        SchemaError: there are rows and no `save`, or rows that no backup can hold; something else depends on the
            table; or the connection lacks the rights. Nothing was changed then.
    """
    with translate_errors("The rollback was refused", hint=NOT_THE_OWNER):
        try:
            owner.execute("begin")
            table, evidence = _table_fate(owner, storage), _evidence_fate(owner, storage)
            count = _save_rows(owner, _dropped(owner, storage, table, evidence), save)
            # Its "begin" only warns, since a transaction is open; its "commit" ends that one.
            owner.execute(script("rollback", storage))
        except psycopg.errors.DependentObjectsStillExist as error:
            raise SchemaError(
                f"Other objects depend on the table: {error.diag.message_detail}", hint=_DEPENDS
            ) from None
        finally:
            if not owner.closed:
                owner.rollback()
    return RolledBack(table, evidence, count)


def _table_fate(owner: psycopg.Connection, storage: Storage) -> Fate:
    """Predict the effect of the script on the table: it leaves another program's memories table."""
    [(name, comment)] = owner.execute(
        "select to_regclass(%(table)s), obj_description(to_regclass(%(table)s))", {"table": f"public.{storage}"}
    )
    if name is None:
        return "absent"
    return "dropped" if storage == "behavior_patterns" or (comment or "").startswith(OURS) else "kept"


def _evidence_fate(owner: psycopg.Connection, storage: Storage) -> Fate:
    """Predict the effect of the script on what both storages share: it stays while another storage needs it."""
    if not shared_kinds(owner):
        return "absent"
    # By hundreds, as in the script: a newer version may have added migrations.
    ours = {migration.version // 100 for migration in migrations(storage)}
    return "kept" if {version // 100 for version in applied_migrations(owner)} - ours else "dropped"


def _dropped(owner: psycopg.Connection, storage: Storage, table: Fate, evidence: Fate) -> dict[str, Iterable[str]]:
    """The tables that will be dropped, each with its exported rows."""
    kinds = {Kind.PATTERN: f"public.{storage}"} if table == "dropped" else {}
    if evidence == "dropped":
        kinds |= {kind: SHARED_TABLES[kind] for kind in shared_kinds(owner)}
    return {name: export_kind(owner, kind, storage, everyone=True) for kind, name in kinds.items()}


def _save_rows(owner: psycopg.Connection, dropped: dict[str, Iterable[str]], save: Save | None) -> int:
    """Back up the rows of the tables that will be dropped; returns their number."""
    names = {name: sql.Identifier(*name.split(".")) for name in dropped}
    owner.execute("set local lock_timeout = '10s'")
    for name in names.values():
        owner.execute(sql.SQL("lock table {} in access exclusive mode").format(name))
    owner.execute(query("exact_output"))
    owner.execute(query("bypass_row_security"))
    counts = {each: int(value(owner, sql.SQL("select count(*) from {}").format(names[each]))) for each in dropped}
    count = sum(counts.values())
    if count and save is None:
        filled = ", ".join(each for each, rows in counts.items() if rows)
        raise SchemaError(f"There are {count} rows in {filled}.", hint=_HAS_ROWS)
    if count and save:
        saved = save(chain.from_iterable(dropped.values()))
        if saved < count:
            raise SchemaError(
                f"{count - saved} of {count} rows are not patterns, so the backup does not contain them.",
                hint=_NO_PATTERNS,
            )
        owner.execute("set local behavior.rollback_with_rows = 'yes'")
    return count
