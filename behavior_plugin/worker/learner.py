"""Learn from the sessions that are over: one at a time, so that none holds up the others for longer than it lasts."""

from __future__ import annotations

import logging
import time

from behavior_plugin.errors import EmbedError, StoreUnavailableError, told
from behavior_plugin.learn import learn
from behavior_plugin.model import Event, EventKind
from behavior_plugin.reconcile import reconcile
from behavior_plugin.worker.engines import LONGEST_RETRY_S, Engines
from behavior_plugin.worker.inbox import Inbox, Session, waiting

# A session that fails this often for a reason of its own is set aside, so that the others go on.
TRIES = 3
# A probe that nobody has waited for so long is thrown away: it is no work of anybody's.
PROBE_S = 60.0

log = logging.getLogger(__name__)


class Learner:
    """Takes sessions from the inbox and makes patterns of them. To be used from the main thread."""

    def __init__(self, inbox: Inbox, engines: Engines) -> None:
        self._inbox = inbox
        self._engines = engines
        self.learned = 0
        self.last_error = ""

    def learn_from_what_is_over(self, settle_s: float) -> None:
        """Learn from each session that is over and has been quiet for `settle_s`, while the store takes it."""
        self._throw_old_probes_away()
        over = [session for session in self._real_sessions() if session.is_over(settle_s)]
        # What the store did not take last time comes last: it may be this session's fault, and must not hold up others.
        for session in sorted(over, key=lambda session: session.delays):
            if self._engines.can_store():
                self._try(session)

    def drain(self, probe: str = "") -> dict[str, int]:
        """File everything and learn from every session that has ended; what is left open goes on.

        A probe is learned from only where it is named: by the doctor that sent it.
        """
        self._engines.open_store()
        while self._inbox.sort():
            pass
        before = self.learned
        probes = [session for session in self._inbox.sessions.values() if session.session_id == probe]
        for session in [session for session in self._real_sessions() + probes if session.is_ended]:
            self._learn(session)
        return {"learned": self.learned - before, **waiting()}

    def reap(self, idle_s: float | None) -> dict[str, int]:
        """Close the sessions whose host is gone, and with `idle_s` those that have been silent for so long."""
        self.drain()
        before = self.learned
        closed = [session for session in self._real_sessions() if _is_left(session, idle_s)]
        for session in closed:
            self._learn(session)
        return {"closed": len(closed), "learned": self.learned - before, **waiting()}

    def discard(self, session_id: str) -> None:
        """Throw away what waits of a session, stored or not."""
        while self._inbox.sort():
            pass
        for session in [each for each in self._inbox.sessions.values() if each.session_id == session_id]:
            self._inbox.done(session)

    def _real_sessions(self) -> list[Session]:
        return [session for session in self._inbox.sessions.values() if not session.is_probe]

    def _throw_old_probes_away(self) -> None:
        for session in [each for each in self._inbox.sessions.values() if each.is_probe]:
            if time.monotonic() - session.seen >= PROBE_S:
                self._inbox.done(session)

    def _try(self, session: Session) -> None:
        try:
            self._learn(session)
            self._engines.went_well()
        except (StoreUnavailableError, EmbedError) as error:
            session.delays += 1
            self._engines.put_off(error)
        except Exception as error:
            log.error("session %s could not be learned from: %s", session.key, told(error))
            self.last_error = f"{type(error).__name__} in session {session.key}"
            session.tries += 1
            if session.tries >= TRIES:
                self._inbox.bury(session, self.last_error)

    def _learn(self, session: Session) -> None:
        embedder = self._engines.embedder(LONGEST_RETRY_S)
        events = reconcile(self._inbox.events(session), [])
        try:
            patterns = learn(events, embedder=embedder, store=self._engines.store(0))
        except StoreUnavailableError:
            self._engines.close_store()
            raise
        if _is_without_prompt(events):
            self._inbox.bury(session, "calls without the prompt that they belong to")
            return
        self._inbox.done(session)
        self.learned += 0 if session.is_probe else len(patterns)
        log.info("session %s: %d events, %d patterns", session.key, session.events, len(patterns))


def _is_left(session: Session, idle_s: float | None) -> bool:
    if idle_s is not None and time.monotonic() - session.seen >= idle_s:
        return True
    return not session.is_live()


def _is_without_prompt(events: list[Event]) -> bool:
    """Calls that came after their session was closed, or from one that began before we were there."""
    kinds = {event.kind for event in events}
    return EventKind.ACTION in kinds and EventKind.PROMPT not in kinds
