"""Remarks on a real database: what became of suggestions, what users say of patterns, and who can read it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb

from behavior_plugin.config import Storage
from behavior_plugin.errors import StoreError
from behavior_plugin.learn import compute_patterns, save_turns
from behavior_plugin.model import Outcome, Turn
from behavior_plugin.patterns.alignment import identities
from behavior_plugin.store.embedded.server import Server
from behavior_plugin.store.postgres import PostgresStore
from behavior_plugin.store.sql_files import STORAGES
from behavior_plugin.workflow import SUGGESTED, Remark, RemarkKind, StoredPattern
from tests.database import LOGIN, ask, rows
from tests.factories import START, make_work
from tests.waiting import wait_for

CANARY = "canary-7f3a9c"
PROJECT = "/home/dev/project"
INSERT = "insert into behavior.remarks (user_id, pattern_key, kind, details) values (%s, %s, %s, %s)"
# Each remark, and the transaction that wrote it last.
WHOLE = "select xmin::text || to_jsonb(r)::text from behavior.remarks r order by id"
# A text that is no data anywhere.
HOSTILE = '\'; drop table behavior.remarks; -- $$ %s \\ " {"a": \u2028 \U0001f9f5'


@pytest.fixture(params=STORAGES)
def storage(request: pytest.FixtureRequest) -> Storage:
    """Both storages behave the same."""
    chosen: Storage = request.param
    return chosen


def remark(kind: RemarkKind = RemarkKind.GOOD, **changes: Any) -> Remark:
    return Remark(**{"pattern_key": "key", "kind": kind, "made_at": START, **changes})


def said(store: PostgresStore, *pattern_keys: str) -> list[Remark]:
    """The remarks on some patterns, without their ids."""
    with store.evidence() as evidence:
        return [each.model_copy(update={"id": None}) for each in evidence.remarks(pattern_keys or ["key"])]


def learn(store: PostgresStore, *turns: Turn) -> StoredPattern:
    """The only pattern after these turns."""
    save_turns(turns, store)
    compute_patterns(embedder=None, store=store)
    [pattern] = store.newest(project=None, limit=5)
    return pattern


def show(store: PostgresStore, pattern: StoredPattern, session: str, made_at: datetime) -> Remark:
    """Note that a session got a pattern as a suggestion; returns the remark as it is stored."""
    assert pattern.workflow
    steps = identities(pattern.workflow.steps)
    store.add_remark(
        remark(RemarkKind.SHOWN, pattern_key=pattern.source_key, session_id=session, made_at=made_at, steps=steps)
    )
    with store.evidence() as evidence:
        [stored] = evidence.suggested([session])
    return stored


def judge(store: PostgresStore, shown: Remark, outcome: Outcome | None, *, is_followed: bool | None) -> None:
    with store.evidence() as evidence:
        evidence.judge(shown.model_copy(update={"is_followed": is_followed, "outcome": outcome}))


def user_of(owner: psycopg.Connection, login: str = LOGIN) -> Any:
    return ask(owner, "select user_id from behavior.members where login = %s", [login])


@pytest.mark.parametrize("kind", RemarkKind)
def test_remark_is_read_back_unchanged(store: PostgresStore, kind: RemarkKind) -> None:
    """No session has it, so there is no other copy."""
    made = remark(kind, session_id="session", note=HOSTILE, steps=("make test", HOSTILE), into="another")

    store.add_remark(made)

    assert said(store) == [made]


def test_remarks_come_oldest_first_and_only_those_asked_for(store: PostgresStore) -> None:
    """Of two that undo each other, the later one counts."""
    earlier, later = remark(RemarkKind.HIDE), remark(RemarkKind.SHOW, made_at=START + timedelta(seconds=1))
    between = remark(pattern_key="another", made_at=START + timedelta(milliseconds=1))

    for each in (later, between, remark(pattern_key="foreign"), earlier):
        store.add_remark(each)

    assert said(store, "key") == [earlier, later]
    assert said(store, "another", "key") == [earlier, between, later]
    assert said(store, "unknown") == []


def test_only_suggestions_of_a_session_are_shown(store: PostgresStore) -> None:
    """Feedback that was given within a session is no suggestion; one that was withheld is judged too."""
    mine = [remark(kind, session_id="mine", holdout=0.1) for kind in (RemarkKind.SHOWN, RemarkKind.WITHHELD)]
    for each in (*mine, remark(RemarkKind.GOOD, session_id="mine"), remark(RemarkKind.SHOWN, session_id="other")):
        store.add_remark(each)

    with store.evidence() as evidence:
        found = [each.model_copy(update={"id": None}) for each in evidence.suggested(["mine"])]

    assert sorted(found, key=lambda each: each.kind) == mine


# Judging suggestions


def test_a_followed_suggestion_counts_as_one_use(store: PostgresStore) -> None:
    """A session is learned from again and again while it grows."""
    pattern = learn(store, make_work())
    shown = show(store, pattern, "later", START + timedelta(days=1))

    judge(store, shown, Outcome.PARTIAL, is_followed=True)
    judge(store, shown, Outcome.PARTIAL, is_followed=True)
    judge(store, shown, Outcome.SUCCESS, is_followed=True)

    [used] = store.newest(project=None, limit=5)
    assert (used.use_count, used.last_used_at is not None) == (1, True)
    [kept] = said(store, pattern.source_key)
    assert (kept.is_followed, kept.outcome) == (True, Outcome.SUCCESS)


@pytest.mark.parametrize("is_followed", [False, None])
def test_an_ignored_suggestion_is_no_use(store: PostgresStore, is_followed: bool | None) -> None:
    """Only the work afterwards shows whether it helped."""
    pattern = learn(store, make_work())
    shown = show(store, pattern, "later", START + timedelta(days=1))

    judge(store, shown, Outcome.SUCCESS, is_followed=is_followed)

    [unused] = store.newest(project=None, limit=5)
    assert (unused.use_count, unused.last_used_at) == (0, None)
    assert [each.is_followed for each in said(store, pattern.source_key)] == [is_followed]


def test_a_withheld_suggestion_is_judged_and_is_no_use(store: PostgresStore) -> None:
    """Nobody used it: the work would have gone that way anyhow."""
    pattern = learn(store, make_work())
    store.add_remark(remark(RemarkKind.WITHHELD, pattern_key=pattern.source_key, session_id="later"))
    with store.evidence() as evidence:
        [withheld] = evidence.suggested(["later"])

    judge(store, withheld, Outcome.SUCCESS, is_followed=True)

    [unused] = store.newest(project=None, limit=5)
    assert (unused.use_count, unused.last_used_at) == (0, None)
    assert [(each.is_followed, each.outcome) for each in said(store, pattern.source_key)] == [(True, Outcome.SUCCESS)]


def test_a_suggestion_may_be_followed_later(store: PostgresStore) -> None:
    """At first the session had only looked around."""
    pattern = learn(store, make_work())
    shown = show(store, pattern, "later", START + timedelta(days=1))

    judge(store, shown, Outcome.SUCCESS, is_followed=False)
    judge(store, shown, Outcome.SUCCESS, is_followed=True)

    assert [each.use_count for each in store.newest(project=None, limit=5)] == [1]


def test_judging_marks_the_pattern_for_recomputation(store: PostgresStore) -> None:
    """Its odds depend on it."""
    pattern = learn(store, make_work())
    shown = show(store, pattern, "later", START + timedelta(days=1))
    compute_patterns(embedder=None, store=store)
    assert store.unfolded_projects() == []

    judge(store, shown, Outcome.SUCCESS, is_followed=True)

    assert store.unfolded_projects() == [PROJECT]


def test_an_unchanged_judgement_writes_nothing(store: PostgresStore, owner: psycopg.Connection) -> None:
    """Else each look at a session would compute its patterns again."""
    pattern = learn(store, make_work())
    shown = show(store, pattern, "later", START + timedelta(days=1))
    judge(store, shown, Outcome.SUCCESS, is_followed=True)
    compute_patterns(embedder=None, store=store)
    before = rows(owner, WHOLE)

    judge(store, shown, Outcome.SUCCESS, is_followed=True)

    assert rows(owner, WHOLE) == before
    assert store.unfolded_projects() == []


def test_judging_a_remark_that_is_gone_does_nothing(store: PostgresStore) -> None:
    """The session may have been forgotten meanwhile."""
    pattern = learn(store, make_work())
    gone = remark(RemarkKind.SHOWN, id=uuid4(), pattern_key=pattern.source_key)

    judge(store, gone, Outcome.SUCCESS, is_followed=True)

    assert [each.use_count for each in store.newest(project=None, limit=5)] == [0]
    assert store.unfolded_projects() == []


def test_saving_a_session_judges_the_suggestions_that_it_got(store: PostgresStore) -> None:
    """From the hook's note to the counters of the pattern."""
    pattern = learn(store, make_work(session_id="first"))
    followed = make_work(session_id="second")
    show(store, pattern, "second", followed.started_at + timedelta(milliseconds=300))

    again = learn(store, followed)
    once_more = learn(store, followed)

    assert again.workflow
    assert (again.workflow.shown, again.workflow.followed, again.use_count) == (1, 1, 1)
    assert once_more == again


# Computing patterns again


@pytest.mark.parametrize("kind", RemarkKind)
def test_a_remark_marks_its_pattern_for_recomputation(store: PostgresStore, kind: RemarkKind) -> None:
    """It shows in the pattern at once, not only with the next session; a suggestion only once it is judged.

    Each one would have the whole project computed again, for a count.
    """
    pattern = learn(store, make_work())
    assert store.unfolded_projects() == []

    store.add_remark(remark(kind, pattern_key=pattern.source_key))

    assert store.unfolded_projects() == ([] if kind in SUGGESTED else [PROJECT])


def test_a_remark_on_an_unknown_pattern_is_kept(store: PostgresStore) -> None:
    """The pattern may come back with an import."""
    learn(store, make_work())

    store.add_remark(remark(pattern_key="unknown"))

    assert store.unfolded_projects() == []
    assert said(store, "unknown") == [remark(pattern_key="unknown")]


def test_a_remark_during_a_computation_is_not_passed_over(store: PostgresStore, owner: psycopg.Connection) -> None:
    """A worker that has read the remarks already must not mark the pattern as computed with this one."""
    pattern = learn(store, make_work())
    with ThreadPoolExecutor() as threads:
        with store.evidence() as evidence:
            evidence.remarks([pattern.source_key])
            adding = threads.submit(store.add_remark, remark(pattern_key=pattern.source_key))
            wait_for(
                lambda: adding.done() or rows(owner, "select 1 from pg_locks where not granted"), "the remark waits"
            )
            [keys] = [{each.source_key: pattern.source_key for each in evidence.occurrences(PROJECT)}]
            evidence.replace_patterns(PROJECT, [], keys)
        adding.result()

    assert store.unfolded_projects() == [PROJECT]


# Forgetting


def test_forgetting_a_session_forgets_its_suggestions(store: PostgresStore) -> None:
    """They say which session it was, and what it did. Other remarks on the same pattern stay."""
    pattern = learn(store, make_work(session_id="first"))
    show(store, pattern, "second", START + timedelta(days=1))
    show(store, pattern, "third", START + timedelta(days=1))
    store.add_remark(remark(pattern_key=pattern.source_key))
    compute_patterns(embedder=None, store=store)

    assert store.forget_session("second") == 0

    left = said(store, pattern.source_key)
    assert sorted(each.session_id for each in left) == ["", "third"]
    compute_patterns(embedder=None, store=store)
    [computed] = store.newest(project=None, limit=5)
    assert computed.workflow
    assert (computed.workflow.shown, computed.workflow.good) == (1, 1)


# Rows that another program wrote


@pytest.mark.parametrize(
    "details",
    [
        {"steps": CANARY},
        {"steps": [1, 2]},
        {"steps": None},
        {"steps": {"a": CANARY}},
        {"steps": [[CANARY]]},
        {"into": None},
        {"into": 7},
        {"into": [CANARY]},
        {"holdout": CANARY},
        {"holdout": [0.5]},
    ],
)
def test_odd_details_hide_only_their_remark(
    store: PostgresStore, owner: psycopg.Connection, details: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Any client may write them, and a newer version may know other ones."""
    store.add_remark(remark())
    owner.execute(INSERT, [user_of(owner), "key", "edit", Jsonb(details)])

    assert said(store) == [remark()]
    assert "has a shape that this version does not know" in caplog.text
    assert CANARY not in caplog.text


def test_unknown_details_are_ignored(store: PostgresStore, owner: psycopg.Connection) -> None:
    """A newer version may add some."""
    owner.execute(INSERT, [user_of(owner), "key", "edit", Jsonb({"steps": ["make"], "more": {"a": [None]}})])

    assert [(each.kind, each.steps) for each in said(store)] == [(RemarkKind.EDIT, ("make",))]


def test_numbers_that_python_cannot_read_hide_nothing_else(store: PostgresStore, owner: psycopg.Connection) -> None:
    """JSON allows 5,000 digits."""
    store.add_remark(remark())
    statement = (
        "insert into behavior.remarks (user_id, pattern_key, kind, details, made_at) values (%s, %s, %s, %s, %s)"
    )
    owner.execute(statement, [user_of(owner), "key", "bad", f'{{"more": {"9" * 5000}}}', START])

    assert remark() in said(store)


def nested(depth: int) -> Any:
    return {} if depth == 0 else {"a": nested(depth - 1)}


@pytest.mark.parametrize(
    "changes",
    [
        {"details": Jsonb([CANARY])},
        {"details": Jsonb(CANARY)},
        {"details": None},
        {"details": Jsonb(nested(70))},
        {"details": Jsonb({"a": CANARY * 100_000})},
        {"kind": CANARY},
        {"kind": None},
        {"pattern_key": ""},
        {"pattern_key": "x" * 201},
        {"session_id": "x" * 201},
        {"note": "x" * 8193},
        {"outcome": CANARY},
        {"made_at": "infinity"},
        {"made_at": "0044-03-15 12:00:00+00 BC"},
    ],
)
def test_hostile_remarks_are_refused(owner: psycopg.Connection, changes: dict[str, Any]) -> None:
    """Whatever client a member uses."""
    given = {"user_id": user_of(owner), "pattern_key": "key", "kind": "good", **changes}
    names, places = ", ".join(given), ", ".join(f"%({name})s" for name in given)

    with pytest.raises(psycopg.IntegrityError):
        owner.execute(f"insert into behavior.remarks ({names}) values ({places})".encode(), given)


@pytest.mark.parametrize(
    "changes",
    [
        {"pattern_key": ""},
        {"pattern_key": "x" * 201},
        {"session_id": CANARY * 20},
        {"note": CANARY * 1000},
        {"note": f"{CANARY} \0"},
        {"note": f"{CANARY} \ud800"},
        {"steps": (f"{CANARY} \0",)},
        {"steps": (CANARY * 1000,) * 100},
    ],
)
def test_refused_remark_is_an_error_without_its_text(store: PostgresStore, changes: dict[str, Any]) -> None:
    """Errors go to logs and terminals."""
    with pytest.raises(StoreError) as caught:
        store.add_remark(remark(**changes))

    assert CANARY not in f"{caught.value} {caught.value.hint}"
    assert said(store) == []


# Several users


def test_no_method_reaches_remarks_of_another_user(store: PostgresStore, other_store: PostgresStore) -> None:
    """A note may say anything, and a suggestion names a session."""
    theirs = learn(other_store, make_work(source_key="shared", session_id="shared"))
    shown = show(other_store, theirs, "session", START + timedelta(days=1))
    compute_patterns(embedder=None, store=other_store)

    with store.evidence() as evidence:
        found = evidence.remarks([theirs.source_key]), evidence.suggested(["session"])
        evidence.judge(shown.model_copy(update={"is_followed": True, "outcome": Outcome.SUCCESS}))
    store.add_remark(remark(pattern_key=theirs.source_key))
    store.forget_session("session")

    assert found == ([], [])
    assert said(other_store, theirs.source_key) == [shown.model_copy(update={"id": None})]
    assert other_store.unfolded_projects() == []
    assert [each.use_count for each in other_store.newest(project=None, limit=5)] == [0]


def test_plain_sql_reaches_only_own_remarks(
    server: Server, owner: psycopg.Connection, store: PostgresStore, other_store: PostgresStore
) -> None:
    """Anyone can use another client than ours."""
    store.add_remark(remark(note="mine"))
    other_store.add_remark(remark(note="theirs"))
    theirs = user_of(owner, "behavior_other")

    with psycopg.connect(server.conninfo(LOGIN, owner.info.dbname), autocommit=True) as client:
        assert rows(client, "select note from behavior.remarks") == [("mine",)]
        assert client.execute("update behavior.remarks set is_followed = true").rowcount == 1
        for statement in (
            f"insert into behavior.remarks (user_id, pattern_key, kind) values ('{theirs}', 'key', 'bad')",
            f"update behavior.remarks set user_id = '{theirs}'",
            "update behavior.remarks set note = 'x'",
            "truncate behavior.remarks",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                client.execute(statement.encode())
        assert client.execute("delete from behavior.remarks").rowcount == 1

    left = "select note, is_followed from behavior.remarks"
    assert rows(owner, left) == [("theirs", None)]
    with owner.transaction():
        owner.execute("set local role anon")
        with pytest.raises(psycopg.errors.InsufficientPrivilege), owner.transaction():
            owner.execute(left.encode())


def test_a_deleted_user_leaves_no_remarks(owner: psycopg.Connection, store: PostgresStore) -> None:
    """Whoever leaves takes everything along."""
    store.add_remark(remark())

    owner.execute("delete from auth.users where id = %s", [user_of(owner)])

    assert rows(owner, "select * from behavior.remarks") == []
