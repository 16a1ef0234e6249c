"""Map database logins to users: the login decides the user, and no claim of a session changes that.

A client can make false claims about itself; the server has checked its login.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote
from uuid import UUID, uuid4

import psycopg
from psycopg import sql

from behavior_plugin.errors import ConfigError, SchemaError
from behavior_plugin.store.connection import value
from behavior_plugin.store.errors import translate_errors

# The comment on the users and logins that we create; those of an application have none and are left alone.
OURS = "Made by behavior-plugin"
_OWNER_ONLY = "This needs the database owner's login, with the right to create roles."
_CHOOSE = "Choose another name for the member's login."
# Roles that policies, grants and Supabase's API use; they are no person's login.
_RESERVED = ("anon", "authenticated", "authenticator", "service_role")
NOT_A_MEMBER = "Have the database's owner run `behavior db member add`; until then events stay in the spool."


@dataclass(frozen=True)
class Member:
    """A login and its user."""

    login: str
    user_id: UUID
    joined_at: datetime


def join(connection: psycopg.Connection, user_id: UUID | None = None) -> UUID:
    """The user of the connection's own login; a login without a user gets one, if it has the right to.

    Raises:
        ConfigError: it is another user than `user_id`, or a user has to be named.
        SchemaError: it has no user, and no right to create one.
    """
    login = _login(connection)
    # Not behavior.caller(): it believes an owner's claims, and behind a pooler these may be somebody else's.
    found = _user_of(connection, login) or add_member(connection, login, user_id)
    return _checked(login, found, user_id)


def invite(owner: psycopg.Connection, login: str, user_id: UUID | None, *, new_password: bool) -> tuple[UUID, str]:
    """Make a login a member, and create the login if there is none.

    Returns its user and its password, which is "" if it has not changed.

    Raises:
        ConfigError: it is another user than `user_id`, or a user has to be named; or no member can have this login.
        SchemaError: the connection lacks the rights.
    """
    _check_name(login)
    with owner.transaction():
        is_new = not _exists(owner, login)
        if is_new:
            _remove_stale_member(owner, login)
        elif not _is_bound(owner, login):
            raise ConfigError(f"No policy applies to the login {login}, so it cannot be a member.", hint=_CHOOSE)
        password = make_login(owner, login) if is_new or new_password else ""
        return _checked(login, add_member(owner, login, user_id), user_id), password


def add_member(owner: psycopg.Connection, login: str, user_id: UUID | None = None) -> UUID:
    """Assign a user to a login: the one it has, the one named, or a new one; returns the user.

    The login gets the rights that every user has; they reach only its own rows.

    Raises:
        ConfigError: the users are an application's own, so one of them has to be named.
        SchemaError: the connection lacks the rights.
    """
    _grant_rights(owner, login)
    if known := _user_of(owner, login):
        return known
    with translate_errors(f"Could not make the login {login} a member", hint=NOT_A_MEMBER):
        user = _user_for(owner, user_id)
        owner.execute("insert into behavior.members values (%s, %s) on conflict do nothing", [login, user])
    return _user_of(owner, login) or user  # another process may have been faster


def connection_url(owner: psycopg.Connection, login: str, password: str) -> str:
    """The URL with which a login connects to the database of `owner`, with the password if there is one."""
    sslmode = owner.info.get_parameters().get("sslmode")
    credentials = quote(login, safe="") + (":" + quote(password, safe="") if password else "")
    where = f"{quote(owner.info.host, safe='')}:{owner.info.port}/{quote(owner.info.dbname, safe='')}"
    return f"postgresql://{credentials}@{where}" + (f"?sslmode={sslmode}" if sslmode else "")


def remove_member(owner: psycopg.Connection, login: str) -> bool:
    """Revoke a member's rights, and drop the login if we created it; returns whether it was dropped.

    The user's patterns stay.

    Raises:
        SchemaError: there is no such member, or the connection lacks the rights.
    """
    name = sql.Identifier(login)
    with translate_errors(f"Could not remove the login {login}", hint=_OWNER_ONLY), owner.transaction():
        if not owner.execute("delete from behavior.members where login = %s", [login]).rowcount:
            raise SchemaError(f"There is no member {login}.", hint="`behavior db member list` shows them.")
        owner.execute(sql.SQL("revoke authenticated from {}").format(name))
        is_ours = _is_ours(owner, login)
        if is_ours:
            owner.execute(sql.SQL("drop role {}").format(name))
    return is_ours


def members(owner: psycopg.Connection) -> list[Member]:
    """All logins that have a user, oldest first; a member sees only its own."""
    with translate_errors("behavior.members"):
        rows = owner.execute("select login, user_id, joined_at from behavior.members order by joined_at, login")
        return [Member(*row) for row in rows]


def users_are_ours(owner: psycopg.Connection) -> bool:
    """Whether we created auth.users and may add to it; else it is an application's."""
    return bool(value(owner, "select obj_description('auth.users'::regclass)") == OURS)


def make_login(owner: psycopg.Connection, login: str, password: str | None = None) -> str:
    """Create a login that owns nothing and bypasses no policy, or set its password; returns the password.

    Raises:
        SchemaError: the connection lacks the rights.
    """
    name, password = sql.Identifier(login), password or secrets.token_urlsafe(24)
    is_new = not _exists(owner, login)
    action = (
        "create role {} login nosuperuser nocreatedb nocreaterole nobypassrls inherit password {}"
        if is_new
        else "alter role {} login password {}"
    )
    with translate_errors(f"The login {login} cannot be created", hint=_OWNER_ONLY):
        owner.execute(sql.SQL(action).format(name, sql.Literal(password)))
        if is_new:
            owner.execute(sql.SQL("comment on role {} is {}").format(name, sql.Literal(OURS)))
    return password


def _check_name(login: str) -> None:
    if login in _RESERVED or login.startswith("pg_"):
        raise ConfigError(f"{login} is a role of the server, not a login.", hint=_CHOOSE)
    if not 0 < len(login.encode("utf-8", "replace")) < 64 or not login.isprintable():
        raise ConfigError("A login must have 1 to 63 bytes, all printable.", hint=_CHOOSE)


def _remove_stale_member(owner: psycopg.Connection, login: str) -> None:
    """A new login must not inherit the user of an earlier login of the same name."""
    with translate_errors("behavior.members", hint="Run `behavior db migrate` first."):
        owner.execute("delete from behavior.members where login = %s", [login])


def _is_bound(owner: psycopg.Connection, login: str) -> bool:
    """Whether row level security applies to an existing login."""
    rights = "select not (rolsuper or rolbypassrls) from pg_roles where rolname = %s"
    return bool(value(owner, rights, [login]))


def _grant_rights(owner: psycopg.Connection, login: str) -> None:
    with translate_errors(f"Could not grant rights to the login {login}", hint=NOT_A_MEMBER):
        if not value(owner, "select pg_has_role(%s, 'authenticated', 'usage')", [login]):
            owner.execute(sql.SQL("grant authenticated to {}").format(sql.Identifier(login)))


def _checked(login: str, found: UUID, wanted: UUID | None) -> UUID:
    if wanted and found != wanted:
        raise ConfigError(
            f"The login {login} belongs to the user {found}, not to {wanted}.",
            hint="Correct user_id in config.toml; or have the owner remove the member and add it again as that user.",
        )
    return found


def _login(connection: psycopg.Connection) -> str:
    """The login as the server knows it: a pooler may know it by another name."""
    return str(value(connection, "select session_user::text"))


def _user_of(connection: psycopg.Connection, login: str) -> UUID | None:
    with translate_errors(f"Could not look up the login {login}", hint=NOT_A_MEMBER):
        found: UUID | None = value(connection, "select user_id from behavior.members where login = %s", [login])
    return found


def _user_for(owner: psycopg.Connection, user_id: UUID | None) -> UUID:
    if users_are_ours(owner):
        user_id = user_id or uuid4()
        owner.execute("insert into auth.users (id) values (%s) on conflict do nothing", [user_id])
    if user_id is None:
        raise ConfigError(
            "This database has its own users, and the plugin cannot know which of them is yours.",
            hint="Set user_id in config.toml to your id in auth.users.",
        )
    return user_id


def _is_ours(owner: psycopg.Connection, login: str) -> bool:
    mark = "select shobj_description(to_regrole(quote_ident(%s)), 'pg_authid')"
    return bool(value(owner, mark, [login]) == OURS)


def _exists(owner: psycopg.Connection, login: str) -> bool:
    return value(owner, "select to_regrole(quote_ident(%s))", [login]) is not None
