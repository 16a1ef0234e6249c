"""The door to the database: the embedded server, or a Postgres of the user's own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import psycopg

from behavior_plugin.capture import paths
from behavior_plugin.config import Settings
from behavior_plugin.errors import ConfigError, StoreUnavailableError
from behavior_plugin.store.connection import PATIENCE_S, PatientConnection, why_not
from behavior_plugin.store.members import add_member, join, make_login
from behavior_plugin.store.migrate import migrate
from behavior_plugin.store.postgres import PostgresStore
from behavior_plugin.store.server import Server
from behavior_plugin.store.upgrade import Upgraded, upgrade

DATABASE = "behavior"
LOGIN = "behavior_app"
# No part of the URL is shown: where a password is not escaped, any part may hold some of it.
OWN = "your own Postgres (BEHAVIOR_DATABASE_URL)"

__all__ = [
    "OpenStore",
    "PostgresStore",
    "Upgraded",
    "connect_as_owner",
    "open_as_owner",
    "open_store",
    "own_user",
    "upgrade_embedded",
]


class OpenStore:
    """A store that is ready for use, with the embedded server behind it where that is the one used."""

    def __init__(self, patterns: PostgresStore, where: str, server: Server | None) -> None:
        self.patterns = patterns
        self.where = where
        self._server = server

    def close(self) -> None:
        self.patterns.close()
        if self._server:
            self._server.stop()


def open_store(settings: Settings) -> OpenStore:
    """Open the store that the settings name, and bring its database to the shape that this version needs.

    To be called on a thread that lives as long as an embedded server should (see Server.start).

    Raises:
        StoreUnavailableError: the server does not start, or cannot be reached.
        SchemaError: the database is newer than this version, or lacks what this login may not add.
        ConfigError: the URL is none, or the user it names is not the login's.
    """
    return _open_own(settings) if settings.database_url else _open_embedded(settings)


@contextmanager
def connect_as_owner(settings: Settings) -> Iterator[psycopg.Connection]:
    """A connection that may change the database, in autocommit mode; an embedded server must be running already.

    Raises:
        StoreUnavailableError: the server cannot be reached.
        ConfigError: the URL is none.
    """
    url = settings.database_url.get_secret_value() if settings.database_url else _server().conninfo(dbname=DATABASE)
    with _connected(url) as connection:
        yield connection


@contextmanager
def open_as_owner(settings: Settings) -> Iterator[psycopg.Connection]:
    """The same, with an embedded server of one's own for as long as it takes; no worker may run.

    For what takes longer than an idle worker stays. Raises as `open_store` does.
    """
    if settings.database_url:
        with connect_as_owner(settings) as owner:
            yield owner
        return
    server = _server()
    try:
        server.start()
        _set_up(server, settings)
        with psycopg.connect(server.conninfo(dbname=DATABASE), autocommit=True) as owner:
            yield owner
    finally:
        server.stop()


def own_user(owner: psycopg.Connection, settings: Settings) -> UUID:
    """Whose patterns the worker of these settings keeps. Raises as `join` does."""
    return join(owner, settings.user_id) if settings.database_url else add_member(owner, LOGIN)


def upgrade_embedded(
    settings: Settings, *, old_binaries: Path | None = None, tell: Callable[[str], None] = lambda _: None
) -> Upgraded:
    """Upgrade the embedded server's data to the installed major version; no worker may run. Raises as `upgrade`."""
    return upgrade(_server(), set_up=lambda server: _set_up(server, settings), old_binaries=old_binaries, tell=tell)


def _open_embedded(settings: Settings) -> OpenStore:
    server = _server()
    server.start()
    try:
        _set_up(server, settings)
        patterns = PostgresStore(server.conninfo(LOGIN, DATABASE), settings.storage)
        return OpenStore(patterns, "embedded server", server)
    except BaseException:
        server.stop()
        raise


def _open_own(settings: Settings) -> OpenStore:
    assert settings.database_url
    database_url = settings.database_url.get_secret_value()
    with _connected(database_url, PatientConnection) as connection:
        migrate(connection, settings.storage)
        join(connection, settings.user_id)
    return OpenStore(PostgresStore(database_url, settings.storage), OWN, None)


def _server() -> Server:
    # libpq's variables are about other servers, and some (PGSERVICE, PGCHANNELBINDING) would lock us out of ours.
    for name in [name for name in os.environ if name.startswith("PG")]:
        del os.environ[name]
    return Server(Path(paths.in_data("postgres")), Path(paths.make_run_folder()))


@contextmanager
def _connected(url: str, kind: type[psycopg.Connection] = psycopg.Connection) -> Iterator[psycopg.Connection]:
    try:
        connection = kind.connect(url, autocommit=True, connect_timeout=PATIENCE_S)
    except psycopg.OperationalError as error:
        raise StoreUnavailableError(f"{OWN} {why_not(error)}.") from None
    except psycopg.Error as error:  # not a URL, or one with an unknown option
        raise ConfigError(f"BEHAVIOR_DATABASE_URL is of no use: {type(error).__name__}.") from None
    with connection:
        yield connection


def _set_up(server: Server, settings: Settings) -> None:
    """Make the database, bring it to the shape that this version needs, and let ourselves in."""
    _make_database(server)
    with psycopg.connect(server.conninfo(dbname=DATABASE), autocommit=True) as owner:
        migrate(owner, settings.storage)
        make_login(owner, LOGIN, server.password)
        add_member(owner, LOGIN)


def _make_database(server: Server) -> None:
    with psycopg.connect(server.conninfo(), autocommit=True) as owner:
        if not owner.execute("select 1 from pg_database where datname = %s", [DATABASE]).fetchone():
            owner.execute(f"create database {DATABASE}")
