"""Newer rules for secrets are applied to old evidence and remarks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest

from behavior_plugin.errors import StoreError, StoreUnavailableError
from behavior_plugin.learn import compute_patterns, save_turns
from behavior_plugin.redact import MASK
from behavior_plugin.redact_again import Redacted, redact_remarks, redact_sessions
from behavior_plugin.workflow import Episode, Remark, RemarkKind
from tests.factories import START, make_action, make_turn
from tests.fakes import FakeEmbedder, FakeStore

# Assembled, so that scanners do not report this file as a leak.
SECRET = "hunter2!" + "Blue"
TEXT = f"Deploy, the admin password is {SECRET} , and check"


class RefusingStore(FakeStore):
    """Refuses the episodes of one session."""

    def __init__(self, refused: str, error: type[StoreError]) -> None:
        super().__init__()
        self.error, self.refused = error, ""
        self.wanted = refused

    def replace_sessions(self, session_ids: Any, episodes: Sequence[Episode]) -> None:
        if self.refused in [*session_ids]:
            raise self.error
        super().replace_sessions(session_ids, episodes)


def kept(store: FakeStore, *sessions: str) -> FakeStore:
    """Save work with a secret, as older rules have left it."""
    for session in sessions:
        action = make_action(parameters={"command": f"az login -u b -p {SECRET}"})
        save_turns([make_turn(TEXT, action, session_id=session)], store)
    return store


def test_turns_and_patterns_lose_secrets_that_newer_rules_know() -> None:
    store, embedder = kept(FakeStore(), "s"), FakeEmbedder()
    compute_patterns(embedder=embedder, store=store)
    assert SECRET in repr([store.told, store.patterns])

    found = redact_sessions(store)
    compute_patterns(embedder=embedder, store=store)

    assert found == Redacted(sessions=1, turns=1, last="s")
    assert SECRET not in repr([store.told, store.patterns])
    assert MASK in embedder.texts[-1]


def test_repeating_it_changes_nothing() -> None:
    store = kept(FakeStore(), "s")
    redact_sessions(store)
    before = dict(store.told)

    assert redact_sessions(store) == Redacted()
    assert store.told == before


def test_a_dry_run_only_counts() -> None:
    store = kept(FakeStore(), "s")

    found = redact_sessions(store, is_dry_run=True)

    assert found == Redacted(sessions=1, turns=1, last="s")
    assert SECRET in repr(store.told)
    assert redact_sessions(store, after=found.last, is_dry_run=True) == Redacted()


def test_a_refused_session_stops_no_others() -> None:
    store = RefusingStore("b", StoreError)
    kept(store, "a", "b", "c")
    store.refused = "b"

    found = redact_sessions(store)

    assert (found.sessions, found.turns, found.refused, found.last) == (3, 2, 1, "c")
    assert {each.session_id for each in store.told.values() if SECRET in repr(each)} == {"b"}


def test_an_outage_is_raised() -> None:
    """Nothing is lost: it can be repeated."""
    store = RefusingStore("b", StoreUnavailableError)
    kept(store, "a", "b")
    store.refused = "b"

    with pytest.raises(StoreUnavailableError):
        redact_sessions(store)


@pytest.mark.parametrize("is_dry_run", [True, False])
def test_remarks_are_redacted_again(is_dry_run: bool) -> None:
    store = FakeStore()
    edit = Remark(pattern_key="k", kind=RemarkKind.EDIT, made_at=START, steps=(f"az login -u b -p {SECRET}",))
    store.said = [
        edit.model_copy(update={"id": UUID(int=1)}),
        Remark(pattern_key="k", kind=RemarkKind.GOOD, made_at=START),
    ]

    assert redact_remarks(store, is_dry_run=is_dry_run) == 1
    assert (SECRET in repr(store.said)) is is_dry_run
