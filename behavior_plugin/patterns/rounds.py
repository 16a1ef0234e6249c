"""Join the calls that are rounds of the same thing into one step with a count: edit until the check passes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import TypeAlias

from behavior_plugin.workflow import Step, StepKind

# Files of a step that are kept.
MAX_FILES = 12
# By a command the lines that have it: the key of each, with all its commands.
_Lines: TypeAlias = Mapping[str, Mapping[str, frozenset[str]]]
# They end a round of edits and checks: the work so far was good enough to go on with something else.
_ENDS_ROUNDS = frozenset({StepKind.DELIVER, StepKind.SKILL, StepKind.AGENT})
# Calls of these kinds in a row are one step.
_IN_A_ROW = frozenset({StepKind.AGENT, StepKind.TOOL})


@dataclass(frozen=True)
class Call:
    """A call that may be a step. Calls with one `key` are rounds of one thing; `commands` are those of its line.

    `is_by_shell`: an edit by a shell line.
    """

    step: Step
    key: str
    worked: bool = True
    commands: frozenset[str] = frozenset()
    is_by_shell: bool = False

    @property
    def is_edit(self) -> bool:
        """Whether it may be a part of rounds: a dangerous edit stays by itself."""
        return self.step.kind is StepKind.EDIT and not self.step.danger


def joined(calls: Sequence[Call]) -> list[Call]:
    """The calls with rounds of one thing as one call, in the order of the work."""
    rounds = [call for segment in _segments(_joined_rows(calls)) for call in _joined_rounds(segment)]
    return _joined_rows(_joined_repeats(rounds))


def _joined_rows(calls: Sequence[Call]) -> list[Call]:
    """Edits, subagents and calls of one server in a row as one; failures of these are the assistant's own slips."""
    rows: list[list[Call]] = []
    for call in calls:
        is_joining = call.step.kind in _IN_A_ROW or call.step.kind is StepKind.EDIT
        if is_joining and not call.worked:
            continue
        if is_joining and rows and rows[-1][0].key == call.key:
            rows[-1].append(call)
        else:
            rows.append([call])
    return [_one_of(row) for row in rows]


def _one_of(row: Sequence[Call]) -> Call:
    """Calls in a row as one, named as most of them are."""
    first = row[0]
    if len(row) == 1:
        return first
    files = tuple(dict.fromkeys(file for call in row for file in call.step.files))[:MAX_FILES]
    if first.step.kind is StepKind.EDIT:
        until = next((call.step for call in reversed(row) if call.step.until), first.step)
        rounds = sum(call.step.times for call in row if call.step.until == until.until)
        times = rounds if until.until else 1
        return replace(first, step=until.model_copy(update={"files": files, "times": times}))
    [(text, _)] = Counter(call.step.text for call in row).most_common(1)
    times = sum(call.step.times for call in row)
    return replace(first, step=first.step.model_copy(update={"text": text, "times": times}))


def _segments(calls: Sequence[Call]) -> Iterator[list[Call]]:
    """The calls between deliveries, skills and subagents, each of which is a segment of its own."""
    segment: list[Call] = []
    for call in calls:
        if call.step.kind in _ENDS_ROUNDS:
            yield segment
            yield [call]
            segment = []
        else:
            segment.append(call)
    yield segment


def _joined_rounds(calls: list[Call]) -> list[Call]:
    """The rounds of edits and a check as one step; of several such checks, the one that ran most often."""
    runs = Counter(call.key for call in calls if call.step.kind is StepKind.CHECK)
    spans = {key: _rounds(calls, key) for key, times in runs.items() if times > 1}
    key, span = max(spans.items(), key=lambda item: len(item[1]), default=("", []))
    if len(span) < 2:
        return calls
    first = next(index for index, call in enumerate(calls) if call.is_edit)
    inside = calls[first : span[-1] + 1]
    edits = [call for call in inside if call.is_edit]
    check = calls[span[-1]].step
    took = [calls[index].step.took_ms for index in span if calls[index].worked]
    rounds = {"until": check.text, "times": len(span), "took_ms": _median(took), "danger": check.danger}
    loop = replace(edits[0], step=_one_of(edits).step.model_copy(update=rounds))
    others = [call for call in inside if call.key != key and not call.is_edit]
    before = [call for call in calls[:first] if call.key != key]
    return [*before, loop, *others, *calls[span[-1] + 1 :]]


def _rounds(calls: Sequence[Call], key: str) -> list[int]:
    """The places of the last run of a check after each edit, up to the last run that worked."""
    places: list[int] = []
    is_edited = False
    for index, call in enumerate(calls):
        is_edited |= call.is_edit
        if call.key == key and places and not is_edited:
            places[-1] = index
        elif call.key == key:
            places.append(index)
            is_edited = False
    worked = [number for number, index in enumerate(places) if calls[index].worked]
    has_edit = any(call.is_edit for call in calls[: places[worked[-1]]]) if worked else False
    return places[: worked[-1] + 1] if has_edit else []


def _joined_repeats(calls: Sequence[Call]) -> list[Call]:
    """Each line of commands once, at its last place, with its successes; one that never worked again is left out.

    A line is repeated by a later one that has all its commands: "npm test" by "npm run lint && npm test".
    """
    worked: defaultdict[str, list[tuple[int, Call]]] = defaultdict(list)
    for index, call in enumerate(calls):
        if call.worked:
            worked[call.key].append((index, call))
    # By each command the lines that have it: with thousands of calls, each cannot be compared with each.
    lines: defaultdict[str, dict[str, frozenset[str]]] = defaultdict(dict)
    for key, same in worked.items():
        for command in same[0][1].commands:
            lines[command][key] = same[0][1].commands
    joined = []
    for index, call in enumerate(calls):
        if call.step.kind is StepKind.EDIT or call.step.kind in _IN_A_ROW:
            joined.append(call)
        elif call.worked and index == max(worked[key][-1][0] for key in _lines_with_all(call, lines)):
            earlier = [each for key in _lines_within(call, lines) for at, each in worked[key] if at <= index]
            took = [each.step.took_ms for each in earlier if each.step.text == call.step.text]
            counted = {"times": sum(each.step.times for each in earlier), "took_ms": _median(took)}
            joined.append(replace(call, step=call.step.model_copy(update=counted)))
    return joined


def _lines_with_all(call: Call, lines: _Lines) -> set[str]:
    """The keys of the lines that have all commands of a call; its own among them."""
    first = next(iter(call.commands), None)
    return {call.key, *(key for key, commands in lines.get(first or "", {}).items() if call.commands <= commands)}


def _lines_within(call: Call, lines: _Lines) -> set[str]:
    """The keys of the lines all of whose commands a call has; its own among them."""
    near = {key: commands for command in call.commands for key, commands in lines.get(command, {}).items()}
    return {call.key, *(key for key, commands in near.items() if commands <= call.commands)}


def _median(values: Sequence[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return round(median(known)) if known else None
