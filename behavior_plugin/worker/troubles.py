"""Word the worst problem of the worker, for the start of the next session (`capture/trouble.py`)."""

from __future__ import annotations

import logging

from behavior_plugin.capture import trouble
from behavior_plugin.errors import describe_for_log
from behavior_plugin.recall.quoting import quote
from behavior_plugin.redact import redact

MAX_CHARS = 200

log = logging.getLogger(__name__)


def trouble_of(*, not_learning: str, embedder_problem: str) -> str:
    """The worst of the problems; empty if there is none. The sentence goes on with "; `behavior doctor` says …"."""
    if not_learning:
        return f"nothing new is learned: {_clause(not_learning)}"
    if embedder_problem:
        return f"prompts are compared by their letters only: {_clause(embedder_problem)}"
    return ""


def save_trouble(found: str) -> None:
    """Save the line for the start of the next session; without one, remove the last. A failing disk is only logged."""
    try:
        trouble.write(found)
    except OSError as error:
        log.warning("the trouble cannot be saved: %s", describe_for_log(error))


def _clause(problem: str) -> str:
    return quote(redact(problem), MAX_CHARS).rstrip(".")
