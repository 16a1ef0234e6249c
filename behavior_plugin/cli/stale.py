"""Find the stale patterns among some, by the projects on this machine, and list them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

from behavior_plugin.capture import context as places
from behavior_plugin.cli.output import SHORT_ID
from behavior_plugin.cli.project import Project
from behavior_plugin.patterns.staleness import reasons, stale_note
from behavior_plugin.recall import MIN_CONFIDENCE
from behavior_plugin.recall.quoting import quote, said
from behavior_plugin.recall.wording import last_trigger, plural, workflow_of
from behavior_plugin.workflow import StoredPattern

MAX_NAME_CHARS, MAX_REASON_CHARS = 70, 300
ALL_PROJECTS = " --all looks at all projects."


def stale_reasons(
    patterns: Iterable[StoredPattern], directory: str, *, min_confidence: float = 0.0
) -> dict[UUID, tuple[str, ...]]:
    """The reasons against each pattern that has some.

    The project of `directory` is read there, so that the user's own checkout counts; another project is read where its
    pattern was learned. Of a project that is not on this machine nothing is known.
    """
    here = places.describe(directory)
    projects: dict[str, Project] = {}
    found = {}
    for pattern in patterns:
        root = _root(pattern, here)
        project = projects.setdefault(root, Project(root))
        found[pattern.id] = reasons(
            pattern,
            has_file=project.has_file,
            scripts=project.scripts,
            targets=project.targets,
            min_confidence=min_confidence,
        )
    return {key: against for key, against in found.items() if against}


def stale_notes(patterns: Iterable[StoredPattern], directory: str) -> dict[UUID, str]:
    """A note on each pattern whose steps no longer fit its project."""
    return {key: stale_note(against) for key, against in stale_reasons(patterns, directory).items()}


def find_stale(patterns: Sequence[StoredPattern], directory: str) -> list[tuple[StoredPattern, tuple[str, ...]]]:
    """The patterns that `behavior prune` hides, each with the reasons; those that are hidden already are left out."""
    found = stale_reasons(patterns, directory, min_confidence=MIN_CONFIDENCE)
    return [(each, found[each.id]) for each in patterns if each.id in found and not workflow_of(each).is_hidden]


def as_dicts(found: Sequence[tuple[StoredPattern, tuple[str, ...]]]) -> list[dict[str, Any]]:
    return [
        {
            "id": str(pattern.id),
            "job": workflow_of(pattern).job,
            "project": pattern.context.project,
            "trigger": last_trigger(pattern),
            "reasons": against,
        }
        for pattern, against in found
    ]


def text(found: Sequence[tuple[StoredPattern, tuple[str, ...]]], *, everywhere: bool, is_applied: bool) -> str:
    """The patterns with their reasons, and the next step."""
    if not found:
        whose = "" if everywhere else "of this project "
        return f"No pattern {whose}is stale or failed too often.{'' if everywhere else ALL_PROJECTS}"
    lines = [line for pattern, against in found for line in _lines(pattern, against, everywhere=everywhere)]
    count = plural(len(found), "pattern")
    if is_applied:
        return "\n".join([*lines, f"Hidden: {count}. `behavior edit ID --show` takes that back for one of them."])
    return "\n".join([*lines, f"{count} to hide. This was a dry run: --apply hides them."])


def _lines(pattern: StoredPattern, against: Sequence[str], *, everywhere: bool) -> Iterator[str]:
    project = f" in {quote(pattern.context.project, MAX_NAME_CHARS)}" if everywhere else ""
    job = quote(workflow_of(pattern).job, MAX_NAME_CHARS)
    yield f"{str(pattern.id)[:SHORT_ID]}  {job}{project}: {said(last_trigger(pattern), MAX_NAME_CHARS)}"
    yield from (f"   {quote(reason, MAX_REASON_CHARS)}" for reason in against)


def _root(pattern: StoredPattern, here: Mapping[str, str]) -> str:
    """The folder to read a pattern's project in; empty if it is not on this machine."""
    context = pattern.context
    if context.project and context.project == here.get("project"):
        return here["root"]
    return context.root if os.path.isabs(context.root) and os.path.isdir(context.root) else ""  # noqa: PTH112, PTH117
