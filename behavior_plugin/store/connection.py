"""Postgres connections with a deadline and a readable failure reason."""

from __future__ import annotations

import time
from typing import Any, LiteralString, Self

import psycopg
from psycopg import sql
from psycopg.abc import RV, Params, PQGen
from psycopg.rows import Row

from behavior_plugin.store.errors import connect_failure

# Longer than any of our queries takes; a recall gives up much earlier, by its own deadline.
TIMEOUT_S = 5


class TimedConnection(psycopg.Connection[Row]):
    """A connection that closes, with an OperationalError, if the server does not answer within `timeout_s`.

    Without it a call hangs as long as a network or a pooler drops what we send.
    """

    timeout_s = TIMEOUT_S

    @classmethod
    def connect(cls, conninfo: str = "", *, on_failure: Any = None, **kwargs: Any) -> Self:
        """Connect as psycopg does; `on_failure` is called with the reason if that fails."""
        try:
            return super().connect(conninfo, **kwargs)
        except psycopg.Error as error:
            if on_failure:
                on_failure(connect_failure(error))
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
    """For migrations, which take longer, but less than the time that a worker has to stop."""

    timeout_s = 4 * TIMEOUT_S


def value(
    connection: psycopg.Connection, query: LiteralString | sql.SQL | sql.Composed, params: Params | None = None
) -> Any:
    """The single value that a query returns; None if there is no row."""
    row = connection.execute(query, params).fetchone()
    return row[0] if row else None


def run_script(owner: psycopg.Connection, statements: bytes) -> None:
    """Run a file that psql can run as well, and leave no transaction open. `owner` must be in autocommit mode."""
    try:
        owner.execute(statements)
    finally:
        if not owner.closed:
            owner.rollback()
