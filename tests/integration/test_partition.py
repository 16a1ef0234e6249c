"""A table that is partitioned by user, for teams that outgrow one table."""

from __future__ import annotations

from contextlib import closing

import psycopg
import pytest

from behavior_plugin.model import Saved
from behavior_plugin.store.embedded.server import Server
from behavior_plugin.store.members import connection_url
from behavior_plugin.store.migrate import migrate
from behavior_plugin.store.postgres import PostgresStore
from behavior_plugin.store.sql_files import script
from tests.database import A, member_store, rows
from tests.factories import make_action, make_pattern

USERS = [f"user_{number}" for number in range(20)]
EVERYTHING = "select to_jsonb(each) from public.behavior_patterns each order by user_id, id"


@pytest.fixture
def team(server: Server, owner: psycopg.Connection) -> psycopg.Connection:
    """The owner's connection to a database of twenty members with three patterns each."""
    for user in USERS:
        with member_store(owner, server, user) as store:
            for number in range(3):
                store.save(make_pattern(), [1.0, number / 10, *[0.0] * 1534], "model")
    return owner


@pytest.fixture
def split(team: psycopg.Connection) -> psycopg.Connection:
    team.execute(script("partition", "behavior_patterns"))
    migrate(team)
    return team


def test_partitioning_keeps_every_row(team: psycopg.Connection) -> None:
    """All patterns of a team are copied."""
    before = team.execute(EVERYTHING).fetchall()

    team.execute(script("partition", "behavior_patterns"))
    migrate(team)

    assert len(before) == 3 * len(USERS)
    assert team.execute(EVERYTHING).fetchall() == before


def test_searches_read_one_partition(split: psycopg.Connection) -> None:
    """That is its purpose."""
    filled = split.execute("select count(distinct tableoid) from public.behavior_patterns").fetchone()
    plan = rows(split, f"explain select * from public.behavior_patterns where user_id = '{A}'")

    assert filled
    assert filled[0] > 5
    assert sum("on patterns_" in line for (line,) in plan) == 1


def test_members_find_only_their_own_patterns(server: Server, split: psycopg.Connection) -> None:
    """The fence protects the whole table, and no partition can be reached directly."""
    for user in USERS[:3]:
        store = PostgresStore(connection_url(split, user, server.password))
        assert store.count() == 3
        assert len(store.nearest([1.0] + [0.0] * 1535, "model", min_similarity=0.5, project=None, limit=10)) == 3
        store.save(make_pattern(), None, None)
        assert store.count() == 4
        store.close()
    with (
        psycopg.connect(connection_url(split, USERS[0], server.password)) as member,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        member.execute("select * from behavior.patterns_0")


def test_known_work_is_found_in_a_partitioned_table(server: Server, split: psycopg.Connection) -> None:
    """Postgres supports fewer statements on such a table."""
    pattern = make_pattern()
    longer = pattern.model_copy(update={"actions": (make_action(), make_action("Edit"))})
    fork = longer.model_copy(update={"source_key": "fork"})
    with closing(PostgresStore(connection_url(split, USERS[0], server.password))) as store:
        said = [store.save(each, None, None) for each in (pattern, longer, fork)]

        known = store.known([pattern, fork, make_pattern()], with_embedding=False)

    assert said == [Saved.ADDED, Saved.UPDATED, Saved.UNCHANGED]
    assert known == {pattern.source_key, "fork"}


def test_migrations_can_run_again_after_partitioning(split: psycopg.Connection) -> None:
    """The next release must work with a partitioned table."""
    split.execute("delete from behavior.migrations where version > 100")
    before = split.execute(EVERYTHING).fetchall()

    assert migrate(split)
    assert split.execute(EVERYTHING).fetchall() == before
