"""Who is who in a database that several people share."""

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
from tests.database import A, make_user
from tests.factories import make_pattern
from tests.integration.carrying import Terminal

_numbers = itertools.count(1)


@pytest.fixture
def login(server: Server) -> Iterator[str]:
    """A name that no login of the server has yet; whoever gets it is gone afterwards."""
    name = f"Ann O'Hara {next(_numbers)}"
    yield name
    with psycopg.connect(server.conninfo(), autocommit=True) as admin:
        admin.execute(sql.SQL("drop role if exists {}").format(sql.Identifier(name)))


def url_of(owner: psycopg.Connection, login: str) -> str:
    _, password = invite(owner, login, None, new_password=True)
    return connection_url(owner, login, password)


def make_users_an_applications(owner: psycopg.Connection) -> None:
    """As on Supabase: users that are not ours to add to."""
    owner.execute("comment on table auth.users is 'Somebody else made these'")


def test_the_url_of_a_member_opens_the_store_as_that_user_alone(owner: psycopg.Connection, login: str) -> None:
    """What the owner hands over is all that a member needs, and opens nothing else."""
    theirs = PostgresStore(url_of(owner, "behavior_other"))
    theirs.save(make_pattern(), None, None)
    settings = Settings.model_validate({"database_url": url_of(owner, login)})

    store = open_store(settings)

    store.patterns.save(make_pattern(trigger="Ours"), None, None)
    assert [pattern.trigger for pattern in store.patterns.newest(project=None, limit=9)] == ["Ours"]
    assert theirs.count() == 1
    store.close()
    theirs.close()


def test_inviting_again_changes_neither_the_user_nor_the_password(owner: psycopg.Connection, login: str) -> None:
    """An owner who is not sure whether somebody was invited already tries it."""
    user, password = invite(owner, login, None, new_password=False)

    again = invite(owner, login, None, new_password=False)

    assert password
    assert again == (user, "")
    with psycopg.connect(connection_url(owner, login, password)) as connection:
        assert connection.info.user == login


def test_a_url_without_a_password_comes_with_a_word_on_it(terminal: Terminal, login: str) -> None:
    """Handed over as it is, it would not work."""
    new = terminal.told("member", "add", login)
    again = terminal.told("member", "add", login)
    said = terminal.run("member", "add", login).stdout

    assert (new["password_is_known"], again["password_is_known"]) == (True, False)
    assert f"The login {login} was there already and keeps its password" in said
    assert "already" not in terminal.run("member", "add", login, "--new-password").stdout


def test_a_login_without_a_name_is_wrong_usage(terminal: Terminal) -> None:
    """As a script passes it whose variable is empty."""
    assert terminal.run("member", "add", "").exit_code == 2


def test_a_login_that_was_there_keeps_its_password_and_stays_when_its_member_leaves(
    owner: psycopg.Connection, login: str
) -> None:
    """It may be used for other things."""
    owner.execute(sql.SQL("create role {} login password 'its own'").format(sql.Identifier(login)))

    _, password = invite(owner, login, None, new_password=False)
    is_gone = remove_member(owner, login)

    assert (password, is_gone) == ("", False)
    with psycopg.connect(connection_url(owner, login, "its own")) as connection:
        assert connection.info.user == login


def test_who_has_left_is_nobody_at_once_and_whose_patterns_stay(owner: psycopg.Connection, login: str) -> None:
    """A session that is open at that moment must not go on."""
    user, password = invite(owner, login, None, new_password=False)
    store = PostgresStore(connection_url(owner, login, password))
    store.save(make_pattern(), None, None)
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


def test_a_new_login_of_an_old_name_is_somebody_else(owner: psycopg.Connection, login: str) -> None:
    """An administrator may drop the login of who has left, and years later another has the same name."""
    first, _ = invite(owner, login, None, new_password=False)
    owner.execute(sql.SQL("revoke authenticated from {0}; drop role {0}").format(sql.Identifier(login)))

    second, _ = invite(owner, login, None, new_password=False)

    assert second != first


@pytest.mark.parametrize("name", ["anon", "service_role", "authenticator", "postgres", "", "x" * 64, "a\nb", "\udcff"])
def test_what_is_nobodys_login_becomes_no_member(owner: psycopg.Connection, name: str) -> None:
    """A slip of the pen must not open the role that every policy is about, nor one that none applies to."""
    with pytest.raises(ConfigError) as raised:
        invite(owner, name, None, new_password=True)

    assert raised.value.hint
    assert not [each for each in members(owner) if each.login == name]


def test_who_leaves_is_told_how_to_come_back(terminal: Terminal, owner: psycopg.Connection, login: str) -> None:
    """The user's id is what leads to the patterns, and nobody else has noted it."""
    user = terminal.told("member", "add", login)["user_id"]
    listed = terminal.run("member", "list").stdout.splitlines()

    told = terminal.told("member", "remove", login)
    terminal.run("member", "add", login, "--user-id", user)
    said = terminal.run("member", "remove", login).stdout

    assert listed[0].split() == ["login", "user", "since"]
    assert any(line.startswith(login) and user in line and "." not in line for line in listed)
    assert told == {"login": login, "is_login_dropped": True, "user_id": user, "patterns": 0}
    assert f"0 patterns stay. To get them back: behavior db member add {quote(login)} --user-id {user}" in said


def test_removing_who_is_no_member_says_so(owner: psycopg.Connection) -> None:
    """A slip of the pen must not pass for done."""
    with pytest.raises(SchemaError, match="no member nobody"):
        remove_member(owner, "nobody")


def test_one_user_may_have_several_logins(owner: psycopg.Connection, login: str) -> None:
    """A laptop and a desktop, each with a password of its own."""
    user, _ = invite(owner, login, None, new_password=False)

    other, _ = invite(owner, "behavior_other", user, new_password=False)

    assert other == user
    assert [member.user_id for member in members(owner) if member.login in (login, "behavior_other")] == [user, user]


def test_the_owner_of_a_database_becomes_a_member_by_using_it(owner: psycopg.Connection) -> None:
    """One person with a Postgres of their own sets the URL on each machine, and nothing else."""
    first = join(owner)

    assert join(owner) == first
    assert owner.info.user in [member.login for member in members(owner)]


def test_a_member_that_says_it_is_another_user_is_refused(owner: psycopg.Connection) -> None:
    """Otherwise its patterns would go where it does not look for them."""
    join(owner)

    other = uuid.uuid4()
    with pytest.raises(ConfigError, match=f"not {other}"):
        join(owner, other)


def test_a_member_is_not_made_another_user(owner: psycopg.Connection, login: str) -> None:
    """Whoever invites by mistake must learn of it before the patterns of two users mix."""
    invite(owner, login, None, new_password=False)

    other = uuid.uuid4()
    with pytest.raises(ConfigError, match=f"not {other}"):
        invite(owner, login, other, new_password=False)


def test_a_login_that_may_not_become_a_member_is_told_who_can_help(owner: psycopg.Connection, login: str) -> None:
    """Somebody was given a login of the server, and not yet a place in it."""
    password = make_login(owner, login)

    with (
        psycopg.connect(connection_url(owner, login, password), autocommit=True) as guest,
        pytest.raises(SchemaError, match=f"login {login}") as caught,
    ):
        join(guest)

    assert "member add" in caught.value.hint


def test_where_the_users_are_an_applications_one_of_them_must_be_named(owner: psycopg.Connection, login: str) -> None:
    """A user that we make up would be a stranger in the application's own table."""
    make_users_an_applications(owner)
    make_login(owner, login)

    with pytest.raises(ConfigError, match="users of its own"):
        add_member(owner, login)

    make_user(owner, A)
    named = uuid.UUID(A)
    assert add_member(owner, login, named) == named
    make_login(owner, "behavior_other")
    with pytest.raises(SchemaError, match="Could not make the login behavior_other a member"):
        add_member(owner, "behavior_other", uuid.uuid4())


def test_logins_and_users_that_we_make_are_marked(owner: psycopg.Connection, login: str) -> None:
    """By the mark they are told from an application's."""
    make_login(owner, login)

    marks = owner.execute(
        "select obj_description('auth.users'::regclass), shobj_description(quote_ident(%s)::regrole, 'pg_authid')",
        [login],
    ).fetchone()

    assert marks == (OURS, OURS)


@pytest.mark.parametrize("password", ["plain", "p@ss:w/ord?#[%]", " ' \\ "])
def test_the_url_says_what_it_was_made_of(owner: psycopg.Connection, login: str, password: str) -> None:
    """A password with a sign that has a meaning in URLs must arrive as it is."""
    said = conninfo_to_dict(connection_url(owner, login, password))

    assert (said["user"], said["password"]) == (login, password)
    assert (said["host"], said["port"], said["dbname"]) == (
        owner.info.host,
        str(owner.info.port),
        owner.info.dbname,
    )


def test_a_check_of_the_database_ends_with_a_count(terminal: Terminal) -> None:
    """A long list that simply stops might have been cut off."""
    *lines, last = terminal.run("verify").stdout.splitlines()

    assert last == f"{len(lines)} checks, all ok"
