"""Find the next steps of work that has begun, from earlier work of the project."""

from __future__ import annotations

from dataclasses import dataclass, replace

from behavior_plugin.embed import Embedder
from behavior_plugin.model import Outcome, Turn
from behavior_plugin.recall import Recaller
from behavior_plugin.recall.offer import offered_next
from behavior_plugin.recall.sequences import Call, EarlierWork, Sequences, call_in, calls_of, earlier_work
from behavior_plugin.redact import redact
from behavior_plugin.store import Store
from behavior_plugin.workflow import NextStep, StepKind

# The amount of earlier work that is read, however large the store: the newest, and the most similar of the rest.
MAX_NEWEST, MAX_SIMILAR = 200, 30
MAX_STEP_CHARS = 2000


@dataclass(frozen=True)
class Begun:
    """Work that has begun: its prompt, the calls made so far, and the steps that a person names beside them.

    `session_id` is the session that it belongs to, if any; `root` the folder that its paths are seen from.
    """

    prompt: str
    calls: tuple[Call, ...] = ()
    done: tuple[str, ...] = ()
    session_id: str = ""
    root: str = ""


def begun_in(turn: Turn, begun: Begun) -> Begun:
    """The work that a turn has begun, under its own prompt if `begun` has none."""
    calls = calls_of(turn)
    return replace(begun, prompt=begun.prompt or turn.prompt, calls=calls, session_id=turn.session_id)


def find_next_steps(
    begun: Begun, project: str | None, *, recaller: Recaller, embedder: Embedder | None, store: Store
) -> list[NextStep]:
    """The steps that may come next, the likeliest first, dangerous ones left out; none if nothing is known.

    Earlier work is that of a project, or with None of all; failed work, and that of the same session, is left out.

    Raises:
        StoreError: the earlier work cannot be read.
    """
    works = read_earlier_work(begun, project, recaller=recaller, embedder=embedder, store=store)
    tools = {call.name for work in works for call in work.calls if call.step.kind is StepKind.TOOL}
    named = [call_in(redact(step, MAX_STEP_CHARS), begun.root, tools=tools) for step in begun.done]
    return offered_next(Sequences(begun.prompt, works).after([*begun.calls, *named]))


def read_earlier_work(
    begun: Begun, project: str | None, *, recaller: Recaller, embedder: Embedder | None, store: Store
) -> list[EarlierWork]:
    """The newest and the most similar earlier work. Arguments and errors as of `find_next_steps`."""
    newest = store.newest_episodes(project=project, limit=MAX_NEWEST)
    ranked = recaller.rank(begun.prompt, project, embedder=embedder, store=store, session_id=begun.session_id)
    known = {turn.source_key for episode in newest for turn in episode.turns}
    keys = [each.trigger.source_key for each in ranked if each.trigger.source_key not in known]
    similar = store.episodes_with(keys[:MAX_SIMILAR]) if keys else []
    return earlier_work(
        turn
        for episode in (*newest, *similar)
        if episode.judgement.outcome is not Outcome.FAILED and episode.session_id != (begun.session_id or None)
        for turn in episode.turns
    )
