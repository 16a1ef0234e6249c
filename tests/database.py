"""SQL helpers for tests: two users, their rows, and short ways to query a database."""

from __future__ import annotations

import math
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any
from uuid import UUID

import psycopg
from psycopg.conninfo import conninfo_to_dict

from behavior_plugin.config import Storage
from behavior_plugin.store import Computed
from behavior_plugin.store.embedded import binaries
from behavior_plugin.store.embedded.server import Server
from behavior_plugin.store.members import add_member, make_login
from behavior_plugin.store.postgres import PostgresStore
from behavior_plugin.workflow import Pattern, Saved

LOGIN = "behavior_app"
A = "aaaaaaaa-0000-4000-8000-00000000000a"
B = "bbbbbbbb-0000-4000-8000-00000000000b"
VECTOR = str([1] * 1536)
# Another program's table; its policy identifies the user with the expression `who`.
FOUND_MEMORIES = """
create table public.memories (
    id uuid primary key default gen_random_uuid(), user_id uuid not null, type text not null, content text,
    metadata jsonb, embedding extensions.vector(1536), created_at timestamptz default now(),
    updated_at timestamptz default '2026-02-02', tags text[] not null default '{{}}', note text
);
alter table public.memories enable row level security;
create policy mine on public.memories to authenticated using ((select {who}) = user_id);
grant select, insert, update, delete on public.memories to anon, authenticated;
"""
INSERT: dict[Storage, str] = {
    "behavior_patterns": """
        insert into public.behavior_patterns
               (user_id, source_key, session_id, project, trigger, trigger_embedding, embedding_model,
                final_outcome, started_at)
        values (%(user)s, %(key)s, 'session', 'project', 'Fix the test', %(vector)s, 'model',
                'success', now())""",
    "memories": """
        insert into public.memories (user_id, type, content, metadata, embedding)
        values (%(user)s, 'workflow', '{"trigger": "Fix the test", "actions": [], "outcome": "success"}',
                jsonb_build_object('source_key', %(key)s::text, 'session_id', 'session', 'project', 'project',
                                   'embedding_model', 'model'),
                %(vector)s)""",
}


@contextmanager
def made_database(server: Server, name: str, *, template: str = "template1") -> Iterator[str]:
    """A database for the duration of the block; it takes 8 MB of the disk, and dropping it 20 ms."""
    with psycopg.connect(server.conninfo(), autocommit=True) as admin:
        # Without fsync, copying the files is faster than copying through the write-ahead log.
        admin.execute(f"create database {name} template {template} strategy file_copy".encode())
        yield name
        admin.execute(f"drop database if exists {name} with (force)".encode())


def make_user(owner: psycopg.Connection, user: str) -> None:
    owner.execute("insert into auth.users (id) values (%s)", [user])


def make_memories(owner: psycopg.Connection, *, who: str = "auth.uid()") -> None:
    """Create a table of memories as another program might have."""
    owner.execute(FOUND_MEMORIES.format(who=who).encode())


def member(owner: psycopg.Connection, server: Server, login: str, user: UUID | None = None) -> UUID:
    """Create a login with the server's password, and make it a member; returns its user."""
    make_login(owner, login, server.password)
    return add_member(owner, login, user)


def member_store(
    owner: psycopg.Connection, server: Server, login: str = LOGIN, storage: Storage = "behavior_patterns"
) -> closing[PostgresStore]:
    """A member's store in the owner's database."""
    member(owner, server, login)
    return closing(PostgresStore(server.conninfo(login, owner.info.dbname), storage))


def save(
    store: PostgresStore, pattern: Pattern, embedding: Sequence[float] | None = None, model: str | None = None
) -> Saved:
    """Save a pattern as it is; returns the effect."""
    with store.evidence() as evidence:
        return evidence.save_pattern(Computed(pattern, embedding, model))


def pointing(*numbers: float) -> list[float]:
    """An embedding: these numbers first, then zeros."""
    return [*numbers, *[0.0] * (1536 - len(numbers))]


def at_angle(degrees: float) -> list[float]:
    """An embedding whose similarity to `pointing(1)` is the angle's cosine."""
    return pointing(math.cos(math.radians(degrees)), math.sin(math.radians(degrees)))


def count_use(store: PostgresStore, source_key: str) -> bool:
    """Count that work followed a pattern; false if there is no such pattern."""
    with store.evidence() as evidence:
        return evidence.count_use(source_key)


def insert(connection: psycopg.Connection, user: str, key: str, storage: Storage = "behavior_patterns") -> None:
    """Insert a pattern with plain SQL, as the connection's current identity."""
    connection.execute(INSERT[storage].encode(), {"user": user, "key": key, "vector": VECTOR})


def ask(connection: psycopg.Connection, question: str, values: list[Any] | dict[str, Any] | None = None) -> Any:
    """The single value that a query returns."""
    row = connection.execute(question.encode(), values).fetchone()
    assert row is not None
    return row[0]


def rows(connection: psycopg.Connection, question: str) -> list[tuple[Any, ...]]:
    return connection.execute(question.encode()).fetchall()


def run_program(server: Server, name: str, dbname: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run one of Postgres' own programs on a database; the password is passed in the environment."""
    to = conninfo_to_dict(server.conninfo(dbname=dbname))
    names = {"PGHOST": "host", "PGPORT": "port", "PGUSER": "user", "PGPASSWORD": "password", "PGDATABASE": "dbname"}
    environment = {**os.environ, **{variable: str(to[key]) for variable, key in names.items()}}
    command = [binaries.find().program(name), *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)


def dump(server: Server, dbname: str, *options: str) -> str:
    """A dump of a database, or of the parts that the options select, without the random key in each dump."""
    done = run_program(server, "pg_dump", dbname, *options)
    assert done.returncode == 0, done.stderr
    return "\n".join(line for line in done.stdout.splitlines() if not line.startswith(("\\restrict", "\\unrestrict")))
