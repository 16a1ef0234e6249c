"""The store on a real database: saving, finding, users, and failures."""

from __future__ import annotations

import math
import random
import tempfile
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta, timezone
from pathlib import Path

import psycopg
import pytest
from psycopg.types.json import Jsonb

from behavior_plugin.config import Storage
from behavior_plugin.errors import StoreError, StoreUnavailableError
from behavior_plugin.model import Context, Outcome, Provenance
from behavior_plugin.redact import PROJECT_LIMIT, redact_model
from behavior_plugin.store.connection import TIMEOUT_S
from behavior_plugin.store.embedded import account as accounts
from behavior_plugin.store.embedded.server import Server
from behavior_plugin.store.migrate import migrate
from behavior_plugin.store.postgres import PostgresStore
from behavior_plugin.store.sql_files import STORAGES
from behavior_plugin.workflow import Pattern, Saved, StoredPattern
from tests import database as rows
from tests import search
from tests.database import LOGIN, at_angle, member, pointing
from tests.factories import START, make_action, make_pattern, make_workflow
from tests.waiting import wait_for

MODEL = "offline"
CANARY = "canary-7f3a9c"
HIGHEST_COUNT = 2147483647
# How the owner changes rows without the store; each storage has its own table.
SET_COUNT = {
    "behavior_patterns": "update public.behavior_patterns set use_count = %s",
    "memories": "update public.memories set metadata = metadata || jsonb_build_object('use_count', %s::int)",
}
SET_CONTEXT = {
    "behavior_patterns": "update public.behavior_patterns set context = %s where id = %s",
    "memories": "update public.memories set metadata = jsonb_set(metadata, '{context}', %s) where id = %s",
}
HOSTILE = [
    "it's",
    "'; drop table public.behavior_patterns, public.memories; --",
    "$$ $1 {} %s %(id)s %% %",
    r"\ \' \\ \x00 \u0000 \n",
    'a "quoted" <b>name</b>',
    "שלום 🧵 e\u0301 \t\n end",
]


def in_project(name: str) -> Context:
    return Context(directory=name, project=name)


def as_saved(stored: StoredPattern) -> Pattern:
    """The pattern as it was passed in, without the fields that the store adds."""
    added = StoredPattern.model_fields.keys() - Pattern.model_fields.keys()
    return Pattern(**stored.model_dump(exclude=set(added)))


def save(store: PostgresStore, *patterns: Pattern, embedding: list[float] | None = None, model: str = MODEL) -> None:
    for pattern in patterns:
        rows.save(store, pattern, embedding, model)


def save_one(store: PostgresStore, pattern: Pattern, *, embedding: list[float] | None = None) -> Saved:
    return rows.save(store, pattern, embedding, MODEL)


def save_at(store: PostgresStore, degrees: float, *, model: str = MODEL, project: str = "here") -> str:
    """Save a pattern at an angle; returns its key."""
    pattern = make_pattern(context=in_project(project))
    rows.save(store, pattern, at_angle(degrees), model)
    return pattern.source_key


def nearest(
    store: PostgresStore,
    embedding: list[float],
    *,
    min_similarity: float = -1,
    project: str | None = None,
    limit: int = 10,
) -> list[str]:
    """The keys of the nearest patterns."""
    found = search.nearest(store, embedding, MODEL, min_similarity=min_similarity, project=project, limit=limit)
    return [match.pattern.source_key for match in found]


def newest(store: PostgresStore, *, project: str | None = None, limit: int = 10) -> list[StoredPattern]:
    return store.newest(project=project, limit=limit)


def the_only(store: PostgresStore) -> StoredPattern:
    [stored] = newest(store)
    return stored


def everything_said(error: BaseException) -> str:
    """Everything that a log could show of an error."""
    return "".join(traceback.format_exception(error)) + repr(error)


@pytest.fixture(params=STORAGES)
def storage(request: pytest.FixtureRequest) -> Storage:
    """Both storages behave the same."""
    chosen: Storage = request.param
    return chosen


@pytest.fixture
def own_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server that the test may stop. Its folders have short paths and are reachable for other accounts."""
    with tempfile.TemporaryDirectory(prefix="b-") as run_folder, tempfile.TemporaryDirectory(prefix="b-") as system_dir:
        Path(system_dir).chmod(0o755)
        monkeypatch.setattr(accounts, "SYSTEM_DIR", Path(system_dir) / "behavior-plugin")
        server = Server(tmp_path / "postgres", Path(run_folder))
        server.start()
        yield server
        server.stop()


# Saving


def test_saved_pattern_is_read_back_unchanged(store: PostgresStore) -> None:
    """An altered workflow would mislead."""
    pattern = make_pattern(
        trigger="Fix the failing test",
        context=Context(
            directory="/home/dev/project/sub",
            project="/home/dev/project",
            project_type="python",
            branch="fix/1",
            files_touched=("sub/a.py", "sub/b.py"),
        ),
        actions=(
            make_action("Edit", parameters={"file_path": "a.py", "edits": [1, None, {"deep": True}]}, duration_ms=None),
            make_action("Bash", outcome=Outcome.FAILED, error="exit code 1", actor="agent-1", timestamp=START),
        ),
        final_outcome=Outcome.PARTIAL,
        confidence=0.123456789,
        started_at=START + timedelta(microseconds=1),
        session_id="one session",
    )

    save(store, pattern, embedding=pointing(1))

    stored = the_only(store)
    assert as_saved(stored) == pattern
    assert (stored.use_count, stored.last_used_at) == (0, None)
    assert store.count() == 1


def test_every_search_returns_complete_patterns(store: PostgresStore) -> None:
    """The suggestion must not depend on how the pattern was found."""
    pattern = make_pattern(trigger="Fix the failing test")
    save(store, pattern, embedding=pointing(1))

    [near] = search.nearest(store, pointing(1), MODEL, min_similarity=0, project=None, limit=5)
    [keyed] = store.patterns_with([pattern.source_key])
    [listed] = newest(store)
    [shown] = store.starting_with(str(listed.id))

    assert near.pattern == keyed == listed == shown
    assert as_saved(shown) == pattern


def test_saving_twice_stores_one_row(store: PostgresStore) -> None:
    """A session that is delivered again after a crash must not count twice in the odds."""
    pattern = make_pattern()
    save(store, pattern)
    first = the_only(store)

    save(store, pattern, pattern)

    assert newest(store) == [first]


def test_saving_from_many_threads_stores_one_row(store: PostgresStore) -> None:
    """The worker learns while it answers, in different threads."""
    pattern = make_pattern()

    with ThreadPoolExecutor(max_workers=8) as threads:
        list(threads.map(lambda _: save(store, pattern), range(40)))

    assert as_saved(the_only(store)) == pattern


def test_pattern_is_saved_again_as_it_is_now(store: PostgresStore) -> None:
    """It is computed from all evidence, so the later version counts, even if it says less."""
    early = make_pattern(actions=(make_action(), make_action("Edit")), final_outcome=Outcome.SUCCESS)
    late = make_pattern(
        source_key=early.source_key,
        trigger="Mend the test",
        context=in_project("/elsewhere"),
        actions=(make_action(),),
        final_outcome=Outcome.FAILED,
        confidence=0.2,
        session_id="another session",
        provenance=Provenance(machine="laptop", version="9"),
    )
    save(store, early, embedding=pointing(1))
    first = the_only(store)

    save(store, late, embedding=pointing(0, 1))

    stored = the_only(store)
    assert as_saved(stored) == late
    assert (stored.id, stored.created_at) == (first.id, first.created_at)
    assert nearest(store, pointing(0, 1), min_similarity=0.9, project="/elsewhere") == [late.source_key]


def test_saving_reports_its_effect(store: PostgresStore) -> None:
    """A row that has not changed is not written again."""
    early = make_pattern(final_outcome=Outcome.PARTIAL)
    ended = early.model_copy(update={"final_outcome": Outcome.SUCCESS})

    said = [save_one(store, pattern) for pattern in (early, early, ended, ended)]
    embedded = [save_one(store, ended, embedding=pointing(1)) for _ in range(2)]

    assert said == [Saved.ADDED, Saved.UNCHANGED, Saved.UPDATED, Saved.UNCHANGED]
    assert embedded == [Saved.UPDATED, Saved.UNCHANGED]


def test_same_instant_in_another_time_zone_is_equal(
    store: PostgresStore, owner: psycopg.Connection, database: str
) -> None:
    """Hooks, transcripts and servers have different time zones."""
    pattern = make_pattern(started_at=START + timedelta(milliseconds=120))
    save(store, pattern)
    elsewhere = pattern.started_at.astimezone(timezone(timedelta(hours=9, minutes=30)))
    owner.execute(f"alter database {database} set timezone = 'Asia/Kathmandu'".encode())
    owner.execute("select pg_terminate_backend(pid, 5000) from pg_stat_activity where usename = %s", [LOGIN])
    wait_for(store.count, "the store is back", passing=StoreUnavailableError)

    assert save_one(store, pattern.model_copy(update={"started_at": elsewhere})) is Saved.UNCHANGED
    assert as_saved(the_only(store)) == pattern


def test_longer_version_keeps_the_use_count(store: PostgresStore) -> None:
    """New knowledge of a pattern does not change how often it helped."""
    pattern = make_pattern()
    save(store, pattern)
    rows.count_use(store, pattern.source_key)

    save(store, pattern.model_copy(update={"actions": (make_action(), make_action())}))

    assert the_only(store).use_count == 1


def test_pattern_without_embedding_is_stored_and_found_by_words(store: PostgresStore) -> None:
    """An embedder that is down must not cost a pattern."""
    save(store, make_pattern(trigger="Fix the failing test"), embedding=None)

    assert nearest(store, pointing(1)) == []
    [trigger] = store.triggers(models={MODEL: 2}, project=None)
    assert (trigger.text, trigger.embedding) == ("Fix the failing test", None)
    assert store.count() == 1


@pytest.mark.parametrize("text", HOSTILE)
def test_special_characters_are_stored_and_searched_unchanged(store: PostgresStore, text: str) -> None:
    """Prompts and commands are full of quotes, and some are written to attack."""
    action = make_action(text, parameters={text: text}, error=text, actor=text)
    pattern = make_pattern(
        source_key=text, trigger=text, context=in_project(text), actions=(action,), session_id=text, confidence=1
    )

    rows.save(store, pattern, pointing(1), text)
    [near] = search.nearest(store, pointing(1), text, min_similarity=0, project=text, limit=5)
    [trigger] = store.triggers(models={text: 2}, project=text)
    by_id = store.starting_with(text)

    assert as_saved(near.pattern) == pattern
    assert (trigger.text, trigger.source_key, trigger.project) == (text, text, text)
    assert newest(store, project=text) == [near.pattern]
    assert by_id == []
    assert store.forget_session(text) == 1


def test_long_text_is_stored_up_to_the_limits_of_the_table(store: PostgresStore) -> None:
    """A pasted log file must neither fail a session that fits nor fill the disk."""
    long = make_pattern(trigger="x" * 32768, actions=(make_action(parameters={"command": "y" * 1_000_000}),))
    too_long = make_pattern(trigger="x" * 32769)

    save(store, long)

    assert as_saved(the_only(store)) == long
    with pytest.raises(StoreError):
        save(store, too_long)


# Search by meaning


def test_nearest_come_first_and_reach_the_minimum_similarity(store: PostgresStore) -> None:
    """A threshold leaves the others out."""
    far, near, middle, opposite = (save_at(store, degrees) for degrees in (80, 5, 40, 180))
    computed = make_pattern(workflow=make_workflow())
    rows.save(store, computed, at_angle(70), MODEL)

    found = search.nearest(store, pointing(1), MODEL, limit=10)
    enough = search.nearest(store, pointing(1), MODEL, min_similarity=0.5, limit=10)

    assert [match.pattern.source_key for match in found] == [near, middle, computed.source_key, far, opposite]
    angles = (5, 40, 70, 80, 180)
    assert [match.similarity for match in found] == pytest.approx(
        [math.cos(math.radians(angle)) for angle in angles], abs=1e-6
    )
    assert [match.pattern.source_key for match in enough] == [near, middle]
    assert all(match.pattern.actions for match in found)


def test_same_vector_is_found_with_similarity_one(store: PostgresStore) -> None:
    """A prompt that is repeated word for word is the best match."""
    save_at(store, 0)

    [match] = search.nearest(store, pointing(1), MODEL, min_similarity=1, project=None, limit=5)

    assert match.similarity == 1


def test_equally_near_patterns_come_newest_first(store: PostgresStore) -> None:
    """Repeated prompts are common, and their order must be stable."""
    saved = [save_at(store, 30) for _ in range(8)]

    assert nearest(store, pointing(1)) == saved[::-1]


@pytest.mark.parametrize("storage", ["behavior_patterns"])
def test_newest_of_many_equally_near_patterns_are_found(store: PostgresStore) -> None:
    """A daily task should recall yesterday, not a day last year."""
    saved = [save_at(store, 30) for _ in range(30)]

    assert nearest(store, pointing(1), limit=3) == saved[:-4:-1]


@pytest.mark.parametrize(
    ("storage", "column", "key"),
    [("behavior_patterns", "context", "source_key"), ("memories", "metadata", "metadata ->> 'source_key'")],
)
def test_unreadable_row_does_not_hide_others(
    store: PostgresStore, owner: psycopg.Connection, storage: Storage, column: str, key: str
) -> None:
    """JSON numbers are unbounded, Python's are not, and other programs can write to the table."""
    spoilt, good = save_at(store, 5), save_at(store, 10)
    number = '{"directory": %s}' % ("9" * 5000)
    values = {"json": number if column == "context" else f'{{"context": {number}}}', "key": spoilt}
    owner.execute(
        f"update public.{storage} set {column} = {column} || %(json)s::jsonb where {key} = %(key)s".encode(), values
    )

    assert nearest(store, pointing(1)) == [good]
    assert the_only(store).source_key == good
    assert store.patterns_with([good]) == [the_only(store)]


DEEP = '{"a":' * 70 + "1" + "}" * 70
UNREADABLE: dict[Storage, list[str]] = {
    "behavior_patterns": [
        "started_at = 'infinity'",
        "last_used_at = '20000-01-01'",
        f"context = '{DEEP}'",
        f"actions = '[{DEEP}]'",
        f"provenance = '{DEEP}'",
    ],
    "memories": [
        """metadata = metadata || '{"started_at": "infinity"}'""",
        f"""metadata = metadata || '{{"context": {DEEP}}}'""",
        f"""content = '{{"trigger": "x", "outcome": "success", "actions": [{DEEP}]}}'""",
    ],
}


@pytest.mark.parametrize(("storage", "change"), [(each, change) for each in STORAGES for change in UNREADABLE[each]])
def test_rows_that_python_cannot_read_are_refused(
    store: PostgresStore, owner: psycopg.Connection, storage: Storage, change: str
) -> None:
    """A single such row would fail every query that returns it."""
    save_at(store, 5)

    with pytest.raises(psycopg.errors.CheckViolation):
        owner.execute(f"update public.{storage} set {change}".encode())


def test_only_patterns_of_the_same_model_match(store: PostgresStore) -> None:
    """Vectors of two models cannot be compared."""
    save_at(store, 0, model="another model")
    ours = save_at(store, 60)

    assert nearest(store, pointing(1)) == [ours]


def test_nearest_stays_inside_the_project(store: PostgresStore) -> None:
    """The work for one customer must not appear in the repository of another."""
    here, there = save_at(store, 30, project="here"), save_at(store, 10, project="there")

    assert nearest(store, pointing(1), project="here") == [here]
    assert nearest(store, pointing(1), project="nowhere") == []
    assert nearest(store, pointing(1), project=None) == [there, here]


@pytest.mark.parametrize(("limit", "expected"), [(-1, 0), (0, 0), (1, 1), (2, 2), (1000, 3)])
def test_nearest_respects_the_limit(store: PostgresStore, limit: int, expected: int) -> None:
    """The assistant's context is short."""
    for degrees in (10, 20, 30):
        save_at(store, degrees)

    assert len(nearest(store, pointing(1), limit=limit)) == expected


def test_user_with_few_patterns_finds_all_of_them_among_many_of_others(
    store: PostgresStore, other_store: PostgresStore
) -> None:
    """A shared index that is filtered afterwards silently loses rows of small users."""
    theirs = [save_at(other_store, 0.2 * step) for step in range(200)]
    ours = [save_at(store, degrees) for degrees in (50, 55, 60)]

    assert nearest(store, pointing(1)) == ours
    assert nearest(other_store, pointing(1), limit=3) == theirs[:3]


def test_zero_vector_matches_nothing(store: PostgresStore) -> None:
    """The distance to it is not a number, which Postgres sorts as the largest."""
    save_at(store, 0)

    assert nearest(store, pointing(0), min_similarity=-1) == []


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_vector_with_nan_is_refused(store: PostgresStore, number: float) -> None:
    """A broken embedder must be reported, and not look like a prompt without matches."""
    save_at(store, 0)

    with pytest.raises(StoreError, match="refused") as asked:
        nearest(store, pointing(number))
    with pytest.raises(StoreError, match="refused") as saved:
        save(store, make_pattern(), embedding=pointing(number))

    assert not isinstance(asked.value, StoreUnavailableError)
    assert not isinstance(saved.value, StoreUnavailableError)
    assert store.count() == 1


@pytest.mark.parametrize("embedding", [pointing(0), [1.0, 2.0], []], ids=["zero", "short", "empty"])
def test_vector_that_no_search_finds_is_refused(store: PostgresStore, embedding: list[float]) -> None:
    """Otherwise the pattern is silently lost."""
    with pytest.raises(StoreError, match="refused"):
        save(store, make_pattern(), embedding=embedding)

    assert store.count() == 0


# Listing, showing, counting, forgetting


def test_newest_are_those_that_began_last(store: PostgresStore) -> None:
    """A late delivery is listed by its start, not by its arrival."""
    [older, newer] = [make_pattern(context=in_project("here")) for _ in range(2)]
    elsewhere = make_pattern(context=in_project("there"))
    save(store, elsewhere, newer, older)

    assert [as_saved(stored) for stored in newest(store)] == [elsewhere, newer, older]
    assert [as_saved(stored) for stored in newest(store, project="here")] == [newer, older]
    assert [as_saved(stored) for stored in newest(store, limit=1)] == [elsewhere]


def test_id_prefix_finds_one_pattern_or_two_if_ambiguous(
    store: PostgresStore, owner: psycopg.Connection, storage: Storage
) -> None:
    """People type eight letters of an id; two results mean that more letters are needed."""
    save(store, *[make_pattern() for _ in range(4)])
    ids = ["aaaaaaaa-0000-4000-8000-00000000000" + end for end in "123"] + ["bbbbbbbb-0000-4000-8000-000000000000"]
    for wanted, stored in zip(ids, newest(store), strict=True):
        owner.execute(f"update public.{storage} set id = %s where id = %s".encode(), [wanted, stored.id])

    assert len(store.starting_with("aaaaaaaa")) == 2
    assert len(store.starting_with("")) == 2
    assert [str(stored.id) for stored in store.starting_with("BBBB")] == [ids[3]]
    assert [str(stored.id) for stored in store.starting_with(ids[0])] == [ids[0]]
    assert store.starting_with("c") == []


@pytest.mark.parametrize("id_start", ["%", "_", "________", "%-%", r"\%", "' or true --"])
def test_wildcards_in_an_id_prefix_have_no_effect(store: PostgresStore, id_start: str) -> None:
    """The id may be used to delete the pattern next."""
    save(store, make_pattern())

    assert store.starting_with(id_start) == []


def test_counting_a_use_does_not_change_updated_at(
    store: PostgresStore, owner: psycopg.Connection, storage: Storage
) -> None:
    """The last change and the last use are different facts."""
    save(store, make_pattern())
    when_changed = f"select updated_at from public.{storage}".encode()
    changed = owner.execute(when_changed).fetchone()

    counted = rows.count_use(store, the_only(store).source_key)

    assert counted is True
    stored = the_only(store)
    assert stored.use_count == 1
    assert stored.last_used_at is not None
    assert stored.last_used_at >= stored.created_at
    assert owner.execute(when_changed).fetchone() == changed


def test_use_of_an_unknown_pattern_is_not_counted(store: PostgresStore) -> None:
    """The caller learns that the pattern that was followed is gone."""
    assert rows.count_use(store, "unknown") is False


def test_use_count_stops_at_the_maximum(store: PostgresStore, owner: psycopg.Connection, storage: Storage) -> None:
    """A full counter must not fail later recalls."""
    save(store, make_pattern())
    owner.execute(SET_COUNT[storage].encode(), [HIGHEST_COUNT])

    assert rows.count_use(store, the_only(store).source_key) is True
    assert the_only(store).use_count == HIGHEST_COUNT


def test_forgetting_a_session_deletes_only_its_patterns(store: PostgresStore) -> None:
    """The session's patterns are gone, and all others stay."""
    kept = make_pattern(session_id="kept")
    save(store, make_pattern(session_id="gone"), make_pattern(session_id="gone"), kept)

    assert store.forget_session("gone") == 2
    assert store.forget_session("gone") == 0
    assert as_saved(the_only(store)) == kept


def test_longest_possible_project_is_stored_and_found(store: PostgresStore) -> None:
    """It is part of an index key, which is shorter than a path may be."""
    letters = random.Random(0).choices([chr(code) for code in range(0x20000, 0x2A000)], k=PROJECT_LIMIT)
    context = redact_model(in_project("".join(letters)))
    rows.save(store, make_pattern(context=context), pointing(1), "m" * 200)

    found = search.nearest(store, pointing(1), "m" * 200, min_similarity=0.5, project=context.project, limit=5)

    assert [match.pattern.context.project for match in found] == ["".join(letters)]


# Several users


def test_no_method_reaches_rows_of_another_user(store: PostgresStore, other_store: PostgresStore) -> None:
    """Two people trust one database with their prompts."""
    theirs = make_pattern(source_key="shared key", session_id="shared session")
    save(other_store, theirs, embedding=pointing(1))
    stored = the_only(other_store)

    assert nearest(store, pointing(1)) == []
    assert store.triggers(models={MODEL: 2}, project=None) == []
    assert store.patterns_with([theirs.source_key]) == []
    assert newest(store) == []
    assert store.starting_with(str(stored.id)) == []
    assert store.starting_with("") == []
    assert store.count() == 0
    assert rows.count_use(store, stored.source_key) is False
    assert store.forget_session("shared session") == 0
    assert the_only(other_store) == stored


def test_same_key_of_two_users_is_two_patterns(store: PostgresStore, other_store: PostgresStore) -> None:
    """One user's delivery must not overwrite another's."""
    theirs = make_pattern(source_key="shared key", trigger="Theirs")
    ours = make_pattern(source_key="shared key", trigger="Ours", actions=(make_action(), make_action()))
    save(other_store, theirs)

    save(store, ours)

    assert as_saved(the_only(other_store)) == theirs
    assert as_saved(the_only(store)) == ours


def test_returned_connection_has_no_user(store: PostgresStore) -> None:
    """Behind a pooler the next transaction on a connection may be another user's."""
    save(store, *[make_pattern() for _ in range(8)])

    with ExitStack() as taken:
        connections = [taken.enter_context(store._pool.connection()) for _ in range(store._pool.max_size)]
        left = [
            connection.execute(
                "select current_user as role, coalesce(current_setting('request.jwt.claims', true), '') as claims"
            ).fetchone()
            for connection in connections
        ]

    assert left == [{"role": LOGIN, "claims": ""}] * len(connections)


# Failures


def test_store_reports_a_stopped_server_and_recovers(own_server: Server) -> None:
    """Events wait in the spool during the outage; nobody has to restart the worker."""
    with psycopg.connect(own_server.conninfo(), autocommit=True) as owner:
        migrate(owner)
        member(owner, own_server, LOGIN)
    store = PostgresStore(own_server.conninfo(LOGIN))
    save(store, make_pattern())

    own_server.stop()
    began = time.monotonic()
    for _ in range(3):
        with pytest.raises(StoreUnavailableError):
            store.count()
    took_s = time.monotonic() - began

    own_server.start()
    assert wait_for(store.count, "the store is back", passing=StoreUnavailableError) == 1
    store.close()
    assert took_s < 3 * TIMEOUT_S + 5


def test_lost_connection_is_reported_as_unavailable_and_replaced(
    store: PostgresStore, owner: psycopg.Connection
) -> None:
    """A connection that the server ended is no fault of the row, which has to be saved again."""
    save(store, make_pattern())
    owner.execute("select pg_terminate_backend(pid, 5000) from pg_stat_activity where usename = %s", [LOGIN])

    with pytest.raises(StoreUnavailableError):
        store.count()

    assert wait_for(store.count, "the store is back", passing=StoreUnavailableError) == 1


def test_closed_store_is_unavailable(server: Server, database: str, storage: Storage) -> None:
    """A request during the worker's shutdown is no fault of the row."""
    store = PostgresStore(server.conninfo(LOGIN, database), storage)
    store.close()

    with pytest.raises(StoreUnavailableError):
        store.count()


REFUSED = [
    make_pattern(trigger=" "),
    make_pattern(trigger="x" * 40_000),
    make_pattern(source_key=""),
    make_pattern(session_id="s" * 201),
    make_pattern(trigger=f"{CANARY} \x00"),
    make_pattern(trigger=f"{CANARY} \ud83d"),
    make_pattern(actions=(make_action(error=f"{CANARY} \x00"),)),
    make_pattern(actions=(make_action(error=f"{CANARY} \ud83d"),)),
]


@pytest.mark.parametrize("pattern", REFUSED, ids=range(len(REFUSED)))
def test_refused_row_is_not_logged(store: PostgresStore, pattern: Pattern) -> None:
    """Postgres quotes the row in its details, and more people read logs than tables.

    Nor is the error temporary: retried for ever, one bad session would block all the others.
    """
    context = Context(directory=CANARY, project=CANARY)
    secret = make_action(parameters={"command": CANARY})
    refused = pattern.model_copy(update={"context": context, "actions": (*pattern.actions, secret)})

    with pytest.raises(StoreError) as caught:
        save(store, refused, embedding=pointing(1))

    assert type(caught.value) is StoreError
    assert CANARY not in everything_said(caught.value)
    assert store.count() == 0


def test_row_of_a_login_without_a_user_is_refused(store: PostgresStore, owner: psycopg.Connection) -> None:
    """The worker of a deleted user must not seem to store anything; the membership is deleted with the user."""
    owner.execute("delete from auth.users")

    with pytest.raises(StoreError, match="42501") as caught:
        save(store, make_pattern(trigger=CANARY))

    assert CANARY not in everything_said(caught.value)


def test_row_of_another_shape_is_reported_without_its_text(
    store: PostgresStore, owner: psycopg.Connection, storage: Storage
) -> None:
    """A newer version on another machine may have written it; its text is private."""
    save(store, make_pattern())
    stored = the_only(store)
    _change_shape(owner, storage, stored)

    with pytest.raises(StoreError, match=str(stored.id)) as caught:
        store.starting_with(str(stored.id))

    assert CANARY not in everything_said(caught.value)


def test_row_of_another_shape_does_not_hide_the_others(
    store: PostgresStore, owner: psycopg.Connection, storage: Storage, caplog: pytest.LogCaptureFixture
) -> None:
    """One machine of a team is updated first, and recall must go on for the others."""
    save(store, make_pattern(), embedding=pointing(1))
    stored = the_only(store)
    _change_shape(owner, storage, stored)
    key = save_at(store, 10)

    assert nearest(store, pointing(1)) == [key]
    assert [pattern.source_key for pattern in newest(store)] == [key]
    assert str(stored.id) in caplog.text
    assert CANARY not in caplog.text


def _change_shape(owner: psycopg.Connection, storage: Storage, stored: StoredPattern) -> None:
    owner.execute(SET_CONTEXT[storage].encode(), [Jsonb({"directory": CANARY, "new": CANARY}), stored.id])
