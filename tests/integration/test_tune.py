"""The vector index: none at first, built when it pays, and the same patterns found with and without it."""

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
from tests.integration.copying import Terminal
from tests.waiting import DEADLINE_S, wait_for

MANY = 2_000
FEW = 7
SMALL = "behavior_small"

# Prompts of forty topics, in 256 of the dimensions; the rest are zeros, as with the offline model.
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
    """The patterns that a login finds, and the number of searches in the index over all users' bits."""
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
    """The average share of the true five nearest that a login finds."""
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
    """The same with a threshold of 500 patterns, which are created quickly."""
    monkeypatch.setattr(tune, "MIN_PATTERNS", 500)
    monkeypatch.setattr(tune, "WASTED_CANDIDATES", 0)
    [file] = [each.file for each in migrations("behavior_patterns") if each.name == "workflows"]
    text = file.read_text(encoding="utf-8")
    lowered = text.replace("greatest(20000, sqrt(15000 *", "greatest(500, sqrt(0 *")
    assert lowered != text
    crowd.execute(lowered.encode())
    return crowd


@pytest.fixture
def writer(server: Server, database: str) -> Iterator[psycopg.Connection]:
    """A connection with an open write transaction, which an index build waits for."""
    with psycopg.connect(server.conninfo(dbname=database)) as connection:
        connection.execute("update public.behavior_patterns set use_count = 1 where false")
        yield connection
        connection.rollback()


# Without an index


def test_migrations_create_no_vector_index(owner: psycopg.Connection) -> None:
    """On an empty table the lists of ivfflat are random: it found a seventh of the rows."""
    kinds = owner.execute(
        """select distinct amname from pg_index join pg_class c on c.oid = indexrelid join pg_am am on am.oid = c.relam
            where indrelid = 'public.behavior_patterns'::regclass"""
    ).fetchall()

    assert kinds == [("btree",)]


def test_twenty_unanalyzed_patterns_are_all_found(owner: psycopg.Connection) -> None:
    """Every user begins so; with the guide's index three of four prompts found nothing."""
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
def test_index_fits_if_a_user_has_very_many_patterns(patterns: int, largest_user: int, fits: tune.Kind) -> None:
    """An index that no search uses makes saving slower."""
    assert tune.choose_kind(patterns, largest_user, tune.Index()) == fits


def test_ivfflat_stays_if_somebody_chose_it() -> None:
    """The next `tune --apply` must not build another kind."""
    assert tune.choose_kind(50_000, 50_000, tune.Index("ivfflat", lists=32, probes=5)) == "ivfflat"
    assert tune.choose_kind(50, 50, tune.Index("ivfflat", lists=32, probes=5)) == "none"


@pytest.mark.parametrize(
    ("patterns", "lists", "probes"), [(0, 1, 1), (900, 1, 1), (9_000, 8, 2), (100_000, 64, 21), (4_000_000, 1024, 341)]
)
def test_lists_grow_with_the_table(patterns: int, lists: int, probes: int) -> None:
    """Rows / 1000 up to a million, then the square root, as pgvector advises; and enough of them are searched."""
    assert tune.plan_index(patterns, "ivfflat") == tune.Index("ivfflat", lists=lists, probes=probes)


def test_report_changes_nothing(early: psycopg.Connection) -> None:
    """A question must not start minutes of work."""
    found = tune.check(early, "behavior_patterns")

    assert (found.patterns, found.largest_user) == (MANY + FEW, MANY)
    assert found.is_due
    assert found.wanted.kind == "hnsw"
    assert present(early) == tune.Index()


def test_memories_have_nothing_to_tune(owner: psycopg.Connection) -> None:
    """An index that no search uses would mislead."""
    with pytest.raises(StoreError, match="memories"):
        tune.check(owner, "memories")


def test_partitioned_table_has_nothing_to_tune(owner: psycopg.Connection) -> None:
    """Each partition holds few users, and an index over all of them cannot be built while they are in use."""
    owner.execute(script("partition", "behavior_patterns"))
    migrate(owner)

    assert not tune.check(owner, "behavior_patterns").is_due
    with pytest.raises(StoreError, match="split"):
        tune.check(owner, "behavior_patterns", "hnsw")


# With an index


@pytest.mark.parametrize("kind", ["hnsw", "ivfflat"])
def test_index_finds_the_nearest(early: psycopg.Connection, kind: tune.Kind) -> None:
    """It has to be faster without finding less."""
    made = make(early, kind)

    assert (made.kind, made.is_valid) == (kind, True)
    assert find(early, LOGIN, vectors(early, LOGIN, 1)[0], 5)[1] == 1
    assert recall(early, LOGIN) >= 0.9


@pytest.mark.parametrize("kind", ["hnsw", "ivfflat"])
def test_small_user_finds_every_pattern_despite_the_index(early: psycopg.Connection, kind: tune.Kind) -> None:
    """A shared index that is filtered afterwards would find nothing for a small user."""
    make(early, kind)

    for vector in [*vectors(early, SMALL, FEW), *vectors(early, LOGIN, 5)]:
        found, searched = find(early, SMALL, vector, 50)
        assert (len(found), searched) == (FEW, 0)


def test_small_project_of_a_large_user_is_searched_completely(early: psycopg.Connection) -> None:
    """Recall searches one project by default, so the number of its patterns decides."""
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


def test_ivfflat_is_built_with_lists_and_the_search_sets_probes(early: psycopg.Connection) -> None:
    """Users who prefer the guide's index get one that works."""
    fill(early, LOGIN, 2_500)

    made = make(early, "ivfflat")

    assert (made.lists, made.probes) == (4, 2)
    assert not tune.check(early, "behavior_patterns").is_due
    assert recall(early, LOGIN) >= 0.8


def test_update_of_the_search_keeps_the_probes(early: psycopg.Connection) -> None:
    """They are among the settings of the function, which a migration replaces."""
    fill(early, LOGIN, 2_500)
    made = make(early, "ivfflat")
    [file] = [each.file for each in migrations("behavior_patterns") if each.name == "workflows"]

    early.execute(file.read_bytes())

    assert present(early) == made
    assert made.probes == 2


def test_index_can_be_removed(early: psycopg.Connection) -> None:
    """`tune` can undo all that it did, its settings included."""
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


def test_index_built_by_another_session_is_not_built_again(early: psycopg.Connection) -> None:
    """Two sessions may both find it missing, and a build takes minutes."""
    seen = tune.check(early, "behavior_patterns", "hnsw")
    tune.apply(early, seen)
    built = ask(early, f"select 'public.{tune.INDEX}'::regclass::oid")

    tune.apply(early, seen)

    assert ask(early, f"select 'public.{tune.INDEX}'::regclass::oid") == built


def test_interrupted_build_is_repeated(early: psycopg.Connection, writer: psycopg.Connection) -> None:
    """An unfinished index costs time with each stored pattern and serves no search."""
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


def test_build_shows_progress_and_excludes_another(
    early: psycopg.Connection, writer: psycopg.Connection, server: Server, database: str
) -> None:
    """Two builds would wait for each other, and minutes of silence look like a hang."""
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
    """Each suggestion counts one; otherwise each would grow every index."""
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


def test_command_reports_its_effect(early: psycopg.Connection, terminal: Terminal) -> None:
    """`Nothing to do` after half a minute of building would be confusing."""
    due = terminal.run("tune", "--index", "ivfflat").stdout
    built = terminal.run("tune", "--index", "ivfflat", "--apply").stdout
    again = terminal.run_json("tune", "--index", "ivfflat", "--apply")
    drop = terminal.run("tune", "--index", "none").stdout
    dropped = terminal.run_json("tune", "--index", "none", "--apply")

    assert "2 lists of which 1 is searched. --apply builds it; meanwhile the table stays in use." in due
    assert re.search(r"\nBuilt ivfflat in \d+\.\d s\.\nNow: ivfflat, 2 lists", built)
    assert "--apply drops the index" in drop
    assert (again["is_applied"], dropped["is_applied"]) == (False, True)


def test_tuning_memories_is_not_a_failure(terminal: Terminal) -> None:
    """A monthly script must not stop there."""
    result = terminal.run_json("tune", storage="memories")

    assert result == {"storage": "memories", "is_due": False, "is_applied": False}
    assert "nothing to tune" in terminal.run("tune", storage="memories").stdout
    assert "nothing to tune" in str(terminal.refused("tune", "--index", "hnsw", storage="memories"))
