"""Find our SQL: one query, one file, and the file's name is the query's name."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from psycopg import sql

SQL = Path(__file__).resolve().parents[2] / "sql"


@cache
def query(name: str) -> sql.SQL:
    """The query in sql/queries/<name>.sql."""
    return sql.SQL((SQL / "queries" / f"{name}.sql").read_text(encoding="utf-8"))


def migrations() -> list[tuple[int, str, Path]]:
    """(version, name, file) of sql/migrations/, in the order they run."""
    files = sorted((SQL / "migrations").glob("[0-9]*.sql"))
    return [(int(file.stem[:4]), file.stem[5:], file) for file in files]
