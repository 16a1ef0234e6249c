"""Measuring reads a real database, in both storages: suggestions with the work after them, and past work."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy
import psycopg
import pytest
from psycopg.types.json import Jsonb

from behavior_plugin.config import Storage
from behavior_plugin.learn import compute_patterns, save_turns
from behavior_plugin.store import Amounts
from behavior_plugin.store.embedded.server import Server
from behavior_plugin.store.postgres import PostgresStore
from behavior_plugin.store.sql_files import STORAGES
from behavior_plugin.workflow import Digest, PastSuggestion, Remark, RemarkKind
from tests.database import LOGIN, ask
from tests.factories import START, make_action, make_episode, make_step, make_work

PROJECT = "/home/dev/project"
NUMBERS = 4
INSERT = "insert into behavior.remarks (user_id, pattern_key, kind) values (%s, 'key', 'withheld')"


@pytest.fixture(params=STORAGES)
def storage(request: pytest.FixtureRequest) -> Storage:
    """Both storages behave the same."""
    chosen: Storage = request.param
    return chosen


def suggested(hours: float = 0, kind: RemarkKind = RemarkKind.SHOWN, **changes: Any) -> Remark:
    made_at = START + timedelta(hours=hours)
    return Remark(**{"pattern_key": "key", "kind": kind, "made_at": made_at, "session_id": "session", **changes})


def kept(store: PostgresStore, **changes: Any) -> list[PastSuggestion]:
    found = store.suggestions(changes.get("since"))
    return [PastSuggestion(each.remark.model_copy(update={"id": None}), each.steps, each.took_ms) for each in found]


def learn(store: PostgresStore, session: str, *calls: int, hours: float = 0) -> None:
    """Work of a session with checks that take some seconds each."""
    at = START + timedelta(hours=hours)
    actions = tuple(
        make_action(
            id=f"{session} {hours} {second}",
            parameters={"command": f"make check-{second}"},
            timestamp=at + timedelta(seconds=second),
            duration_ms=1000,
        )
        for second in calls
    )
    save_turns(
        [
            make_work(
                session_id=session, started_at=at, actions=actions, prompt=f"repair the invoice total of shop {hours}"
            )
        ],
        store,
    )


def page(store: PostgresStore, after: str = "", *, project: str | None = None, limit: int = 10) -> list[str]:
    found = store.work_after(after, models={"m": NUMBERS}, project=project, limit=limit)
    return [episode.source_key for episode, _ in found]


def test_suggestions_come_oldest_first_and_nothing_else_does(store: PostgresStore) -> None:
    made = [
        suggested(0, RemarkKind.WITHHELD, holdout=0.25, steps=("make",)),
        suggested(1, holdout=0.25),
        suggested(2, RemarkKind.WITHHELD),
    ]
    for each in (*reversed(made), suggested(1, RemarkKind.GOOD), suggested(1, RemarkKind.HIDE)):
        store.add_remark(each)

    assert kept(store) == [PastSuggestion(each) for each in made]
    assert [each.remark for each in kept(store, since=START + timedelta(hours=1))] == made[1:]
    assert kept(store, since=START + timedelta(hours=3)) == []


def test_a_suggestion_comes_with_the_work_after_its_prompt(store: PostgresStore) -> None:
    """Of the session's episodes the one that the prompt began or went on with; other sessions' do not count."""
    digests = [Digest(version=2, steps=(make_step(),) * count, took_ms=1000 * count) for count in range(5)]
    times = [0, 5, 9]
    episodes = [
        make_episode(session_id="session", started_at=START + timedelta(hours=hours), digest=digest)
        for hours, digest in zip(times, digests[1:], strict=False)
    ]
    other = make_episode(session_id="other", started_at=START + timedelta(hours=6), digest=digests[4])
    part = make_episode(
        session_id="session", started_at=START + timedelta(hours=5.5), digest=digests[4], part_of=episodes[1].source_key
    )
    with store.evidence() as evidence:
        evidence.replace_sessions(["session", "other"], [*episodes, other, part])
    store.add_remark(suggested(6, RemarkKind.WITHHELD))
    with store.evidence() as evidence:
        [made] = evidence.suggested(["session"])
        evidence.judge(made.model_copy(update={"is_followed": True}))

    [found] = kept(store)

    assert (found.steps, found.took_ms) == (2, 2_000)
    assert found.remark.is_followed


def test_a_suggestion_without_work_has_no_numbers(store: PostgresStore, owner: psycopg.Connection) -> None:
    """The session has none before it, is unknown, or was forgotten; or the suggestion is not judged yet."""
    learn(store, "session", 1, hours=0)
    for each in (suggested(-1), suggested(1, session_id="unknown"), suggested(1, session_id="")):
        store.add_remark(each)
    owner.execute("update behavior.remarks set is_followed = true")
    store.add_remark(suggested(1))

    assert [(each.steps, each.took_ms) for each in kept(store)] == [(None, None)] * 4


def test_odd_digests_hide_no_suggestion(store: PostgresStore, owner: psycopg.Connection) -> None:
    """A newer version, or another program, may have written them."""
    learn(store, "session", 1, hours=0)
    store.add_remark(suggested(1))
    owner.execute("update behavior.remarks set is_followed = true")
    odd: tuple[dict[str, Any], ...] = (
        {},
        {"steps": 7, "took_ms": "long"},
        {"steps": {}, "took_ms": None},
        {"took_ms": 1.5},
    )
    for digest in odd:
        owner.execute("update behavior.episodes set digest = %s", [Jsonb(digest)])

        [found] = kept(store)

        assert (found.steps, found.took_ms) == (None, 1 if digest.get("took_ms") == 1.5 else None)


def test_amounts_count_work_sessions_and_projects(store: PostgresStore, owner: psycopg.Connection) -> None:
    assert store.amounts() == Amounts(0, 0, 0)
    learn(store, "a", 1, hours=0)
    learn(store, "a", 1, hours=1)
    learn(store, "b", 1, hours=2)
    before = store.amounts()

    owner.execute("update behavior.episodes set part_of = 'whole' where session_id = 'b'")
    owner.execute("update behavior.episodes set project = '' where session_id = 'b'")

    assert before.sessions == 2
    assert before.projects == 1
    assert store.amounts() == Amounts(before.episodes - 1, 2, 1)


def test_work_comes_by_the_page_with_parts_and_without_patterns(
    store: PostgresStore, owner: psycopg.Connection
) -> None:
    for hours in range(5):
        learn(store, f"session {hours}", 1, hours=hours)
    owner.execute("update behavior.episodes set part_of = 'whole' where session_id = 'session 3'")
    owner.execute("update behavior.episodes set project = 'elsewhere' where session_id = 'session 4'")

    whole = page(store)

    assert len(whole) == 5
    assert whole == sorted(whole)
    assert [*page(store, limit=2), *page(store, whole[1], limit=3)] == whole
    assert page(store, whole[-1]) == []
    assert len(page(store, project=PROJECT)) == 4
    assert len(page(store, project="elsewhere")) == 1
    [(_, trigger), *_] = store.work_after("", models={"m": NUMBERS}, project=None, limit=1)
    assert (trigger.pattern_key, trigger.embedding) == ("", None)


def test_work_has_its_pattern_and_the_vector_of_one_model(store: PostgresStore) -> None:
    learn(store, "session", 1, hours=0)
    compute_patterns(embedder=None, store=store)
    [unembedded] = store.unembedded(5)
    vector = [0.6, 0.8, *[0.0] * 1534]
    store.save_embedding(unembedded.source_key, unembedded.text, vector, "m")

    [(episode, trigger)] = store.work_after("", models={"m": NUMBERS}, project=None, limit=5)
    [(_, other)] = store.work_after("", models={"other": NUMBERS}, project=None, limit=5)

    [same] = store.triggers(models={"m": NUMBERS}, project=None)
    assert replace(trigger, embedding=None) == replace(same, embedding=None)
    assert trigger.embedding is not None
    assert numpy.allclose(trigger.embedding, vector[:NUMBERS])
    assert trigger.pattern_key == store.newest(project=None, limit=1)[0].source_key
    assert [action.parameters for action in episode.actions] == [{"command": "make check-1"}]
    assert other.embedding is None


def test_nobody_measures_another_users_work(
    store: PostgresStore, other_store: PostgresStore, owner: psycopg.Connection
) -> None:
    """Whoever shares the database; also where the sessions have the same id."""
    learn(other_store, "session", 1, 2, 3, hours=0)
    other_store.add_remark(suggested(1, RemarkKind.WITHHELD))
    store.add_remark(suggested(1))
    owner.execute("update behavior.remarks set is_followed = true")

    [mine], [theirs] = kept(store), kept(other_store)

    assert page(store) == []
    assert store.amounts() == Amounts(0, 0, 0)
    assert (mine.remark.kind, mine.steps) == (RemarkKind.SHOWN, None)
    assert (theirs.remark.kind, theirs.steps) == (RemarkKind.WITHHELD, 3)
    assert other_store.amounts().episodes == 1


def test_plain_sql_makes_no_withheld_suggestions_of_others(
    server: Server, owner: psycopg.Connection, store: PostgresStore, other_store: PostgresStore
) -> None:
    """Anyone can use another client than ours."""
    store.add_remark(suggested(0, RemarkKind.WITHHELD))
    other_store.add_remark(suggested(0, RemarkKind.WITHHELD))
    theirs = ask(owner, "select user_id from behavior.members where login = 'behavior_other'")

    with psycopg.connect(server.conninfo(LOGIN, owner.info.dbname), autocommit=True) as client:
        assert client.execute("select from behavior.remarks where kind = 'withheld'").rowcount == 1
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            client.execute(INSERT, [theirs])
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            client.execute("update behavior.remarks set kind = 'shown'")
