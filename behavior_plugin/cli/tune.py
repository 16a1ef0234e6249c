"""The output of `behavior db tune`, and its progress bar while an index is built."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from behavior_plugin.cli.output import progress
from behavior_plugin.errors import StoreError

if TYPE_CHECKING:
    # Imported where it is used: psycopg and rich cost a tenth of a second each.
    from rich.progress import Progress

    from behavior_plugin.config import Settings
    from behavior_plugin.store.maintenance.tune import Index, Tuning

POLL_S = 0.5


def size(tuning: Tuning) -> str:
    return f"{tuning.patterns:,} patterns with a vector, {tuning.largest_user:,} of them of one user."


def due(tuning: Tuning, *, is_embedded: bool) -> str:
    """The present index, and the effect of --apply."""
    now = f"Now: {_named(tuning.present)}."
    if not tuning.is_due:
        return f"{now}\nThis fits; nothing to do."
    does = "drops the index" if tuning.wanted.kind == "none" else "builds it"
    meanwhile = "no worker runs, and events wait in the spool" if is_embedded else "the table stays in use"
    return f"{now}\nWanted: {_named(tuning.wanted)}. --apply {does}; meanwhile {meanwhile}."


def done(before: Tuning, present: Index, *, took_s: float) -> str:
    """The change that was made."""
    if present.kind == "none":
        change = f"Dropped {before.present.kind}."
    elif before.present.is_valid and (before.present.kind, before.present.lists) == (present.kind, present.lists):
        change = f"Set how many lists of {present.kind} are searched."
    else:
        change = f"Built {present.kind} in {took_s:.1f} s."
    return f"{change}\nNow: {_named(present)}."


@contextmanager
def bar(settings: Settings) -> Iterator[None]:
    """Show the progress of a build on stderr, if that is a terminal."""
    shown = progress()
    if shown.disable:
        yield
        return
    is_over = threading.Event()
    with shown:
        watcher = threading.Thread(target=_watch, args=(settings, shown, is_over), daemon=True)
        watcher.start()
        try:
            yield
        finally:
            is_over.set()
            watcher.join()


def _watch(settings: Settings, shown: Progress, is_over: threading.Event) -> None:
    """Watch on a second connection, since the first is busy building. A bar that fails does not stop the build."""
    from behavior_plugin.store.errors import translate_errors
    from behavior_plugin.store.maintenance.tune import progress as build_progress
    from behavior_plugin.store.opening import connect_as_owner

    task = shown.add_task("Waiting", total=1.0)
    try:
        with connect_as_owner(settings) as connection, translate_errors("The progress"):
            while not is_over.wait(POLL_S):
                if found := build_progress(connection):
                    shown.update(task, description=found.phase, completed=found.share)
    except StoreError:
        return


def _named(index: Index) -> str:
    if index.kind == "none":
        return "no index over all users' vectors; each search reads the bits of one user"
    lists = f", {_lists(index.lists, index.probes or 1)}" if index.lists else ""
    size = f", {index.bytes / 1e6:,.1f} MB" if index.bytes else ""
    return f"{index.kind}{lists}{size}" + ("" if index.is_valid else ", unfinished and unusable")


def _lists(lists: int, searched: int) -> str:
    if lists == 1:
        return "1 list"
    return f"{lists:,} lists of which {searched:,} {'is' if searched == 1 else 'are'} searched"
