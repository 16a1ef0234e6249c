"""What Postgres refuses, in words of ours: its own may quote rows, or parts of the URL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from behavior_plugin.errors import SchemaError, StoreError, StoreUnavailableError

# What libpq and the server say of a connection that they refuse, and what it means. The first match counts.
REFUSALS = {
    "password authentication failed": "refuses the password",
    "no password supplied": "requires a password, and the URL has none",
    ", SSL encryption": "does not let this login in from here",
    "no encryption": "does not let this login in from here without TLS",
    "no pg_hba.conf entry": "does not let this login in from here",
    "certificate verify failed": "has a TLS certificate that sslrootcert does not vouch for",
    "does not match host name": "has a TLS certificate for another host name",
    "root certificate file": "cannot be verified: sslrootcert names no readable file",
    "does not support SSL": "does not speak TLS, which sslmode demands",
    "SSL required": "demands TLS, which sslmode forbids",
    "too many clients": "has no free connection",
    "remaining connection slots": "has no free connection",
    "too many connections": "has no free connection",
    "does not exist": "has no such database or login",
    "could not translate host name": "has a host name that cannot be resolved",
    "failed to resolve host": "has a host name that cannot be resolved",
}
# A failure of these classes is the row's: its values, a constraint, a limit, a trigger's refusal, a bug. Any other
# concerns every row and ends by itself or when somebody acts: a row waits for that, and is never set aside.
_OF_THE_ROW = ("22", "23", "44", "54", "P0", "XX")


def why_not(error: psycopg.Error) -> str:
    """Why a connection was not made."""
    return next((why for said, why in REFUSALS.items() if said in str(error)), "cannot be reached")


def as_store_error(error: psycopg.Error) -> StoreError:
    """What was refused, without the row that PostgreSQL quotes in its details."""
    state = error.sqlstate or ""
    if state.startswith(_OF_THE_ROW) or isinstance(error, psycopg.DataError):
        what = state or "not sent:"  # without a state it is psycopg that speaks, of a value that it cannot send
        named = f", {error.diag.constraint_name}" if error.diag.constraint_name else ""
        return StoreError(f"The pattern store refused the request ({what} {type(error).__name__}{named}).")
    if state:
        return StoreUnavailableError(f"The pattern store is temporarily unavailable ({state} {type(error).__name__}).")
    return StoreUnavailableError(f"The pattern store cannot be reached ({type(error).__name__}).")


@contextmanager
def in_our_words(what: str, *, hint: str = "") -> Iterator[None]:
    """Say in our words what the server refuses: what was being done, and what to do now.

    Raises:
        StoreUnavailableError: the connection was lost, or the server is short of something for now.
        SchemaError: anything else.
    """
    try:
        yield
    except psycopg.OperationalError as error:
        raise StoreUnavailableError(f"{what}: {_first_line(error)}") from None
    except psycopg.Error as error:
        raise SchemaError(f"{what}: {_first_line(error)}", hint=hint) from None


def _first_line(error: psycopg.Error) -> str:
    """What follows it may quote rows."""
    return error.diag.message_primary or type(error).__name__
