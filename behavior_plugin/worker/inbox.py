"""The spool's other end: file new records by session, tell which sessions are over, set aside what cannot be read.

A record moves by renaming, new/ to open/<session>/, and is deleted only when its session is stored; whenever the
worker dies, the next one finds everything where it was.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import psutil

from behavior_plugin import wire
from behavior_plugin.capture import spool
from behavior_plugin.model import Event, EventKind
from behavior_plugin.worker import PROBE

# A session whose host is not known counts as over after this much silence.
SILENCE_S = 30 * 60
# A temporary file older than this was left by a hook that was killed.
TORN_S = 60 * 60


@dataclass
class Session:
    """A session that is not stored yet. `seen` is monotonic: when its last event was filed.

    `delays` counts how often the store did not take it, `tries` how often it failed by itself.
    """

    key: str
    session_id: str
    host_pid: int | None
    last_at: datetime
    seen: float
    events: int = 0
    is_ended: bool = False
    delays: int = 0
    tries: int = 0

    @property
    def is_probe(self) -> bool:
        return self.session_id.startswith(PROBE)

    def is_over(self, quiet_s: float) -> bool:
        """Ended, or left by its host, and quiet for long enough that no event is still on its way."""
        quiet = time.monotonic() - self.seen
        return quiet >= (quiet_s if self.is_ended or self.host_pid else SILENCE_S) and not self.is_live()

    def is_live(self) -> bool:
        if self.is_ended:
            return False
        return is_running(self.host_pid, self.last_at) if self.host_pid else self.is_recent()

    def is_recent(self) -> bool:
        return time.monotonic() - self.seen < SILENCE_S


class Inbox:
    """The sessions that wait in the spool. To be used from one thread."""

    def __init__(self) -> None:
        spool.make()
        self.sessions: dict[str, Session] = {}
        self._sweep_temporary()
        for folder in _folder("open").iterdir():
            if not folder.is_dir():
                _bury(folder, "not a session's folder")
                continue
            if not any(folder.iterdir()):
                folder.rmdir()
                continue
            for record in sorted(folder.iterdir()):
                self._file(record, folder.name)

    def sort(self) -> int:
        """File what is new; returns how many records that were."""
        records = sorted(_folder("new").iterdir())
        for record in records:
            self._file(record, None)
        return len(records)

    def events(self, session: Session) -> list[Event]:
        """Everything that was filed for a session, in order of arrival."""
        records = sorted(_folder("open", session.key).iterdir())
        return [wire.parse(*spool.read(record)) for record in records]

    def done(self, session: Session) -> None:
        """Forget a session that is stored or not wanted: by one rename, so that no half of it is ever found."""
        gone = _folder("tmp") / f"done-{session.key}-{time.time_ns()}"
        _folder("open", session.key).rename(gone)
        del self.sessions[session.key]
        shutil.rmtree(gone)

    def bury(self, session: Session, reason: str) -> None:
        """Set a whole session aside, with the reason."""
        _bury(_folder("open", session.key), reason)
        del self.sessions[session.key]

    def _file(self, record: Path, key: str | None) -> None:
        try:
            event = wire.parse(*spool.read(record))
        except FileNotFoundError:
            return
        except Exception as error:  # whatever is wrong with it, the others go on
            _bury(record, _reason(error))
            return
        self._note(event)
        if key is None:
            folder = _folder("open", _key(event))
            folder.mkdir(mode=0o700, exist_ok=True)
            record.rename(folder / record.name)

    def _note(self, event: Event) -> None:
        key = _key(event)
        if key not in self.sessions:
            self.sessions[key] = Session(key, event.session_id, event.host_pid, event.at, time.monotonic())
        session = self.sessions[key]
        session.events += 1
        session.seen = time.monotonic()
        session.last_at = max(session.last_at, event.at)
        session.host_pid = event.host_pid or session.host_pid
        if event.kind is EventKind.SESSION_END:
            session.is_ended = True
        elif event.kind in (EventKind.SESSION_START, EventKind.PROMPT):
            # Taken up again under its old id. Any other event after the end is only late.
            session.is_ended = False

    def _sweep_temporary(self) -> None:
        for left in _folder("tmp").iterdir():
            with contextlib.suppress(FileNotFoundError):  # a hook has just delivered it
                if left.is_dir():
                    shutil.rmtree(left)
                elif time.time() - left.stat().st_mtime > TORN_S:
                    left.unlink()


def waiting() -> dict[str, int]:
    """How many records and sessions wait, counted on disk: true also where no worker runs."""
    counts = {name: _count(_folder(name)) for name in ("new", "open")}
    dead = _folder("dead")
    letters = sum(letter.suffix != ".reason" for letter in dead.iterdir()) if dead.is_dir() else 0
    return {"new_events": counts["new"], "open_sessions": counts["open"], "dead_letters": letters}


def is_running(pid: int, since: datetime) -> bool:
    """Whether the process that had this id at that time still runs: ids are used again."""
    try:
        process = psutil.Process(pid)
        return bool(process.status() != psutil.STATUS_ZOMBIE and process.create_time() <= since.timestamp() + 1)
    except psutil.Error:
        return False


def _count(folder: Path) -> int:
    return sum(1 for _ in folder.iterdir()) if folder.is_dir() else 0


def _bury(what: Path, reason: str) -> None:
    grave = _folder("dead") / what.name
    if grave.exists():
        grave = grave.with_name(f"{what.name}-{time.time_ns()}")
    grave.with_name(grave.name + ".reason").write_text(reason + "\n", encoding="utf-8")
    what.rename(grave)


def _reason(error: Exception) -> str:
    """Why a record is set aside, in words of ours: those of a library may quote the payload."""
    if type(error) in (ValueError, wire.UnreadableError):
        return str(error)
    return f"it cannot be read as a record ({type(error).__name__})"


def _key(event: Event) -> str:
    """A folder's name for a session; never made of the payload's own characters."""
    return hashlib.sha256(f"{event.machine}\x1f{event.session_id}".encode("utf-8", "replace")).hexdigest()[:32]


def _folder(*names: str) -> Path:
    return Path(spool.folder(*names))
