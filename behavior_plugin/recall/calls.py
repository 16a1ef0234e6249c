"""Put the calls of one run into words, uncut: commands, durations, verdicts, errors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import groupby

from behavior_plugin.model import MAIN, Action, Outcome
from behavior_plugin.recall.quoting import quote, visible
from behavior_plugin.recall.wording import duration, error_line, plural, verdict_line

MAX_ERROR_CHARS = 500
# Only a bound: the parameters of a stored call are cut long before.
MAX_CALL_CHARS = 10_000
# The width of the number of a call.
INDENT = "   "

_MAIN_PARAMETERS = (
    "command",
    "file_path",
    "notebook_path",
    "path",
    "pattern",
    "query",
    "url",
    "skill",
    "description",
)
_ENDINGS = {Outcome.SUCCESS: [], Outcome.PARTIAL: ["did not finish"], Outcome.FAILED: ["failed"]}


def call_lines(actions: Sequence[Action]) -> list[str]:
    """The main agent's calls, numbered, repeated ones in a row as one; a call that started a subagent counts its calls.

    A command of several lines stays copyable: its further lines are indented.
    """
    by_actor = Counter(action.actor for action in actions)
    own = [action for action in actions if action.actor == MAIN] or actions
    runs = [list(same) for _, same in groupby(own, key=_likeness)]
    return [f"{number}. {_call(run, by_actor)}" for number, run in enumerate(runs, start=1)]


def _likeness(action: Action) -> tuple[str, Outcome, str, str]:
    return _text(action), action.outcome, verdict_line(action.verdict), error_line(action)


def _call(same: Sequence[Action], by_actor: Counter[str]) -> str:
    first = same[0]
    facts = [f"x{len(same)}"] if len(same) > 1 else []
    facts += _ENDINGS[first.outcome]
    if inner := sum(by_actor[action.started_agent] for action in same if action.started_agent):
        facts.append(plural(inner, "call"))
    if measured := [action.duration_ms for action in same if action.duration_ms is not None]:
        facts.append(duration(sum(measured)))
    if verdict := verdict_line(first.verdict):
        facts.append(verdict)
    # Behind a command of several lines, a remark would seem to belong to its last line.
    text = _text(first)
    remarks = f"({', '.join(facts)})" if facts else ""
    joined = f"{text}\n{INDENT}{remarks}" if "\n" in text and remarks else f"{text} {remarks}".rstrip()
    error = quote(error_line(first), MAX_ERROR_CHARS)
    return f"{joined}\n{INDENT}{error}" if error else joined


def main_parameter(action: Action) -> str:
    """The parameter that says most about a call; empty if none of the known ones is there."""
    return str(next((action.parameters[name] for name in _MAIN_PARAMETERS if action.parameters.get(name)), ""))


def _text(action: Action) -> str:
    lines = f"{action.tool} {main_parameter(action)}".strip()[:MAX_CALL_CHARS].splitlines()
    return f"\n{INDENT}".join(visible(line).rstrip() for line in lines)
