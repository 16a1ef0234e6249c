"""Find our SQL: one query, one file, and the file's name is the query's name.

Each storage has a folder sql/<storage>/ with the same layout as sql/, which holds the shared files.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import NamedTuple, get_args

from psycopg import sql

from behavior_plugin.config import Storage

SQL = Path(__file__).resolve().parents[2] / "sql"

STORAGES: tuple[Storage, ...] = get_args(Storage)


class Migration(NamedTuple):
    """One file of SQL that brings a database to the next version."""

    version: int
    name: str
    file: Path


@cache
def query(name: str, storage: Storage | None = None) -> sql.SQL:
    """The query in queries/<name>.sql, of one storage or shared by all."""
    return sql.SQL((_folder(storage) / "queries" / f"{name}.sql").read_text(encoding="utf-8"))


def script(name: str, storage: Storage | None = None) -> bytes:
    """The statements in <name>.sql, of one storage or shared by all; psql can run the file as well."""
    return (_folder(storage) / f"{name}.sql").read_bytes()


def migrations(*storages: Storage) -> list[Migration]:
    """The shared migrations and those of these storages, in the order in which they run."""
    folders = [_folder(storage) / "migrations" for storage in (None, *storages)]
    files = [file for folder in folders for file in folder.glob("[0-9]*.sql")]
    return sorted(Migration(int(file.stem[:4]), file.stem[5:], file) for file in files)


def _folder(storage: Storage | None) -> Path:
    return SQL / storage if storage else SQL
