"""The store behind a pooler in transaction mode: the session state that others leave, and that we leave."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing

import psycopg
import pytest
from psycopg import sql

from behavior_plugin.config import Settings
from behavior_plugin.errors import ConfigError, SchemaError, StoreError, StoreUnavailableError
from behavior_plugin.model import Context
from behavior_plugin.store.embedded.server import Server
from behavior_plugin.store.members import add_member, make_login
from behavior_plugin.store.migrate import migrate
from behavior_plugin.store.opening import open_store
from behavior_plugin.store.postgres import PostgresStore
from behavior_plugin.store.sql_files import migrations
from behavior_plugin.workflow import StoredPattern
from tests import database as rows
from tests.factories import make_pattern
from tests.pgbouncer import Pooler, pooled
from tests.search import nearest

OWNER, ANN, BEN = "postgres", "pooled_ann", "pooled_ben"
MODEL = "offline"
VECTOR = [1.0, *[0.0] * 1535]
MACHINES, THREADS, TURNS = 3, 2, 5

# The state of a session that survives a transaction.
CARRIED = """
select current_user::text,
       (select jsonb_object_agg(name, setting) from pg_settings where source = 'session'),
       coalesce(current_setting('request.jwt.claims', true), ''),
       (select count(*) from pg_prepared_statements),
       (select count(*) from pg_locks where locktype = 'advisory'),
       (select count(*) from pg_class where relpersistence = 't')
"""


@pytest.fixture
def users(owner: psycopg.Connection) -> dict[str, uuid.UUID]:
    """The users of Ann and Ben in the test's database, by login."""
    for login in (ANN, BEN):
        make_login(owner, login, f"{login}'s password")
    return {login: add_member(owner, login) for login in (ANN, BEN)}


@pytest.fixture
def passwords(server: Server, users: dict[str, uuid.UUID]) -> dict[str, str]:
    """The logins of Ann, Ben and the database's owner."""
    return {OWNER: server.password, **{login: f"{login}'s password" for login in users}}


def opened(pooler: Pooler, login: str, dbname: str) -> closing[PostgresStore]:
    """The store of a login's user."""
    return closing(PostgresStore(pooler.conninfo(login, dbname)))


def connected(pooler: Pooler, login: str, dbname: str) -> psycopg.Connection:
    """Another program with the same login."""
    return psycopg.connect(pooler.conninfo(login, dbname), autocommit=True)


def save(store: PostgresStore, key: str, whose: str) -> None:
    """Save a pattern that names its user and otherwise equals everybody's."""
    context = Context(directory="/project", project="/project", branch=whose)
    rows.save(store, make_pattern(source_key=key, session_id=key, context=context), VECTOR, MODEL)


def found_every_way(store: PostgresStore) -> list[StoredPattern]:
    near = nearest(store, VECTOR, MODEL, min_similarity=0.9, project=None, limit=50)
    known = store.triggers(models={MODEL: 2}, project=None)
    listed = store.newest(project=None, limit=50)
    shown = store.starting_with(str(listed[0].id)) if listed else []
    keyed = store.patterns_with([each.pattern_key for each in known])
    return [*(match.pattern for match in near), *keyed, *listed, *shown]


def keys(store: PostgresStore) -> list[str]:
    return [pattern.source_key for pattern in store.newest(project=None, limit=50)]


def ask(connection: psycopg.Connection, question: str) -> tuple[object, ...]:
    row = connection.execute(question.encode()).fetchone()
    assert row is not None
    return row


# Several users


def test_pooler_shares_sessions_and_their_settings(server: Server, database: str, passwords: dict[str, str]) -> None:
    """This proves the danger: a setting without `local` reaches other clients."""
    with (
        pooled(server, passwords, sessions=1) as pooler,
        connected(pooler, ANN, database) as one,
        connected(pooler, ANN, database) as other,
    ):
        one.execute("select set_config('request.jwt.claims', 'left by one', false)")

        found = ask(other, "select current_setting('request.jwt.claims', true)")

    assert found == ("left by one",)


def test_concurrent_users_see_only_their_own_patterns(
    server: Server, owner: psycopg.Connection, passwords: dict[str, str]
) -> None:
    """Two people with several machines and threads, and fewer sessions than machines."""
    database = owner.info.dbname
    kept = ["kept 0", "kept 1"]

    def work(store: PostgresStore, whose: str, number: int) -> set[str | None]:
        """Call every method; returns the users whose patterns were seen."""
        seen = set()
        for turn in range(TURNS):
            passing = f"passing {number} {turn}"
            for key in (*kept, passing):
                save(store, key, whose)
            found = found_every_way(store)
            seen |= {pattern.context.branch for pattern in found}
            assert {*kept, passing} <= {pattern.source_key for pattern in found}
            assert rows.count_use(store, kept[0])
            assert store.forget_session(passing) == 1
        return seen

    with pooled(server, passwords) as pooler, ExitStack() as stack:
        machines = [(login, stack.enter_context(opened(pooler, login, database))) for login in (ANN, BEN) * MACHINES]
        with ThreadPoolExecutor(max_workers=len(machines) * THREADS) as threads:
            jobs = [
                (login, threads.submit(work, store, login, number))
                for number, (login, store) in enumerate(machines * THREADS)
            ]
        seen = [(login, job.result()) for login, job in jobs]
        sessions = owner.execute(
            "select usename::text, count(*) from pg_stat_activity where usename = any(%s) group by usename",
            [[ANN, BEN]],
        ).fetchall()
        left = [{pattern.source_key: pattern.use_count for pattern in found_every_way(store)} for _, store in machines]

    assert seen == [(login, {login}) for login, _ in jobs]
    assert left == [{kept[0]: MACHINES * THREADS * TURNS, kept[1]: 0}] * len(machines)
    assert {login for login, count in sessions if count < MACHINES} == {ANN, BEN}


def test_users_cannot_show_count_or_forget_patterns_of_others(
    server: Server, database: str, passwords: dict[str, str]
) -> None:
    """An id or a session's name may be known to others, and must not give access."""
    with (
        pooled(server, passwords, sessions=1) as pooler,
        opened(pooler, ANN, database) as ann,
        opened(pooler, BEN, database) as ben,
    ):
        save(ann, "of Ann's", ANN)
        [hers] = ann.newest(project=None, limit=5)

        tried = (
            ben.starting_with(str(hers.id)),
            rows.count_use(ben, hers.source_key),
            ben.forget_session(hers.session_id),
        )

        assert tried == ([], False, 0)
        assert found_every_way(ben) == []
        assert ann.newest(project=None, limit=5) == [hers]


# Shared sessions


def test_store_leaves_nothing_in_the_session(server: Server, database: str, passwords: dict[str, str]) -> None:
    """Role, claims, settings, prepared statements and locks would affect the next client."""
    with (
        pooled(server, passwords, sessions=1) as pooler,
        opened(pooler, ANN, database) as store,
        connected(pooler, ANN, database) as next_client,
    ):
        before = ask(next_client, CARRIED)

        for turn in range(10):  # more often than psycopg's threshold for preparing a statement
            save(store, f"key {turn}", ANN)
            rows.count_use(store, found_every_way(store)[0].source_key)
            store.forget_session(f"key {turn}")
        with pytest.raises(StoreError):
            rows.save(store, make_pattern(trigger=" "), VECTOR, MODEL)

        after = ask(next_client, CARRIED)

    assert before[0] == ANN
    assert after == before


@pytest.mark.parametrize(
    "left",
    [
        "set role authenticated",
        "select set_config('request.jwt.claims', json_build_object('sub', {ben}::text)::text, false)",
        "select set_config('request.jwt.claims', 'no json at all', false)",
        "set search_path = ''",
    ],
)
def test_leftover_session_state_does_not_change_the_user(
    server: Server, database: str, users: dict[str, uuid.UUID], passwords: dict[str, str], left: str
) -> None:
    """Another client used the session before, and may not have cleaned up."""
    with (
        pooled(server, passwords, sessions=1) as pooler,
        opened(pooler, ANN, database) as ann,
        opened(pooler, BEN, database) as ben,
        connected(pooler, ANN, database) as neighbour,
    ):
        save(ben, "of Ben's", BEN)
        save(ann, "earlier", ANN)
        neighbour.execute(sql.SQL(left).format(ben=str(users[BEN])))

        save(ann, "later", ANN)

        assert {pattern.context.branch for pattern in found_every_way(ann)} == {ANN}
        assert keys(ann) == ["later", "earlier"]
        assert keys(ben) == ["of Ben's"]


def test_joining_ignores_leftover_claims(
    server: Server, database: str, users: dict[str, uuid.UUID], passwords: dict[str, str]
) -> None:
    """An owner's claims are believed, and they may be left over from a program that acted for somebody else."""
    with (
        pooled(server, passwords, sessions=1) as pooler,
        opened(pooler, BEN, database) as ben,
        connected(pooler, OWNER, database) as neighbour,
    ):
        save(ben, "of Ben's", BEN)
        neighbour.execute(
            "select set_config('request.jwt.claims', json_build_object('sub', %s::text)::text, false)", [users[BEN]]
        )

        with closing(open_store(Settings(database_url=pooler.url(OWNER, database)))) as store:
            save(store.patterns, "of the owner's", OWNER)

            assert keys(store.patterns) == ["of the owner's"]
            assert keys(ben) == ["of Ben's"]


def test_pooler_without_a_free_session_is_temporary(server: Server, database: str, passwords: dict[str, str]) -> None:
    """Its error is a protocol violation; treated as a refused row, it would turn work into dead letters."""
    with (
        pooled(server, passwords, sessions=1, query_wait_timeout=3) as pooler,
        opened(pooler, ANN, database) as store,
        connected(pooler, ANN, database) as greedy,
    ):
        greedy.execute("begin; select 1")

        with pytest.raises(StoreUnavailableError):
            save(store, "key", ANN)

        greedy.execute("rollback")
        save(store, "key", ANN)
        assert keys(store) == ["key"]


# Migrations


def test_concurrent_migrations_succeed_and_leave_no_lock(server: Server, empty: str) -> None:
    """A session lock would stay with the pooler and block the next migration for ever."""

    def run(pooler: Pooler) -> list[str]:
        with connected(pooler, OWNER, empty) as connection:
            return migrate(connection)

    # The timeout makes a leftover lock an error instead of a test that hangs.
    with pooled(server, {OWNER: server.password}, query_timeout=30) as pooler:
        with ThreadPoolExecutor(max_workers=5) as threads:
            ran = list(threads.map(lambda _: run(pooler), range(5)))
        again = run(pooler)
        with connected(pooler, OWNER, empty) as connection:
            noted = connection.execute("select version from behavior.migrations order by version").fetchall()
            login, _settings, _claims, *kept = ask(connection, CARRIED)

    expected = migrations("behavior_patterns")
    assert max(ran, key=len) == [migration.file.name for migration in expected]
    assert again == []
    assert noted == [(migration.version,) for migration in expected]
    assert (login, kept) == (OWNER, [0, 0, 0])


def test_refused_migration_releases_the_session(server: Server, empty: str, passwords: dict[str, str]) -> None:
    """An open failed transaction would block everybody else."""
    with (
        pooled(server, passwords, sessions=1, query_wait_timeout=5) as pooler,
        connected(pooler, ANN, empty) as refused,
        connected(pooler, ANN, empty) as next_client,
    ):
        with pytest.raises(SchemaError):
            migrate(refused)

        assert ask(next_client, "select current_user::text") == (ANN,)


# Logins with another name at the server


def test_pooler_login_with_another_name_becomes_a_member(
    server: Server, owner: psycopg.Connection, passwords: dict[str, str]
) -> None:
    """Clients of a hosted pooler log in as `login.project`; the server's login decides the user."""
    as_owner = {"dbname": owner.info.dbname, "user": OWNER, "password": passwords[OWNER]}
    with pooled(server, {f"{OWNER}.project": "a password"}, aliases={"by_project": as_owner}) as pooler:
        settings = Settings(database_url=pooler.url(f"{OWNER}.project", "by_project"))

        with closing(open_store(settings)) as store:
            save(store.patterns, "key", OWNER)
            kept = keys(store.patterns)

    members = owner.execute("select login::text from behavior.members where starts_with(login, %s)", [OWNER]).fetchall()
    assert kept == ["key"]
    assert members == [(OWNER,)]


def test_pooler_login_must_match_configured_user(
    server: Server, database: str, users: dict[str, uuid.UUID], passwords: dict[str, str]
) -> None:
    """A pooler that uses one login for all makes them one user, who sees everything."""
    as_ann = {"dbname": database, "user": ANN, "password": passwords[ANN]}
    with pooled(server, passwords, aliases={"all_are_ann": as_ann}) as pooler:
        settings = Settings(database_url=pooler.url(BEN, "all_are_ann"), user_id=users[BEN])

        with pytest.raises(ConfigError, match=str(users[ANN])):
            open_store(settings)
