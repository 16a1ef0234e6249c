"""The door to the database: the embedded server, or a Postgres of the user's own."""

from __future__ import annotations

import uuid
from pathlib import Path

import psycopg

from behavior_plugin.capture import paths
from behavior_plugin.errors import ConfigError, StoreUnavailableError
from behavior_plugin.store.migrate import make_login, make_user, migrate
from behavior_plugin.store.postgres import PostgresStore
from behavior_plugin.store.server import Server

DATABASE = "behavior"
LOGIN = "behavior_app"
# No part of the URL is shown: where a password is not escaped, any part may hold some of it.
OWN = "your own Postgres (BEHAVIOR_DATABASE_URL)"


__all__ = ["OpenStore", "PostgresStore", "open_embedded", "open_own"]


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


def open_embedded() -> OpenStore:
    """Start the embedded server, make or migrate its database, and open the store.

    To be called on a thread that lives as long as the server should (see Server.start).

    Raises:
        StoreUnavailableError: the server does not start.
        SchemaError: the data was made by a newer version.
    """
    server = Server(Path(paths.in_data("postgres")), Path(paths.make_run_folder()))
    server.start()
    try:
        _make_database(server)
        with psycopg.connect(server.conninfo(dbname=DATABASE), autocommit=True) as owner:
            migrate(owner)
            make_user(owner, local_user())
            make_login(owner, LOGIN, server.password)
        return OpenStore(PostgresStore(server.conninfo(LOGIN, DATABASE), local_user()), "embedded server", server)
    except BaseException:
        server.stop()
        raise


def open_own(database_url: str) -> OpenStore:
    """Open the store in a Postgres of the user's own, migrating it where the login may.

    Raises:
        StoreUnavailableError: the server cannot be reached.
        SchemaError: it lacks what is needed, or is newer than this version.
        ConfigError: the URL is none.
    """
    try:
        with psycopg.connect(database_url, autocommit=True, connect_timeout=5) as owner:
            migrate(owner)
            make_user(owner, local_user())
    except psycopg.OperationalError:
        raise StoreUnavailableError(f"{OWN} cannot be reached.") from None
    except psycopg.Error as error:  # not a URL, or one with an unknown option
        raise ConfigError(f"BEHAVIOR_DATABASE_URL is of no use: {type(error).__name__}.") from None
    return OpenStore(PostgresStore(database_url, local_user()), OWN, None)


def local_user() -> uuid.UUID:
    """Who we are in the database: made once, and kept in the data folder.

    Raises:
        ConfigError: the file is damaged. No new one is made: that would hide what has been learned.
    """
    file = Path(paths.in_data("user_id"))
    try:
        return uuid.UUID(file.read_text(encoding="ascii").strip())
    except FileNotFoundError:
        paths.make_private(paths.data_folder())
        made = file.with_suffix(".new")
        made.write_text(f"{uuid.uuid4()}\n", encoding="ascii")
        made.chmod(0o600)
        made.replace(file)
        return local_user()
    except ValueError:
        raise ConfigError(f"{file} is damaged.", hint="Put the id from a backup back; auth.users has it too.") from None


def _make_database(server: Server) -> None:
    with psycopg.connect(server.conninfo(), autocommit=True) as owner:
        if not owner.execute("select 1 from pg_database where datname = %s", [DATABASE]).fetchone():
            owner.execute(f"create database {DATABASE}")
