"""Open the pattern store: the embedded server, or the user's own Postgres."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import psycopg

from behavior_plugin.config import EMBEDDED, YOUR_POSTGRES, Settings, apply_environment
from behavior_plugin.errors import ConfigError, StoreUnavailableError
from behavior_plugin.store.connection import TIMEOUT_S, MigrationConnection
from behavior_plugin.store.embedded.database import DATABASE, LOGIN, our_server, rewrite, set_up
from behavior_plugin.store.embedded.server import Server
from behavior_plugin.store.errors import connect_failure, hint_for
from behavior_plugin.store.members import add_member, join
from behavior_plugin.store.migrate import migrate
from behavior_plugin.store.postgres import PostgresStore

NOT_OUR_FILES = (
    "your own Postgres keeps deleted rows in its files until it vacuums them, and in its write-ahead log and backups "
    "as long as its owner set"
)
URL_FORM = (
    "Write it as postgresql://login:password@host:5432/database; in the password, characters such as @ : / ? # % [ ] "
    "must be percent-encoded (@ is %40)."
)


class OpenStore:
    """An open store, together with the embedded server if it uses one."""

    def __init__(self, patterns: PostgresStore, where: str, server: Server | None) -> None:
        self.patterns = patterns
        self.where = where
        self._server = server

    def rewrite_files(self) -> str:
        """Free the embedded server's files of deleted rows; returns the reason if that was not possible."""
        if self._server is None:
            return NOT_OUR_FILES
        try:
            rewrite(self._server)
        except (psycopg.Error, StoreUnavailableError) as error:
            return f"the embedded server's files were not rewritten ({type(error).__name__})"
        return ""

    def close(self) -> None:
        self.patterns.close()
        if self._server:
            self._server.stop()


def open_store(settings: Settings) -> OpenStore:
    """Open the store that the settings name, and migrate its database.

    Raises:
        StoreUnavailableError: the server does not start, or cannot be reached.
        SchemaError: the database is newer than this version, or needs a migration that this login may not run.
        ConfigError: the setting database_url is not a URL, or user_id is not the login's user.
    """
    apply_environment(settings)
    return _open_own(settings) if settings.database_url else _open_embedded(settings)


@contextmanager
def connect_as_owner(settings: Settings) -> Iterator[psycopg.Connection]:
    """Connect as the database's owner, in autocommit mode; an embedded server must already run.

    Raises:
        StoreUnavailableError: the server cannot be reached.
        ConfigError: the setting database_url is not a URL.
    """
    apply_environment(settings)
    if settings.database_url:
        url, where = settings.database_url.get_secret_value(), YOUR_POSTGRES
    else:
        url, where = our_server().conninfo(dbname=DATABASE), EMBEDDED
    with _connected(url, where) as owner:
        yield owner


@contextmanager
def open_as_owner(settings: Settings) -> Iterator[psycopg.Connection]:
    """Connect as the owner, and start the embedded server if it is used; no worker may be running.

    For work that may take longer than an idle worker lives. Raises as `open_store` does.
    """
    if settings.database_url:
        with connect_as_owner(settings) as owner:
            yield owner
        return
    apply_environment(settings)
    server = our_server()
    try:
        server.start()
        set_up(server, settings.storage)
        with psycopg.connect(server.conninfo(dbname=DATABASE), autocommit=True) as owner:
            yield owner
    finally:
        server.stop()


def own_user(owner: psycopg.Connection, settings: Settings) -> UUID:
    """The user of the patterns that a worker with these settings stores. Raises as `join` does."""
    return join(owner, settings.user_id) if settings.database_url else add_member(owner, LOGIN)


def _open_embedded(settings: Settings) -> OpenStore:
    server = our_server()
    server.start()
    try:
        set_up(server, settings.storage)
        patterns = PostgresStore(server.conninfo(LOGIN, DATABASE), settings.storage)
        return OpenStore(patterns, EMBEDDED, server)
    except BaseException:
        server.stop()
        raise


def _open_own(settings: Settings) -> OpenStore:
    assert settings.database_url
    database_url = settings.database_url.get_secret_value()
    with _connected(database_url, YOUR_POSTGRES, MigrationConnection) as connection:
        migrate(connection, settings.storage)
        join(connection, settings.user_id)
    return OpenStore(PostgresStore(database_url, settings.storage), YOUR_POSTGRES, None)


@contextmanager
def _connected(
    url: str, where: str, kind: type[psycopg.Connection] = psycopg.Connection
) -> Iterator[psycopg.Connection]:
    try:
        connection = kind.connect(url, autocommit=True, connect_timeout=TIMEOUT_S)
    except psycopg.OperationalError as error:
        raise StoreUnavailableError(f"{where} {connect_failure(error)}.", hint=hint_for(error)) from None
    except psycopg.Error:  # not a URL, or one with an unknown option
        raise ConfigError("The setting database_url is not a valid connection URL.", hint=URL_FORM) from None
    with connection:
        yield connection
