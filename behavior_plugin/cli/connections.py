"""The owner's connection for commands: beside the worker, or instead of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from behavior_plugin.api import ListPatterns
from behavior_plugin.worker.client import Client
from behavior_plugin.worker.lifecycle import worker_stopped

if TYPE_CHECKING:
    # Imported where it is used: psycopg costs a tenth of a second.
    import psycopg

    from behavior_plugin.config import Settings


@contextmanager
def owner_connection() -> Iterator[tuple[psycopg.Connection, Settings]]:
    """A connection as the database's owner, and the settings that name the database; for short work.

    The embedded server belongs to the worker and stops with it after some idle minutes.
    """
    from behavior_plugin import config
    from behavior_plugin.store.opening import connect_as_owner

    settings = config.load()
    if not settings.database_url:
        Client().list_patterns(ListPatterns(limit=1))  # it owns the embedded server, and reports why it does not run
    with connect_as_owner(settings) as owner:
        yield owner, settings


@contextmanager
def exclusive_owner_connection() -> Iterator[tuple[psycopg.Connection, Settings]]:
    """The owner's connection for long work. No worker of this machine runs meanwhile: events wait in the spool."""
    from behavior_plugin import config
    from behavior_plugin.store.opening import open_as_owner

    settings = config.load()
    with worker_stopped(), open_as_owner(settings) as owner:
        yield owner, settings
