"""Opening the store: errors are readable, and contain no part of the database's URL."""

from __future__ import annotations

from contextlib import closing

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from behavior_plugin.config import Settings
from behavior_plugin.errors import BehaviorError, ConfigError, StoreUnavailableError
from behavior_plugin.store.embedded.server import Server
from behavior_plugin.store.opening import open_store
from tests.database import LOGIN, save
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
def test_errors_contain_no_part_of_the_url(url: str) -> None:
    """If the password is not escaped, any part of the URL may contain some of it."""
    with pytest.raises(BehaviorError) as caught:
        open_store(Settings(database_url=url))

    shown = f"{caught.value} {caught.value.hint}"
    assert "database_url" in shown
    assert not any(part in shown for part in ("Canary", "Secret", "arySecret"))


@pytest.mark.parametrize(("name", "value"), [("PGCLIENTENCODING", "LATIN1"), ("PGDATESTYLE", "German")])
def test_session_defaults_do_not_change_text_and_times(
    server: Server, database: str, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """Settings of other tools or of the database must not affect reading and writing."""
    monkeypatch.delenv(name, raising=False)  # to have it restored
    settings = Settings.model_validate({"database_url": server.conninfo(LOGIN, database), "environment": {name: value}})
    with closing(open_store(settings)) as store:
        save(store.patterns, make_pattern(trigger="Fix שלום"))

        assert [each.trigger for each in store.patterns.newest(project=None, limit=5)] == ["Fix שלום"]


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("postgresql://me@no.such.host.invalid/db", "has a host name that cannot be resolved"),
        ("postgresql://me@127.0.0.1:1/db", "cannot be reached"),
    ],
)
def test_unusable_server_is_reported_with_the_reason(url: str, why: str) -> None:
    """An error in the URL must be clear at once."""
    with pytest.raises(StoreUnavailableError, match=why) as caught:
        open_store(Settings.model_validate({"database_url": url}))

    assert "database_url in config.toml" in caught.value.hint


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"password": "wrong"}, "refuses the password"),
        ({"password": ""}, "requires a password"),
        ({"dbname": "nowhere"}, "has no such database or login"),
    ],
)
def test_refused_connection_is_reported_with_the_reason(
    server: Server, database: str, changes: dict[str, str], why: str
) -> None:
    """The user sees our message, not the server's log."""
    url = make_conninfo(server.conninfo(LOGIN, database), **changes)

    with pytest.raises(StoreUnavailableError, match=why) as caught:
        open_store(Settings.model_validate({"database_url": url}))

    assert "database_url in config.toml" in caught.value.hint
    assert "doctor" not in caught.value.hint


def test_invalid_url_is_reported_with_an_example() -> None:
    """The name of a Python exception does not help."""
    with pytest.raises(ConfigError) as caught:
        open_store(Settings.model_validate({"database_url": "CanarySecret"}))

    assert "Error" not in str(caught.value)
    assert "postgresql://login:password@host:5432/database" in caught.value.hint


def test_removed_member_gets_a_clear_error(server: Server, database: str, owner: psycopg.Connection) -> None:
    """The error is permanent, but the events wait in the spool and do not become dead letters."""
    settings = Settings.model_validate({"database_url": server.conninfo(LOGIN, database)})
    with closing(open_store(settings)) as store:
        owner.execute("delete from auth.users")

        with pytest.raises(StoreUnavailableError, match="is not a member") as caught:
            save(store.patterns, make_pattern())

    assert "behavior db member add" in caught.value.hint
