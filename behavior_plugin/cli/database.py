"""`behavior db`: look after the database that patterns are kept in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from behavior_plugin.cli.output import json_option, print_json
from behavior_plugin.worker.client import ask_worker

if TYPE_CHECKING:
    # Imported where it is used: psycopg and pydantic cost a tenth of a second each.
    import psycopg

    from behavior_plugin.config import Settings


@click.group()
def db() -> None:
    """Look after the database that patterns are kept in.

    It is the embedded server's, or that of BEHAVIOR_DATABASE_URL; these commands want the login of its owner.
    """


@db.command()
@json_option
def migrate(as_json: bool) -> None:
    """Bring the database to the shape that this version needs. The worker does so by itself where it may."""
    from behavior_plugin.store.migrate import migrate as run_migrations

    with _owner() as (owner, settings):
        done = run_migrations(owner, settings.storage)
    if as_json:
        return print_json(done)
    return click.echo("\n".join(done) or "Nothing was due.")


@contextmanager
def _owner() -> Iterator[tuple[psycopg.Connection, Settings]]:
    """A connection that may change the database, and the settings that name it."""
    from behavior_plugin import config
    from behavior_plugin.store import connect_as_owner

    settings = config.load()
    if not settings.database_url:
        ask_worker("list", limit=1)  # it owns the embedded server, and says why where it does not run
    with connect_as_owner(settings) as owner:
        yield owner, settings
