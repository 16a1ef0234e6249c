"""What the product says to the data, in the forms that the scorer reads: a file for each part, a line for each case."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from behavior_plugin.agents import AGENTS, agent_of_log
from behavior_plugin.agents.log_file import LogReader
from behavior_plugin.agents.prompts import read_prompt
from behavior_plugin.embed import Embedder
from behavior_plugin.model import CLAUDE_CODE, MAIN, TASKS, Event, EventKind, Outcome, PromptKind
from behavior_plugin.redact import redact
from benchmarks.scratch import shown
from evaluation.data import Data, Part
from evaluation.memory import Found, remembering

Prediction = dict[str, Any]

# The record of a prompt that was typed while the assistant worked: it begins no turn.
_QUEUED = "attachment"
# How many suggestions are asked what comes next, and how many answers are given.
_WORKFLOWS, _ANSWERS = 5, 3
# What an action counts that merely stands somewhere in similar work.
_ELSEWHERE = 0.01


def predict(part: Part, data: Data, out: Path, embedder: Embedder) -> None:
    """Write what the product says to one part of the data."""
    if part.kind == "parse":
        _write(out / "parse.jsonl", _counts(data))
    elif part.kind == "redact":
        _write(out / "redact.jsonl", _redacted(data))
    elif part.kind == "next":
        _write(out / f"{part.title}.jsonl", _next_actions(part.of, data, embedder))
    else:
        answers = list(_recalled(part.of, data, embedder))
        _write(out / f"{part.title}.jsonl", answers)
        steps = [{"qid": answer["qid"], "steps": answer["steps"]} for answer in answers]
        _write(out / f"steps-{part.of}.jsonl", steps)


def _counts(data: Data) -> Iterator[Prediction]:
    for file in shown(data.logs(), "parse"):
        # A subagent's file is no log of its own, but it is written as one.
        agent = agent_of_log(file) or AGENTS[CLAUDE_CODE]
        events = [event for part in agent.logs.read(file, LogReader()) for event in part]
        yield {"file": file.relative_to(data.transcripts).as_posix(), **_counted(events)}


def _counted(events: Sequence[Event]) -> Prediction:
    prompts = [event for event in events if event.kind is EventKind.PROMPT and event.name != _QUEUED]
    actions = [event.action for event in events if event.action and event.action.actor == MAIN]
    return {
        "prompts": sum(event.prompt_kind is not PromptKind.MACHINE for event in prompts),
        "tool_calls": len(actions),
        "tools": Counter(action.tool for action in actions),
        "tool_errors": sum(bool(action.error) or action.outcome is Outcome.FAILED for action in actions),
    }


def _recalled(of: str, data: Data, embedder: Embedder) -> Iterator[Prediction]:
    queries = data.queries(of)
    with remembering(data.memory(of), embedder) as memory:
        for query, found in memory.answers(queries, f"recall {of}"):
            # As the worker does: to what is no task nothing is said.
            suggested = found if read_prompt(query.prompt)["prompt_kind"] in TASKS else []
            yield {
                "qid": query.id,
                "ranked": [{"id": each.entry.id, "score": each.score} for each in suggested],
                "steps": [step.act for step in suggested[0].entry.steps] if suggested else [],
            }


def _next_actions(of: str, data: Data, embedder: Embedder) -> Iterator[Prediction]:
    cases = data.cases(of)
    with remembering(data.memory(of), embedder) as memory:
        for case, found in memory.answers(cases, f"next {of}"):
            yield {"cid": case.id, "pred": what_follows([done.act for done in case.prefix], found[:_WORKFLOWS])}


def what_follows(done: Sequence[str], workflows: Sequence[Found]) -> list[str]:
    """The likeliest next actions: what came after the last one in similar work, or at its beginning."""
    votes: defaultdict[str, float] = defaultdict(float)
    for each in workflows:
        acts = [step.act for step in each.entry.steps]
        following = [act for last, act in pairwise([None, *acts]) if act and last == (done[-1] if done else None)]
        for act in following:
            votes[act] += each.score / len(following)
        for act in acts:
            votes[act] += _ELSEWHERE * each.score / len(acts)
    return sorted(votes, key=votes.__getitem__, reverse=True)[:_ANSWERS]


def _redacted(data: Data) -> Iterator[Prediction]:
    for vector in shown(data.texts(), "redact"):
        text = redact(b64decode(vector.text_b64).decode("utf-8"))
        yield {"id": vector.id, "redacted_b64": b64encode(text.encode("utf-8")).decode("ascii")}


def _write(file: Path, predictions: Iterable[Prediction]) -> None:
    with file.open("w", encoding="utf-8") as lines:
        lines.writelines(json.dumps(each, ensure_ascii=False) + "\n" for each in predictions)
