"""The owner's connection, as commands need it: beside the worker, or in its place."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from behavior_plugin.worker.client import ask_worker
from behavior_plugin.worker.lock import worker_stopped

if TYPE_CHECKING:
    # Imported where it is used: psycopg and pydantic cost a tenth of a second each.
    import psycopg

    from behavior_plugin.config import Settings


@contextmanager
def owner_connection() -> Iterator[tuple[psycopg.Connection, Settings]]:
    """A connection that may change the database, and the settings that name it; for work of a moment.

    The embedded server is the worker's, and goes with it when nobody has needed it for some minutes.
    """
    from behavior_plugin import config
    from behavior_plugin.store.opening import connect_as_owner

    settings = config.load()
    if not settings.database_url:
        ask_worker("list", limit=1)  # it owns the embedded server, and says why where it does not run
    with connect_as_owner(settings) as owner:
        yield owner, settings


@contextmanager
def exclusive_owner_connection() -> Iterator[tuple[psycopg.Connection, Settings]]:
    """The same, for as long as it takes, while no worker of this machine runs: events wait in the spool."""
    from behavior_plugin import config
    from behavior_plugin.store.opening import open_as_owner

    settings = config.load()
    with worker_stopped(), open_as_owner(settings) as owner:
        yield owner, settings
