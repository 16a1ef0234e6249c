"""Name the kind of a piece of work from what was done, so that the same kind of work comes together.

Words do not decide: the same job is asked for in ever other words, and a language has no say. Only a slash command of
the user's own is a job by its name.
"""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from behavior_plugin.model import MAIN, PromptKind, Turn
from behavior_plugin.patterns import programs
from behavior_plugin.patterns.commands import CommandKind, Part, command_of, split_command
from behavior_plugin.workflow import SHELL_KINDS, Step, StepKind

# These are jobs of their own, whatever was edited for them. Of several, the first in this table names the job.
_OWN_JOBS = {"release": "release", "publish": "release", "tag": "release", "deploy": "deploy", "migrate": "migrate"}
# Deliveries without an edit. Of several, the first in this table names the job.
_DELIVERIES = {
    "pr": "open a pull request",
    "rebase": "rebase",
    "cherry-pick": "cherry-pick",
    "comment": "answer review comments",
    "merge": "merge",
    "revert": "revert",
    "push": "push",
    "commit": "commit",
}
# Edits behind these belong to them: they solve conflicts, or mend what the review found.
_BEFORE_EDITS = frozenset({"rebase", "cherry-pick", "merge", "pr"})
_RUNS = {"git checkout": "switch branch", "git switch": "switch branch", "install": "install packages"}

_DOCS = frozenset({".adoc", ".md", ".mdx", ".rst", ".txt"})
_SETTINGS = frozenset({".cfg", ".conf", ".csv", ".env", ".ini", ".json", ".jsonc", ".lock", ".toml", ".xml", ".yaml"})
_TWINS = {
    ".cc": ".cpp",
    ".cjs": ".js",
    ".cts": ".ts",
    ".cxx": ".cpp",
    ".h": ".c",
    ".hpp": ".cpp",
    ".htm": ".html",
    ".jsx": ".js",
    ".kts": ".kt",
    ".mjs": ".js",
    ".mts": ".ts",
    ".pyi": ".py",
    ".tsx": ".ts",
    ".yml": ".yaml",
}
_CHANGE_LOG = re.compile(
    r"(?:^|/)(?:change_?log|changes|history|news|release[-_]?notes)(?:[-_.]?v?\d[\w.-]*)?(?:\.(?:adoc|md|mdx|rst|txt))?$"
    r"|(?:^|/)\.changeset/",
    re.I,
)
# From this share of the calls on, reading a review was a main part of the work, and not a look on the way.
MIN_REVIEW_SHARE = 0.1
# A review is read before it is answered.
_REVIEW_READ = re.compile(
    r"/(?:pulls|merge_requests)/\S+/(?:comments|reviews|notes|discussions)|reviewThreads|--comments\b"
)


def job_of(steps: Sequence[Step], turns: Sequence[Turn]) -> str:
    """A short name of the kind of work; empty where there are neither steps nor a delivery that was tried.

    A delivery that was refused names the job as well, so that it counts against the job's odds.
    """
    attempts = [job for job in _tried_jobs(turns) if job in _OWN_JOBS or job in _DELIVERIES]
    if not steps and not attempts:
        return ""
    if turns and turns[0].prompt_kind is PromptKind.COMMAND and turns[0].prompt.startswith("/"):
        return turns[0].prompt.split()[0]
    jobs = list(_jobs(steps))
    if own := _own_job(jobs):
        return own
    files = _edited(steps, is_delivered=any(job in _DELIVERIES for job in jobs))
    has_edits = files is not None and not _delivers_before_edits(steps)
    if "comment" in jobs or (has_edits and _answers_review(turns)):
        return _DELIVERIES["comment"]
    return _edit_job(files or (), steps) if has_edits else _other_job(steps, [*jobs, *attempts])


def _own_job(jobs: Iterable[str]) -> str:
    done = set(jobs)
    return next((name for job, name in _OWN_JOBS.items() if job in done), "")


def _tried_jobs(turns: Sequence[Turn]) -> Iterator[str]:
    commands = [command_of(action) for turn in turns for action in turn.actions if action.actor == MAIN]
    return (part.job for command in commands for part in split_command(command))


def _jobs(steps: Iterable[Step]) -> Iterator[str]:
    return (part.job for step in steps for part in _parts(step))


def _parts(step: Step) -> tuple[Part, ...]:
    return split_command(step.until or (step.text if step.kind in SHELL_KINDS else ""))


def _edited(steps: Sequence[Step], *, is_delivered: bool) -> tuple[str, ...] | None:
    """The edited files, or None without an edit; a line in the change log belongs to the delivery."""
    edits = [step for step in steps if step.kind is StepKind.EDIT]
    files = tuple(file for step in edits for file in step.files)
    is_log = bool(files) and all(_CHANGE_LOG.search(file) for file in files)
    return None if not edits or (is_log and is_delivered) else files


def _delivers_before_edits(steps: Sequence[Step]) -> bool:
    first_edit = next((index for index, step in enumerate(steps) if step.kind is StepKind.EDIT), len(steps))
    return not _BEFORE_EDITS.isdisjoint(_jobs(steps[:first_edit]))


def _answers_review(turns: Sequence[Turn]) -> bool:
    """Whether comments were posted, or reading them was a main part of the work."""
    actions = [action for turn in turns for action in turn.actions if action.actor == MAIN]
    commands = [command for action in actions if _REVIEW_READ.search(command := command_of(action))]
    is_posting = any(_posts_comment(part) for command in commands for part in split_command(command))
    return is_posting or len(commands) >= max(1, MIN_REVIEW_SHARE * len(actions))


def _posts_comment(part: Part) -> bool:
    return part.kind is CommandKind.DELIVER and bool(_REVIEW_READ.search(part.text))


def _edit_job(files: Sequence[str], steps: Sequence[Step]) -> str:
    kinds = Counter(map(_file_type, files))
    code = [kind for kind in kinds if kind not in _DOCS | _SETTINGS]
    if kinds and set(kinds) <= _DOCS:
        return "write docs"
    named = code or [kind for kind in kinds if kind not in _DOCS]
    main = max(named, key=lambda kind: (kinds[kind], kind), default="files")
    is_checked = any(step.until or step.kind is StepKind.CHECK for step in steps) or not programs.CHECKS.isdisjoint(
        _jobs(steps)
    )
    return f"fix and check {main}" if is_checked else f"edit {main}"


def _file_type(file: str) -> str:
    name = posixpath.basename(file)
    ending = posixpath.splitext(name)[1].lower()
    return _TWINS.get(ending, ending) or name


def _other_job(steps: Sequence[Step], jobs: Sequence[str]) -> str:
    """The job of work without edits: the delivery, else the checks, else the last that was run."""
    if own := _own_job(jobs):
        return own
    if _DELIVERIES.keys() & set(jobs) == {"commit", "push"}:
        return "commit and push"
    if delivery := next((name for job, name in _DELIVERIES.items() if job in jobs), ""):
        return delivery
    kinds = {step.kind for step in steps}
    for kind in (StepKind.DELIVER, StepKind.SKILL, StepKind.CHECK, StepKind.RUN, StepKind.AGENT, StepKind.TOOL):
        if kind in kinds:
            return _named(kind, [step for step in steps if step.kind is kind])
    return ""


def _named(kind: StepKind, steps: Sequence[Step]) -> str:
    if kind is StepKind.CHECK:
        return "check"
    if kind in SHELL_KINDS:
        return _run_job([part for step in steps for part in _parts(step)])
    names = {StepKind.SKILL: "skill", StepKind.AGENT: "ask subagent"}
    text = steps[-1].text
    return f"{names.get(kind, 'use')} {text.split('__')[1] if text.startswith('mcp__') else text}"


def _run_job(parts: Sequence[Part]) -> str:
    """The last program counts, but moving files about is seldom the purpose."""
    last = next((part for part in reversed(parts) if part.label not in programs.PLAIN), parts[-1])
    return _RUNS.get(last.job) or _RUNS.get(last.label) or f"run {last.label}"
