"""Export and import rows, from one table to another or to a file, without any loss.

A row is one line of JSON: a pattern with every column of behavior_patterns, whichever storage it comes from, or an
episode or a remark with every column of its table. Only the database writes and reads it, so that numbers and dates
stay exactly as they were.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import groupby
from pathlib import Path
from shlex import quote
from typing import Any
from uuid import UUID

import psycopg
from psycopg import errors, sql

from behavior_plugin.config import Storage
from behavior_plugin.errors import SchemaError
from behavior_plugin.store.connection import value
from behavior_plugin.store.errors import translate_errors
from behavior_plugin.store.members import users_are_ours
from behavior_plugin.store.sql_files import query

# A row with its vector takes 20 to 30 kB; the longest ones take some megabytes.
BATCH = 100
BATCH_BYTES = 16_000_000
NOT_THE_OWNER = (
    "This needs a login that row level security does not restrict: the owner's, if it is a superuser or has bypassrls."
)
# Errors about the row, not about the connection or the table.
_ROW_ERRORS = (
    psycopg.IntegrityError,
    psycopg.DataError,
    errors.ProgramLimitExceeded,
    errors.StatementTooComplex,  # nested too deeply
)
# As the column allows; only a file that was written by hand has a longer key.
_MAX_KEY_CHARS = 200


class Kind(StrEnum):
    """The kinds of rows, in the order of a backup."""

    PATTERN = "pattern"
    EPISODE = "episode"
    REMARK = "remark"


# The tables that both storages share.
SHARED_TABLES = {Kind.EPISODE: "behavior.episodes", Kind.REMARK: "behavior.remarks"}
# The columns that name a row of one user.
_KEYS = {Kind.PATTERN: "id", Kind.EPISODE: "source_key", Kind.REMARK: "id"}


@dataclass(frozen=True)
class Skipped:
    """A row that was not copied, and why. Never its text. `id` is the key of an episode, or else an id."""

    id: str
    user_id: str
    reason: str


@dataclass
class Tally:
    """The numbers of rows that were added or present already, and the rows that were skipped."""

    added: int = 0
    present: int = 0
    skipped: list[Skipped] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        self.added += other.added
        self.present += other.present
        self.skipped += other.skipped

    @property
    def total(self) -> int:
        return self.added + self.present + len(self.skipped)


@contextmanager
def as_user(connection: psycopg.Connection, user_id: UUID) -> Iterator[None]:
    """A transaction that sees a snapshot of one user's rows.

    Raises:
        SchemaError: the connection lacks the rights, or the database is not migrated.
    """
    with translate_errors("The patterns cannot be read", hint="Run `behavior db migrate`."), connection.transaction():
        connection.execute(query("read_snapshot"))
        connection.execute(query("exact_output"))
        connection.execute(query("claim_user"), {"user_id": user_id})
        connection.execute(query("become_user"))
        yield


@contextmanager
def as_owner(owner: psycopg.Connection, *, snapshot: bool = False) -> Iterator[None]:
    """A transaction that sees all users' rows, with `snapshot` as they are when it begins.

    Raises:
        SchemaError: row level security applies to the connection, or the database is not migrated.
    """
    with (
        translate_errors("This login cannot access the patterns of all users", hint=NOT_THE_OWNER),
        owner.transaction(),
    ):
        if snapshot:
            owner.execute(query("read_snapshot"))
        owner.execute(query("exact_output"))
        owner.execute(query("bypass_row_security"))
        yield


def check_user(owner: psycopg.Connection, user_id: UUID) -> None:
    """Raise SchemaError if there is no such user. An owner without the right to look gets refused rows instead."""
    with translate_errors("auth.users"):
        if not value(owner, "select has_table_privilege('auth.users', 'select')"):
            return
        if not value(owner, "select exists (select from auth.users where id = %s)", [user_id]):
            raise SchemaError(
                f"There is no user {user_id}.",
                hint=f"Add the member first: `behavior db member add LOGIN --user-id {user_id}`. Without --user-id the "
                "patterns become yours.",
            )


def check_restorer(login: psycopg.Connection, storage: Storage, file: Path, user_id: UUID) -> None:
    """Raise SchemaError if the login may not restore one user's patterns, with the command for the owner."""
    with translate_errors(f"public.{storage}"):
        if not value(login, "select row_security_active(%s)", [f"public.{storage}"]):
            return
    command = f"behavior db restore {quote(str(file))} --user-id {user_id}"
    raise SchemaError(
        "Restoring sets ids and dates, which only the database's owner may do.",
        hint=f"Give the file to the owner: `{command}`. {NOT_THE_OWNER}",
    )


def parsed(line: str) -> dict[str, Any]:
    """Parse a row into keys and values; numbers stay text, since some are too long for Python.

    Raises:
        ValueError: it is not a row.
    """
    try:
        found = json.loads(line, parse_int=str, parse_float=str)
    except RecursionError:
        raise ValueError from None
    if not isinstance(found, dict):
        raise ValueError
    return found


def export_rows(connection: psycopg.Connection, storage: Storage, *, everyone: bool) -> Iterator[str]:
    """The rows that the open transaction sees: patterns, episodes, then remarks, in the order of their keys.

    Read them all before the transaction ends.
    """
    # A backup is also made before an update, which brings tables.
    for kind in (Kind.PATTERN, *shared_kinds(connection)):
        yield from export_kind(connection, kind, storage, everyone=everyone)


def export_kind(connection: psycopg.Connection, kind: Kind, storage: Storage, *, everyone: bool) -> Iterator[str]:
    """The rows of one kind."""
    exporting = {
        Kind.PATTERN: query("export_patterns", storage),
        Kind.EPISODE: query("export_episodes"),
        Kind.REMARK: query("export_remarks"),
    }
    with connection.cursor("exported") as cursor:
        cursor.itersize = BATCH
        for (line,) in cursor.execute(exporting[kind], {"everyone": everyone}):
            yield line


def shared_kinds(connection: psycopg.Connection) -> list[Kind]:
    """The kinds that both storages share, as far as the database has their tables."""
    asked = "select to_regclass(%s)"
    return [kind for kind, table in SHARED_TABLES.items() if value(connection, asked, [table]) is not None]


def kind_of(row: Mapping[str, Any]) -> Kind:
    """The kind of an exported row, by its columns."""
    if "turns" in row and "id" not in row:
        return Kind.EPISODE
    return Kind.REMARK if "made_at" in row and "trigger" not in row else Kind.PATTERN


def has_key(row: Mapping[str, Any]) -> bool:
    """Whether a row can be named if it is refused."""
    key = row.get(_KEYS[kind_of(row)])
    return is_id(key) if kind_of(row) is not Kind.EPISODE else isinstance(key, str) and bool(key)


def is_id(given: Any) -> bool:
    """Whether it is the text of a UUID."""
    try:
        return bool(UUID(given))
    except (TypeError, ValueError, AttributeError):
        return False


def import_rows(
    owner: psycopg.Connection, storage: Storage, lines: Iterable[str], *, user_id: UUID | None = None
) -> Tally:
    """Save rows unchanged in the open transaction, as rows of `user_id`, or of the users they name.

    Present rows stay as they are. A row that the table refuses is skipped, and the others are saved.
    """
    tally = Tally()
    # We must not create users of an application, and not every owner of a database may access their table.
    creates_users = user_id is None and users_are_ours(owner)
    importing = {
        Kind.PATTERN: query("import_patterns", storage),
        Kind.EPISODE: query("import_episodes"),
        Kind.REMARK: query("import_remarks"),
    }
    for kind, batch in _batches(lines):
        if creates_users:
            owner.execute(query("add_users"), {"user_ids": list({_key(line)[0] for line in batch})})
        tally.add(_import_batch(owner, importing[kind], batch, user_id))
    return tally


def _import_batch(owner: psycopg.Connection, importing: sql.SQL, lines: list[str], user_id: UUID | None) -> Tally:
    try:
        with owner.transaction():
            rows = owner.execute(importing, {"lines": lines, "user_id": user_id}).fetchall()
    except _ROW_ERRORS as error:
        if len(lines) == 1:
            return Tally(skipped=[_refused(lines[0], error)])
        tally = Tally()
        for line in lines:
            tally.add(_import_batch(owner, importing, [line], user_id))
        return tally
    return _count_rows(rows)


def _count_rows(rows: list[tuple[UUID, UUID | str, bool, bool]]) -> Tally:
    tally = Tally()
    for user_id, row_id, is_added, is_there in rows:
        if is_added:
            tally.added += 1
        elif is_there:
            tally.present += 1
        else:
            tally.skipped.append(Skipped(str(row_id), str(user_id), "its id belongs to another pattern"))
    return tally


def _refused(line: str, error: psycopg.Error) -> Skipped:
    """Name the refused row and the reason, without the text that PostgreSQL quotes."""
    user_id, row_id = _key(line)
    at = error.diag.constraint_name or error.diag.column_name
    return Skipped(row_id, user_id, f"refused: {type(error).__name__}" + (f", {at}" if at else ""))


def _key(line: str) -> tuple[str, str]:
    """The user and the id of a row, fit to be printed; in a file that somebody wrote by hand they may be anything."""
    row = parsed(line)
    key = str(row.get(_KEYS[kind_of(row)]))[:_MAX_KEY_CHARS]
    return str(row.get("user_id")), key if key.isprintable() else ascii(key)


def _batches(lines: Iterable[str]) -> Iterator[tuple[Kind, list[str]]]:
    """Batches of one kind of row, of which none is too large."""
    for kind, alike in groupby(lines, key=lambda line: kind_of(parsed(line))):
        batch: list[str] = []
        size = 0
        for line in alike:
            batch.append(line)
            size += len(line)
            if len(batch) >= BATCH or size >= BATCH_BYTES:
                yield kind, batch
                batch, size = [], 0
        if batch:
            yield kind, batch
