"""A user's own Postgres over a network: TLS protects it, and refusals are reported with the reason.

The embedded server has no TLS, so a pooler in front of it provides it.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import trustme
from psycopg.conninfo import conninfo_to_dict

from behavior_plugin.config import Settings
from behavior_plugin.errors import StoreUnavailableError
from behavior_plugin.store.embedded.server import Server
from behavior_plugin.store.opening import OpenStore, open_store
from tests.database import LOGIN, save
from tests.factories import make_pattern
from tests.pgbouncer import ADDRESS, Pooler, pooled

HOST = "db.example.test"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """The authority that signed the server's certificate."""
    return trustme.CA()


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path) -> str:
    """The certificate file of that authority, for clients."""
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    return str(tmp_path / "authority.pem")


@pytest.fixture
def stranger(tmp_path: Path) -> str:
    """The certificate file of another authority, which did not sign the server's certificate."""
    trustme.CA().cert_pem.write_to_path(tmp_path / "stranger.pem")
    return str(tmp_path / "stranger.pem")


@pytest.fixture
def safe(server: Server, authority: trustme.CA) -> Iterator[Pooler]:
    """A server that requires TLS, with a certificate for HOST."""
    with pooled(server, {LOGIN: server.password}, tls=authority.issue_cert(HOST)) as pooler:
        yield pooler


@pytest.fixture
def clear(server: Server) -> Iterator[Pooler]:
    """A server without TLS."""
    with pooled(server, {LOGIN: server.password}) as pooler:
        yield pooler


@pytest.fixture(autouse=True)
def variables_of_tests() -> Iterator[None]:
    """Opening a store replaces them by those of the settings."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


def opened(url: str, **variables: str) -> closing[OpenStore]:
    """The store as the worker opens it."""
    return closing(open_store(Settings.model_validate({"database_url": url, "environment": variables})))


def keep_one(store: OpenStore) -> int:
    """Use the store; returns the number of its patterns."""
    save(store.patterns, make_pattern())
    return store.patterns.count()


def security(store: OpenStore) -> tuple[bool, str | None]:
    """Whether the store's connections are encrypted, and how they verify the server."""
    with store.patterns._pool.connection() as connection:
        return connection.pgconn.ssl_in_use, connection.info.get_parameters().get("sslmode")


def refusal(url: str, **variables: str) -> str:
    """The error for a refused server. Neither the error nor the log may contain any part of the URL."""
    with pytest.raises(StoreUnavailableError) as caught:
        open_store(Settings.model_validate({"database_url": url, "environment": variables}))
    error = caught.value
    everything = f"{error!r} {error.hint} {''.join(traceback.format_exception(error))}"
    parts = conninfo_to_dict(url)
    private = ("host", "port", "user", "password", "dbname", "sslrootcert")
    assert [name for name in private if name in parts and str(parts[name]) in everything] == []
    return str(error)


# Accepted connections


def test_store_works_with_sslmode_verify_full(safe: Pooler, database: str, trusted: str) -> None:
    """With it a network can neither read the traffic nor impersonate the server."""
    with opened(safe.url(LOGIN, database, host=HOST, sslmode="verify-full", sslrootcert=trusted)) as store:
        assert keep_one(store) == 1
        assert security(store) == (True, "verify-full")


def test_tls_variables_of_the_settings_are_honoured_and_others_not(
    safe: Pooler, database: str, trusted: str, stranger: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All tools of a team use these variables, and a project can set them too."""
    monkeypatch.setenv("PGSSLROOTCERT", stranger)
    monkeypatch.setenv("PGHOSTADDR", "192.0.2.1")

    with opened(safe.url(LOGIN, database, host=HOST), PGSSLMODE="verify-full", PGSSLROOTCERT=trusted) as store:
        assert keep_one(store) == 1
        assert security(store) == (True, "verify-full")


# Refused connections


def test_certificate_of_another_authority_is_refused_with_the_reason(
    safe: Pooler, database: str, stranger: str
) -> None:
    """An impostor would receive every prompt."""
    said = refusal(safe.url(LOGIN, database, host=HOST, sslmode="verify-full", sslrootcert=stranger))

    assert "certificate" in said
    assert "sslrootcert" in said


def test_certificate_of_another_authority_is_refused_by_the_variables_of_the_settings(
    safe: Pooler, database: str, stranger: str
) -> None:
    """A setting that is silently ignored protects from nothing."""
    said = refusal(safe.url(LOGIN, database, host=HOST), PGSSLMODE="verify-full", PGSSLROOTCERT=stranger)

    assert "certificate" in said
    assert "sslrootcert" in said


def test_certificate_for_another_host_is_refused_with_the_reason(safe: Pooler, database: str, trusted: str) -> None:
    """Any server with a certificate of the same authority could impersonate ours."""
    said = refusal(safe.url(LOGIN, database, host="other.example.test", sslmode="verify-full", sslrootcert=trusted))

    assert "certificate" in said
    assert "host" in said


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_unusable_certificate_file_is_reported(
    safe: Pooler, database: str, tmp_path: Path, content: str | None
) -> None:
    """Otherwise a typing error in a path looks like a server that is down."""
    file = tmp_path / "some.pem"
    if content:
        file.write_text(content, encoding="ascii")

    said = refusal(safe.url(LOGIN, database, host=HOST, sslmode="verify-full", sslrootcert=str(file)))

    assert "sslrootcert" in said


def test_server_that_requires_tls_is_reported(safe: Pooler, database: str) -> None:
    """It is not down: one word in the URL has to change."""
    said = refusal(safe.url(LOGIN, database, host=HOST, sslmode="disable"))

    assert "demands TLS" in said
    assert "sslmode" in said


@pytest.mark.parametrize("mode", ["require", "verify-full"])
def test_server_without_tls_is_refused_if_the_url_requires_it(
    clear: Pooler, database: str, trusted: str, mode: str
) -> None:
    """An attacker in between may claim that there is no TLS."""
    said = refusal(clear.url(LOGIN, database, host=HOST, sslmode=mode, sslrootcert=trusted))

    assert "does not speak TLS" in said
    assert "sslmode" in said


# Settings for other servers


def test_tls_settings_do_not_affect_the_embedded_server() -> None:
    """It has a private socket, no network and no TLS."""
    others = {
        "PGSSLMODE": "verify-full",
        "PGSSLROOTCERT": "/nowhere.pem",
        "PGSSLNEGOTIATION": "direct",
        "PGCHANNELBINDING": "require",
        "PGREQUIREAUTH": "none",
        "PGREQUIREPEER": "nobody in particular",
        "PGGSSENCMODE": "require",
        "PGSERVICE": "other",
        "PGHOSTADDR": ADDRESS,
        "PGPORT": "1",
        "PGTARGETSESSIONATTRS": "standby",
        "PGOPTIONS": "--nonsense=1",
        "PGCLIENTENCODING": "LATIN1",
        "PGDATESTYLE": "German",
    }

    with closing(open_store(Settings.model_validate({"environment": others}))) as store:
        assert keep_one(store) == 1
        assert [pattern.trigger for pattern in store.patterns.newest(project=None, limit=5)] == [make_pattern().trigger]
