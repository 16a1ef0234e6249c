"""Merge the accounts of the same work, and cut sessions into episodes.

Merging takes the fullest account of each turn, whichever order they arrive in and however often, so the same sessions
always give the same episodes.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from behavior_plugin.model import MAIN, USER, Context, Outcome, PromptKind, Turn, elapsed_ms
from behavior_plugin.patterns.alignment import identities
from behavior_plugin.patterns.boundaries import split
from behavior_plugin.patterns.jobs import job_of
from behavior_plugin.patterns.lessons import find_lessons
from behavior_plugin.patterns.outcome import judge_episode, judge_turn
from behavior_plugin.patterns.short_work import short_work_job, short_work_steps
from behavior_plugin.patterns.steps import MAX_KEPT_STEPS, distil, known_commands, top_steps, tried_steps
from behavior_plugin.patterns.words import NO_CHANGE, count_words, plain
from behavior_plugin.workflow import Digest, Episode, Judgement, Occurrence, Saved, StepKind, Trigger

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

# Raised with each change of the rules, so that stored evidence is computed again. The first version had patterns only.
DIGEST_VERSION = 5
# The ids of calls that are random are at least so long.
MIN_UNIQUE_ID_CHARS = 12
# Fewer closing words say that it is done, not what.
MIN_CHANGE_WORDS = 4
# Lines and boxes, symbols in a text's place, and pictures: a heading, a table or a cheer.
_DECORATION = re.compile("[\u2500-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff]|[-=_*#~|]{3,}|\\|")


def merge_turns(stored: Iterable[Turn], incoming: Iterable[Turn]) -> list[Turn]:
    """The turns of some sessions, each once, in its fullest account; a copy in another session is left out."""
    fullest: dict[str, Turn] = {}
    for turn in _with_one_key([*stored, *incoming]):
        known = fullest.get(turn.source_key)
        fullest[turn.source_key] = _fuller(known, turn) if known else turn
    return _without_copies(list(fullest.values()))


def effects(stored: Iterable[Turn], incoming: Iterable[Turn], merged: Iterable[Turn]) -> list[Saved]:
    """The effect of each incoming turn on the evidence."""
    before = {turn.source_key: turn for turn in stored}
    after = {turn.source_key: turn for turn in merged}
    # Work that was stored under another session is not new under this one.
    moved = {(turn.started_at, turn.prompt) for key, turn in before.items() if key not in after}
    return [
        Saved.UNCHANGED
        if (turn.started_at, turn.prompt) in moved
        else _effect(before.get(turn.source_key), after.get(turn.source_key))
        for turn in incoming
    ]


def episodes_of(turns: Iterable[Turn]) -> list[Episode]:
    """The episodes of some sessions, and their parts. Turns that no work belongs to are in none."""
    sessions: defaultdict[str, list[Turn]] = defaultdict(list)
    for turn in turns:
        sessions[turn.session_id].append(turn)
    found: list[Episode] = []
    for session_id in sorted(sessions):
        for group in split(sorted(sessions[session_id], key=lambda turn: turn.started_at)):
            found += _with_parts(group)
    return found


def turn_judgements(turns: Sequence[Turn]) -> list[Judgement]:
    """How each turn of an episode ended."""
    return [judge_turn(turn, following) for turn, following in pairwise([*turns, None]) if turn]


def trigger_of(
    episode: Episode, *, pattern_key: str, embedding: NDArray[numpy.float32] | None, model: str = ""
) -> Trigger:
    """The trigger of an episode, with the parts of its work that recall compares, and its vector made by `model`."""
    steps = episode.digest.steps
    return Trigger(
        source_key=episode.source_key,
        pattern_key=pattern_key,
        session_id=episode.session_id,
        project=episode.context.project,
        text=episode.trigger,
        outcome=episode.judgement.outcome,
        started_at=episode.started_at,
        embedding=embedding,
        model=model,
        names=episode.digest.names,
        files=tuple(file for step in steps for file in step.files),
        commands=tuple(line for step in steps for line in (step.text, step.until) if line),
    )


def occurrence_of(episode: Episode) -> Occurrence:
    """An episode without its turns."""
    return Occurrence(
        source_key=episode.source_key,
        part_of=episode.part_of,
        session_id=episode.session_id,
        project=episode.context.project,
        trigger=episode.trigger,
        started_at=episode.started_at,
        outcome=episode.judgement.outcome,
        digest=episode.digest,
    )


def _with_one_key(turns: Sequence[Turn]) -> list[Turn]:
    """Give the accounts of one turn the same key, the least of theirs.

    Older agents do not name their prompts; a session of theirs that is delivered again has other keys, and the same
    calls for the same prompts.
    """
    keys: dict[tuple[str, str, str], str] = {}
    for turn in turns:
        for call in _unique_calls(turn):
            keys[call] = min(turn.source_key, keys.get(call, turn.source_key))
    return [
        turn.model_copy(update={"source_key": min([turn.source_key, *map(keys.__getitem__, _unique_calls(turn))])})
        for turn in turns
    ]


def _unique_calls(turn: Turn) -> list[tuple[str, str, str]]:
    """The calls of a turn, as far as they can be told from all others of its session: some models only number them."""
    ids = [action.id for action in turn.actions if action.id and len(action.id) >= MIN_UNIQUE_ID_CHARS]
    return [(turn.session_id, turn.prompt, call_id) for call_id in ids]


def _effect(before: Turn | None, after: Turn | None) -> Saved:
    if after is None or before == after:
        return Saved.UNCHANGED
    return Saved.UPDATED if before else Saved.ADDED


def _fuller(one: Turn, other: Turn) -> Turn:
    """The fuller of two accounts of one turn. Once its folder is gone, a project is only known by its path."""
    fuller = max(one, other, key=_fullness)
    context = max(one.context, other.context, key=_knowledge)
    return fuller.model_copy(
        update={"context": context.model_copy(update={"files_touched": fuller.context.files_touched})}
    )


def _fullness(turn: Turn) -> tuple[Any, ...]:
    """The last of these only makes the choice the same in any order."""
    verdicts = sum(action.verdict is not None for action in turn.actions)
    measured = turn.provenance.source.startswith("hooks")
    return (
        not turn.has_follow_ups,
        len(turn.actions),
        turn.is_ended,
        verdicts,
        turn.closing is not None,
        measured,
        turn.model_dump_json(),
    )


def _knowledge(context: Context) -> tuple[Any, ...]:
    is_path = context.project.startswith("/") or not context.project
    place = context.model_copy(update={"files_touched": ()})
    return (not is_path, context.project_type is not None, context.branch is not None, place.model_dump_json())


def _without_copies(turns: Sequence[Turn]) -> list[Turn]:
    """Leave out turns that a fork repeats of another session: the same prompt at the same time, with like calls.

    One of two copies may have fewer calls than the other, but no others.

    Of the two sessions, the one with the lesser id keeps it, so that the order of arrival does not matter.
    """
    alike: defaultdict[tuple[Any, ...], list[Turn]] = defaultdict(list)
    for turn in turns:
        # Logs without times give every prompt the same one.
        is_timed = turn.started_at.timestamp() > 0
        alike[(turn.started_at, turn.prompt) if is_timed else (turn.source_key,)].append(turn)
    return [turn for same in alike.values() for turn in _originals(same)]


def _originals(same: Sequence[Turn]) -> list[Turn]:
    originals: list[Turn] = []
    for turn in sorted(same, key=lambda turn: (turn.session_id, turn.source_key)):
        place = next((number for number, each in enumerate(originals) if _is_copy(turn, each)), None)
        if place is None:
            originals.append(turn)
        else:
            original = originals[place]
            named = {"source_key": original.source_key, "session_id": original.session_id}
            originals[place] = _fuller(original, turn.model_copy(update=named))
    return originals


def _is_copy(turn: Turn, original: Turn) -> bool:
    if turn.session_id == original.session_id:
        return False
    calls, others = _calls(turn), _calls(original)
    return calls <= others or others <= calls


def _calls(turn: Turn) -> set[str]:
    """Some models only number their calls, so the tool and the command have to be equal too."""
    return {f"{action.id} {action.tool} {action.parameters.get('command', '')}" for action in turn.actions}


def _with_parts(turns: Sequence[Turn]) -> list[Episode]:
    if not any(_has_work(turn) for turn in turns):
        return []
    judgements = turn_judgements(turns)
    whole = _episode(turns, judge_episode(turns), [judgement.outcome for judgement in judgements])
    parts = [
        _episode([turn], judgement, [judgement.outcome], part_of=whole.source_key)
        for turn, judgement in list(zip(turns, judgements, strict=True))[1:]
        if _is_part(turn)
    ]
    return [whole, *parts]


def _has_work(turn: Turn) -> bool:
    """A line of the user's own shell alone teaches nothing."""
    return any(action.actor != USER for action in turn.actions)


def _is_part(turn: Turn) -> bool:
    """Whether people may type the prompt again for other work: a command of their own, or a mere delivery."""
    if turn.prompt_kind is PromptKind.FOLLOW_UP or not _has_work(turn):
        return False
    kinds = {step.kind for step in distil([turn], judged=[Outcome.SUCCESS])}
    return turn.prompt_kind is PromptKind.COMMAND or (StepKind.DELIVER in kinds and StepKind.EDIT not in kinds)


def _episode(turns: Sequence[Turn], judgement: Judgement, judged: Sequence[Outcome], *, part_of: str = "") -> Episode:
    return Episode(
        source_key=turns[0].source_key,
        turns=tuple(turns),
        judgement=judgement,
        digest=_digest(turns, judged, judgement.outcome),
        part_of=part_of,
    )


def _digest(turns: Sequence[Turn], judged: Sequence[Outcome], outcome: Outcome) -> Digest:
    steps = distil(turns, judged=judged) or (tried_steps(turns) if outcome is not Outcome.SUCCESS else ())
    # What was turned down is no step, but it was the same job, and counts against its odds.
    job = job_of(distil(turns, judged=[Outcome.SUCCESS] * len(turns)) or steps, turns)
    if not job and (steps := short_work_steps(turns)):
        job = short_work_job(steps)
    steps = top_steps(steps, MAX_KEPT_STEPS)
    # A reply names no task: nobody types it again to have the same done.
    is_named = turns[0].prompt_kind is not PromptKind.FOLLOW_UP and bool(turns[0].prompt.strip())
    return Digest(
        version=DIGEST_VERSION,
        job=job if is_named else "",
        steps=steps,
        names=identities(steps),
        lessons=tuple(found.lesson for found in find_lessons(turns)),
        commands=known_commands(steps),
        took_ms=sum(map(_took_ms, turns)),
        change=_change(turns),
    )


def _took_ms(turn: Turn) -> int:
    """From the prompt to the end of the last call; the time until the next prompt is the user's."""
    ends = [elapsed_ms(turn.started_at, action.timestamp) + (action.duration_ms or 0) for action in turn.actions]
    return max(ends, default=0)


def _change(turns: Sequence[Turn]) -> str:
    """The last commit, else the last closing words that say what was done."""
    commits = [
        action.verdict.commit
        for turn in turns
        for action in turn.actions
        if action.actor == MAIN and action.verdict and action.verdict.commit
    ]
    closings = [turn.closing for turn in turns if turn.closing and _says_change(turn.closing)]
    return (commits or closings or [""])[-1]


def _says_change(closing: str) -> bool:
    """Whether closing words state what was done: a sentence without decoration that opens like a statement."""
    is_statement = not closing.rstrip().endswith(("?", "\uff1f", ":")) and not NO_CHANGE.opens(plain(closing))
    words = count_words(" ".join(word for word in closing.split() if any(map(str.isalpha, word))))
    return is_statement and words >= MIN_CHANGE_WORDS and not _DECORATION.search(closing)
