"""Fixtures of all tests: a private home directory for each, and one embedded server for the whole run."""

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
from behavior_plugin.store.migrate import migrate
from behavior_plugin.store.postgres import PostgresStore
from tests.database import LOGIN, made_database, member
from tests.settings import SETTINGS

_numbers = itertools.count(1)


@pytest.fixture(scope="session", autouse=True)
def no_settings_of_the_tester() -> Iterator[None]:
    """Remove the developer's settings for this plugin, agents, OpenAI and other servers from the environment."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(SETTINGS)]:
            if name != "BEHAVIOR_REQUIRE_CLIENT":
                patch.delenv(name)
        yield


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give each test a home directory, so that it never touches the developer's."""
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("BEHAVIOR_HOME", str(home / "behavior"))
    monkeypatch.setattr(paths, "_decided", {})
    return home


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The embedded Postgres, started once in each test process."""
    folder = tmp_path_factory.mktemp("pg")
    started = Server(folder / "postgres", Path(paths.make_private(str(folder / "run"))))
    started.start()
    with psycopg.connect(started.conninfo(), autocommit=True) as owner:
        # Test data need not survive a power cut, and waiting for the disk takes longer than most tests. Tests that
        # kill a server start another one.
        owner.execute("alter system set fsync = off")
        owner.execute("alter system set full_page_writes = off")
        owner.execute("select pg_reload_conf()")
    yield started
    started.stop()


@pytest.fixture
def storage() -> Storage:
    """The storage mode of a test; tests of both modes override this fixture with parameters."""
    return "behavior_patterns"


@pytest.fixture(scope="session")
def templates(server: Server) -> Callable[[Storage], str]:
    """Migrated databases to copy, so that each test has real roles, policies and functions in milliseconds."""

    @cache
    def made(storage: Storage) -> str:
        name = f"template_{storage}"
        with psycopg.connect(server.conninfo(), autocommit=True) as owner:
            owner.execute(f"create database {name}".encode())
        with psycopg.connect(server.conninfo(dbname=name), autocommit=True) as owner:
            migrate(owner, storage)
            member(owner, server, LOGIN)
        return name

    return made


@pytest.fixture
def template(templates: Callable[[Storage], str], storage: Storage) -> str:
    return templates(storage)


@pytest.fixture
def database(server: Server, template: str) -> Iterator[str]:
    """The name of a new database for this test."""
    with made_database(server, f"test_{next(_numbers)}", template=template) as name:
        yield name


@pytest.fixture
def owner(server: Server, database: str) -> Iterator[psycopg.Connection]:
    """A superuser's connection."""
    with psycopg.connect(server.conninfo(dbname=database), autocommit=True) as connection:
        yield connection


@pytest.fixture
def store(server: Server, database: str, storage: Storage) -> Iterator[PostgresStore]:
    """The store of the login's user, opened as the worker opens it."""
    opened = PostgresStore(server.conninfo(LOGIN, database), storage)
    yield opened
    opened.close()
