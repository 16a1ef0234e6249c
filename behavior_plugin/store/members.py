"""Who is who in the database: a login is a user, and nothing that its session says can make it another.

What a client claims of itself it can claim falsely; which login it has, the server checked.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

import psycopg
from psycopg import sql

from behavior_plugin.errors import ConfigError, SchemaError
from behavior_plugin.store.migrate import told

# What 0001_auth_shim.sql writes on the users that it makes.
OURS = "Made by behavior-plugin"


@dataclass(frozen=True)
class Member:
    """A login and the user that it is."""

    login: str
    user_id: UUID
    joined_at: datetime


def join(connection: psycopg.Connection, user_id: UUID | None = None) -> UUID:
    """The user that the connection's own login is; a login that is nobody yet becomes one, where it may.

    Raises:
        ConfigError: it is another user than `user_id`, or a user must be named and is not.
        SchemaError: it is nobody, and may not become somebody by itself.
    """
    login, found = _caller(connection)
    if found is None:
        _grant_rights(connection, login)
        found = add_member(connection, login, user_id)
    if user_id and found != user_id:
        raise ConfigError(f"BEHAVIOR_USER_ID is {user_id}, and the login {login} is {found}.")
    return found


def add_member(owner: psycopg.Connection, login: str, user_id: UUID | None = None) -> UUID:
    """Make a login a user's: of the one it is already, of the one named, or of a new one; returns the user.

    Raises:
        ConfigError: the users are an application's own, so that one of them must be named.
        SchemaError: the connection may not do that.
    """
    if known := _user_of(owner, login):
        return known
    user = _user(owner, user_id)
    with told(f"The login {login} is no member"):
        owner.execute("insert into behavior.members values (%s, %s) on conflict do nothing", [login, user])
    return _user_of(owner, login) or user  # another may have been faster


def remove_member(owner: psycopg.Connection, login: str) -> None:
    """Take a member's login away. The user's patterns stay.

    Raises:
        SchemaError: there is no such member, or the connection may not do that.
    """
    name = sql.Identifier(login)
    with told(f"The login {login} stays"), owner.transaction():
        if not owner.execute("delete from behavior.members where login = %s", [login]).rowcount:
            raise SchemaError(f"There is no member {login}.", hint="`behavior db members` lists them.")
        owner.execute(sql.SQL("revoke authenticated from {}").format(name))
        owner.execute(sql.SQL("drop role {}").format(name))


def members(owner: psycopg.Connection) -> list[Member]:
    """Every login that is a user's, the oldest first; for who is not the owner, the own one."""
    with told("behavior.members"):
        rows = owner.execute("select login, user_id, joined_at from behavior.members order by joined_at, login")
        return [Member(*row) for row in rows]


def make_login(owner: psycopg.Connection, login: str, password: str | None = None) -> str:
    """Make or renew a login that owns nothing and passes by no policy; returns its password.

    Raises:
        SchemaError: the connection may not do that.
    """
    password = password or secrets.token_urlsafe(24)
    action = (
        "alter role {} login password {}"
        if _exists(owner, login)
        else ("create role {} login nosuperuser nocreatedb nocreaterole nobypassrls inherit password {}")
    )
    with told(f"The login {login} cannot be made"):
        owner.execute(sql.SQL(action).format(sql.Identifier(login), sql.Literal(password)))
    _grant_rights(owner, login)
    return password


def _grant_rights(owner: psycopg.Connection, login: str) -> None:
    """Give a login the rights of every user, which are none but on the own rows."""
    with told(f"The login {login} gets no rights"):
        row = owner.execute("select pg_has_role(%s, 'authenticated', 'usage')", [login]).fetchone()
        if row != (True,):
            owner.execute(sql.SQL("grant authenticated to {}").format(sql.Identifier(login)))


def _caller(connection: psycopg.Connection) -> tuple[str, UUID | None]:
    """The connection's login, and the user that the database says is asking."""
    with told("behavior.caller()"):
        row = connection.execute("select session_user, behavior.caller()").fetchone()
    assert row
    return row[0], row[1]


def _user_of(owner: psycopg.Connection, login: str) -> UUID | None:
    return next((member.user_id for member in members(owner) if member.login == login), None)


def _user(owner: psycopg.Connection, user_id: UUID | None) -> UUID:
    with told("auth.users"):
        if owner.execute("select obj_description('auth.users'::regclass)").fetchone() == (OURS,):
            user_id = user_id or uuid4()
            owner.execute("insert into auth.users (id) values (%s) on conflict do nothing", [user_id])
    if user_id is None:
        raise ConfigError(
            "This database has users of its own, and which of them you are is not known.",
            hint="Set BEHAVIOR_USER_ID to your id in auth.users.",
        )
    return user_id


def _exists(owner: psycopg.Connection, login: str) -> bool:
    return owner.execute("select to_regrole(quote_ident(%s))", [login]).fetchone() != (None,)
