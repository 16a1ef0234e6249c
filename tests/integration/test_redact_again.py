"""Rows that older rules for secrets have redacted are found and redacted again, in both storages."""

from __future__ import annotations

from collections.abc import Sequence

import psycopg
import pytest

from behavior_plugin.config import Storage
from behavior_plugin.learn import compute_patterns, save_turns
from behavior_plugin.model import REDACTION_VERSION
from behavior_plugin.redact_again import redact_remarks, redact_sessions
from behavior_plugin.store import ToRedact, postgres
from behavior_plugin.store.postgres import PostgresStore
from behavior_plugin.store.sql_files import STORAGES
from behavior_plugin.workflow import Remark, RemarkKind
from tests.database import ask, pointing
from tests.factories import START, make_action, make_turn
from tests.fakes import FakeEmbedder

# Assembled, so that scanners do not report this file as a leak.
SECRET = "hunter2!" + "Blue"
TEXT = f"Deploy, the admin password is {SECRET} , and check"
PATTERNS: dict[Storage, str] = {
    "behavior_patterns": "select string_agg(p::text, ' ') from public.behavior_patterns p",
    "memories": "select string_agg(m::text, ' ') from public.memories m",
}
EVIDENCE = "select string_agg(to_jsonb(e)::text, ' ') from behavior.episodes e"
VERSIONS = "select array_agg(distinct redaction_version) from behavior.episodes where session_id = %s"


class Padded(FakeEmbedder):
    """With vectors of the table's width."""

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        return [pointing(*vector) for vector in super().embed(texts)]


@pytest.fixture(params=STORAGES)
def storage(request: pytest.FixtureRequest) -> Storage:
    """Both storages behave the same."""
    chosen: Storage = request.param
    return chosen


def keep(store: PostgresStore, *sessions: str, text: str = TEXT) -> None:
    for session in sessions:
        action = make_action(parameters={"command": f"az login -u b -p {SECRET}"})
        save_turns([make_turn(text, action, session_id=session)], store)


def make_old(owner: psycopg.Connection) -> None:
    """Make all rows those of the first rules."""
    owner.execute("update behavior.episodes set redaction_version = 1")
    owner.execute("update behavior.remarks set redaction_version = 1")


def test_evidence_and_patterns_of_older_rules_lose_their_secrets(
    store: PostgresStore, owner: psycopg.Connection, storage: Storage
) -> None:
    keep(store, "one", "two")
    compute_patterns(embedder=Padded(), store=store)
    make_old(owner)
    assert SECRET in ask(owner, EVIDENCE)
    assert SECRET in ask(owner, PATTERNS[storage])
    assert store.to_redact() == ToRedact(sessions=2, remarks=0)

    found = redact_sessions(store)
    embedder = Padded()
    compute_patterns(embedder=embedder, store=store)

    assert (found.sessions, found.turns, found.refused) == (2, 2, 0)
    assert SECRET not in ask(owner, EVIDENCE)
    assert SECRET not in ask(owner, PATTERNS[storage])
    assert embedder.texts, "the vectors of changed triggers are made anew"
    assert store.to_redact() == ToRedact(sessions=0, remarks=0)
    assert ask(owner, VERSIONS, ["one"]) == [REDACTION_VERSION]


def test_a_dry_run_changes_no_row(store: PostgresStore, owner: psycopg.Connection) -> None:
    keep(store, "one")
    make_old(owner)
    before = ask(owner, EVIDENCE)

    assert redact_sessions(store, is_dry_run=True).turns == 1

    assert ask(owner, EVIDENCE) == before


def test_rows_without_a_secret_keep_their_vectors(store: PostgresStore, owner: psycopg.Connection) -> None:
    """Only the version is noted."""
    save_turns([make_turn("Fix the test", make_action(), session_id="one")], store)
    compute_patterns(embedder=Padded(), store=store)
    make_old(owner)

    redact_sessions(store)

    assert store.unembedded(10) == []
    assert store.unfolded_projects() == []
    assert store.to_redact().sessions == 0


def test_a_session_of_older_rules_stays_one_when_work_is_added(store: PostgresStore, owner: psycopg.Connection) -> None:
    """Its row may have turns that older rules have redacted."""
    keep(store, "old")
    make_old(owner)

    keep(store, "old", text="Then go on with the release notes")
    keep(store, "new")

    assert store.sessions_to_redact() == ["old"]
    assert ask(owner, VERSIONS, ["old"]) == [1]
    assert ask(owner, VERSIONS, ["new"]) == [REDACTION_VERSION]


def test_an_interrupted_run_goes_on(
    store: PostgresStore, owner: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "MAX_SESSIONS", 1)
    keep(store, "a", "b", "c")
    make_old(owner)

    first = redact_sessions(store)
    assert (first.last, store.sessions_to_redact()) == ("a", ["b"])
    second, third = redact_sessions(store), redact_sessions(store)

    assert (second.last, third.last, store.to_redact().sessions) == ("b", "c", 0)


def test_remarks_of_older_rules_lose_their_secrets(store: PostgresStore, owner: psycopg.Connection) -> None:
    """They are rows that cannot be computed again."""
    edit = Remark(pattern_key="k", kind=RemarkKind.EDIT, made_at=START, note=TEXT, steps=(f"7z x -p{SECRET} a.7z",))
    store.add_remark(edit)
    store.add_remark(edit.model_copy(update={"kind": RemarkKind.GOOD, "note": "good", "steps": ()}))
    assert store.to_redact().remarks == 0
    make_old(owner)
    assert store.to_redact().remarks == 2
    good = ask(owner, "select id from behavior.remarks where kind = 'good'")

    assert redact_remarks(store, is_dry_run=True) == 1
    assert redact_remarks(store) == 1

    assert store.to_redact().remarks == 0
    assert SECRET not in ask(owner, "select to_jsonb(r)::text from behavior.remarks r")
    with store.evidence() as evidence:
        stored = {each.kind: each for each in evidence.remarks(["k"])}
    assert stored[RemarkKind.EDIT].steps == ("7z x -p[REDACTED] a.7z",)
    assert stored[RemarkKind.GOOD].id == good, "a restored backup finds it again"


def test_nobody_sees_or_changes_the_rows_of_others(
    store: PostgresStore, other_store: PostgresStore, owner: psycopg.Connection
) -> None:
    keep(store, "mine")
    make_old(owner)

    assert other_store.to_redact() == ToRedact(sessions=0, remarks=0)
    assert redact_sessions(other_store).sessions == 0
    assert store.to_redact().sessions == 1
