"""Databases without anything of ours."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import psycopg
import pytest

from behavior_plugin.store.embedded.server import Server

_numbers = itertools.count(1)


@pytest.fixture
def empty(server: Server) -> str:
    """The name of a database without anything of ours."""
    name = f"empty_{next(_numbers)}"
    with psycopg.connect(server.conninfo(), autocommit=True) as admin:
        admin.execute(f"create database {name}".encode())
    return name


@pytest.fixture
def fresh(server: Server, empty: str) -> Iterator[psycopg.Connection]:
    """A connection that may do everything, to a database without anything of ours."""
    with psycopg.connect(server.conninfo(dbname=empty), autocommit=True) as connection:
        yield connection
