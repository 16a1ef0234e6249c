"""Learn from the sessions that are over, one at a time, so that none delays the others for longer than it takes."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import replace

from behavior_plugin import exclude
from behavior_plugin.agents import read_live_log
from behavior_plugin.api import Drained, Reaped
from behavior_plugin.backoff import MAX_S
from behavior_plugin.errors import (
    BehaviorError,
    EmbedError,
    StoreError,
    StoreUnavailableError,
    WorkerError,
    describe_for_log,
)
from behavior_plugin.learn import compute_all_possible, learn, session_turns, take_over, unstored
from behavior_plugin.model import Turn
from behavior_plugin.patterns.reconcile import reconcile
from behavior_plugin.patterns.turns import orphaned_calls
from behavior_plugin.store import Selection, Store
from behavior_plugin.worker.inbox import Inbox, UnreadableForNowError, backlog
from behavior_plugin.worker.pending_session import PendingSession
from behavior_plugin.worker.resources import Resources
from behavior_plugin.worker.waiting import Waiting, forget_waiting

# A session becomes a dead letter after so many tries that failed by themselves or killed the worker.
TRIES = 5
ORPHANED = "calls without the prompt that they belong to"
# How long learning may take before the worker files the events that have arrived meanwhile.
LOOK_S = 1.0
# A probe that the doctor has not asked for within this time is deleted: it is no real work.
PROBE_S = 60.0

log = logging.getLogger(__name__)


class Learner:
    """Takes sessions from the inbox and learns from them. Only for the main thread.

    `learned` counts the turns with work, `dropped` the sessions that had none, `left_out` the prompts and calls that
    the user has excluded, and `last_heartbeat` is when it last began to learn from a session (monotonic).
    """

    def __init__(self, inbox: Inbox, resources: Resources) -> None:
        self._inbox = inbox
        self._resources = resources
        # Whether there may be evidence that the patterns do not have yet, as there may be at the start.
        self._is_stale = threading.Event()
        self._is_stale.set()
        self.learned = self.dropped = self.left_out = 0
        self._has_taken_over = False
        self.last_error = ""
        self.last_heartbeat = time.monotonic()

    def learn_from_what_is_over(self, settle_s: float) -> bool:
        """Learn from each session that is over and has been quiet for `settle_s`, while the store takes it.

        Returns whether some were left for the next look. The patterns are as they were until `compute`.
        """
        self._delete_old_probes()
        until = time.monotonic() + LOOK_S
        over = [session for session in self._real_sessions() if session.is_over(settle_s)]
        # Sessions that the store did not take come last: it may be their own fault, and must not delay the others.
        for session in sorted(over, key=lambda session: session.delays):
            if not self._resources.can_store():
                return False
            if time.monotonic() > until:
                return True
            self._try(session)
        return False

    def mark_stale(self) -> None:
        """Note that there is new evidence. Safe from any thread."""
        self._is_stale.set()

    def compute(self) -> bool:
        """Bring the patterns up to date with the evidence, also with that of an earlier version.

        Returns whether there was something to compute, and it is done. An idle worker asks the database nothing. A
        failure is repaired by the next call.
        """
        if not (self._is_stale.is_set() and self._resources.can_store()):
            return False
        self._is_stale.clear()
        store = self._resources.store(0)
        try:
            self._take_over(store)
            compute_all_possible(embedder=self._resources.embedder(MAX_S), store=store)
            self._resources.reset_backoff()
            return True
        except (StoreUnavailableError, EmbedError) as error:
            self._is_stale.set()
            if isinstance(error, StoreUnavailableError):
                self._resources.close_store()  # opened again by the next try: its server may be gone
            self._resources.back_off(error)
            return False
        except Exception:
            self._is_stale.set()
            raise

    def _take_over(self, store: Store) -> None:
        """Once: refused evidence would be refused again, and must not keep the rest from being computed."""
        if self._has_taken_over:
            return
        try:
            take_over(store)
        except StoreUnavailableError:
            raise
        except StoreError as error:
            self.last_error = str(error)
            log.error("some evidence of an earlier version cannot be computed again: %s", describe_for_log(error))
        self._has_taken_over = True

    def drain(self, probe: str = "") -> Drained:
        """File everything and learn from every session that has ended; open sessions go on.

        A probe is learned from only if `probe` names it, as the doctor does that sent it.
        """
        self._resources.open_store()
        self._file_all()
        before = self.learned
        probes = [session for session in self._inbox.sessions.values() if session.session_id == probe]
        self._learn_from([session for session in self._real_sessions() + probes if session.is_ended])
        self.compute()
        return Drained(learned=self.learned - before, **backlog().model_dump(), not_computed=self._why_not_computed())

    def reap(self, idle_s: float | None) -> Reaped:
        """Close the sessions whose agent is gone, and with `idle_s` those that have been silent for so long."""
        self.drain()
        before = self.learned
        closed = [session for session in self._real_sessions() if _is_abandoned(session, idle_s)]
        self._learn_from(closed)
        self.compute()
        counts = {"closed": len(closed), "learned": self.learned - before, **backlog().model_dump()}
        return Reaped(**counts, not_computed=self._why_not_computed())

    def _why_not_computed(self) -> str:
        """The reason why the patterns are not up to date with the evidence; empty if they are."""
        return (self._resources.last_error or "the worker will do it") if self._is_stale.is_set() else ""

    def turns_so_far(self, session_id: str) -> list[Turn]:
        """The turns of a session that waits, as far as it has come; none if no such session waits.

        Raises:
            UnreadableForNowError: an event of the session cannot be read yet.
        """
        self._file_all()
        session = next((each for each in self._inbox.sessions.values() if each.session_id == session_id), None)
        return session_turns(self._kept(session).events, follows=session.follows) if session else []

    def discard(self, session_id: str) -> None:
        """Delete the events of a session that still wait."""
        self._file_all()
        for session in [each for each in self._inbox.sessions.values() if each.session_id == session_id]:
            self._inbox.done(session)

    def forget_waiting(self, selection: Selection, *, is_dry_run: bool, only_letters: bool) -> Waiting:
        """Delete what waits and fits a selection, or only the dead letters. A dry run finds it, with its turns."""
        self._file_all()
        found = forget_waiting(self._inbox, selection, is_dry_run=is_dry_run, only_letters=only_letters)
        known = [self._inbox.sessions[key] for key in sorted(found.keys) if is_dry_run]
        return replace(found, turns=tuple(turn for session in known for turn in self._turns_of(session)))

    def _turns_of(self, session: PendingSession) -> list[Turn]:
        """The turns of a session as far as they can be read now."""
        try:
            return session_turns(self._kept(session).events, follows=session.follows)
        except Exception as error:  # a session that cannot be learned from must be forgotten all the same
            log.warning("the turns of session %s cannot be read: %s", session.key, describe_for_log(error))
            return []

    def _kept(self, session: PendingSession) -> exclude.Kept:
        """The events of a session, from its hooks and the agent's log, without those that the user has excluded.

        Raises:
            UnreadableForNowError: an event, or what is excluded, cannot be read; the session waits.
        """
        reported = self._inbox.events(session)
        try:
            exclusions = exclude.current()
        except BehaviorError as error:
            raise UnreadableForNowError(f"it is not known what is excluded: {error}") from error
        return exclusions.keep(reconcile(reported, read_live_log(reported)))

    def _file_all(self) -> None:
        while self._inbox.file_new():
            pass

    def _learn_from(self, sessions: list[PendingSession]) -> None:
        """Learn from these sessions.

        Raises:
            StoreUnavailableError: the store takes nothing; the sessions wait.
            WorkerError: some can neither be learned from nor become dead letters.
        """
        delays = {session.key: session.delays for session in sessions}
        for _ in range(TRIES + 1):  # the last one makes it a dead letter
            for session in [each for each in sessions if each.key in self._inbox.sessions]:
                self._resources.store(0)
                if session.delays == delays[session.key]:  # else it has to wait, and not only for a moment
                    self._try(session)
        if any(each.key in self._inbox.sessions for each in sessions):
            self._resources.store(0)
            reason = self._resources.last_error or self.last_error
            raise WorkerError(f"Some sessions could not be learned from: {reason.rstrip('.')}.")

    def _real_sessions(self) -> list[PendingSession]:
        return [session for session in self._inbox.sessions.values() if not session.is_probe]

    def _delete_old_probes(self) -> None:
        for session in [each for each in self._inbox.sessions.values() if each.is_probe]:
            if session.quiet_s() >= PROBE_S:
                self._inbox.done(session)

    def _try(self, session: PendingSession) -> None:
        self.last_heartbeat = time.monotonic()
        if self._inbox.attempt(session) > TRIES:
            return self._inbox.dead_letter(session, self.last_error or "the worker crashed on every attempt")
        try:
            self._learn(session)
            self._resources.reset_backoff()
        except UnreadableForNowError as error:
            self._inbox.reset_attempts(session)
            session.delays += 1
            self.last_error = str(error)
        except StoreUnavailableError as error:
            self._inbox.reset_attempts(session)
            session.delays += 1
            self._resources.back_off(error)
        except Exception as error:
            log.error("learning from session %s failed: %s", session.key, describe_for_log(error))
            self.last_error = f"{type(error).__name__} in session {session.key}"
        return None

    def _learn(self, session: PendingSession) -> None:
        kept = self._kept(session)
        events = kept.events
        try:
            store = self._resources.store(0)
            turns = learn(events, store=store, follows=session.follows)
            orphans = unstored(orphaned_calls(events), store)
        except StoreUnavailableError:
            self._resources.close_store()
            raise
        self._is_stale.set()
        if orphans and not turns:  # whole: what else there is may be what the calls belong to
            self._inbox.dead_letter(session, ORPHANED)
        else:
            if orphans:
                self._inbox.dead_letter_events(session, orphans, ORPHANED)
            self._inbox.done(session)
        if not session.is_probe:
            self.learned += len(turns)
            self.dropped += not turns and not orphans
        self.left_out += kept.prompts + kept.calls
        log.info("session %s: %d events, %d turns with work", session.key, len(events), len(turns))


def _is_abandoned(session: PendingSession, idle_s: float | None) -> bool:
    return not session.is_live() or (idle_s is not None and session.quiet_s() >= idle_s)
