"""A connection to Postgres that does not wait for ever, and says why it is not made without quoting the URL."""

from __future__ import annotations

import time
from typing import Any, Self

import psycopg
from psycopg.abc import RV, PQGen
from psycopg.rows import Row

# Longer than any query of ours takes; a recall gives up on its own deadline much earlier.
PATIENCE_S = 5
# What libpq and the server say of a connection that they refuse, and what that means. The first that fits counts.
REFUSALS = {
    "password authentication failed": "refuses the password",
    "no password supplied": "wants a password, and the URL has none",
    ", SSL encryption": "does not let this login in from here",
    "no encryption": "does not let this login in from here without TLS",
    "no pg_hba.conf entry": "does not let this login in from here",
    "certificate verify failed": "has a TLS certificate that sslrootcert does not vouch for",
    "does not match host name": "has a TLS certificate for another host name",
    "root certificate file": "is to be verified, and sslrootcert names no readable file",
    "does not support SSL": "does not speak TLS, which sslmode demands",
    "SSL required": "demands TLS, which sslmode forbids",
    "too many clients": "has no connection left",
    "remaining connection slots": "has no connection left",
    "too many connections": "has no connection left",
    "does not exist": "has no such database or login",
    "could not translate host name": "has a host name that nobody knows",
    "failed to resolve host": "has a host name that nobody knows",
}


class Connection(psycopg.Connection[Row]):
    """One that is closed, with an OperationalError, when the server says nothing for `patience_s`.

    Without that a call lasts for as long as a network, or a pooler, swallows what is said.
    """

    patience_s = PATIENCE_S

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
        deadline = time.monotonic() + self.patience_s
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


class PatientConnection(Connection[Row]):
    """One for migrations, which take their time; still less than it takes until a worker that is told to end has to."""

    patience_s = 4 * PATIENCE_S


def why_not(error: psycopg.Error) -> str:
    """Why a connection was not made, in words of ours: the error's own may hold a part of the URL."""
    return next((why for said, why in REFUSALS.items() if said in str(error)), "cannot be reached")
