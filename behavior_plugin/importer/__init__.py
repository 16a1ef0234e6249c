"""Learn from the logs that agents have kept of past sessions: find them, read them side by side, say what was there.

The logs are read by processes of their own, which hand what they find to the worker: it alone has the models and the
store. What is known already changes nothing, so an import that was broken off is simply run again.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from behavior_plugin.importer.log import ImportFilter
from behavior_plugin.importer.logs import Found
from behavior_plugin.importer.pool import import_in_parallel
from behavior_plugin.importer.report import Report, summarize
from behavior_plugin.worker.client import start_worker

__all__ = ["ImportFilter", "Report", "import_logs"]


def import_logs(found: Found, wanted: ImportFilter, tell: Callable[[int, int], object]) -> Report:
    """Import every log that was found; `tell` is told now and then how many bytes and how many logs are done.

    Raises:
        BehaviorError: the worker or the store gives up. What was imported until then is kept.
    """
    began = time.monotonic()
    if found.logs and not wanted.is_dry_run:
        start_worker()
    imported = import_in_parallel(found.logs, wanted, tell)
    return summarize(found, imported, seconds=time.monotonic() - began, is_dry_run=wanted.is_dry_run)
