"""A table that is partitioned by user, for teams that outgrow one table."""

from __future__ import annotations

from contextlib import closing

import psycopg
import pytest

from behavior_plugin.store.embedded.server import Server
from behavior_plugin.store.members import connection_url
from behavior_plugin.store.migrate import migrate
from behavior_plugin.store.postgres import PostgresStore
from behavior_plugin.store.sql_files import migrations, script
from behavior_plugin.workflow import Saved
from tests.database import A, member_store, rows, save
from tests.factories import make_action, make_pattern
from tests.integration.copying import make_episode, make_workflow, told
from tests.search import nearest

USERS = [f"user_{number}" for number in range(20)]
EVERYTHING = "select to_jsonb(each) from public.behavior_patterns each order by user_id, id"


@pytest.fixture
def team(server: Server, owner: psycopg.Connection) -> psycopg.Connection:
    """The owner's connection to a database of twenty members with three patterns each, one of which is a workflow."""
    for user in USERS:
        with member_store(owner, server, user) as store:
            for number in range(3):
                pattern = make_pattern(workflow=None if number else make_workflow())
                save(store, pattern, [1.0, number / 10, *[0.0] * 1534], "model")
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
    done = migrate(team)

    assert len(before) == 3 * len(USERS)
    assert sum(row["workflow"] is not None for (row,) in before) == len(USERS)
    assert team.execute(EVERYTHING).fetchall() == before
    assert done == [each.file.name for each in migrations("behavior_patterns") if each.version // 100 in (1, 4)]


def test_partitioned_table_has_the_columns_and_checks_of_a_new_one(owner: psycopg.Connection) -> None:
    """The script names no column of a later migration twice, and a check of one must not be lost."""
    shape = """
        select attname, format_type(atttypid, atttypmod), attnotnull, attgenerated from pg_attribute
         where attrelid = 'public.behavior_patterns'::regclass and attnum > 0 and not attisdropped
        union all
        select conname, pg_get_constraintdef(oid), true, '' from pg_constraint
         where conrelid = 'public.behavior_patterns'::regclass and contype = 'c'
         order by 1, 2
    """
    before = rows(owner, shape)

    owner.execute(script("partition", "behavior_patterns"))
    migrate(owner)

    assert rows(owner, shape) == before
    assert any(name == "behavior_patterns_workflow_check" for name, *_ in before)


def test_evidence_finds_patterns_of_a_partitioned_table(server: Server, split: psycopg.Connection) -> None:
    """Evidence is not split; a trigger of its own leads to the pattern."""
    with closing(PostgresStore(connection_url(split, USERS[0], server.password))) as store:
        [pattern] = [each for each in store.newest(project=None, limit=5) if each.workflow]
        with store.evidence() as evidence:
            evidence.replace_sessions([], [make_episode("told", "Another trigger", project=pattern.context.project)])
            evidence.replace_patterns("nothing", [], {"told": pattern.source_key})
        store.save_embedding("told", "Another trigger", [0.0, 0.0, 1.0, *[0.0] * 1533], "model")

        [found] = nearest(store, [0.0, 0.0, 1.0, *[0.0] * 1533], "model", min_similarity=0.9, project=None, limit=1)

    assert (found.pattern.id, found.trigger, round(found.similarity, 4)) == (pattern.id, "Another trigger", 1)
    assert len(told(split)) == 1


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
        assert len(nearest(store, [1.0] + [0.0] * 1535, "model", min_similarity=0.5, project=None, limit=10)) == 3
        save(store, make_pattern())
        assert store.count() == 4
        store.close()
    with (
        psycopg.connect(connection_url(split, USERS[0], server.password)) as member,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        member.execute("select * from behavior.patterns_0")


def test_patterns_are_updated_in_a_partitioned_table(server: Server, split: psycopg.Connection) -> None:
    """Postgres supports fewer statements on such a table."""
    pattern = make_pattern()
    longer = pattern.model_copy(update={"actions": (make_action(), make_action("Edit"))})
    with closing(PostgresStore(connection_url(split, USERS[0], server.password))) as store:
        effects = [save(store, each) for each in (pattern, longer, longer)]

    assert effects == [Saved.ADDED, Saved.UPDATED, Saved.UNCHANGED]


def test_migrations_can_run_again_after_partitioning(split: psycopg.Connection) -> None:
    """The next release must work with a partitioned table."""
    split.execute("delete from behavior.migrations where version > 100")
    before = split.execute(EVERYTHING).fetchall()

    assert migrate(split)
    assert split.execute(EVERYTHING).fetchall() == before
