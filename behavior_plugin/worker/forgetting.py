"""Forget on request, and when it is time: waiting events, rows, log lines, and copies in memory."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from behavior_plugin import api
from behavior_plugin.capture import paths, spool, trouble, unanswered
from behavior_plugin.exclude.files import texts_in
from behavior_plugin.forget import forget
from behavior_plugin.learn import compute_all_possible
from behavior_plugin.recall import Recaller
from behavior_plugin.recall.decision import Decision
from behavior_plugin.redact import PROJECT_LIMIT, redact
from behavior_plugin.store import Forgotten, Selection, Store, Work
from behavior_plugin.worker.answers import Answers
from behavior_plugin.worker.inbox import session_key
from behavior_plugin.worker.own_log import drop_lines
from behavior_plugin.worker.requests import known_project, only_pattern
from behavior_plugin.worker.waiting import Waiting

MAX_EXAMPLES, MAX_EXAMPLE_CHARS = 5, 200
# Files that count things, of which nothing is forgotten but everything.
COUNT_FILES = (spool.LOST, unanswered.NAME, trouble.NAME)


class Learner(Protocol):
    """The work on the spool, for the main thread only."""

    def forget_waiting(self, selection: Selection, *, is_dry_run: bool, only_letters: bool) -> Waiting: ...


class Files(Protocol):
    """The files of the database."""

    def rewrite_files(self) -> str: ...


class Forgetter:
    """Forgets all work that fits a selection. Only for the main thread: nothing is learned meanwhile."""

    def __init__(self, learner: Learner, files: Files, answers: Answers, recaller: Recaller) -> None:
        self._learner = learner
        self._files = files
        self._answers = answers
        self._recaller = recaller

    def run(
        self, selection: Selection, store: Store, *, is_marked: bool = True, is_dry_run: bool = False
    ) -> api.ForgetReport:
        """Delete all that fits; the waiting events last, since they are marked too.

        Without marks nobody has asked for it: sessions that wait stay, since an open one began long ago and goes on.

        Raises:
            StoreError: nothing was deleted; do it again.
        """
        waiting = self._learner.forget_waiting(selection, is_dry_run=True, only_letters=not is_marked)
        work, done = forget(selection, store, waiting=waiting.turns, is_marked=is_marked, is_dry_run=is_dry_run)
        if not is_dry_run:
            self._learner.forget_waiting(selection, is_dry_run=False, only_letters=not is_marked)
        sessions = {session_id for _, session_id in done.sessions} | waiting.session_ids
        is_gone = _gone_decision(selection, sessions, done.projects)
        if not is_dry_run:
            self._recaller.drop()
            # The patterns that keep some evidence quote the rest until then.
            compute_all_possible(embedder=None, store=store)
        decisions = self._answers.forget_all(is_gone, sessions, is_dry_run=is_dry_run)
        keys = {session_key(*each) for each in done.sessions} | waiting.keys
        lines = drop_lines(keys, is_everything=selection.is_everything, is_dry_run=is_dry_run)
        backups = _backups()
        if selection.is_everything and not is_dry_run:
            _delete_counts()
            shutil.rmtree(paths.in_data("backups"), ignore_errors=True)
        return api.ForgetReport(
            patterns=len(_existing(done.gone_patterns, work, done)),
            changed_patterns=len(done.pattern_keys - done.gone_patterns),
            episodes=done.episodes,
            turns=done.turns,
            remarks=done.remarks,
            waiting_sessions=len(waiting.session_ids),
            dead_letters=waiting.dead_letters,
            decisions=decisions,
            log_lines=lines,
            examples=tuple(map(_example, sorted(work, key=lambda each: each.started_at)[-MAX_EXAMPLES:])),
            backups=tuple(map(str, backups)),
            open_sessions=tuple(sorted(waiting.live)),
            left_in_files="" if is_dry_run else self._files.rewrite_files(),
        )


def selection_of(request: api.Forget, store: Store) -> Selection:
    """The selection that a request names.

    Raises:
        NotFoundError: there is no such pattern.
        RequestError: the name of the project may be several.
    """
    pattern = only_pattern(store, request.pattern) if request.pattern else None
    return Selection(
        pattern_key=pattern.source_key if pattern else "",
        session_id=request.session_id,
        project=known_project(request.project, store) if request.project else None,
        since=request.since,
        until=request.until,
        text=request.matching,
        is_everything=request.is_everything,
    )


def _existing(keys: set[str], work: list[Work], done: Forgotten) -> set[str]:
    """The patterns that there were: a job whose pattern was merged into another has none of its own."""
    return keys & ({each.pattern_key for each in work} | done.pattern_keys | done.written_keys)


def _example(work: Work) -> api.ForgottenWork:
    return api.ForgottenWork(
        session_id=work.session_id,
        project=work.project,
        trigger=work.trigger[:MAX_EXAMPLE_CHARS],
        started_at=work.started_at,
    )


def _gone_decision(selection: Selection, sessions: set[str], projects: set[str]) -> Callable[[Decision], bool]:
    """Whether a decision is to go: it fits by itself, or may quote forgotten work, having found some of its project."""
    names = {redact(session) for session in sessions}
    quoted = {redact(project, PROJECT_LIMIT) for project in projects}

    def is_gone(each: Decision) -> bool:
        found = {one.candidate.project for one in each.considered}
        return (
            selection.is_everything or each.session_id in names or bool(found & quoted) or _fits(each, found, selection)
        )

    return is_gone


def _fits(decision: Decision, found: set[str], selection: Selection) -> bool:
    if selection.pattern_key:
        return selection.pattern_key in {each.candidate.pattern_key for each in decision.considered}
    wanted = selection.text.casefold()
    return (
        (not selection.session_id or decision.session_id == redact(selection.session_id))
        and (selection.project is None or selection.project in {decision.project, *found})
        and (selection.since is None or decision.at >= selection.since)
        and (selection.until is None or decision.at < selection.until)
        and (not wanted or any(wanted in text.casefold() for text in texts_in(decision.model_dump(mode="json"))))
    )


def _backups() -> list[Path]:
    with contextlib.suppress(OSError):
        return sorted(Path(paths.in_data("backups")).iterdir())
    return []


def _delete_counts() -> None:
    for name in COUNT_FILES:
        with contextlib.suppress(OSError):
            Path(paths.in_data(name)).unlink(missing_ok=True)
