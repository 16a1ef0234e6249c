"""Write and read exports: a line of JSON for each record, with its `kind` and its `row`.

A backup has every column of every row; an export leaves out what is made again: vectors, the computed links between
rows, and whose rows they are. So it can be read, compared, and imported as another user's. The server rewrites the
rows, since Python would round their numbers.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import groupby, islice
from typing import Any, Final

import psycopg

from behavior_plugin import __version__
from behavior_plugin.errors import BehaviorError
from behavior_plugin.store.maintenance.rows import BATCH, Kind, has_key, kind_of, parsed
from behavior_plugin.store.sql_files import query

FORMAT: Final = "behavior-plugin export"
VERSION = 1
HEAD = "export"
# Made again by the next worker.
_COMPUTED = ("trigger_embedding", "embedding_model", "pattern_key", "is_folded", "updated_at")
_LEFT_OUT: dict[Kind, list[str]] = {
    Kind.PATTERN: ["user_id", *_COMPUTED],
    Kind.EPISODE: ["user_id", *_COMPUTED],
    Kind.REMARK: ["user_id"],
}
_HINT = "Nothing was changed. Give the file that `behavior export` wrote."


def head() -> str:
    """The first record of an export."""
    return record(HEAD, {"format": FORMAT, "version": VERSION, "made_by": __version__})


def record(kind: str, row: dict[str, Any]) -> str:
    return json.dumps({"kind": kind, "row": row}, ensure_ascii=False)


def records(connection: psycopg.Connection, rows: Iterable[str]) -> Iterator[str]:
    """The records of rows that a backup has: patterns, episodes, then remarks."""
    for kind, alike in groupby(rows, key=lambda line: kind_of(parsed(line))):
        waiting = iter(alike)
        while batch := list(islice(waiting, BATCH)):
            values = {"kind": kind.value, "left_out": _LEFT_OUT[kind], "lines": batch}
            yield from (text for (text,) in connection.execute(query("export_records"), values).fetchall())


def read(lines: Iterable[str], name: str) -> Iterator[tuple[str, str]]:
    """The records of an export after its head, each with its kind. Messages call it `name`.

    Raises:
        BehaviorError: it is not an export, or a later version's, or a line of it is damaged.
    """
    number = 0
    for number, line in enumerate(lines, start=1):
        try:
            fields = parsed(line)
            kind, row = str(fields["kind"]), dict(fields["row"])
        except (ValueError, KeyError, TypeError):
            raise BehaviorError(f"{name} is not an export, or is damaged at line {number}.", hint=_HINT) from None
        if number == 1:
            _check_head(kind, row, name)
        elif kind in set(Kind) and (kind_of(row) != kind or not has_key(row)):
            raise BehaviorError(f"{name} is damaged at line {number}.", hint=_HINT)
        else:
            yield kind, line
    if not number:
        raise BehaviorError(f"{name} is empty.", hint=_HINT)


def rows_of(connection: psycopg.Connection, found: Iterable[tuple[str, str]]) -> Iterator[str]:
    """The rows of records, as a backup has them. Records of other kinds are left out."""
    texts = (line for kind, line in found if kind in set(Kind))
    while batch := list(islice(texts, BATCH)):
        yield from (line for (line,) in connection.execute(query("import_records"), {"records": batch}).fetchall())


def _check_head(kind: str, row: dict[str, Any], name: str) -> None:
    if kind != HEAD or row.get("format") != FORMAT:
        raise BehaviorError(f"{name} is not an export of behavior-plugin.", hint=_HINT)
    if row.get("version") != str(VERSION):
        raise BehaviorError(f"{name} is an export of a later version.", hint="Update the plugin, then try again.")
