"""What the product learns from recorded sessions: where episodes begin, how they and their turns ended, the lessons.

Sessions go through the product's own functions, redacted as they are before they are stored.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

from behavior_plugin.agents import AGENTS, agent_of_log
from behavior_plugin.agents.log_file import LogReader
from behavior_plugin.model import CLAUDE_CODE, Turn
from behavior_plugin.patterns.boundaries import split
from behavior_plugin.patterns.lessons import find_lessons
from behavior_plugin.patterns.outcome import judge_episode, judge_turn
from behavior_plugin.patterns.reconcile import reconcile
from behavior_plugin.patterns.turns import turns_of
from behavior_plugin.redact import redact_model
from benchmarks.scratch import shown
from evaluation.data import Data


def learned(data: Data) -> Iterator[dict[str, Any]]:
    """A line for each prompt of a person in the sessions of Claude Code, and one for each lesson."""
    for file in shown(data.sessions(), "learning"):
        if agent_of_log(file) is not AGENTS[CLAUDE_CODE]:
            continue
        name = file.relative_to(data.transcripts).as_posix()
        turns = _turns(file)
        for line in (*_prompts(turns), *_lessons(turns)):
            yield {**line, "file": name}


def _turns(file: Path) -> list[Turn]:
    return [
        redact_model(turn)
        for part in AGENTS[CLAUDE_CODE].logs.read(file, LogReader())
        for turn in turns_of(reconcile([], part))
    ]


def _prompts(turns: list[Turn]) -> Iterator[dict[str, Any]]:
    judged = (judge_turn(turn, following) for turn, following in zip_longest(turns, turns[1:]))
    for episode in split(turns):
        outcome = judge_episode(episode).outcome
        for turn in episode:
            yield {
                "kind": "prompt",
                "at": turn.started_at.isoformat().replace("+00:00", "Z"),
                "starts": turn is episode[0],
                "outcome": outcome,
                "turn_outcome": next(judged).outcome,
            }


def _lessons(turns: list[Turn]) -> Iterator[dict[str, Any]]:
    for found in find_lessons(turns):
        yield {"kind": "lesson", "failed": found.failed_id, "fix": found.fix_id}
