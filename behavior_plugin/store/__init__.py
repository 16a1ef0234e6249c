"""The door to the database: the embedded server, or a Postgres of the user's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from behavior_plugin.capture import paths
from behavior_plugin.config import Settings
from behavior_plugin.errors import ConfigError, StoreUnavailableError
from behavior_plugin.store.members import add_member, join, make_login
from behavior_plugin.store.migrate import migrate
from behavior_plugin.store.postgres import PostgresStore
from behavior_plugin.store.server import Server

DATABASE = "behavior"
LOGIN = "behavior_app"
# No part of the URL is shown: where a password is not escaped, any part may hold some of it.
OWN = "your own Postgres (BEHAVIOR_DATABASE_URL)"
# What libpq and the server say of a connection that they refuse, and what that means. The first that fits counts.
REFUSALS = {
    "password authentication failed": "refuses the password",
    "no password supplied": "wants a password, and the URL has none",
    "no pg_hba.conf entry": "does not let this login in from here",
    "certificate verify failed": "has a TLS certificate that sslrootcert does not vouch for",
    "does not match host name": "has a TLS certificate for another host name",
    "root certificate file": "is to be verified, and sslrootcert names no readable file",
    "does not support SSL": "does not speak TLS, which sslmode demands",
    "SSL required": "demands TLS, which sslmode forbids",
    "too many clients": "has no connection left",
    "remaining connection slots": "has no connection left",
    "too many connections": "has no connection left",
    "does not exist": "has no such database or login",
    "could not translate host name": "has a host name that nobody knows",
}

__all__ = ["OpenStore", "PostgresStore", "connect_as_owner", "open_store"]


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


def _open_embedded(settings: Settings) -> OpenStore:
    server = _server()
    server.start()
    try:
        _make_database(server)
        with psycopg.connect(server.conninfo(dbname=DATABASE), autocommit=True) as owner:
            migrate(owner, settings.storage)
            make_login(owner, LOGIN, server.password)
            add_member(owner, LOGIN)
        patterns = PostgresStore(server.conninfo(LOGIN, DATABASE), settings.storage)
        return OpenStore(patterns, "embedded server", server)
    except BaseException:
        server.stop()
        raise


def _open_own(settings: Settings) -> OpenStore:
    assert settings.database_url
    database_url = settings.database_url.get_secret_value()
    with _connected(database_url) as connection:
        migrate(connection, settings.storage)
        join(connection, settings.user_id)
    return OpenStore(PostgresStore(database_url, settings.storage), OWN, None)


def _server() -> Server:
    return Server(Path(paths.in_data("postgres")), Path(paths.make_run_folder()))


@contextmanager
def _connected(url: str) -> Iterator[psycopg.Connection]:
    try:
        connection = psycopg.connect(url, autocommit=True, connect_timeout=5)
    except psycopg.OperationalError as error:
        raise StoreUnavailableError(f"{OWN} {_why_not(error)}.") from None
    except psycopg.Error as error:  # not a URL, or one with an unknown option
        raise ConfigError(f"BEHAVIOR_DATABASE_URL is of no use: {type(error).__name__}.") from None
    with connection:
        yield connection


def _why_not(error: psycopg.OperationalError) -> str:
    """Why a connection was not made, in words of ours: the error's own may hold a part of the URL."""
    return next((why for said, why in REFUSALS.items() if said in str(error)), "cannot be reached")


def _make_database(server: Server) -> None:
    with psycopg.connect(server.conninfo(), autocommit=True) as owner:
        if not owner.execute("select 1 from pg_database where datname = %s", [DATABASE]).fetchone():
            owner.execute(f"create database {DATABASE}")
