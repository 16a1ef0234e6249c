"""Opening the store: what goes wrong is told in our words, and never with a part of the database's URL."""

from __future__ import annotations

from contextlib import closing

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from behavior_plugin.config import Settings
from behavior_plugin.errors import BehaviorError, ConfigError, StoreUnavailableError
from behavior_plugin.store.embedded.server import Server
from behavior_plugin.store.opening import open_store
from tests.database import LOGIN
from tests.factories import make_pattern


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:Canary/Secret@127.0.0.1:1/db",
        "postgresql://me:Can[arySecret@127.0.0.1:1/db",
        "postgresql://me:Canary?Secret@127.0.0.1:1/db",
        "postgresql://me:CanarySecret@127.0.0.1:1/db",
        "host=127.0.0.1 port=1 password=CanarySecret",
        "CanarySecret",
    ],
)
def test_no_part_of_the_url_is_shown(url: str) -> None:
    """Where a password is not escaped, any part of the URL may hold some of it."""
    with pytest.raises(BehaviorError) as caught:
        open_store(Settings(database_url=url))

    shown = f"{caught.value} {caught.value.hint}"
    assert "BEHAVIOR_DATABASE_URL" in shown
    assert not any(part in shown for part in ("Canary", "Secret", "arySecret"))


@pytest.mark.parametrize(("name", "value"), [("PGCLIENTENCODING", "LATIN1"), ("PGDATESTYLE", "German")])
def test_text_and_times_come_back_whatever_a_session_begins_with(
    server: Server, database: str, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """Another tool's settings, or the database's own, say nothing about how we read and write."""
    monkeypatch.setenv(name, value)
    settings = Settings.model_validate({"database_url": server.conninfo(LOGIN, database)})
    with closing(open_store(settings)) as store:
        store.patterns.save(make_pattern(trigger="Fix שלום"), None, None)

        assert [each.trigger for each in store.patterns.newest(project=None, limit=5)] == ["Fix שלום"]


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("postgresql://me@no.such.host.invalid/db", "has a host name that cannot be resolved"),
        ("postgresql://me@127.0.0.1:1/db", "cannot be reached"),
    ],
)
def test_why_a_server_cannot_be_used_is_said(url: str, why: str) -> None:
    """A slip in the URL is found at once, or after an hour."""
    with pytest.raises(StoreUnavailableError, match=why) as caught:
        open_store(Settings.model_validate({"database_url": url}))

    assert "BEHAVIOR_DATABASE_URL or in config.toml" in caught.value.hint


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"password": "wrong"}, "refuses the password"),
        ({"password": ""}, "requires a password"),
        ({"dbname": "nowhere"}, "has no such database or login"),
    ],
)
def test_why_a_server_refuses_is_said(server: Server, database: str, changes: dict[str, str], why: str) -> None:
    """The server told, and whoever set the URL is not there to ask it."""
    url = make_conninfo(server.conninfo(LOGIN, database), **changes)

    with pytest.raises(StoreUnavailableError, match=why) as caught:
        open_store(Settings.model_validate({"database_url": url}))

    assert "BEHAVIOR_DATABASE_URL or in config.toml" in caught.value.hint
    assert "doctor" not in caught.value.hint


def test_what_is_no_url_is_told_with_an_example() -> None:
    """Whoever does not know the form cannot guess it; the name of a Python class is no help."""
    with pytest.raises(ConfigError) as caught:
        open_store(Settings.model_validate({"database_url": "CanarySecret"}))

    assert "Error" not in str(caught.value)
    assert "postgresql://login:password@host:5432/database" in caught.value.hint


def test_a_login_whose_member_was_removed_is_told_so(server: Server, database: str, owner: psycopg.Connection) -> None:
    """Nothing about it is temporary; but what it has done waits in the spool, and is not set aside."""
    settings = Settings.model_validate({"database_url": server.conninfo(LOGIN, database)})
    with closing(open_store(settings)) as store:
        owner.execute("delete from auth.users")

        with pytest.raises(StoreUnavailableError, match="is not a member") as caught:
            store.patterns.save(make_pattern(), None, None)

    assert "behavior db member add" in caught.value.hint
