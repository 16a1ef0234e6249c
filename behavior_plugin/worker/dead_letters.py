"""Dead letters: events that could not be read or learned from, redacted, each with the reason.

dead/NAME is a record, or the folder of a session's records; dead/NAME.reason has the reason. One rename brings a letter
here, so that it is never in two places; only then is it redacted, in place, while its reason is named NAME.unclean. If
the worker dies in between, the next one finishes the job.

A letter is deleted after 30 days. Of more than MAX_DEAD_LETTERS, or MAX_BYTES, the oldest go first.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from behavior_plugin.agents.fields import parse_json
from behavior_plugin.capture import paths, spool
from behavior_plugin.redact import Limits, redact, redact_value
from behavior_plugin.worker.links import folder_of_spool

KEPT = timedelta(days=30)
MAX_DEAD_LETTERS = 1_000
MAX_BYTES = 256 * 1024 * 1024
# For a readable payload, and for an unreadable one.
LIMITS = Limits(string=20_000, entries=500, depth=16)
TEXT_LIMIT = 64_000
MAX_NAME_CHARS = 200
# File-name suffixes beside a letter: its reason, under the second name until the letter is redacted.
ENDINGS = (".reason", ".unclean")
# Twice the longest payload that a hook saves.
MAX_RECORD_BYTES = 16 * 1024 * 1024
MAX_REASON_BYTES = 4096


@dataclass(frozen=True)
class DeadLetter:
    """One dead letter: `id` is short and stays the same, `size` is in bytes."""

    id: str
    path: Path
    reason: str
    set_aside_at: datetime
    records: int
    size: int


def set_aside(what: Path, reason: str, *, name: str = "") -> None:
    """Make a record, or a session's folder, a dead letter.

    On a full disk redaction may have to wait (see `clean_up`).

    Raises:
        OSError: it cannot be moved, and stays where it is.
    """
    letter = _free(_folder() / _fit(name or what.name))
    _write(_beside(letter, "unclean"), f"{reason}\n".encode("utf-8", "replace"))
    what.rename(letter)
    with contextlib.suppress(OSError):
        _clean(letter)


def clean_up() -> None:
    """Redact the letters that are not redacted yet, and make sure that each has a reason and each reason a letter.

    Raises:
        OSError: that is still not possible.
    """
    for letter in [path for path in _folder().iterdir() if path.suffix not in ENDINGS]:
        if not any(os.path.lexists(f"{letter}{ending}") for ending in ENDINGS):
            _write(_beside(letter, "unclean"), b"its reason is gone\n")
    for mark in list(_folder().glob("*.unclean")):
        _clean(mark.with_suffix(""))
    for mark in list(_folder().glob("*.reason")):
        if not os.path.lexists(mark.with_suffix("")):
            mark.unlink(missing_ok=True)


def letters() -> list[DeadLetter]:
    """All dead letters, the oldest first."""
    marks = [mark for mark in _folder().iterdir() if mark.suffix in ENDINGS] if _folder().is_dir() else []
    found = [_letter(mark) for mark in marks if os.path.lexists(mark.with_suffix(""))]
    return sorted(found, key=lambda letter: (letter.set_aside_at, letter.path.name))


def retry(letter: DeadLetter) -> int:
    """Move a letter's records back to the new ones; returns how many.

    The worker may make one of them a dead letter again at once; that is a new letter, and is left alone.
    """
    spool.make()
    new = folder_of_spool("new")
    records = records_of(letter.path)
    for record in records:
        record.rename(new / record.name)
    with contextlib.suppress(OSError):
        letter.path.rmdir()
    if not os.path.lexists(letter.path):
        _forget(letter)
    return len(records)


def redact_again(*, is_dry_run: bool) -> int:
    """Apply the present rules for secrets to the letters; returns how many change.

    Raises:
        OSError: a letter cannot be rewritten; repeat it.
    """
    return sum(_redact_again(letter.path, is_dry_run=is_dry_run) for letter in letters())


def delete(letter: DeadLetter) -> None:
    """Delete a letter, or the rest of one."""
    if _is_folder(letter.path):
        shutil.rmtree(letter.path)
    else:
        letter.path.unlink(missing_ok=True)
    _forget(letter)


def enforce_limits(is_old: Callable[[DeadLetter], bool]) -> int:
    """Delete the letters that are too old or too many; returns how many."""
    found = letters()
    gone = {*_beyond(found), *filter(is_old, found)}
    for letter in gone:
        delete(letter)
    return len(gone)


def records_of(letter: Path) -> list[Path]:
    """The records of a letter, in their order; of a session that was set aside as a whole, those in its folder."""
    return sorted(letter.iterdir()) if _is_folder(letter) else [letter]


def counted() -> dict[str, int]:
    """The number of dead letters, for the backlog; there need be no spool."""
    folder = Path(spool.folder("dead"))
    names: Iterable[str] = os.listdir(folder) if folder.is_dir() else ()  # noqa: PTH208 - only names are wanted
    return {"dead_letters": sum(name.endswith(ENDINGS) for name in names)}


def _forget(letter: DeadLetter) -> None:
    for ending in ENDINGS:
        Path(f"{letter.path}{ending}").unlink(missing_ok=True)


def _beyond(found: list[DeadLetter]) -> Iterator[DeadLetter]:
    size = 0
    for number, letter in enumerate(reversed(found), start=1):
        size += letter.size
        if number > MAX_DEAD_LETTERS or size > MAX_BYTES:
            yield letter


def _letter(mark: Path) -> DeadLetter:
    path = mark.with_suffix("")
    records = records_of(path)
    return DeadLetter(
        id=hashlib.sha256(os.fsencode(path.name)).hexdigest()[:8],
        path=path,
        reason=_reason(mark),
        set_aside_at=datetime.fromtimestamp(mark.lstat().st_mtime, UTC),
        records=len(records),
        size=sum(record.lstat().st_size for record in records),
    )


def _reason(mark: Path) -> str:
    try:
        with open(mark, "rb", opener=paths.open_carefully) as source:
            return source.read(MAX_REASON_BYTES).decode("utf-8", "replace").strip()
    except OSError:
        return "its reason cannot be read"


def _write(file: Path, content: bytes) -> None:
    """Write a new file; a link of its name is not followed."""
    paths.write_new_file(str(file), content)


def _clean(letter: Path) -> None:
    """Rewrite each record of a letter, redacted; repeating it changes nothing."""
    if not os.path.lexists(letter):
        return _beside(letter, "unclean").unlink(missing_ok=True)
    for record in records_of(letter):
        with contextlib.suppress(PermissionError):  # somebody took the right to read it away, so nobody reads it
            if stat.S_ISREG(record.lstat().st_mode):
                _replace(record, _without_secrets(_beginning(record)))
    _beside(letter, "unclean").rename(_beside(letter, "reason"))
    return None


def _redact_again(letter: Path, *, is_dry_run: bool) -> bool:
    is_changed = False
    for record in records_of(letter):
        with contextlib.suppress(PermissionError):
            if stat.S_ISREG(record.lstat().st_mode):
                before = _beginning(record)
                after = _without_secrets(before)
                is_changed = is_changed or after != before
                if after != before and not is_dry_run:
                    _replace(record, after)
    return is_changed


def _beginning(record: Path) -> bytes:
    with open(record, "rb", opener=paths.open_carefully) as source:
        return source.read(MAX_RECORD_BYTES)


def _without_secrets(record: bytes) -> bytes:
    head, _, payload = record.partition(b"\n")
    try:
        envelope = json.loads(head)
        if not isinstance(envelope, dict):
            raise TypeError
    except (ValueError, TypeError, RecursionError):
        return _as_text(record)
    kept = _as_json(payload)
    return json.dumps({**redact_value(envelope, LIMITS), "size": len(kept)}).encode() + b"\n" + kept


def _as_json(payload: bytes) -> bytes:
    try:
        return json.dumps(redact_value(parse_json(payload), LIMITS)).encode()
    except (ValueError, RecursionError):
        return _as_text(payload)


def _as_text(raw: bytes) -> bytes:
    return redact(raw.decode("utf-8", errors="replace"), TEXT_LIMIT).encode("utf-8", errors="replace")


def _replace(record: Path, content: bytes) -> None:
    new = folder_of_spool("tmp") / f"clean-{time.time_ns()}"
    try:
        _write(new, content)
        new.replace(record)
    finally:
        with contextlib.suppress(FileNotFoundError):
            new.unlink()


def _fit(name: str) -> str:
    """A name that leaves room for our suffixes, and does not end in one of them."""
    is_fit = len(os.fsencode(name)) <= MAX_NAME_CHARS and not name.endswith(ENDINGS)
    return name if is_fit else hashlib.sha256(os.fsencode(name)).hexdigest()


def _free(letter: Path) -> Path:
    is_taken = any(os.path.lexists(f"{letter}{ending}") for ending in ("", *ENDINGS))
    return letter.with_name(f"{letter.name}-{time.time_ns()}") if is_taken else letter


def _beside(letter: Path, ending: str) -> Path:
    return letter.with_name(f"{letter.name}.{ending}")


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _folder() -> Path:
    return folder_of_spool("dead")
