"""The learning route: the events of a session become evidence, and the evidence of a project becomes its patterns.

Evidence is saved first, and only evidence must not be lost: vectors and patterns can be computed from it again.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence

from behavior_plugin.agents.prompts import read_prompt
from behavior_plugin.embed import Embedder
from behavior_plugin.errors import StoreError, StoreUnavailableError, describe_for_log
from behavior_plugin.model import Event, Turn
from behavior_plugin.patterns.evidence import DIGEST_VERSION, effects, episodes_of, merge_turns
from behavior_plugin.patterns.fold import final_key, fold, pattern_key, pattern_of
from behavior_plugin.patterns.remarks import follow_through, merges
from behavior_plugin.patterns.turns import turns_of
from behavior_plugin.redact import redact_turn
from behavior_plugin.store import Computed, Evidence, Store
from behavior_plugin.vectors import embed_triggers
from behavior_plugin.workflow import Episode, Saved

log = logging.getLogger(__name__)


def learn(events: Sequence[Event], *, store: Store, follows: str | None = None) -> list[Turn]:
    """Save the evidence of a session. Repeating it changes nothing.

    The patterns are left to `compute_patterns`: they come from all the evidence of a project, so computing them after
    each of many sessions would take longer and longer.

    The events are those of one session, as `reconcile` leaves them. `follows` is the session that this one continues,
    if any. Returns the turns with work in them.

    Raises:
        StoreError: nothing is stored; do it again.
    """
    turns = session_turns(events, follows=follows)
    save_turns(turns, store)
    return [turn for turn in turns if turn.actions]


def session_turns(events: Sequence[Event], *, follows: str | None = None) -> list[Turn]:
    """The turns of one session, redacted, so that they may leave this process."""
    return [redact_turn(turn) for turn in turns_of(events, follows=follows)]


def unstored(calls: Sequence[Event], store: Store) -> list[Event]:
    """Those of a session's calls that are not in its evidence: one that is delivered again was learned from before.

    Raises:
        StoreUnavailableError: do it again.
    """
    if not calls:
        return []
    with store.evidence() as evidence:
        turns = _turns(evidence.episodes({event.session_id for event in calls}))
    stored = {action.id for turn in turns for action in turn.actions if action.id}
    return [event for event in calls if not (event.action and event.action.id in stored)]


def save_turns(turns: Sequence[Turn], store: Store) -> list[Saved]:
    """Merge redacted turns into the evidence; returns the effect of each. Forgotten ones have none.

    Raises:
        StoreError: nothing is stored.
    """
    if not turns:
        return []
    with store.evidence() as evidence:
        stored = _related_turns(turns, evidence)
        forgotten = evidence.forgotten(turns)
        merged = merge_turns(stored, [turn for turn in turns if turn.source_key not in forgotten])
        sessions, episodes = {turn.session_id for turn in (*stored, *turns)}, episodes_of(merged)
        evidence.replace_sessions(sessions, episodes)
        _judge_suggestions(sessions, episodes, evidence)
    return effects(stored, turns, merged)


def save_all_possible(turns: Sequence[Turn], store: Store) -> list[Saved | StoreError]:
    """Like `save_turns`, but a turn that the store refuses, or that no rule can read, stops no others.

    Its error stands in its place.

    Raises:
        StoreUnavailableError: nothing, or only a part, is stored; do it again.
    """
    try:
        return list(save_turns(turns, store))
    except StoreUnavailableError:
        raise
    except Exception as error:
        if len(turns) == 1:
            return [_as_refusal(error)]
    half = len(turns) // 2
    return [*save_all_possible(turns[:half], store), *save_all_possible(turns[half:], store)]


def _as_refusal(error: Exception) -> StoreError:
    if isinstance(error, StoreError):
        return error
    log.error("a turn cannot be learned from: %s", describe_for_log(error))
    return StoreError(f"The turn cannot be learned from ({type(error).__name__}).")


def compute_patterns(*, embedder: Embedder | None, store: Store) -> None:
    """Bring everything that is computed from the evidence up to date. It costs little if nothing has changed.

    A project whose patterns the store refuses stops no others.

    Raises:
        StoreError, EmbedError: a part is not up to date; do it again.
    """
    try:
        if embedder:
            embed_triggers(embedder, store)
    finally:
        _fold_projects(store)


def compute_all_possible(*, embedder: Embedder | None, store: Store) -> None:
    """Like `compute_patterns`, but refused patterns are logged and not raised: their evidence is saved.

    Raises:
        StoreUnavailableError, EmbedError: a part is not up to date; do it again.
    """
    try:
        compute_patterns(embedder=embedder, store=store)
    except StoreUnavailableError:
        raise
    except StoreError as error:
        log.warning("some patterns cannot be computed: %s", error)


def take_over(store: Store) -> None:
    """Bring the evidence of earlier versions up to date: as rows, and by the rules of this version.

    Raises:
        StoreError: a part is left; do it again. Evidence that is refused or cannot be computed is only logged.
    """
    store.take_old_patterns()
    last = ""
    while sessions := store.stale_sessions(DIGEST_VERSION, after=last):
        last = sessions[-1]
        try:
            with store.evidence() as evidence:
                turns = [_judged_again(turn) for turn in _turns(evidence.episodes(sessions))]
                evidence.replace_sessions(sessions, episodes_of(merge_turns(turns, [])))
        except StoreUnavailableError:
            raise
        except Exception as error:
            # What cannot be computed anew stays as it was, and must not keep the rest from it.
            log.error("some evidence of an earlier version cannot be computed again: %s", describe_for_log(error))


def _judge_suggestions(sessions: Iterable[str], episodes: Sequence[Episode], evidence: Evidence) -> None:
    """Note which suggestions these sessions have followed, also of those that were withheld."""
    for made in evidence.suggested(sessions):
        own = [episode for episode in episodes if episode.session_id == made.session_id]
        if (judged := follow_through(made, own)) != made:
            evidence.judge(judged)


def _related_turns(turns: Sequence[Turn], evidence: Evidence) -> list[Turn]:
    """The stored turns of the same sessions, and of those that have a copy of one of these turns."""
    sessions = {turn.session_id for turn in turns}
    found = evidence.episodes(sessions, turns)
    related = {each.session_id for each in found} - sessions
    return _turns(evidence.episodes(sessions | related) if related else found)


def _turns(episodes: Iterable[Episode]) -> list[Turn]:
    return [turn for episode in episodes for turn in episode.turns]


def _judged_again(turn: Turn) -> Turn:
    """A turn of an earlier version, which knew other kinds of prompts."""
    return turn.model_copy(update={"prompt_kind": read_prompt(turn.prompt)["prompt_kind"]})


def _fold_projects(store: Store) -> None:
    refused: list[StoreError] = []
    for project in store.unfolded_projects():
        try:
            _fold_project(project, store)
        except StoreUnavailableError:
            raise
        except StoreError as error:
            refused.append(error)
        except Exception as error:
            # A mistake of ours about one project must not keep the others from being computed.
            log.error("the patterns of a project cannot be computed: %s", describe_for_log(error))
            refused.append(StoreError(f"The patterns of a project cannot be computed ({type(error).__name__})."))
    if refused:
        raise refused[0]


def _fold_project(project: str, store: Store) -> None:
    """Compute the patterns of a project from all of its evidence."""
    with store.evidence() as evidence:
        occurrences = evidence.occurrences(project)
        remarks = evidence.remarks({pattern_key(project, each.digest.job) for each in occurrences})
        folded = fold(occurrences, remarks)
        runs = {run.episode.source_key: run for run in evidence.runs(each.representative for each in folded)}
        uses = {each.source_key: (each.use_count, each.last_used_at) for each in occurrences}
        computed = []
        for each in folded:
            run = runs.get(each.representative)
            if run is None:  # a newer version stored it, and the pattern too
                continue
            used = [at for key in each.members if (at := uses[key][1])]
            computed.append(
                Computed(
                    pattern_of(each, run.episode),
                    run.embedding,
                    run.model,
                    use_count=sum(uses[key][0] for key in each.members),
                    last_used_at=max(used, default=None),
                )
            )
        merged = merges(remarks)
        keys = {occurrence.source_key: final_key(occurrence, merged) for occurrence in occurrences}
        evidence.replace_patterns(project, computed, keys)
