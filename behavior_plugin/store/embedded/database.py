"""Our database on the embedded server, and our login to it."""

from __future__ import annotations

import os
from pathlib import Path

import psycopg

from behavior_plugin.capture import paths
from behavior_plugin.config import Storage
from behavior_plugin.store.connection import value
from behavior_plugin.store.embedded.server import Server
from behavior_plugin.store.members import add_member, make_login
from behavior_plugin.store.migrate import migrate

DATABASE = "behavior"
LOGIN = "behavior_app"


def our_server() -> Server:
    """The server of our data folder, not started."""
    # libpq's variables are meant for other servers, and some (PGSERVICE, PGCHANNELBINDING) would lock us out of ours.
    for name in [name for name in os.environ if name.startswith("PG")]:
        del os.environ[name]
    return Server(Path(paths.in_data("postgres")), Path(paths.make_run_folder()))


def set_up(server: Server, storage: Storage) -> None:
    """Create the database, migrate it, and create our login to it."""
    _create_database(server)
    with psycopg.connect(server.conninfo(dbname=DATABASE), autocommit=True) as owner:
        migrate(owner, storage)
        make_login(owner, LOGIN, server.password)
        add_member(owner, LOGIN)


def _create_database(server: Server) -> None:
    with psycopg.connect(server.conninfo(), autocommit=True) as owner:
        if not value(owner, "select exists (select from pg_database where datname = %s)", [DATABASE]):
            owner.execute(f"create database {DATABASE}")
