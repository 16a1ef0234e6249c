"""Apply the present rules for secrets to evidence and remarks that older rules have redacted.

Patterns are computed from both, so they are left to the next computation; a changed trigger loses its vector, which is
made anew with them.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from behavior_plugin.errors import StoreUnavailableError, describe_for_log
from behavior_plugin.patterns.evidence import episodes_of, merge_turns
from behavior_plugin.redact import redact_model, redact_turn
from behavior_plugin.store import Evidence, Store

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Redacted:
    """What was done to some sessions: their number, the turns that have changed, the sessions that had to be left.

    `last` is the id of the last session, empty if there was none.
    """

    sessions: int = 0
    turns: int = 0
    refused: int = 0
    last: str = ""


def redact_sessions(store: Store, *, after: str = "", is_dry_run: bool = False) -> Redacted:
    """Redact the next sessions after this id again; a dry run only counts. Repeating it changes nothing.

    A session that the store refuses, or that no rule can read, stops no others.

    Raises:
        StoreUnavailableError: nothing is changed; do it again.
    """
    sessions = store.sessions_to_redact(after=after)
    if not sessions:
        return Redacted()
    turns, refused = _redact_all_possible(sessions, store, is_dry_run=is_dry_run)
    return Redacted(len(sessions), turns, refused, sessions[-1])


def redact_remarks(store: Store, *, is_dry_run: bool = False) -> int:
    """Redact the remarks again; returns how many have changed."""
    with store.evidence() as evidence:
        remarks = evidence.remarks_to_redact()
        changed = [redacted for remark in remarks if (redacted := redact_model(remark)) != remark]
        if not is_dry_run:
            evidence.mark_remarks_redacted(remarks)
            for redacted in changed:
                evidence.save_redacted(redacted)
    return len(changed)


def _redact_all_possible(sessions: Sequence[str], store: Store, *, is_dry_run: bool) -> tuple[int, int]:
    """The number of changed turns, and of sessions that had to be left."""
    try:
        with store.evidence() as evidence:
            return _redact(sessions, evidence, is_dry_run=is_dry_run), 0
    except StoreUnavailableError:
        raise
    except Exception as error:
        if len(sessions) == 1:
            log.error("a session cannot be redacted again: %s", describe_for_log(error))
            return 0, 1
    parts = [_redact_all_possible([each], store, is_dry_run=is_dry_run) for each in sessions]
    return sum(turns for turns, _ in parts), sum(refused for _, refused in parts)


def _redact(sessions: Sequence[str], evidence: Evidence, *, is_dry_run: bool) -> int:
    stored = evidence.episodes(sessions)
    before = merge_turns([turn for episode in stored for turn in episode.turns], [])
    after = [redact_turn(turn) for turn in before]
    changed = sum(new != old for new, old in zip(after, before, strict=True))
    if not is_dry_run:
        episodes = episodes_of(after)
        evidence.replace_sessions(sessions, episodes)
        evidence.mark_redacted(episode.source_key for episode in episodes)
    return changed
