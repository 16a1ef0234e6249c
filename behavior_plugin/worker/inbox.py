"""The spool's other end: file new records by session, and delete the sessions that are stored.

A record moves by renaming, new/ to open/KEY/, and is deleted only when its session is stored; whenever the worker dies,
the next one finds everything where it was. Filing reads a record's header only; its event is read when the session is
learned from. Unreadable records become dead letters. A record that cannot be read yet, because a newer version wrote it
or the disk fails, stays where it is.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import stat
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from behavior_plugin.agents import hooks_of, payload, read_header, read_record
from behavior_plugin.agents.payload import EventHeader
from behavior_plugin.api import Backlog
from behavior_plugin.capture import paths, spool
from behavior_plugin.errors import WorkerError
from behavior_plugin.model import Event, EventKind
from behavior_plugin.worker import dead_letters
from behavior_plugin.worker.links import folder_of_spool, refuse_links
from behavior_plugin.worker.pending_session import PendingSession

# A temporary file older than this was left by a hook that was killed.
TORN_S = 60 * 60
# How many records are filed at most before the worker does everything else again.
BATCH = 1_000
# How many records are read before those go first who cannot wait.
RECORDS_AT_A_TIME = 50
# File-name suffixes of the events that identify a session.
IDENTIFYING_EVENTS = ("-SessionStart", "-UserPromptSubmit", "-SessionEnd")
# How many agent processes are remembered with the session they had last.
MAX_AGENT_PROCESSES = 1_000
MAX_COMPACTED = 1_000

T = TypeVar("T", EventHeader, Event)


class UnreadableForNowError(WorkerError):
    """A record cannot be read for now, and its session is not whole without it."""


class Inbox:
    """The sessions that wait in the spool. To be used from one thread.

    `pause` is called now and then while many records are read, and returns when the work may go on.
    """

    def __init__(self, pause: Callable[[], None] = lambda: None) -> None:
        self._pause = pause
        _make_folders()
        self.sessions: dict[str, PendingSession] = {}
        self.postponed: dict[str, str] = {}  # records that cannot be read for now, by name, each with the reason
        # Sessions whose conversation was compacted, by id, and when; the main loop takes them out.
        self.compacted: deque[tuple[str, datetime]] = deque(maxlen=MAX_COMPACTED)
        self._arrived: deque[str] = deque()
        self._sessions_by_key: dict[str, str] = {}
        self._last_of_process: dict[tuple[str, int], str] = {}
        with contextlib.suppress(OSError):  # it will be tried again
            dead_letters.clean_up()
        self.sweep_temporary()
        self._filed_before = deque(sorted(_names(folder_of_spool("open"))))
        for mark in _names(folder_of_spool("tries")).difference(self._filed_before):
            folder_of_spool("tries", mark).unlink()

    def file_new(self) -> int:
        """File new records, the oldest first and no more than a batch; returns how many.

        The sessions that an earlier worker filed come first, and each counts as one record.
        """
        if self._filed_before:
            return self._take_up_some()
        if not self._arrived:
            _make_folders()  # somebody may have tidied up
            self._arrived.extend(sorted(_names(folder_of_spool("new")) - self.postponed.keys()))
        filed, new = 0, folder_of_spool("new")
        while self._arrived and filed < BATCH:
            self._let_others_go_first(filed)
            self._file(new / self._arrived.popleft())
            filed += 1
        return filed

    def retry_postponed(self) -> None:
        """Try postponed records once more."""
        self.postponed.clear()

    def events(self, session: PendingSession) -> list[Event]:
        """All events of a session, in order of arrival.

        Raises:
            UnreadableForNowError: a record is postponed; learned from without it, the session would not be whole.
        """
        found = self._read_all(session)
        session.read = {record.name for record, _ in found}
        return [event for _, event in found]

    def records(self, session: PendingSession) -> list[Path]:
        """The files of a session's records, in order of arrival."""
        return self._records(session.key)

    def attempt(self, session: PendingSession) -> int:
        """Count a try to learn from a session, on disk, since the worker may die of it; returns the number so far."""
        marks = folder_of_spool("tries")
        session.tries += 1
        # A full disk is no error, where only learning makes room.
        with contextlib.suppress(OSError), open(marks / session.key, "ab", opener=paths.open_carefully) as mark:
            mark.write(b".")
            mark.flush()
            return mark.tell()
        return session.tries

    def reset_attempts(self, session: PendingSession) -> None:
        """Forget the tries of a session that did not fail by itself."""
        session.tries = 0
        folder_of_spool("tries", session.key).unlink(missing_ok=True)

    def done(self, session: PendingSession) -> None:
        """Delete a session that is stored or not wanted: by one rename, so that no half of it is ever found.

        Records filed since it was read, by another worker whose folder was deleted under it, are new again.
        """
        gone = folder_of_spool("tmp") / f"done-{session.key}-{time.time_ns()}"
        with contextlib.suppress(FileNotFoundError):  # deleted by hand
            folder_of_spool("open", session.key).rename(gone)
        for name in _names(gone) - session.read if session.read else ():
            (gone / name).rename(folder_of_spool("new", name))
        self._forget(session)
        shutil.rmtree(gone, ignore_errors=True)

    def dead_letter(self, session: PendingSession, reason: str) -> None:
        """Make a whole session a dead letter, with the reason."""
        with contextlib.suppress(FileNotFoundError):
            dead_letters.set_aside(folder_of_spool("open", session.key), reason)
        self._forget(session)

    def dead_letter_events(self, session: PendingSession, events: Iterable[Event], reason: str) -> None:
        """Make only these of a session's events a dead letter. If the worker dies, they are a session of their own."""
        apart = _made_folder(folder_of_spool("open", f"{session.key}-apart"))
        moments = {(event.at, event.order) for event in events}
        for record, event in self._read_all(session):
            if (event.at, event.order) in moments:
                record.rename(apart / record.name)
        dead_letters.set_aside(apart, reason, name=session.key)

    def _file(self, record: Path) -> None:
        header = self._read(record, read_header)
        if header is None:
            return
        session = self._session_of(header)
        folder = _made_folder(folder_of_spool("open", session.key))
        record.rename(folder / record.name)
        self._note(session, header)

    def _read_all(self, session: PendingSession) -> list[tuple[Path, Event]]:
        records = self._records(session.key)
        for record in records:
            self.postponed.pop(record.name, None)
        found = []
        for number, record in enumerate(records):
            self._let_others_go_first(number)
            if event := self._read(record, read_record):
                found.append((record, event))
        for record in records:
            if why := self.postponed.get(record.name):
                raise UnreadableForNowError(why)
        return found

    def _let_others_go_first(self, number: int) -> None:
        """A session may have many thousands of records, and a prompt cannot wait for all of them."""
        if number % RECORDS_AT_A_TIME == 0:
            self._pause()

    def _read(self, record: Path, reader: Callable[[dict[str, Any], bytes], T]) -> T | None:
        """A record as `reader` reads it; None if it is gone, is postponed, or has become a dead letter."""
        try:
            return reader(*spool.read(record))
        except FileNotFoundError:
            return None
        except spool.NewerRecord as error:
            self.postponed[record.name] = str(error)
        except OSError as error:
            if stat.S_ISREG(record.lstat().st_mode):
                self.postponed[record.name] = f"it cannot be read: {error.strerror}"
            else:
                dead_letters.set_aside(record, "it is not a file")
        except Exception as error:  # whatever is wrong with it, the others go on
            dead_letters.set_aside(record, _reason(error))
        return None

    def _session_of(self, header: EventHeader) -> PendingSession:
        """The session that an event belongs to: its own, or the open one whose prompt or transcript it names.

        An agent was seen to use two ids by turns in one conversation.
        """
        keys = _correlation_keys(header)
        known = (self._sessions_by_key[key] for key in keys if key in self._sessions_by_key)
        key = next(known, None) or _session_key(header)
        return self.sessions.get(key) or PendingSession(key, header.session_id, header.at)

    def _note(self, session: PendingSession, header: EventHeader) -> None:
        self.sessions[session.key] = session
        session.note(header)
        if header.kind is EventKind.SESSION_START and header.reason == "compact":
            self.compacted.append((header.session_id, header.at))
        for key in _correlation_keys(header):
            self._sessions_by_key[key] = session.key
            session.correlation_keys.add(key)
        self._link(session, header)

    def _link(self, session: PendingSession, header: EventHeader) -> None:
        """Note which session the same process had before: it goes on after a /clear, or a fork."""
        hooks = hooks_of(header.agent)
        if header.agent_pid is None or hooks is None or not hooks.has_one_session_per_process:
            return
        process = (header.machine, header.agent_pid)
        before = self._last_of_process.pop(process, session.session_id)
        is_start = header.kind is EventKind.SESSION_START
        if is_start and header.reason in ("clear", "fork") and before != session.session_id:
            session.follows = before
        self._last_of_process[process] = session.session_id
        if len(self._last_of_process) > MAX_AGENT_PROCESSES:
            del self._last_of_process[next(iter(self._last_of_process))]

    def _forget(self, session: PendingSession) -> None:
        del self.sessions[session.key]
        for key in session.correlation_keys:
            self._sessions_by_key.pop(key, None)
        self.reset_attempts(session)

    def _take_up_some(self) -> int:
        taken = 0
        while self._filed_before and taken < BATCH:
            self._take_up(folder_of_spool("open", self._filed_before.popleft()))
            taken += 1
        return taken

    def _take_up(self, folder: Path) -> None:
        """Take up a session that an earlier worker filed. Only the events that identify it are read."""
        if not folder.is_dir() or folder.is_symlink():
            return dead_letters.set_aside(folder, "not a session's folder")
        names = [name for name in sorted(_names(folder)) if name.endswith(IDENTIFYING_EVENTS)]
        records = [folder / name for name in names] or sorted(folder.iterdir())[:1]
        for header in filter(None, (self._read(record, read_header) for record in records)):
            session = self.sessions.get(folder.name) or PendingSession(folder.name, header.session_id, header.at)
            self._note(session, header)
        if folder.name in self.sessions:
            return None
        if not any(folder.iterdir()):
            folder.rmdir()
        elif not any(record.name in self.postponed for record in records):  # else the next worker may read it
            dead_letters.set_aside(folder, "none of its records can be read")
        return None

    def _records(self, key: str) -> list[Path]:
        folder = folder_of_spool("open", key)
        return [folder / name for name in sorted(_names(folder))]

    def sweep_temporary(self, older_than_s: float = TORN_S) -> None:
        """Delete what killed processes have left. A hook whose file is deleted too early writes it again."""
        for leftover in list(folder_of_spool("tmp").iterdir()):
            with contextlib.suppress(FileNotFoundError):  # a hook has just delivered it
                if leftover.is_dir() and not leftover.is_symlink():
                    shutil.rmtree(leftover)
                elif time.time() - leftover.lstat().st_mtime > older_than_s:
                    leftover.unlink()


def _make_folders() -> None:
    """Make the folders of the spool that are missing. Raises LinkError where one, or anything of ours, is a link."""
    refuse_links()
    spool.make()


def _made_folder(folder: Path) -> Path:
    """A session's folder, made if need be. A link of its name becomes a dead letter: a move would go through it."""
    if folder.is_symlink():
        dead_letters.set_aside(folder, "not a session's folder")
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def backlog() -> Backlog:
    """The records and sessions that wait, counted on disk, so that it is true also where no worker runs."""
    counts = {name: len(_names(Path(spool.folder(name)))) for name in ("new", "open")}
    return Backlog(new_events=counts["new"], open_sessions=counts["open"], **dead_letters.counted())


def session_key(machine: str, session_id: str) -> str:
    """The name of a session in the spool and in the log."""
    return hashlib.sha256(f"{machine}\x1f{session_id}".encode("utf-8", "replace")).hexdigest()[:32]


def oldest() -> str | None:
    """When the oldest event that waits was saved; None if none waits."""
    folders = [
        Path(spool.folder("new")),
        *(Path(spool.folder("open", name)) for name in _names(Path(spool.folder("open")))),
    ]
    first = [min(_names(folder), default="").partition("-")[0] for folder in folders]
    times = [int(digits) / 1e9 for digits in first if digits.isdigit()]
    return datetime.fromtimestamp(min(times), UTC).isoformat(timespec="seconds") if times else None


def _names(folder: Path) -> set[str]:
    """Names only: a backlog has very many."""
    try:
        return set(os.listdir(folder))  # noqa: PTH208 - a path for each would take ten times the memory
    except (FileNotFoundError, NotADirectoryError):
        return set()


def _reason(error: Exception) -> str:
    """Why a record is a dead letter, in our own words: a library's may quote the payload."""
    if type(error) in (ValueError, payload.UnreadableError):
        return str(error)
    return f"it cannot be read as a record ({type(error).__name__})"


def _session_key(header: EventHeader) -> str:
    """A folder's name for a session; never made of the payload's own characters."""
    return session_key(header.machine, header.session_id)


def _correlation_keys(header: EventHeader) -> Iterator[str]:
    """The keys that events of one session share: its prompt, or the agent's process and transcript."""
    if header.prompt_id and not header.prompt_id.isdigit():  # two sessions may both have a first one
        yield f"{header.machine}\x1f{header.prompt_id}"
    if header.transcript and header.agent_pid:
        yield f"{header.machine}\x1f{header.agent_pid}\x1f{header.transcript}"
