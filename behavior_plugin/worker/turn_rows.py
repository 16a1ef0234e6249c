"""Turns in the shape of patterns, so that one list shows either."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import NAMESPACE_OID, uuid5

from behavior_plugin.model import Turn
from behavior_plugin.patterns.evidence import turn_judgements
from behavior_plugin.workflow import Episode, Judgement, StoredPattern


def turn_rows(episodes: Iterable[Episode]) -> list[StoredPattern]:
    """The turns with work in them as rows of a list, newest first."""
    rows = [
        _turn_row(turn, judgement)
        for episode in episodes
        for turn, judgement in zip(episode.turns, turn_judgements(episode.turns), strict=True)
        if turn.actions
    ]
    return sorted(rows, key=lambda row: row.started_at, reverse=True)


def _turn_row(turn: Turn, judgement: Judgement) -> StoredPattern:
    return StoredPattern(
        id=uuid5(NAMESPACE_OID, turn.source_key),
        source_key=turn.source_key,
        trigger=turn.prompt,
        context=turn.context,
        actions=turn.actions,
        final_outcome=judgement.outcome,
        started_at=turn.started_at,
        session_id=turn.session_id,
        provenance=turn.provenance,
        use_count=0,
        created_at=turn.started_at,
    )
