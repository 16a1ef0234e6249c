"""The product's predictions in the scorer's formats: one file for each part, one line for each case."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from behavior_plugin.agents import AGENTS, agent_of_log
from behavior_plugin.agents.log_file import LogReader
from behavior_plugin.agents.prompts import read_prompt
from behavior_plugin.embed import Embedder
from behavior_plugin.model import CLAUDE_CODE, MAIN, TASKS, Event, EventKind, Outcome, PromptKind
from behavior_plugin.recall.gate import MIN_ODDS
from behavior_plugin.redact import redact
from benchmarks.scratch import shown
from evaluation.data import Data, Entry, Part, Query, Step
from evaluation.distilled import answer_acts, next_acts
from evaluation.learning import learned
from evaluation.memory import calls_done, remembering

Prediction = dict[str, Any]

# The record of a prompt typed while the assistant worked; such a prompt does not begin a turn.
_QUEUED = "attachment"
# The number of predicted actions.
_GUESSES = 3


def predict(part: Part, data: Data, out: Path, embedder: Embedder) -> None:
    """Write the predictions for one part of the data."""
    if part.kind == "parse":
        _write(out / "parse.jsonl", _counts(data))
    elif part.kind == "redact":
        _write(out / "redact.jsonl", _redacted(data))
    elif part.kind == "learning":
        _write(out / "learning.jsonl", learned(data))
    elif part.kind == "languages":
        _write(out / "languages.jsonl", _said(data, embedder))
    elif part.kind == "next":
        _write(out / f"{part.title}.jsonl", _next_actions(part.set, data, embedder))
    else:
        answers = list(_recalled(part.set, data, embedder))
        _write(out / f"{part.title}.jsonl", answers)
        steps = [{name: answer[name] for name in ("qid", "steps", "distilled")} for answer in answers]
        _write(out / f"steps-{part.set}.jsonl", steps)


def _counts(data: Data) -> Iterator[Prediction]:
    for file in shown(data.logs(), "parse"):
        # A subagent's file is not a log of its own, but has the same format.
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


def _recalled(name: str, data: Data, embedder: Embedder) -> Iterator[Prediction]:
    queries = data.queries(name)
    with remembering(data.memory(name), embedder) as memory:
        for query, found in memory.answers(queries, f"recall {name}"):
            suggested = found if _is_task(query.prompt) else []
            yield {
                "qid": query.id,
                "ranked": [{"id": each.entry.id, "score": each.score} for each in suggested],
                "steps": [step.act for step in suggested[0].entry.steps] if suggested else [],
                "distilled": list(answer_acts(suggested[0].pattern)) if suggested else [],
            }


def _said(data: Data, embedder: Embedder) -> Iterator[Prediction]:
    """What the product suggests for each prompt, in a project of its language, with the default settings."""
    wordings = data.wordings()
    learned = [each for each in wordings if each.job and each.learned]
    entries = [
        Entry(
            id=f"{each.language} {each.job}",
            pool=each.language,
            session=f"{each.language} {each.job}",
            ts=f"2026-01-01T00:{number:02}",
            prompt=each.learned or "",
            steps=(Step(tool="Bash", act="Bash:make", arg=f"make {each.job}", ok=True),),
        )
        for number, each in enumerate(learned)
    ]
    queries = [
        Query(id=str(number), pool=each.language, session="asking", ts="2026-02-01", prompt=each.asked)
        for number, each in enumerate(wordings)
    ]
    with remembering(entries, embedder) as memory:
        for query, found in memory.answers(queries, "languages"):
            is_said = found and found[0].score >= MIN_ODDS["normal"] and _is_task(query.prompt)
            job = found[0].entry.id.removeprefix(f"{query.pool} ") if is_said else None
            yield {"language": query.pool, "asked": query.prompt, "job": job}


def _is_task(prompt: str) -> bool:
    """Like the worker, suggest nothing for a prompt that is not a task."""
    return read_prompt(prompt)["prompt_kind"] in TASKS


def _next_actions(name: str, data: Data, embedder: Embedder) -> Iterator[Prediction]:
    cases = data.cases(name)
    with remembering(data.memory(name), embedder) as memory:
        for case, sequences in memory.sequences(cases, f"next {name}"):
            yield {"cid": case.id, "pred": next_acts(sequences.after(calls_done(case)))[:_GUESSES]}


def _redacted(data: Data) -> Iterator[Prediction]:
    for vector in shown(data.texts(), "redact"):
        text = redact(b64decode(vector.text_b64).decode("utf-8"))
        yield {"id": vector.id, "redacted_b64": b64encode(text.encode("utf-8")).decode("ascii")}


def _write(file: Path, predictions: Iterable[Prediction]) -> None:
    with file.open("w", encoding="utf-8") as lines:
        lines.writelines(json.dumps(each, ensure_ascii=False) + "\n" for each in predictions)
