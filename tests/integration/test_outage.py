"""The store during and after an outage of its server or network.

Temporary failures are StoreUnavailableErrors, and the worker retries. Failures that a row causes are StoreErrors, and
its session becomes a dead letter. Confusing them loses work, or blocks all other work.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, closing, contextmanager
from functools import partial

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from behavior_plugin.config import Settings, Storage
from behavior_plugin.errors import StoreError, StoreUnavailableError
from behavior_plugin.store.embedded.server import Server
from behavior_plugin.store.opening import open_store
from behavior_plugin.store.postgres import PostgresStore
from behavior_plugin.store.sql_files import STORAGES
from behavior_plugin.workflow import Pattern, Remark, RemarkKind
from tests import database as rows
from tests import search
from tests.database import LOGIN
from tests.factories import START, make_action, make_pattern
from tests.tcp_proxy import Fault, TcpProxy
from tests.waiting import wait_for

# Only a hanging call, or a store that does not recover by itself, takes longer.
HANGING_S = 40.0
BACK_S = 40.0
NEAR = [1.0, *[0.0] * 1535]
CANARY = "canary-7f3a9c"
REMARK = Remark(pattern_key="key", kind=RemarkKind.GOOD, made_at=START)
EVERY_METHOD: dict[str, Callable[[PostgresStore], object]] = {
    "evidence": lambda store: save(store, make_pattern()),
    "take_old_patterns": lambda store: store.take_old_patterns(),
    "stale_sessions": lambda store: store.stale_sessions(2),
    "unfolded_projects": lambda store: store.unfolded_projects(),
    "unembedded": lambda store: store.unembedded(5),
    "save_embedding": lambda store: store.save_embedding("key", "words", NEAR, "model"),
    "newest_triggers": lambda store: store.newest_triggers("project", limit=5),
    "embedded": lambda store: store.embedded(),
    "embedded_by": lambda store: store.embedded_by("model", project="project", limit=5),
    "refold": lambda store: store.refold("project"),
    "nearest": lambda store: nearest(store),
    "state": lambda store: store.state(models=["model"], project=None),
    "triggers": lambda store: store.triggers(models={"model": 2}, project=None),
    "lessons": lambda store: store.lessons("/p"),
    "lessons_state": lambda store: store.lessons_state("/p"),
    "patterns_with": lambda store: store.patterns_with(["key"]),
    "newest": lambda store: store.newest(project=None, limit=1),
    "starting_with": lambda store: store.starting_with("a"),
    "newest_episodes": lambda store: store.newest_episodes(project=None, limit=1),
    "episodes_with": lambda store: store.episodes_with(["key"]),
    "projects": lambda store: store.projects(),
    "episodes_of": lambda store: store.episodes_of("key", limit=1),
    "add_remark": lambda store: store.add_remark(REMARK),
    "count": lambda store: store.count(),
    "forget_session": lambda store: store.forget_session("session"),
}
KEYS: dict[Storage, str] = {
    "behavior_patterns": "select source_key from public.behavior_patterns",
    "memories": "select metadata ->> 'source_key' from public.memories",
}
# The statements that the store sends to save a pattern, in order.
MOMENTS = {
    "begin": b"BEGIN",
    "user": b"set_config",
    "lock": b"advisory_xact_lock",
    "row": b"insert into",
    # With its end: transactions begin as READ COMMITTED.
    "commit": b"COMMIT\0",
}
# Failures that concern every row end, if only by somebody's action; as dead letters, all work would be lost.
PASSING = {
    "08006": "connection_failure",
    "0A000": "feature_not_supported",
    "25006": "read_only_sql_transaction",
    "25P03": "idle_in_transaction_session_timeout",
    "25P04": "transaction_timeout",
    "40001": "serialization_failure",
    "40P01": "deadlock_detected",
    "42501": "insufficient_privilege",
    "42P01": "undefined_table",
    "53100": "disk_full",
    "53200": "out_of_memory",
    "53300": "too_many_connections",
    "55006": "object_in_use",
    "55P03": "lock_not_available",
    "57014": "query_canceled",
    "57P01": "admin_shutdown",
    "57P03": "cannot_connect_now",
    "58030": "io_error",
    "XX001": "data_corrupted",
    "XX002": "index_corrupted",
}
OF_THE_ROW = {
    "22001": "string_data_right_truncation",
    "22021": "character_not_in_repertoire",
    "22P02": "invalid_text_representation",
    "23502": "not_null_violation",
    "23503": "foreign_key_violation",
    "23514": "check_violation",
    "54000": "program_limit_exceeded",
    "P0001": "raise_exception",
    "XX000": "internal_error",
}


@pytest.fixture
def proxy(server: Server) -> Iterator[TcpProxy]:
    with TcpProxy(server.conninfo()).serving() as serving:
        yield serving


@pytest.fixture
def direct(server: Server, database: str) -> str:
    """The connection string without the proxy."""
    return server.conninfo(LOGIN, database)


@pytest.fixture
def remote(proxy: TcpProxy, direct: str, storage: Storage) -> Iterator[PostgresStore]:
    """The store behind the proxy, with a connection that was used already."""
    with closing(PostgresStore(proxy.conninfo(direct), storage)) as store:
        in_the_end(store.count)
        yield store


def started(call: Callable[[], object]) -> Future[object]:
    """A call in its own thread, so that a hanging one does not block the run."""
    done: Future[object] = Future()

    def run() -> None:
        try:
            done.set_result(call())
        except BaseException as error:
            done.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return done


def error_of(call: Callable[[], object] | Future[object]) -> StoreError:
    """The error that a call of the store raises."""
    with pytest.raises(StoreError) as caught:
        (call if isinstance(call, Future) else started(call)).result(HANGING_S)
    return caught.value


def is_passing(failure: StoreError) -> bool:
    return isinstance(failure, StoreUnavailableError)


def in_the_end(call: Callable[[], object]) -> object:
    """The result of a call that is retried, as the worker does, until the store is available."""
    [result] = wait_for(
        lambda: [started(call).result(HANGING_S)], "the store is back", within_s=BACK_S, passing=StoreUnavailableError
    )
    return result


def save(store: PostgresStore, *patterns: Pattern) -> None:
    for pattern in patterns:
        rows.save(store, pattern, NEAR, "model")


def nearest(store: PostgresStore) -> list[search.Match]:
    return search.nearest(store, NEAR, "model", min_similarity=0.9, project=None, limit=5)


def kept(owner: psycopg.Connection, storage: Storage = "behavior_patterns") -> list[str]:
    """The key of each row, read without store and proxy."""
    return sorted(key for (key,) in owner.execute(KEYS[storage].encode()))


def keys(*patterns: Pattern) -> list[str]:
    return sorted(pattern.source_key for pattern in patterns)


def until_it_waits(owner: psycopg.Connection) -> None:
    """Wait until a statement waits for a lock; nothing else in these tests does."""
    wait_for(lambda: owner.execute("select 1 from pg_locks where not granted").fetchone(), "a statement waits")


def terminate(owner: psycopg.Connection) -> None:
    """End the store's connections, as a restart of the server does."""
    owner.execute(
        "select pg_terminate_backend(pid, 10000) from pg_stat_activity"
        " where datname = current_database() and usename = %s",
        [LOGIN],
    )


@contextmanager
def setting(owner: psycopg.Connection, name: str, value: str) -> Iterator[None]:
    """A setting for all connections of the store within the block; they end with it."""
    words = {
        "login": sql.Identifier(LOGIN),
        "database": sql.Identifier(owner.info.dbname),
        "name": sql.Identifier(name),
        "value": sql.Literal(value),
    }
    owner.execute(sql.SQL("alter role {login} in database {database} set {name} = {value}").format(**words))
    try:
        yield
    finally:
        owner.execute(sql.SQL("alter role {login} in database {database} reset {name}").format(**words))
        terminate(owner)


def run_before_each_row(owner: psycopg.Connection, statements: str) -> None:
    owner.execute(
        f"create function public.fault() returns trigger language plpgsql as $$begin {statements} return new; end$$"
    )
    owner.execute(
        "create trigger fault before insert on public.behavior_patterns for each row execute function public.fault()"
    )


# The network


@pytest.mark.parametrize("fault", [Fault.REFUSE, Fault.BLACK_HOLE, Fault.RESET], ids=lambda fault: fault.name)
def test_store_reports_a_network_failure_and_recovers(
    fault: Fault, remote: PostgresStore, proxy: TcpProxy, owner: psycopg.Connection
) -> None:
    """Tunnels and wireless networks come and go; nobody should have to restart the worker."""
    before, during, after = make_pattern(), make_pattern(), make_pattern()
    save(remote, before)

    proxy.begin(fault)
    failures = [error_of(lambda: save(remote, during)) for _ in range(2)]

    assert all(map(is_passing, failures))
    assert proxy.met
    assert kept(owner) == keys(before)
    proxy.end()
    in_the_end(lambda: save(remote, during))
    in_the_end(lambda: save(remote, after))
    assert kept(owner) == keys(before, during, after)


@pytest.mark.parametrize("fault", [Fault.REFUSE, Fault.BLACK_HOLE, Fault.RESET], ids=lambda fault: fault.name)
def test_store_opened_during_a_network_failure_recovers(
    fault: Fault, proxy: TcpProxy, direct: str, owner: psycopg.Connection
) -> None:
    """A laptop is opened on a train and gets a network an hour later."""
    pattern = make_pattern()
    proxy.begin(fault)

    with closing(PostgresStore(proxy.conninfo(direct))) as store:
        failure = error_of(lambda: save(store, pattern))
        proxy.end()
        in_the_end(lambda: save(store, pattern))

    assert is_passing(failure)
    assert kept(owner) == keys(pattern)


@pytest.mark.parametrize("method", EVERY_METHOD)
def test_every_method_reports_a_lost_connection(method: str, remote: PostgresStore, proxy: TcpProxy) -> None:
    """A failed search must not look like a search without results."""
    proxy.begin(Fault.RESET)

    failure = error_of(lambda: EVERY_METHOD[method](remote))

    assert is_passing(failure)
    assert proxy.met


def test_slow_network_is_not_an_outage(remote: PostgresStore, proxy: TcpProxy, owner: psycopg.Connection) -> None:
    """A server may be on the other side of the world."""
    pattern = make_pattern()
    proxy.begin(Fault.SLOW)

    save(remote, pattern)
    found = nearest(remote)

    assert [match.pattern.source_key for match in found] == kept(owner) == keys(pattern)
    assert proxy.met > len(MOMENTS)


@pytest.mark.parametrize("fault", [Fault.RESET, Fault.LOSE_ANSWER], ids=lambda fault: fault.name)
@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("storage", STORAGES)
def test_row_is_stored_once_if_the_connection_breaks(
    storage: Storage, moment: str, fault: Fault, remote: PostgresStore, proxy: TcpProxy, owner: psycopg.Connection
) -> None:
    """Without an answer to the commit the client cannot know the result, so it always saves again."""
    pattern = make_pattern()
    proxy.begin(fault, at=MOMENTS[moment])

    failure = error_of(lambda: save(remote, pattern))

    assert is_passing(failure)
    assert proxy.met == 1
    is_done = (moment, fault) == ("commit", Fault.LOSE_ANSWER)
    assert kept(owner, storage) == (keys(pattern) if is_done else [])
    proxy.end()
    in_the_end(lambda: save(remote, pattern))
    assert kept(owner, storage) == keys(pattern)


def test_rows_of_many_threads_are_stored_once_if_all_answers_are_lost(
    remote: PostgresStore, proxy: TcpProxy, owner: psycopg.Connection
) -> None:
    """There are more threads than connections, so lost connections are replaced while others wait for one."""
    patterns = [make_pattern() for _ in range(12)]
    proxy.begin(Fault.LOSE_ANSWER, at=MOMENTS["commit"])
    saving = [started(partial(save, remote, pattern)) for pattern in patterns]
    failures = [error_of(running) for running in saving]
    lost = proxy.met

    proxy.end()
    in_the_end(lambda: save(remote, *patterns))

    assert all(map(is_passing, failures))
    assert lost
    assert kept(owner) == keys(*patterns)


def test_stuck_commit_releases_its_row(
    remote: PostgresStore, proxy: TcpProxy, direct: str, owner: psycopg.Connection
) -> None:
    """The server does not notice a lost network, and would hold the lock of a client that is gone."""
    pattern = make_pattern()
    proxy.begin(Fault.BLACK_HOLE, at=MOMENTS["commit"])
    failure = error_of(lambda: save(remote, pattern))

    with closing(PostgresStore(direct)) as by_another_way:
        in_the_end(lambda: save(by_another_way, pattern))

    assert is_passing(failure)
    assert proxy.met
    assert kept(owner) == keys(pattern)


# The server


def test_connection_ended_within_a_transaction_is_replaced(store: PostgresStore, owner: psycopg.Connection) -> None:
    """This happens at a restart of the server, or a failover."""
    pattern = make_pattern()
    with owner.transaction():
        owner.execute("lock table public.behavior_patterns in share mode")
        saving = started(lambda: save(store, pattern))
        until_it_waits(owner)
        terminate(owner)

        assert is_passing(error_of(saving))

    assert kept(owner) == []
    in_the_end(lambda: save(store, pattern))
    assert kept(owner) == keys(pattern)


@pytest.mark.parametrize(
    ("name", "state"), [("statement_timeout", "57014"), ("lock_timeout", "55P03"), ("transaction_timeout", "25P04")]
)
def test_server_timeout_is_temporary(name: str, state: str, direct: str, owner: psycopg.Connection) -> None:
    """A vacuum or a new column locks the table for a while."""
    pattern = make_pattern()
    with ExitStack() as fault:
        fault.enter_context(setting(owner, name, "1s"))
        with closing(PostgresStore(direct)) as store:
            in_the_end(store.count)
            with owner.transaction():
                owner.execute("lock table public.behavior_patterns in share mode")
                failure = error_of(lambda: save(store, pattern))

            assert state in str(failure)
            assert is_passing(failure)
            fault.close()
            in_the_end(lambda: save(store, pattern))
    assert kept(owner) == keys(pattern)


def test_deadlock_is_temporary(direct: str, owner: psycopg.Connection) -> None:
    """The server ends one of two sessions, which cannot be predicted."""
    pattern = make_pattern()
    run_before_each_row(owner, "perform pg_advisory_xact_lock(1); perform pg_advisory_xact_lock(2);")
    with setting(owner, "deadlock_timeout", "2s"), closing(PostgresStore(direct)) as store:
        with owner.transaction():
            owner.execute("set local deadlock_timeout = '1min'")
            owner.execute("select pg_advisory_xact_lock(2)")
            saving = started(lambda: save(store, pattern))
            until_it_waits(owner)
            owner.execute("select pg_advisory_xact_lock(1)")

        failure = error_of(saving)
        assert "40P01" in str(failure)
        assert is_passing(failure)
        in_the_end(lambda: save(store, pattern))
    assert kept(owner) == keys(pattern)


def test_stricter_default_isolation_does_not_matter(direct: str, owner: psycopg.Connection) -> None:
    """Whoever has waited for another writer must see what that one has stored, and not fail."""
    early = make_pattern()
    late = early.model_copy(update={"actions": (make_action(), make_action("Edit"))})
    with setting(owner, "default_transaction_isolation", "repeatable read"), closing(PostgresStore(direct)) as store:
        in_the_end(lambda: save(store, early))
        with owner.transaction():
            owner.execute("update public.behavior_patterns set confidence = 0.5")
            saving = started(lambda: save(store, late))
            until_it_waits(owner)

        saving.result(HANGING_S)
    assert owner.execute("select jsonb_array_length(actions) from public.behavior_patterns").fetchall() == [(2,)]


def test_read_only_server_is_temporary_and_still_searched(
    store: PostgresStore, direct: str, owner: psycopg.Connection
) -> None:
    """During a failover a standby answers, and recall goes on."""
    before, during = make_pattern(), make_pattern()
    save(store, before)
    with ExitStack() as fault:
        fault.enter_context(setting(owner, "default_transaction_read_only", "on"))
        with closing(PostgresStore(direct)) as reading:
            found = in_the_end(lambda: [match.pattern.source_key for match in nearest(reading)])
            failure = error_of(lambda: save(reading, during))

            assert found == keys(before)
            assert "25006" in str(failure)
            assert is_passing(failure)
            fault.close()
            in_the_end(lambda: save(reading, during))
    assert kept(owner) == keys(before, during)


@pytest.mark.parametrize("closed", ["connection limit 0", "allow_connections false"])
def test_server_without_free_connections_is_temporary(closed: str, server: Server, direct: str, database: str) -> None:
    """All connections are in use, or an administrator closed the database for a repair."""
    first, second = make_pattern(), make_pattern()
    again = closed.replace("0", "-1").replace("false", "true")
    with psycopg.connect(server.conninfo(), autocommit=True) as outside, closing(PostgresStore(direct)) as store:
        in_the_end(lambda: save(store, first))
        outside.execute(f"alter database {database} {closed}")
        outside.execute("select pg_terminate_backend(pid, 10000) from pg_stat_activity where datname = %s", [database])

        failures = [error_of(lambda: save(store, second)) for _ in range(2)]

        assert all(map(is_passing, failures))
        outside.execute(f"alter database {database} {again}")
        in_the_end(lambda: save(store, second))
        assert store.count() == 2


@pytest.fixture
def small_disk(server: Server, owner: psycopg.Connection) -> Iterator[Callable[[str], object]]:
    """A disk with room for a few patterns, and a function that resizes it."""
    folder = server.data.parent / "small-disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "small-disk", str(folder)]
    if os.geteuid() or not shutil.which("mount") or subprocess.run(mount, capture_output=True, check=False).returncode:
        folder.rmdir()
        pytest.skip("a small disk cannot be mounted here")
    try:
        os.chown(folder, server.data.stat().st_uid, server.data.stat().st_gid)
        owner.execute(sql.SQL("create tablespace small_disk location {}").format(str(folder)))
        owner.execute("alter table public.behavior_patterns set tablespace small_disk")
        yield lambda size: subprocess.run(["mount", "-o", f"remount,size={size}", str(folder)], check=True)
        owner.execute("truncate public.behavior_patterns")
        owner.execute("alter table public.behavior_patterns set tablespace pg_default")
        owner.execute("drop tablespace small_disk")
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
        folder.rmdir()


def test_full_disk_is_temporary(
    store: PostgresStore, owner: psycopg.Connection, small_disk: Callable[[str], object]
) -> None:
    """An administrator will make room; until then nothing may be given up."""
    patterns = [make_pattern(actions=(make_action(error=secrets.token_hex(500_000)),)) for _ in range(20)]

    failure = error_of(lambda: save(store, *patterns))

    assert "53100" in str(failure)
    assert is_passing(failure)
    small_disk("100m")
    in_the_end(lambda: save(store, *patterns))
    assert kept(owner) == keys(*patterns)


# Temporary and final failures


@pytest.mark.parametrize("state", PASSING, ids=PASSING.get)
def test_errors_that_concern_every_row_are_temporary(
    state: str, store: PostgresStore, owner: psycopg.Connection
) -> None:
    """Otherwise a disk that was full for a minute would turn sessions into dead letters."""
    run_before_each_row(owner, f"raise exception '{CANARY}' using errcode = '{state}';")

    failure = error_of(lambda: save(store, make_pattern()))

    assert is_passing(failure)
    assert state in str(failure)
    assert CANARY not in str(failure)


@pytest.mark.parametrize("state", OF_THE_ROW, ids=OF_THE_ROW.get)
def test_errors_caused_by_the_row_are_final(state: str, store: PostgresStore, owner: psycopg.Connection) -> None:
    """Retried for ever, one bad session would block all the others."""
    run_before_each_row(owner, f"raise exception '{CANARY}' using errcode = '{state}';")

    failure = error_of(lambda: save(store, make_pattern()))

    assert type(failure) is StoreError
    assert state in str(failure)
    assert CANARY not in str(failure)


# Refused connections


def test_opening_reports_a_lack_of_connections(direct: str, owner: psycopg.Connection) -> None:
    """The user has to close a client or raise the limit; the network is not the cause."""
    owner.execute(f"alter database {owner.info.dbname} connection limit 0")

    with pytest.raises(StoreUnavailableError, match="has no free connection"):
        started(lambda: open_store(Settings.model_validate({"database_url": direct}))).result(HANGING_S)


def test_open_store_reports_a_changed_password(direct: str) -> None:
    """The pool's own error only says that it has no connection."""
    with closing(PostgresStore(make_conninfo(direct, password=CANARY))) as store:
        failure = error_of(store.count)

    assert is_passing(failure)
    assert "refuses the password" in str(failure)
    assert CANARY not in f"{failure} {failure.hint}"
