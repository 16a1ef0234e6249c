"""Learn from the logs of past sessions: find them, read them in parallel, report the result.

Processes of low priority read the logs and send turns to the worker, which alone has the embedder and the store.
Stored turns change nothing, so an interrupted import is simply run again.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from behavior_plugin.importer.log import ImportFilter
from behavior_plugin.importer.logs import Found
from behavior_plugin.importer.pool import import_in_parallel
from behavior_plugin.importer.report import ProjectWorkflow, Report, summarize
from behavior_plugin.patterns.fold import fold
from behavior_plugin.worker.client import start_worker

__all__ = ["ImportFilter", "Report", "import_logs"]


def import_logs(found: Found, wanted: ImportFilter, on_progress: Callable[[int, int], object]) -> Report:
    """Import all logs; `on_progress` gets the number of bytes and of logs done so far, a few times a second.

    Raises:
        BehaviorError: the worker or the store gives up. Everything imported so far stays.
    """
    began = time.monotonic()
    if found.logs and not wanted.is_dry_run:
        start_worker()
    imported = import_in_parallel(found.logs, wanted, on_progress)
    # Computed from the logs alone, so that a dry run has them too.
    # A fork's log repeats the work of another session.
    occurrences = {
        (occurrence.project, occurrence.trigger, occurrence.started_at): occurrence
        for each in imported
        for occurrence in each.occurrences
    }
    projects = {occurrence.source_key: occurrence.project for occurrence in occurrences.values()}
    workflows = [
        ProjectWorkflow(**dict(pattern.workflow), project=projects[pattern.representative])
        for pattern in fold(occurrences.values())
    ]
    return summarize(found, imported, workflows, seconds=time.monotonic() - began, is_dry_run=wanted.is_dry_run)
