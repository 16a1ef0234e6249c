"""The product's steps of recalled work, under the scorer's names for actions."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence

from behavior_plugin.patterns import shell
from behavior_plugin.patterns.commands import program_of
from behavior_plugin.recall.sequences import NAMELESS
from behavior_plugin.recall.wording import workflow_of
from behavior_plugin.workflow import SHELL_KINDS, NextStep, Step, StepKind, StoredPattern

# The scorer's names have the sub-command of these programs, and pass over these wrappers.
_WITH_WORD = frozenset(
    """
    apt apt-get aws brew bun bunx cargo composer deno docker dotnet entire flyctl gcloud gh git go hugo just kubectl
    make mise npm npx nx pip pip3 pnpm poetry rustup sem swift systemctl task terraform uv vercel xcodebuild yarn
    """.split()  # noqa: SIM905 - words are easier to read and add than a list of strings
)
_WITH_TWO = frozenset({"npm", "pnpm", "yarn", "bun", "gh", "mise", "nx"})
_TWO = frozenset("run pr issue api repo workflow release exec x".split())  # noqa: SIM905
_WRAPPERS = frozenset("rtk sudo time command exec nohup env then do else if while !".split())  # noqa: SIM905
_SETTINGS = frozenset("-C -c --repo -R --prefix --filter -F --cwd --dir -w".split())  # noqa: SIM905
_WORD = re.compile(r"[a-z][\w:-]*")


def answer_acts(pattern: StoredPattern) -> Iterator[str]:
    """The names of the steps that the assistant would be shown."""
    return (act for step in workflow_of(pattern).steps for act in step_acts(step))


def step_acts(step: Step) -> Iterator[str]:
    """The scorer's names for the calls of a step."""
    if step.kind is StepKind.EDIT:
        yield "Edit"
        if step.until:
            yield f"Bash:{_head(step.until)}"
    elif step.kind in SHELL_KINDS:
        yield f"Bash:{_head(step.text)}"
    else:
        prefix = {StepKind.SKILL: "Skill:", StepKind.AGENT: "Task:"}.get(step.kind, "")
        yield f"{prefix}{step.text}"


def next_acts(steps: Sequence[NextStep]) -> list[str]:
    """The scorer's names for steps that may come next, the likeliest first; the odds of one name are added up."""
    odds: defaultdict[str, float] = defaultdict(float)
    for each in steps:
        is_nameless = each.step.kind is StepKind.LOOK and each.step.text == NAMELESS
        # Of a line of several commands, the first names the call.
        odds["Bash:other" if is_nameless else next(step_acts(each.step))] += each.odds
    return sorted(odds, key=odds.__getitem__, reverse=True)


def _head(command: str) -> str:
    """The first program of a line, with its sub-command."""
    _, words = next(shell.commands(command), ("", [command]))
    while words[1:] and (words[0] in _WRAPPERS or re.match(r"[A-Za-z_]\w*=", words[0])):
        words = words[1:]
    program, rest = program_of(words[0]), words[1:]
    if program not in _WITH_WORD:
        return program
    while rest and rest[0].startswith("-"):
        rest = rest[2:] if rest[0] in _SETTINGS else rest[1:]
    count = 2 if program in _WITH_TWO and rest and rest[0] in _TWO else 1
    return " ".join([program, *(word for word in rest[:count] if _WORD.fullmatch(word))])
