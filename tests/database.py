"""SQL in tests: two users, how they keep a row, and short ways to ask a database something."""

from __future__ import annotations

import os
import subprocess
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from behavior_plugin.config import Storage
from behavior_plugin.store.embedded import binaries
from behavior_plugin.store.embedded.server import Server

A = "aaaaaaaa-0000-4000-8000-00000000000a"
B = "bbbbbbbb-0000-4000-8000-00000000000b"
VECTOR = str([1] * 1536)
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


def make_user(owner: psycopg.Connection, user: str) -> None:
    owner.execute("insert into auth.users (id) values (%s)", [user])


def insert(connection: psycopg.Connection, user: str, key: str, storage: Storage = "behavior_patterns") -> None:
    """Keep a pattern as SQL does it, whoever the connection says it is."""
    connection.execute(INSERT[storage].encode(), {"user": user, "key": key, "vector": VECTOR})


def ask(connection: psycopg.Connection, question: str, values: list[Any] | dict[str, Any] | None = None) -> Any:
    """The one value that a query returns."""
    row = connection.execute(question.encode(), values).fetchone()
    assert row is not None
    return row[0]


def rows(connection: psycopg.Connection, question: str) -> list[tuple[Any, ...]]:
    return connection.execute(question.encode()).fetchall()


def run_program(server: Server, name: str, dbname: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run one of Postgres' own programs on a database; the password goes by the environment."""
    to = conninfo_to_dict(server.conninfo(dbname=dbname))
    names = {"PGHOST": "host", "PGPORT": "port", "PGUSER": "user", "PGPASSWORD": "password", "PGDATABASE": "dbname"}
    environment = {**os.environ, **{variable: str(to[key]) for variable, key in names.items()}}
    command = [binaries.find().program(name), *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)


def dump(server: Server, dbname: str, *options: str) -> str:
    """A whole database, or of it what the options say, without the key that each dump makes up."""
    done = run_program(server, "pg_dump", dbname, *options)
    assert done.returncode == 0, done.stderr
    return "\n".join(line for line in done.stdout.splitlines() if not line.startswith(("\\restrict", "\\unrestrict")))
