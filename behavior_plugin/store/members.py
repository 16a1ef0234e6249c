"""Who is who in the database: a login is a user, and nothing that its session says can make it another.

What a client claims of itself it can claim falsely; which login it has, the server checked.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote, urlencode
from uuid import UUID, uuid4

import psycopg
from psycopg import sql

from behavior_plugin.errors import ConfigError, SchemaError
from behavior_plugin.store.refusals import in_our_words

# What is written on the users and logins that we make, so that those of an application are let alone.
OURS = "Made by behavior-plugin"
NOT_A_MEMBER = "Have the database's owner run `behavior db member add`; until then events stay in the spool."
# Of what the owner's URL says of the connection, what holds for the members too.
KEPT_IN_URLS = ("sslmode",)


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
    login = _login(connection)
    # Not behavior.caller(): an owner's claims are believed, and behind a pooler they may be left over from somebody.
    found = _user_of(connection, login)
    if found is None:
        _grant_rights(connection, login)
        found = add_member(connection, login, user_id)
    return _checked(login, found, user_id)


def invite(owner: psycopg.Connection, login: str, user_id: UUID | None, *, new_password: bool) -> tuple[UUID, str]:
    """Make a login a member, and make the login first where it is not there.

    Returns its user, and its password: "" where it keeps one that it had.

    Raises:
        ConfigError: it is another user than `user_id`, or a user must be named and is not.
        SchemaError: the connection may not do that.
    """
    with owner.transaction():
        is_new = not _exists(owner, login)
        password = make_login(owner, login) if is_new or new_password else ""
        _grant_rights(owner, login)
        return _checked(login, add_member(owner, login, user_id), user_id), password


def add_member(owner: psycopg.Connection, login: str, user_id: UUID | None = None) -> UUID:
    """Make a login a user's: of the one it is already, of the one named, or of a new one; returns the user.

    Raises:
        ConfigError: the users are an application's own, so that one of them must be named.
        SchemaError: the connection may not do that.
    """
    if known := _user_of(owner, login):
        return known
    with in_our_words(f"The login {login} is no member", hint=NOT_A_MEMBER):
        user = _user(owner, user_id)
        owner.execute("insert into behavior.members values (%s, %s) on conflict do nothing", [login, user])
    return _user_of(owner, login) or user  # another may have been faster


def address(owner: psycopg.Connection, login: str, password: str) -> str:
    """The URL by which a login reaches the database that `owner` is connected to; without a password it has none."""
    kept = {name: value for name, value in owner.info.get_parameters().items() if name in KEPT_IN_URLS}
    who = quote(login, safe="") + (":" + quote(password, safe="") if password else "")
    where = f"{quote(owner.info.host, safe='')}:{owner.info.port}/{quote(owner.info.dbname, safe='')}"
    return f"postgresql://{who}@{where}" + (f"?{urlencode(kept)}" if kept else "")


def remove_member(owner: psycopg.Connection, login: str) -> bool:
    """Take a member's rights away, and a login that was made for it; returns whether that was one.

    The user's patterns stay.

    Raises:
        SchemaError: there is no such member, or the connection may not do that.
    """
    name = sql.Identifier(login)
    with in_our_words(f"The login {login} stays"), owner.transaction():
        if not owner.execute("delete from behavior.members where login = %s", [login]).rowcount:
            raise SchemaError(f"There is no member {login}.", hint="`behavior db member list` shows them.")
        owner.execute(sql.SQL("revoke authenticated from {}").format(name))
        is_ours = _is_ours(owner, login)
        if is_ours:
            owner.execute(sql.SQL("drop role {}").format(name))
    return is_ours


def members(owner: psycopg.Connection) -> list[Member]:
    """Every login that is a user's, the oldest first; for who is not the owner, the own one."""
    with in_our_words("behavior.members"):
        rows = owner.execute("select login, user_id, joined_at from behavior.members order by joined_at, login")
        return [Member(*row) for row in rows]


def has_own_users(owner: psycopg.Connection) -> bool:
    """Whether auth.users was made by us, and is ours to add to; else it is an application's."""
    return owner.execute("select obj_description('auth.users'::regclass)").fetchone() == (OURS,)


def make_login(owner: psycopg.Connection, login: str, password: str | None = None) -> str:
    """Make or renew a login that owns nothing and passes by no policy; returns its password.

    Raises:
        SchemaError: the connection may not do that.
    """
    name, password = sql.Identifier(login), password or secrets.token_urlsafe(24)
    is_new = not _exists(owner, login)
    action = (
        "create role {} login nosuperuser nocreatedb nocreaterole nobypassrls inherit password {}"
        if is_new
        else "alter role {} login password {}"
    )
    with in_our_words(f"The login {login} cannot be made"):
        owner.execute(sql.SQL(action).format(name, sql.Literal(password)))
        if is_new:
            owner.execute(sql.SQL("comment on role {} is {}").format(name, sql.Literal(OURS)))
    _grant_rights(owner, login)
    return password


def _grant_rights(owner: psycopg.Connection, login: str) -> None:
    """Give a login the rights of every user, which are none but on the own rows."""
    with in_our_words(f"The login {login} gets no rights", hint=NOT_A_MEMBER):
        row = owner.execute("select pg_has_role(%s, 'authenticated', 'usage')", [login]).fetchone()
        if row != (True,):
            owner.execute(sql.SQL("grant authenticated to {}").format(sql.Identifier(login)))


def _checked(login: str, found: UUID, wanted: UUID | None) -> UUID:
    if wanted and found != wanted:
        raise ConfigError(
            f"The login {login} is the user {found}, and not {wanted}.",
            hint="Correct BEHAVIOR_USER_ID; or have the owner remove the member and add it again as that user.",
        )
    return found


def _login(connection: psycopg.Connection) -> str:
    """Who the server let in: a pooler may know the login by another name."""
    row = connection.execute("select session_user::text").fetchone()
    assert row
    return str(row[0])


def _user_of(connection: psycopg.Connection, login: str) -> UUID | None:
    with in_our_words(f"The login {login} is no member", hint=NOT_A_MEMBER):
        row = connection.execute("select user_id from behavior.members where login = %s", [login]).fetchone()
    return row[0] if row else None


def _user(owner: psycopg.Connection, user_id: UUID | None) -> UUID:
    if has_own_users(owner):
        user_id = user_id or uuid4()
        owner.execute("insert into auth.users (id) values (%s) on conflict do nothing", [user_id])
    if user_id is None:
        raise ConfigError(
            "This database has users of its own, and which of them you are is not known.",
            hint="Set BEHAVIOR_USER_ID to your id in auth.users.",
        )
    return user_id


def _is_ours(owner: psycopg.Connection, login: str) -> bool:
    row = owner.execute("select shobj_description(to_regrole(quote_ident(%s)), 'pg_authid')", [login]).fetchone()
    return row == (OURS,)


def _exists(owner: psycopg.Connection, login: str) -> bool:
    return owner.execute("select to_regrole(quote_ident(%s))", [login]).fetchone() != (None,)
