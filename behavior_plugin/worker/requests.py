"""Check requests, and find what they name."""

from __future__ import annotations

from behavior_plugin.capture import context as places
from behavior_plugin.errors import NotFoundError, RequestError
from behavior_plugin.model import Context
from behavior_plugin.redact import PROJECT_LIMIT, redact, redact_model
from behavior_plugin.store import Store
from behavior_plugin.workflow import SUGGESTED, RemarkKind, StoredPattern

# The number of projects that an error lists.
MAX_NAMED_PROJECTS = 10


def only_pattern(store: Store, id_start: str) -> StoredPattern:
    """The pattern with an id that begins so, if there is just one. Raises NotFoundError."""
    found = store.starting_with(id_start)
    if len(found) != 1:
        problem = "More than one pattern has" if found else "No pattern has"
        hint = "Type more characters of the id." if found else ""
        raise NotFoundError(f"{problem} an id that begins with {id_start}.", hint=hint)
    return found[0]


def project_named(name: str, store: Store) -> str:
    """The project that a person names, by all or the end of its name. Raises NotFoundError, RequestError."""
    from behavior_plugin.recall.on_request import projects_named

    known = store.projects()
    found = projects_named(redact(name), known)
    if len(found) == 1:
        return found[0]
    listed = "\n  ".join((found or known)[:MAX_NAMED_PROJECTS])
    if found:
        raise RequestError(f"{name} may be several projects.", hint=f"Give more of the name:\n  {listed}")
    raise NotFoundError(f"No project with patterns is named {name}.", hint=f"Most work is in:\n  {listed}")


def known_project(name: str, store: Store) -> str:
    """The project that a person names, as `project_named`, also one without patterns, or with nothing stored yet.

    Raises:
        RequestError: the name may be several.
    """
    from behavior_plugin.recall.on_request import projects_named

    found = projects_named(redact(name), store.known_projects())
    if len(found) > 1:
        listed = "\n  ".join(found[:MAX_NAMED_PROJECTS])
        raise RequestError(f"{name} may be several projects.", hint=f"Give more of the name:\n  {listed}")
    return found[0] if found else redact(name, PROJECT_LIMIT)


def check_remark(kind: RemarkKind, pattern: StoredPattern, into: StoredPattern | None) -> None:
    """Raise RequestError for a remark without effect."""
    if pattern.workflow is None:
        raise RequestError(
            f"Pattern {pattern.id} was written by another program, and is not computed from sessions.",
            hint="Change it where it was written.",
        )
    if kind in {*SUGGESTED, RemarkKind.FORGOTTEN} or (kind is RemarkKind.MERGE) != (into is not None):
        raise RequestError(
            f"A remark of the kind {kind.value} cannot be added this way.",
            hint="A merge has to name a second pattern, and nothing else may.",
        )
    if into and into.id == pattern.id:
        raise RequestError(
            "A pattern cannot be merged into itself.", hint="Give the id of another one; `behavior list` shows them."
        )
    if into and (into.workflow is None or into.context.project != pattern.context.project):
        raise RequestError(
            "Only two computed patterns of one project can be merged.", hint="`behavior list` names their projects."
        )


def project_of(directory: str | None) -> str | None:
    return redact_model(context_of(directory)).project if directory else None


def context_of(directory: str) -> Context:
    """The context of a directory, as hooks note it, not redacted: stored ones are, so redact it before a search."""
    return Context(**{"directory": directory, **places.describe(directory)})
