"""Translate Postgres' errors into our own messages: the originals may quote rows, or parts of the URL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from behavior_plugin.errors import SchemaError, StoreError, StoreUnavailableError

_SET = "in database_url in config.toml"
_FROM_HERE = "Ask the database's owner to let this login in from here (pg_hba.conf), or correct the login or sslmode."
_WAIT = "Wait until others disconnect, or ask the database's owner for more connections (max_connections)."
_RESOLVE = f"Correct the host {_SET}; where it is right, look at this machine's network and DNS."
_UNREACHABLE = f"Check that the server runs and that this machine has a network; else correct host and port {_SET}."

# Parts of libpq's and the server's messages about failed connections, their meaning and what to do. The first match
# counts.
REFUSALS = {
    "password authentication failed": ("refuses the password", f"Correct the login or its password {_SET}."),
    "no password supplied": ("requires a password, and the URL has none", f"Add the password to the URL {_SET}."),
    ", SSL encryption": ("does not let this login in from here", _FROM_HERE),
    "no encryption": ("does not let this login in from here without TLS", f"Add sslmode=require to the URL {_SET}."),
    "no pg_hba.conf entry": ("does not let this login in from here", _FROM_HERE),
    "certificate verify failed": (
        "has a TLS certificate that is not signed by sslrootcert",
        f"Let sslrootcert in the URL {_SET} name the certificate of the server's authority.",
    ),
    "does not match host name": (
        "has a TLS certificate for another host name",
        f"Use the host name that the certificate is for {_SET}.",
    ),
    "root certificate file": (
        "cannot be verified: sslrootcert names no readable file",
        f"Correct sslrootcert in the URL {_SET}.",
    ),
    "does not support SSL": (
        "does not speak TLS, which sslmode demands",
        f"Have TLS switched on at the server, or change sslmode {_SET}.",
    ),
    "SSL required": ("demands TLS, which sslmode forbids", f"Write sslmode=require in the URL {_SET}."),
    "too many clients": ("has no free connection", _WAIT),
    "remaining connection slots": ("has no free connection", _WAIT),
    "too many connections": ("has no free connection", _WAIT),
    "does not exist": (
        "has no such database or login",
        f"Correct the database's name or the login {_SET}; a database is made with `createdb`.",
    ),
    "could not translate host name": ("has a host name that cannot be resolved", _RESOLVE),
    "failed to resolve host": ("has a host name that cannot be resolved", _RESOLVE),
}
# Errors of these classes are caused by the row: its values, a constraint, a limit, a trigger, a bug. All others concern
# every row and end by themselves or when somebody acts, so the row waits and never becomes a dead letter. That includes
# XX001 and XX002, a damaged table or index.
_CAUSED_BY_ROW = ("22", "23", "44", "54", "P0", "XX000")
_NO_RIGHT = "42501"
# A row that is too large stays so, although psycopg counts this among the operational errors.
_LIMIT = "54"


def connect_failure(error: psycopg.Error) -> str:
    """Why a connection failed."""
    return _refusal(error)[0]


def hint_for(error: psycopg.Error) -> str:
    """What to do about a failed connection."""
    return _refusal(error)[1]


def as_store_error(error: psycopg.Error) -> StoreError:
    """Our error for a refused request, without the row that PostgreSQL quotes in its details."""
    state = error.sqlstate or ""
    if state.startswith(_CAUSED_BY_ROW) or isinstance(error, psycopg.DataError):
        what = state or "not sent:"  # no state: the error is psycopg's, about a value that it cannot send
        named = f", {error.diag.constraint_name}" if error.diag.constraint_name else ""
        return StoreError(f"The pattern store refused the request ({what} {type(error).__name__}{named}).")
    if state == _NO_RIGHT:
        return StoreUnavailableError(
            "This login is not a member of the pattern store, or is no longer (42501).",
            hint="Ask the database's owner: `behavior db member add`.",
        )
    if state:
        return StoreUnavailableError(f"The pattern store is temporarily unavailable ({state} {type(error).__name__}).")
    return StoreUnavailableError(f"The pattern store cannot be reached ({type(error).__name__}).")


@contextmanager
def translate_errors(what: str, *, hint: str = "") -> Iterator[None]:
    """Replace the server's errors by ours: `what` was being done, and the hint.

    Raises:
        StoreUnavailableError: the connection was lost, or the server is short of resources for now.
        SchemaError: anything else.
    """
    try:
        yield
    except psycopg.Error as error:
        if isinstance(error, psycopg.OperationalError) and not (error.sqlstate or "").startswith(_LIMIT):
            raise StoreUnavailableError(f"{what}: {_first_line(error)}") from None
        raise SchemaError(f"{what}: {_first_line(error)}", hint=hint) from None


def _refusal(error: psycopg.Error) -> tuple[str, str]:
    return next(
        (reason for text, reason in REFUSALS.items() if text in str(error)), ("cannot be reached", _UNREACHABLE)
    )


def _first_line(error: psycopg.Error) -> str:
    """The first line of a message: the lines after it may quote rows."""
    return error.diag.message_primary or type(error).__name__
