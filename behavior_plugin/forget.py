"""Forget: delete the evidence that fits a selection, and everything that was computed or said of it alone."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from behavior_plugin.model import Turn
from behavior_plugin.patterns.evidence import episodes_of
from behavior_plugin.patterns.fold import pattern_key
from behavior_plugin.store import Evidence, Forgotten, Selection, Store, UndoError, Work


def forget(
    selection: Selection,
    store: Store,
    *,
    waiting: Sequence[Turn] = (),
    is_marked: bool = True,
    is_dry_run: bool = False,
) -> tuple[list[Work], Forgotten]:
    """Delete what fits a selection, in one transaction; returns the work that fitted, and what was deleted.

    A piece of work goes as a whole. Where a pattern is named that stands on a part of it, only that part goes. With
    `is_marked` no log brings it back, nor the turns that were `waiting` and fit as well. A dry run deletes nothing, and
    returns the same. The patterns that keep some evidence quote the rest until they are computed again
    (`learn.compute_patterns`).

    Raises:
        StoreError: nothing is deleted.
    """
    with suppress(UndoError), store.evidence() as evidence:
        work = evidence.chosen(selection)
        wholes = {each.source_key for each in work if not each.part_of}
        parts = [each for each in work if each.part_of and each.part_of not in wholes]
        done = evidence.forget_work(selection, work, native_key=pattern_key, is_marked=is_marked)
        if is_marked and not selection.is_everything:
            evidence.mark_forgotten(waiting)
        _cut_out(parts, evidence)
        if is_dry_run:
            raise UndoError
    return work, done


def _cut_out(parts: list[Work], evidence: Evidence) -> None:
    """Take the turns of these parts out of the work that they are parts of, and cut it into episodes again."""
    if not parts:
        return
    sessions, gone = {each.session_id for each in parts}, {each.source_key for each in parts}
    turns = [turn for episode in evidence.episodes(sessions) for turn in episode.turns]
    evidence.replace_sessions(sessions, episodes_of(turn for turn in turns if turn.source_key not in gone))
