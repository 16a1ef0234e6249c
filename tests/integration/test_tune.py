"""The index for the size: none to begin with, made where it pays, and every pattern found with it and without."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from behavior_plugin.errors import StoreError
from behavior_plugin.store.embedded.server import Server
from behavior_plugin.store.maintenance import tune
from behavior_plugin.store.migrate import migrate
from behavior_plugin.store.sql_files import migrations, script
from tests.database import LOGIN, ask, member
from tests.integration.carrying import Terminal
from tests.waiting import DEADLINE_S, wait_for

MANY = 2_000
FEW = 7
SMALL = "behavior_small"

# Prompts of forty topics, in 256 of the dimensions; the rest are zeros, as the offline model leaves them.
FILL = """
insert into public.behavior_patterns (user_id, trigger, trigger_embedding, embedding_model, project, final_outcome)
select (select user_id from behavior.members where login = %(login)s), 'Fix the test',
       (array(select sin(each %% 40 * 12.9898 * d) + 1.5 * (random() - 0.5) from generate_series(1, 256) d)
        || array_fill(0, array[1280]))::real[]::extensions.vector,
       'model', 'project ' || each %% 2, 'success'
  from generate_series(1, %(count)s) each
"""
FIND = "select id from public.find_similar_patterns(%s, 'model', -1, %s, %s)"
EXACT = """
select id
  from public.behavior_patterns
 where user_id = (select user_id from behavior.members where login = %s)
 order by trigger_embedding operator(extensions.<=>) %s
 limit %s
"""


def fill(owner: psycopg.Connection, login: str, count: int) -> None:
    owner.execute(FILL.encode(), {"login": login, "count": count})


def find(
    owner: psycopg.Connection, login: str, vector: str, count: int, project: str | None = None
) -> tuple[set[str], int]:
    """What a login finds, and how often the index over everybody's bits was searched for it."""
    with owner.transaction():
        owner.execute(f"set local session authorization {login}".encode())
        found = owner.execute(FIND, [vector, count, project]).fetchall()
        searched = owner.execute("select pg_stat_get_xact_numscans(to_regclass(%s))", [tune.INDEX]).fetchone()
    assert searched
    return {row[0] for row in found}, searched[0] or 0


def vectors(owner: psycopg.Connection, login: str, count: int) -> list[str]:
    """Some vectors that a login has stored."""
    member = "(select user_id from behavior.members where login = %s)"
    rows = owner.execute(
        f"select trigger_embedding::text from public.behavior_patterns where user_id = {member} limit %s".encode(),
        [login, count],
    )
    return [text for (text,) in rows]


def recall(owner: psycopg.Connection, login: str) -> float:
    """Which part of the true five nearest a login finds, on average."""
    shares = []
    for vector in vectors(owner, login, 20):
        truth = {row[0] for row in owner.execute(EXACT, [login, vector, 5])}
        shares.append(len(find(owner, login, vector, 5)[0] & truth) / 5)
    return sum(shares) / len(shares)


def present(owner: psycopg.Connection) -> tune.Index:
    return tune.check(owner, "behavior_patterns").present


def make(owner: psycopg.Connection, kind: tune.Kind) -> tune.Index:
    return tune.apply(owner, tune.check(owner, "behavior_patterns", kind))


@pytest.fixture
def crowd(owner: psycopg.Connection, server: Server) -> psycopg.Connection:
    """One user with many patterns, and one with few among them."""
    member(owner, server, SMALL)
    owner.execute("select setseed(0.5)")
    fill(owner, LOGIN, MANY)
    fill(owner, SMALL, FEW)
    return owner


@pytest.fixture
def early(crowd: psycopg.Connection, monkeypatch: pytest.MonkeyPatch) -> psycopg.Connection:
    """The same, where an index pays from 500 patterns on: so many are made in a moment."""
    monkeypatch.setattr(tune, "MIN_PATTERNS", 500)
    monkeypatch.setattr(tune, "SEARCHED_IN_VAIN", 0)
    [file] = [each.file for each in migrations("behavior_patterns") if each.name == "functions"]
    text = file.read_text(encoding="utf-8")
    lowered = text.replace("greatest(20000, sqrt(15000 *", "greatest(500, sqrt(0 *")
    assert lowered != text
    crowd.execute(lowered.encode())
    return crowd


@pytest.fixture
def writer(server: Server, database: str) -> Iterator[psycopg.Connection]:
    """A connection in the midst of writing: an index cannot be completed before it is done."""
    with psycopg.connect(server.conninfo(dbname=database)) as connection:
        connection.execute("update public.behavior_patterns set use_count = 1 where false")
        yield connection
        connection.rollback()


# Without an index


def test_migrations_make_no_index_over_everybodys_vectors(owner: psycopg.Connection) -> None:
    """Made on an empty table, the lists of ivfflat are random: it found a seventh of what is there."""
    kinds = owner.execute(
        """select distinct amname from pg_index join pg_class c on c.oid = indexrelid join pg_am am on am.oid = c.relam
            where indrelid = 'public.behavior_patterns'::regclass"""
    ).fetchall()

    assert kinds == [("btree",)]


def test_twenty_patterns_that_were_never_analysed_are_all_found(owner: psycopg.Connection) -> None:
    """So every user begins; the guide's index gave three prompts in four no answer at all."""
    fill(owner, LOGIN, 20)

    for vector in vectors(owner, LOGIN, 20):
        assert len(find(owner, LOGIN, vector, 50)[0]) == 20


def test_search_of_many_patterns_finds_the_nearest(crowd: psycopg.Connection) -> None:
    """Only the nearest by their bits are compared by their vectors, and these must be the right ones."""
    assert recall(crowd, LOGIN) >= 0.95
    assert recall(crowd, SMALL) == 1


# Which index fits


@pytest.mark.parametrize(
    ("patterns", "largest_user", "fits"),
    [
        (0, 0, "none"),
        (20_000, 20_000, "none"),
        (20_001, 20_001, "hnsw"),
        (100_000, 100, "none"),
        (100_000, 10_000, "none"),
        (100_000, 38_000, "none"),
        (100_000, 39_000, "hnsw"),
        (1_000_000, 100_000, "none"),
        (1_000_000, 1_000_000, "hnsw"),
    ],
)
def test_index_fits_where_somebody_has_very_many(patterns: int, largest_user: int, fits: tune.Kind) -> None:
    """An index that nobody's search would use costs each stored pattern something."""
    assert tune.choose_kind(patterns, largest_user, tune.Index()) == fits


def test_lists_stay_where_somebody_chose_them() -> None:
    """Who asked for ivfflat is not given another kind by the next `tune --apply`."""
    assert tune.choose_kind(50_000, 50_000, tune.Index("ivfflat", lists=32, probes=5)) == "ivfflat"
    assert tune.choose_kind(50, 50, tune.Index("ivfflat", lists=32, probes=5)) == "none"


@pytest.mark.parametrize(
    ("patterns", "lists", "probes"), [(0, 1, 1), (900, 1, 1), (9_000, 8, 2), (100_000, 64, 21), (4_000_000, 1024, 341)]
)
def test_lists_grow_with_the_table(patterns: int, lists: int, probes: int) -> None:
    """Rows / 1000 up to a million, then the square root, as pgvector advises; and enough of them are searched."""
    assert tune.plan_index(patterns, "ivfflat") == tune.Index("ivfflat", lists=lists, probes=probes)


def test_proposal_counts_patterns_and_changes_nothing(early: psycopg.Connection) -> None:
    """Whoever only asks must not set off minutes of work."""
    found = tune.check(early, "behavior_patterns")

    assert (found.patterns, found.largest_user) == (MANY + FEW, MANY)
    assert found.is_due
    assert found.wanted.kind == "hnsw"
    assert present(early) == tune.Index()


def test_memories_have_nothing_to_tune(owner: psycopg.Connection) -> None:
    """An index on a table that nobody reads would be taken for one that helps."""
    with pytest.raises(StoreError, match="memories"):
        tune.check(owner, "memories")


def test_split_table_has_nothing_to_tune(owner: psycopg.Connection) -> None:
    """Each part holds few users, and an index over all parts cannot be made while they are in use."""
    owner.execute(script("partition", "behavior_patterns"))
    migrate(owner)

    assert not tune.check(owner, "behavior_patterns").is_due
    with pytest.raises(StoreError, match="split"):
        tune.check(owner, "behavior_patterns", "hnsw")


# With an index


@pytest.mark.parametrize("kind", ["hnsw", "ivfflat"])
def test_nearest_are_found_through_an_index(early: psycopg.Connection, kind: tune.Kind) -> None:
    """It is there to be faster, not to find less."""
    made = make(early, kind)

    assert (made.kind, made.is_valid) == (kind, True)
    assert find(early, LOGIN, vectors(early, LOGIN, 1)[0], 5)[1] == 1
    assert recall(early, LOGIN) >= 0.9


@pytest.mark.parametrize("kind", ["hnsw", "ivfflat"])
def test_small_user_among_many_keeps_every_pattern(early: psycopg.Connection, kind: tune.Kind) -> None:
    """An index over everybody's that is filtered afterwards leaves a small user nothing."""
    make(early, kind)

    for vector in [*vectors(early, SMALL, FEW), *vectors(early, LOGIN, 5)]:
        found, searched = find(early, SMALL, vector, 50)
        assert (len(found), searched) == (FEW, 0)


def test_small_project_of_a_large_user_is_searched_whole(early: psycopg.Connection) -> None:
    """Recall asks for one project by default: what counts is how many patterns that has."""
    early.execute(
        """update public.behavior_patterns set project = 'small'
            where id in (select id from public.behavior_patterns order by id limit 40)"""
    )
    make(early, "hnsw")

    mine = early.execute(
        "select count(*) from public.behavior_patterns where project = 'small' and user_id = "
        "(select user_id from behavior.members where login = %s)",
        [LOGIN],
    ).fetchone()
    found, searched = find(early, LOGIN, vectors(early, LOGIN, 1)[0], 50, "small")

    assert mine == (len(found),)
    assert searched == 0
    assert find(early, LOGIN, vectors(early, LOGIN, 1)[0], 5, "project 0")[1] == 1


def test_lists_made_of_rows_are_more_than_one_and_their_probes_go_with_the_search(early: psycopg.Connection) -> None:
    """Whoever prefers the guide's kind of index gets one that works."""
    fill(early, LOGIN, 2_500)

    made = make(early, "ivfflat")

    assert (made.lists, made.probes) == (4, 2)
    assert not tune.check(early, "behavior_patterns").is_due
    assert recall(early, LOGIN) >= 0.8


def test_index_can_be_taken_away_again(early: psycopg.Connection) -> None:
    """Nothing that `tune` makes is for ever, its settings included."""
    make(early, "ivfflat")

    assert make(early, "none") == tune.Index()
    probes = "select proconfig::text like '%%probes%%' from pg_proc where oid = 'public.find_similar_patterns'::regproc"
    assert early.execute(probes.encode(), []).fetchone() == (False,)


def test_second_run_changes_nothing(early: psycopg.Connection) -> None:
    """It is run by hand, from a script, and by a colleague at the same time."""
    make(early, "hnsw")
    before = early.execute("select to_regclass(%s)::oid", [tune.INDEX]).fetchone()

    assert not tune.check(early, "behavior_patterns").is_due
    make(early, "hnsw")

    assert early.execute("select to_regclass(%s)::oid", [tune.INDEX]).fetchone() == before


def test_what_another_has_built_meanwhile_is_not_built_again(early: psycopg.Connection) -> None:
    """Two who look at the same time both find it missing; a build takes minutes."""
    seen = tune.check(early, "behavior_patterns", "hnsw")
    tune.apply(early, seen)
    built = ask(early, f"select 'public.{tune.INDEX}'::regclass::oid")

    tune.apply(early, seen)

    assert ask(early, f"select 'public.{tune.INDEX}'::regclass::oid") == built


def test_what_an_interrupted_build_left_is_built_anew(early: psycopg.Connection, writer: psycopg.Connection) -> None:
    """A half-built index is kept up with each stored pattern and used by no search."""
    early.execute("set statement_timeout = '500ms'")
    with pytest.raises(StoreError):
        make(early, "hnsw")
    early.execute("reset statement_timeout")
    writer.rollback()
    left = tune.check(early, "behavior_patterns")
    assert (left.present.kind, left.present.is_valid, left.is_due) == ("hnsw", False, True)
    assert recall(early, LOGIN) >= 0.95

    assert make(early, "hnsw").is_valid
    assert not tune.check(early, "behavior_patterns").is_due


def test_build_is_watched_and_not_begun_twice(
    early: psycopg.Connection, writer: psycopg.Connection, server: Server, database: str
) -> None:
    """Two builds at once would wait for each other; and minutes without a word look like a hang."""
    with (
        psycopg.connect(server.conninfo(dbname=database), autocommit=True) as other,
        ThreadPoolExecutor() as pool,
    ):
        assert tune.progress(other) is None
        building = pool.submit(make, early, "hnsw")
        seen = wait_for(lambda: tune.progress(other), "somebody builds")
        with pytest.raises(StoreError, match="already"):
            make(other, "hnsw")
        writer.rollback()
        assert building.result(DEADLINE_S).is_valid

    assert seen.phase
    assert 0 <= seen.share <= 1


def test_counting_a_use_rewrites_no_index(early: psycopg.Connection) -> None:
    """Each suggestion counts one: without this, each would grow every index by a page."""
    make(early, "hnsw")
    table = "'public.behavior_patterns'::regclass"
    with early.transaction():
        early.execute(f"set local session authorization {SMALL}".encode())
        counted = early.execute(
            "select count(*) from public.behavior_patterns where public.increment_pattern_use_count(id)"
        ).fetchone()
        updates = early.execute(
            f"select pg_stat_get_xact_tuples_updated({table}), pg_stat_get_xact_tuples_hot_updated({table})".encode()
        ).fetchone()

    assert counted == (FEW,)
    assert updates == (FEW, FEW)


def test_the_command_says_what_it_did(early: psycopg.Connection, terminal: Terminal) -> None:
    """`Nothing to do`, after half a minute of building, leaves one wondering."""
    due = terminal.run("tune", "--index", "ivfflat").stdout
    built = terminal.run("tune", "--index", "ivfflat", "--apply").stdout
    again = terminal.told("tune", "--index", "ivfflat", "--apply")
    drop = terminal.run("tune", "--index", "none").stdout
    dropped = terminal.told("tune", "--index", "none", "--apply")

    assert "2 lists of which 1 is searched. --apply builds it; meanwhile the table stays in use." in due
    assert re.search(r"\nBuilt ivfflat in \d+\.\d s\.\nNow: ivfflat, 2 lists", built)
    assert "--apply drops the index" in drop
    assert (again["is_applied"], dropped["is_applied"]) == (False, True)


def test_memories_need_no_tuning_and_that_is_no_failure(terminal: Terminal) -> None:
    """A script that runs it each month must not stop there."""
    told = terminal.told("tune", storage="memories")

    assert told == {"storage": "memories", "is_due": False, "is_applied": False}
    assert "nothing to tune" in terminal.run("tune", storage="memories").stdout
    assert "nothing to tune" in str(terminal.refused("tune", "--index", "hnsw", storage="memories"))
