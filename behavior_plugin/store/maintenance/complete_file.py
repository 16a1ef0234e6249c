"""Write a file that only its owner can read, and that is there only once it is complete."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def complete_file(file: Path) -> Iterator[IO[bytes]]:
    """A file to write to: under another name, renamed at the end, and deleted after an error.

    Raises:
        OSError: it cannot be written; a file that was there stays.
    """
    # Its mode is 0600, whatever the umask.
    with tempfile.NamedTemporaryFile(prefix=f".{file.name}.", dir=file.parent, delete=False) as fresh:
        try:
            yield fresh
            fresh.flush()
            os.fsync(fresh.fileno())
            Path(fresh.name).rename(file)
        except BaseException:
            Path(fresh.name).unlink(missing_ok=True)
            raise
