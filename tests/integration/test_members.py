"""Members of a database that several people share."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterator
from shlex import quote

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from behavior_plugin.config import Settings
from behavior_plugin.errors import ConfigError, SchemaError
from behavior_plugin.store.embedded.server import Server
from behavior_plugin.store.members import (
    OURS,
    add_member,
    connection_url,
    invite,
    join,
    make_login,
    members,
    remove_member,
)
from behavior_plugin.store.opening import open_store
from behavior_plugin.store.postgres import PostgresStore
from tests.database import A, make_user, save
from tests.factories import make_pattern
from tests.integration.copying import Terminal

_numbers = itertools.count(1)


@pytest.fixture
def login(server: Server) -> Iterator[str]:
    """A new name for a login; a login of that name is dropped afterwards."""
    name = f"Ann O'Hara {next(_numbers)}"
    yield name
    with psycopg.connect(server.conninfo(), autocommit=True) as admin:
        admin.execute(sql.SQL("drop role if exists {}").format(sql.Identifier(name)))


def url_of(owner: psycopg.Connection, login: str) -> str:
    _, password = invite(owner, login, None, new_password=True)
    return connection_url(owner, login, password)


def make_users_an_applications(owner: psycopg.Connection) -> None:
    """An application's own users, as on Supabase."""
    owner.execute("comment on table auth.users is 'Somebody else made these'")


def test_member_url_opens_the_store_as_that_user(owner: psycopg.Connection, login: str) -> None:
    """The member needs nothing else from the owner, and the URL opens nothing else."""
    theirs = PostgresStore(url_of(owner, "behavior_other"))
    save(theirs, make_pattern())
    settings = Settings.model_validate({"database_url": url_of(owner, login)})

    store = open_store(settings)

    save(store.patterns, make_pattern(trigger="Ours"))
    assert [pattern.trigger for pattern in store.patterns.newest(project=None, limit=9)] == ["Ours"]
    assert theirs.count() == 1
    store.close()
    theirs.close()


def test_inviting_a_member_twice_changes_nothing(owner: psycopg.Connection, login: str) -> None:
    """Owners repeat an invitation when they are not sure."""
    user, password = invite(owner, login, None, new_password=False)

    again = invite(owner, login, None, new_password=False)

    assert password
    assert again == (user, "")
    with psycopg.connect(connection_url(owner, login, password)) as connection:
        assert connection.info.user == login


def test_url_without_a_password_comes_with_a_note(terminal: Terminal, login: str) -> None:
    """Used unchanged, the URL would not work."""
    new = terminal.run_json("member", "add", login)
    again = terminal.run_json("member", "add", login)
    said = terminal.run("member", "add", login).stdout

    assert (new["password_is_known"], again["password_is_known"]) == (True, False)
    assert f"The login {login} existed already, and its password is unchanged" in said
    assert "already" not in terminal.run("member", "add", login, "--new-password").stdout


def test_empty_login_is_a_usage_error(terminal: Terminal) -> None:
    """A script passes one if its variable is empty."""
    assert terminal.run("member", "add", "").exit_code == 2


def test_existing_login_keeps_its_password_and_survives_removal(owner: psycopg.Connection, login: str) -> None:
    """It may have other uses."""
    owner.execute(sql.SQL("create role {} login password 'its own'").format(sql.Identifier(login)))

    _, password = invite(owner, login, None, new_password=False)
    is_gone = remove_member(owner, login)

    assert (password, is_gone) == ("", False)
    with psycopg.connect(connection_url(owner, login, "its own")) as connection:
        assert connection.info.user == login


def test_removed_member_loses_access_at_once_and_patterns_stay(owner: psycopg.Connection, login: str) -> None:
    """Open sessions must lose access too."""
    user, password = invite(owner, login, None, new_password=False)
    store = PostgresStore(connection_url(owner, login, password))
    save(store, make_pattern())
    with psycopg.connect(connection_url(owner, login, password), autocommit=True) as session:
        assert remove_member(owner, login) is True
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute("select count(*) from public.behavior_patterns")
    store.close()

    back, password = invite(owner, login, user, new_password=False)
    store = PostgresStore(connection_url(owner, login, password))

    assert back == user
    assert store.count() == 1
    store.close()


def test_new_login_with_an_old_name_is_a_new_user(owner: psycopg.Connection, login: str) -> None:
    """An administrator may drop a login, and create one of the same name for another person years later."""
    first, _ = invite(owner, login, None, new_password=False)
    owner.execute(sql.SQL("revoke authenticated from {0}; drop role {0}").format(sql.Identifier(login)))

    second, _ = invite(owner, login, None, new_password=False)

    assert second != first


@pytest.mark.parametrize("name", ["anon", "service_role", "authenticator", "postgres", "", "x" * 64, "a\nb", "\udcff"])
def test_reserved_roles_cannot_become_members(owner: psycopg.Connection, name: str) -> None:
    """A typing error must not give access to the role in every policy, or to one that bypasses them."""
    with pytest.raises(ConfigError) as raised:
        invite(owner, name, None, new_password=True)

    assert raised.value.hint
    assert not [each for each in members(owner) if each.login == name]


def test_removal_prints_the_command_that_restores_access(
    terminal: Terminal, owner: psycopg.Connection, login: str
) -> None:
    """The patterns are found by the user's id, which is noted nowhere else."""
    user = terminal.run_json("member", "add", login)["user_id"]
    listed = terminal.run("member", "list").stdout.splitlines()

    result = terminal.run_json("member", "remove", login)
    terminal.run("member", "add", login, "--user-id", user)
    said = terminal.run("member", "remove", login).stdout

    assert listed[0].split() == ["login", "user", "since"]
    assert any(line.startswith(login) and user in line and "." not in line for line in listed)
    assert result == {"login": login, "is_login_dropped": True, "user_id": user, "patterns": 0}
    assert f"0 patterns stay. To restore access: behavior db member add {quote(login)} --user-id {user}" in said


def test_removing_an_unknown_member_fails(owner: psycopg.Connection) -> None:
    """A typing error must not look like success."""
    with pytest.raises(SchemaError, match="no member nobody"):
        remove_member(owner, "nobody")


def test_one_user_may_have_several_logins(owner: psycopg.Connection, login: str) -> None:
    """A laptop and a desktop have different passwords."""
    user, _ = invite(owner, login, None, new_password=False)

    other, _ = invite(owner, "behavior_other", user, new_password=False)

    assert other == user
    assert [member.user_id for member in members(owner) if member.login in (login, "behavior_other")] == [user, user]


def test_database_owner_becomes_a_member_on_first_use(owner: psycopg.Connection) -> None:
    """A single person sets the URL on each machine and needs nothing else."""
    first = join(owner)

    assert join(owner) == first
    assert owner.info.user in [member.login for member in members(owner)]


def test_configured_user_must_match_the_logins_user(owner: psycopg.Connection) -> None:
    """Otherwise patterns would be stored where nobody looks for them."""
    join(owner)

    other = uuid.uuid4()
    with pytest.raises(ConfigError, match=f"not to {other}"):
        join(owner, other)


def test_member_cannot_be_assigned_to_another_user(owner: psycopg.Connection, login: str) -> None:
    """A wrong invitation must fail before the patterns of two users mix."""
    invite(owner, login, None, new_password=False)

    other = uuid.uuid4()
    with pytest.raises(ConfigError, match=f"not to {other}"):
        invite(owner, login, other, new_password=False)


def test_login_without_rights_is_referred_to_the_owner(owner: psycopg.Connection, login: str) -> None:
    """The login exists on the server but is not a member yet."""
    password = make_login(owner, login)

    with (
        psycopg.connect(connection_url(owner, login, password), autocommit=True) as guest,
        pytest.raises(SchemaError, match=f"login {login}") as caught,
    ):
        join(guest)

    assert "member add" in caught.value.hint


def test_application_with_its_own_users_requires_a_user_id(owner: psycopg.Connection, login: str) -> None:
    """A made-up user would not exist in the application's table."""
    make_users_an_applications(owner)
    make_login(owner, login)

    with pytest.raises(ConfigError, match="its own users"):
        add_member(owner, login)

    make_user(owner, A)
    named = uuid.UUID(A)
    assert add_member(owner, login, named) == named
    make_login(owner, "behavior_other")
    with pytest.raises(SchemaError, match="Could not make the login behavior_other a member"):
        add_member(owner, "behavior_other", uuid.uuid4())


def test_our_logins_and_users_are_marked(owner: psycopg.Connection, login: str) -> None:
    """The comment distinguishes them from an application's."""
    make_login(owner, login)

    marks = owner.execute(
        "select obj_description('auth.users'::regclass), shobj_description(quote_ident(%s)::regrole, 'pg_authid')",
        [login],
    ).fetchone()

    assert marks == (OURS, OURS)


@pytest.mark.parametrize("password", ["plain", "p@ss:w/ord?#[%]", " ' \\ "])
def test_url_escapes_special_characters(owner: psycopg.Connection, login: str, password: str) -> None:
    """A password with characters that have a meaning in URLs must arrive unchanged."""
    said = conninfo_to_dict(connection_url(owner, login, password))

    assert (said["user"], said["password"]) == (login, password)
    assert (said["host"], said["port"], said["dbname"]) == (
        owner.info.host,
        str(owner.info.port),
        owner.info.dbname,
    )


def test_verify_ends_with_a_count_of_checks(terminal: Terminal) -> None:
    """A long list without an end might be incomplete."""
    *lines, last = terminal.run("verify").stdout.splitlines()

    assert last == f"{len(lines)} checks, all ok"
