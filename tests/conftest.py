"""What every test gets: a home of its own, and one embedded server for the whole run."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import psycopg
import pytest

from behavior_plugin.capture import paths
from behavior_plugin.config import Storage
from behavior_plugin.store.embedded.server import Server
from behavior_plugin.store.members import add_member, make_login
from behavior_plugin.store.migrate import migrate
from behavior_plugin.store.postgres import PostgresStore

LOGIN = "behavior_app"
_numbers = itertools.count(1)


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test reads or writes the home of whoever runs it."""
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    for name in [name for name in os.environ if name.startswith(("BEHAVIOR_", "CLAUDE", "OPENAI_", "XDG_"))]:
        if name != "BEHAVIOR_REQUIRE_CLIENT":
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("BEHAVIOR_HOME", str(home / "behavior"))
    return home


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The embedded Postgres, started once a run."""
    folder = tmp_path_factory.mktemp("pg")
    started = Server(folder / "postgres", Path(paths.make_private(str(folder / "run"))))
    started.start()
    yield started
    started.stop()


@pytest.fixture
def storage() -> Storage:
    """How patterns are stored; who wants both ways overrides this with parameters."""
    return "behavior_patterns"


@pytest.fixture(scope="session")
def templates(server: Server) -> Callable[[Storage], str]:
    """Migrated databases to copy: each test gets real roles, policies and functions in milliseconds."""

    @cache
    def made(storage: Storage) -> str:
        name = f"template_{storage}"
        with psycopg.connect(server.conninfo(), autocommit=True) as owner:
            owner.execute(f"create database {name}".encode())
        with psycopg.connect(server.conninfo(dbname=name), autocommit=True) as owner:
            migrate(owner, storage)
            make_login(owner, LOGIN, server.password)
            add_member(owner, LOGIN)
        return name

    return made


@pytest.fixture
def template(templates: Callable[[Storage], str], storage: Storage) -> str:
    return templates(storage)


@pytest.fixture
def database(server: Server, template: str) -> str:
    """The name of a database of the test's own."""
    name = f"test_{next(_numbers)}"
    with psycopg.connect(server.conninfo(), autocommit=True) as owner:
        owner.execute(f"create database {name} template {template}")
    return name


@pytest.fixture
def owner(server: Server, database: str) -> Iterator[psycopg.Connection]:
    """A connection that may do everything."""
    with psycopg.connect(server.conninfo(dbname=database), autocommit=True) as connection:
        yield connection


@pytest.fixture
def store(server: Server, database: str, storage: Storage) -> Iterator[PostgresStore]:
    """The store of the login's user, as the worker opens it."""
    opened = PostgresStore(server.conninfo(LOGIN, database), storage)
    yield opened
    opened.close()
