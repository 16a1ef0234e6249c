"""Judge one call of a session: did it work, did it change files, and which commands are in it.

An exit code is not enough for checks, since `| tail` hides it: their printed verdict counts as well.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from behavior_plugin.model import USER, Action, Outcome
from behavior_plugin.patterns.commands import (
    EDITING_TOOLS,
    STARTING_TOOLS,
    CommandKind,
    Part,
    command_of,
    split_command,
)
from behavior_plugin.patterns.failures import error_line, is_plain_error, words_of
from behavior_plugin.patterns.portable import MAX_CHARS, portable_parts

# The share of words that two commands without a known job have in common if they do the same.
MIN_ALIKE = 0.5

# A file is written, elsewhere than in /tmp.
_SHELL_EDIT = re.compile(
    r"\b(?:sed|perl) (?:-\S+ )*(?:-\w*i|--in-place)|\b(?:git apply|apply_patch)\b|\bpatch -"
    r"|(?<![\d&*>=-])>{1,2}[ \t]*(?!/dev/|/tmp/|&|\$null\b)[\w./$]"
)
_QUOTED = re.compile(r"'[^']*'|\"(?:\\.|[^\"\\])*\"")
_FIXING = re.compile(r"[\s:_-](?:fix|write|apply|autocorrect(?:-all)?)(?![\w-])|\s-[wA](?!\S)")
_ONLY_CHECKING = re.compile(r"[\s:_-](?:check|dry-run|diff|verify)(?!\w)|\s-[ld](?!\S)")
_MCP_TOOL = re.compile(r"mcp__(.+?)__")
_FOLDER = re.compile(r"(?:^|[;&|(]\s*)(?:cd|pushd|Set-Location)\s+([^\s;&|]+)")


@dataclass(frozen=True)
class Command:
    """A command of a shell line that does more than look, and its portable form, empty where it has none."""

    part: Part
    text: str

    @property
    def is_check(self) -> bool:
        """Whether it changes nothing: a build does."""
        return self.part.kind is CommandKind.CHECK and self.part.job != "build"

    @property
    def is_about_style(self) -> bool:
        return self.part.job in ("lint", "format", "check")

    @property
    def is_fixing(self) -> bool:
        """Whether a linter or formatter mends the code: `lint:fix`, `eslint --fix`, `cargo fmt`."""
        if not self.is_about_style:
            return False
        is_formatting = self.part.job == "format" and not _ONLY_CHECKING.search(self.part.text)
        return is_formatting or bool(_FIXING.search(self.part.text))

    def does_same_as(self, other: Command) -> bool:
        """Whether two commands do the same job: by its name, or, without one, by their words."""
        if self.is_fixing != other.is_fixing:
            return False
        if self.part.job != self.part.label and other.part.job != other.part.label:
            return self.part.job == other.part.job
        words, others = (words_of(" ".join(each.part.words[1:])) for each in (self, other))
        return len(words & others) >= MIN_ALIKE * max(1, len(words | others))


@dataclass(frozen=True)
class Attempt:
    """One call in a session: `turn` counts the prompts before it, and `root` is the project's folder."""

    action: Action
    turn: int
    root: str

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        return split_command(command_of(self.action))

    @cached_property
    def commands(self) -> tuple[Command, ...]:
        return tuple(
            Command(part, " && ".join(each.text for each in portable_parts(part.text, root=self.root)))
            for part in self.parts
            if part.kind is not CommandKind.LOOK
        )

    @cached_property
    def error(self) -> str:
        return error_line(self.action)

    @property
    def is_plain(self) -> bool:
        """Whether the command was wrong as typed; a check that ran tests was not, whatever they print."""
        verdict = self.action.verdict
        has_run = bool(verdict and (verdict.passed or verdict.failed)) and self._is_check
        return is_plain_error(self.error) and not has_run

    @property
    def is_failed(self) -> bool:
        return self.action.actor != USER and (self.action.outcome is Outcome.FAILED or self._is_failed_by_text)

    @property
    def is_success(self) -> bool:
        return self.action.outcome is Outcome.SUCCESS and not self._is_failed_by_text

    @property
    def _is_failed_by_text(self) -> bool:
        """Whether a check failed though its exit code is that of `| tail`."""
        verdict = self.action.verdict
        return bool(verdict and (verdict.failed or verdict.ran_nothing)) and self._is_check

    @property
    def _is_check(self) -> bool:
        return any(each.part.kind is CommandKind.CHECK for each in self.commands)

    @property
    def is_edit(self) -> bool:
        """Whether the call may have changed files, as a subagent's work may."""
        if self.action.outcome is Outcome.FAILED:
            return False
        line = _QUOTED.sub("_", command_of(self.action))
        return self.action.tool in EDITING_TOOLS | STARTING_TOOLS or bool(_SHELL_EDIT.search(line))

    @property
    def folder(self) -> str:
        """The folder that the line changes to."""
        found = _FOLDER.search(command_of(self.action))
        return found[1] if found else ""

    @property
    def name(self) -> str:
        """The name of the skill or subagent that the call asks for."""
        name = self.action.parameters.get("skill") or self.action.parameters.get("subagent_type")
        return name if isinstance(name, str) else ""

    @property
    def server(self) -> str:
        """The MCP server that the tool belongs to; empty for other tools."""
        found = _MCP_TOOL.match(self.action.tool)
        return found[1] if found else ""

    @property
    def tool_text(self) -> str:
        """The tool of an MCP server and the names of its parameters, whose values belong to one occasion.

        Empty for another tool, or where that would be too long.
        """
        text = f"{self.action.tool}({', '.join(sorted(self.action.parameters))})"
        return text if self.server and len(text) <= MAX_CHARS else ""

    @property
    def named_text(self) -> str:
        """The call as Claude Code writes it, since "skill commit" among commands reads as one."""
        return f"{'Agent' if self.action.tool in STARTING_TOOLS else 'Skill'}({self.name})"
