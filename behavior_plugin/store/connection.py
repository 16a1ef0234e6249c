"""A connection to Postgres that does not wait for ever, and says why it was not made."""

from __future__ import annotations

import time
from typing import Any, Self

import psycopg
from psycopg.abc import RV, PQGen
from psycopg.rows import Row

from behavior_plugin.store.refusals import why_not

# Longer than any query of ours takes; a recall gives up on its own deadline much earlier.
PATIENCE_S = 5


class TimedConnection(psycopg.Connection[Row]):
    """One that is closed, with an OperationalError, when the server says nothing for `timeout_s`.

    Without that a call lasts for as long as a network, or a pooler, swallows what is said.
    """

    timeout_s = PATIENCE_S

    @classmethod
    def connect(cls, conninfo: str = "", *, on_failure: Any = None, **kwargs: Any) -> Self:
        """As psycopg does; `on_failure` is called with the reason why there is none."""
        try:
            return super().connect(conninfo, **kwargs)
        except psycopg.Error as error:
            if on_failure:
                on_failure(why_not(error))
            raise

    def wait(self, gen: PQGen[RV], *args: Any, **kwargs: Any) -> RV:
        return super().wait(self._in_time(gen), *args, **kwargs)

    def _in_time(self, gen: PQGen[RV]) -> PQGen[RV]:
        deadline = time.monotonic() + self.timeout_s
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                if not ready and time.monotonic() > deadline:
                    self.close()
                    raise psycopg.OperationalError("no answer in time")
                wanted = gen.send(ready)
        except StopIteration as end:
            result: RV = end.value
            return result


class MigrationConnection(TimedConnection[Row]):
    """For migrations, which take longer; still less than a worker is given to stop."""

    timeout_s = 4 * PATIENCE_S


def run_script(owner: psycopg.Connection, statements: bytes) -> None:
    """Run a file that psql can run as well; no transaction of it stays open. `owner` is in autocommit mode."""
    try:
        owner.execute(statements)
    finally:
        if not owner.closed:
            owner.rollback()
