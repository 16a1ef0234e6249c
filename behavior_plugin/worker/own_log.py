"""The worker's own log: it has no text of any session, but names sessions by their keys."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Collection, Iterator
from pathlib import Path

from behavior_plugin.capture import paths


def drop_lines(words: Collection[str], *, is_everything: bool, is_dry_run: bool) -> int:
    """Delete the lines with one of these words, or all; returns how many. A disk that fails keeps them."""
    with _paused():
        return sum(_drop(file, words, is_everything=is_everything, is_dry_run=is_dry_run) for file in _files())


def _drop(file: Path, words: Collection[str], *, is_everything: bool, is_dry_run: bool) -> int:
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
        kept = [line for line in lines if not (is_everything or any(word in line for word in words))]
        if not is_dry_run and len(kept) < len(lines):
            # In place: the worker has the file open, to append to it.
            file.write_text("".join(kept), encoding="utf-8")
    except OSError:
        return 0
    return len(lines) - len(kept)


@contextlib.contextmanager
def _paused() -> Iterator[None]:
    """Keep other threads from writing meanwhile."""
    handlers = logging.getLogger().handlers
    for handler in handlers:
        handler.acquire()
    try:
        yield
    finally:
        for handler in handlers:
            handler.release()


def _files() -> list[Path]:
    return [Path(paths.in_data(name)) for name in ("worker.log", "worker.log.1")]
