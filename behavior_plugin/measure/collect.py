"""Read past work from the store, in the worker; a replay itself would keep it from answering prompts."""

from __future__ import annotations

from datetime import datetime, timedelta

from behavior_plugin.agents.core import core_of
from behavior_plugin.embed import Embedder, embedder_of, models_of
from behavior_plugin.measure.past import PastWork
from behavior_plugin.model import TASKS, Turn
from behavior_plugin.patterns.repeats import may_repeat
from behavior_plugin.recall import MAX_PROMPT_CHARS, embed_core
from behavior_plugin.store import Store
from behavior_plugin.workflow import Episode, Trigger


def read_work(
    store: Store, embedder: Embedder | None, *, after: str, project: str | None, limit: int
) -> list[PastWork]:
    """The next episodes after the key `after`, in the order of their keys; fewer than `limit` are the last.

    Prompts that have no vector yet, such as those of work without a job, get one here: they were prompts all the same.

    Raises:
        StoreError: the store cannot be read.
    """
    found = store.work_after(after, models=models_of(embedder), project=project, limit=limit)
    return [past_work(episode, trigger, embedder) for episode, trigger in found]


def past_work(episode: Episode, trigger: Trigger, embedder: Embedder | None) -> PastWork:
    """An episode and its trigger as past work."""
    is_part = bool(episode.part_of)
    core = core_of(episode.trigger[:MAX_PROMPT_CHARS])
    vector, model = trigger.embedding, trigger.model
    reader = embedder_of(embedder, model) or embedder if embedder else None
    is_readable = bool(reader and reader.can_read(core))
    if vector is None and reader and is_readable and core.strip():
        vector, model = embed_core(core, reader), reader.model
    return PastWork(
        source_key=episode.source_key,
        pattern_key=trigger.pattern_key,
        session_id=episode.session_id,
        project=trigger.project,
        prompt=episode.trigger,
        is_task=episode.turns[0].prompt_kind in TASKS,
        outcome=episode.judgement.outcome,
        started_at=episode.started_at,
        ended_at=max(map(_end_of, episode.turns)),
        names=trigger.names,
        files=trigger.files,
        commands=trigger.commands,
        lessons=() if is_part else episode.digest.lessons,
        failed=() if is_part else tuple(filter(may_repeat, episode.actions)),
        root=episode.context.root or episode.context.directory,
        vector=None if vector is None else vector.tobytes(),
        model=model,
        unrelated=reader.unrelated if reader else 0.0,
        is_readable=is_readable,
    )


def _end_of(turn: Turn) -> datetime:
    ends = [action.timestamp + timedelta(milliseconds=action.duration_ms or 0) for action in turn.actions]
    return max([turn.started_at, *ends])
