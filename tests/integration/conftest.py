"""Databases without our objects, and a second user on one with them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import psycopg
import pytest

from behavior_plugin.config import Storage
from behavior_plugin.store.embedded.server import Server
from behavior_plugin.store.postgres import PostgresStore
from tests.database import made_database, member_store
from tests.integration.copying import Terminal

_numbers = itertools.count(1)


@pytest.fixture
def empty(server: Server) -> Iterator[str]:
    """The name of a database without our objects."""
    with made_database(server, f"empty_{next(_numbers)}") as name:
        yield name


@pytest.fixture
def fresh(server: Server, empty: str) -> Iterator[psycopg.Connection]:
    """The superuser's connection to a database without our objects."""
    with psycopg.connect(server.conninfo(dbname=empty), autocommit=True) as connection:
        yield connection


@pytest.fixture
def other_store(server: Server, owner: psycopg.Connection, storage: Storage) -> Iterator[PostgresStore]:
    """Another user's store on the same database."""
    with member_store(owner, server, "behavior_other", storage) as opened:
        yield opened


@pytest.fixture
def terminal(server: Server, database: str, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """The command `behavior` on the test's own database."""
    return Terminal(server, database, monkeypatch)
