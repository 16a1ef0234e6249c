"""Watch the spool for new records. Notifications get lost, so they are hints: the worker also looks without one."""

from __future__ import annotations

import logging
import os
import threading

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer

from behavior_plugin.capture import spool

log = logging.getLogger(__name__)


class Watch(FileSystemEventHandler):
    """Sets the hint when a record arrives. Not thread-safe."""

    def __init__(self, hint: threading.Event) -> None:
        self._hint = hint
        self._watched: tuple[int, int] | None = None
        self._observer = Observer()
        self._observer.daemon = True
        self._observer.start()

    def refresh(self) -> None:
        """Watch the folder that is there now: it may have been deleted and recreated."""
        found = os.stat(spool.folder("new"))  # noqa: PTH116 - as everywhere about the spool
        if (found.st_dev, found.st_ino) == self._watched:
            return
        self._watched = (found.st_dev, found.st_ino)
        try:
            self._observer.unschedule_all()
            self._observer.schedule(self, spool.folder("new"))
        except OSError as error:  # out of watches; the worker looks without a hint
            log.warning("the spool is not watched: %s", error)

    def stop(self) -> None:
        self._observer.stop()

    def on_moved(self, event: FileSystemEvent) -> None:  # noqa: ARG002 - the base class's
        self._hint.set()

    on_created = on_moved
