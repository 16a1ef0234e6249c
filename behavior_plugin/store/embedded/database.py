"""Our database on the embedded server, and our login to it."""

from __future__ import annotations

import os
from pathlib import Path

import psycopg
from psycopg import sql

from behavior_plugin.capture import paths
from behavior_plugin.config import Storage
from behavior_plugin.store.connection import value
from behavior_plugin.store.embedded.server import Server
from behavior_plugin.store.members import add_member, make_login
from behavior_plugin.store.migrate import migrate

DATABASE = "behavior"
LOGIN = "behavior_app"
# The tables that have what was learned.
TABLES = ("behavior.episodes", "behavior.remarks", "public.behavior_patterns", "public.memories")
# More than the write-ahead log may have: 256 MB, in segments of 16 MB.
MAX_SEGMENTS = 20
_LATER_SEGMENTS = "select count(*) from pg_ls_waldir() where name > pg_walfile_name(pg_current_wal_insert_lsn())"


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


def rewrite(server: Server) -> None:
    """Rewrite our tables without the rows that were deleted, and leave no old write-ahead log.

    Deleting only marks rows: their text stays in the files, and a plain vacuum leaves it there too. Prompts wait
    meanwhile, and it takes the room of the largest table once more.

    Raises:
        psycopg.Error: not everything was rewritten; do it again.
    """
    with psycopg.connect(server.conninfo(dbname=DATABASE), autocommit=True) as owner:
        owner.execute("set lock_timeout = '15s'")
        for name in TABLES:
            if value(owner, "select to_regclass(%s)", [name]) is not None:
                owner.execute(sql.SQL("vacuum (full) {}").format(sql.Identifier(*name.split("."))))
        # Segments that an earlier server recycled have old pages in them, under names that come later.
        for _ in range(MAX_SEGMENTS):
            owner.execute("checkpoint")
            owner.execute("select pg_switch_wal()")
            if not value(owner, _LATER_SEGMENTS):
                break
        owner.execute("checkpoint")


def _create_database(server: Server) -> None:
    with psycopg.connect(server.conninfo(), autocommit=True) as owner:
        if not value(owner, "select exists (select from pg_database where datname = %s)", [DATABASE]):
            owner.execute(f"create database {DATABASE}")
