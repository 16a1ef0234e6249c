"""The embedded Postgres: one server process, our child, which lives as long as we do.

Whether it is alive is decided by connecting, never by a pid. An orphaned server is shut down and a new one started, so
that every server is our child, has our settings, and stops when we are killed.
"""

from __future__ import annotations

import os
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path

import psutil
import psycopg
from psycopg import pq
from psycopg.conninfo import make_conninfo

from behavior_plugin.capture import paths
from behavior_plugin.errors import StoreUnavailableError
from behavior_plugin.store.embedded import binaries, cluster, orphans
from behavior_plugin.store.embedded.account import Account, choose
from behavior_plugin.store.embedded.binaries import Binaries

START_TIMEOUT_S = 60
POLL_S = 0.005
MAX_POLL_S = 0.2
SETTINGS = {
    # Reachable only through a socket in a 0700 folder.
    "listen_addresses": "",
    "port": "5432",
    "unix_socket_permissions": "0700",
    # One user, a handful of connections, a laptop.
    "shared_buffers": "32MB",
    "max_connections": "20",
    "max_worker_processes": "2",
    "io_method": "sync",
    "jit": "off",
    "random_page_cost": "1.1",
    # There is no replication, so the write-ahead log can be small.
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_logical_replication_workers": "0",
    "min_wal_size": "32MB",
    "max_wal_size": "256MB",
    # A recycled segment would still have forgotten rows in it.
    "wal_recycle": "off",
    # Rows and statements are private: errors about them go to the client, not to the log.
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_statement": "none",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_checkpoints": "off",
}
# The major version that introduced a setting: an older server runs while its data is upgraded.
SINCE = {"io_method": 18}


class Server:
    """The server on the data below `folder`, with its socket in `run_folder`.

    One process at a time may own it: the worker, which holds a lock. Upgrades and tests pass `account` and `programs`;
    by default both are found.
    """

    def __init__(
        self, folder: Path, run_folder: Path, *, account: Account | None = None, programs: Binaries | None = None
    ) -> None:
        self.folder = folder
        self._run_folder = run_folder
        self._wanted_account = account
        self._wanted_programs = programs
        self._process: subprocess.Popen[bytes] | None = None
        self._log = folder / "server.log"
        # The kernel ends the server when the *thread* that started it ends, so it has its own thread.
        self._keeper = ThreadPoolExecutor(max_workers=1, thread_name_prefix="postgres")

    def start(self) -> None:
        """Start the server, creating its data the first time, and wait until it answers.

        Call it again whenever the server does not answer, from any thread, but one at a time. The server stops with
        `stop`, when this object is deleted, and when our process ends for any reason.

        Raises:
            StoreUnavailableError: the message quotes the server's output.
        """
        if self.is_alive():
            return
        self.stop()
        try:
            programs = self._prepare()
            self._launch(programs, deadline=time.monotonic() + START_TIMEOUT_S)
        except (OSError, subprocess.SubprocessError) as error:
            raise StoreUnavailableError(f"The embedded Postgres cannot be started: {error}") from error

    def stop(self) -> None:
        """Shut the server down and wait until it is gone; do nothing if it does not run."""
        process, self._process = self._process, None
        if process and process.poll() is None:
            orphans.end(psutil.Process(process.pid))
            process.wait()

    def is_alive(self) -> bool:
        """Whether the server that we started answers."""
        return self.pid is not None and self._ping() == pq.Ping.OK

    def conninfo(self, user: str = "postgres", dbname: str = "postgres") -> str:
        """The connection string. It contains the password: never log it."""
        return make_conninfo(self._address(), user=user, dbname=dbname, password=self.password)

    @property
    def password(self) -> str:
        """The superuser's password; never log it."""
        return cluster.read_password(self._password_file)

    @property
    def pid(self) -> int | None:
        """The server's process, if it runs as our child."""
        return self._process.pid if self._process and self._process.poll() is None else None

    @property
    def data(self) -> Path:
        """The data folder; as root it may be outside `folder` (see `account.as_another`)."""
        return self.account.data

    @cached_property
    def account(self) -> Account:
        """The account that it runs as."""
        paths.make_private(str(self.folder))  # the choice depends on the accounts that can write to it
        return self._wanted_account or choose(self.folder, self._run_folder, binaries.find())

    @property
    def _password_file(self) -> Path:
        return self.folder / "password"

    def _prepare(self) -> Binaries:
        """Prepare the folders, the data and the password for a start; returns the programs."""
        self.account.prepare()
        self._end_orphan()
        cluster.settle_upgrade(self.account.place)
        for place in {self.folder, self.account.place, self.account.sockets}:
            cluster.remove_unfinished(place)
        programs = self.account.programs(self._wanted_programs or binaries.find())
        if not self.data.exists():
            cluster.make_password(self._password_file)
            cluster.make_data(self.account, programs, password=self.password, log=self._log)
        cluster.check_major(self.data, programs)
        if not self._password_file.exists():
            cluster.renew_password(self.account, programs, self._password_file, log=self._log)
        return programs

    def _end_orphan(self) -> None:
        orphans.end_server_on(self.data)
        if self._ping() != pq.Ping.NO_RESPONSE:
            raise StoreUnavailableError(
                f"Another server already answers in {self.account.sockets}.", hint="Stop it, then try again."
            )

    def _launch(self, programs: Binaries, *, deadline: float) -> None:
        """Start the process until it stays up, which takes a second attempt after a stale lock file."""
        while True:
            self._process = self._keeper.submit(self._spawn, programs).result()
            if self._wait_until_ready(deadline):
                return self._check_login()
            if time.monotonic() > deadline or not self._can_retry():
                self.stop()
                raise self._failure(f"does not start: {cluster.log_tail(self._log)}")

    def _spawn(self, programs: Binaries) -> subprocess.Popen[bytes]:
        sockets = str(self.account.sockets).replace('"', '""')
        settings = {**SETTINGS, "unix_socket_directories": f'"{sockets}"'}
        known = {name: value for name, value in settings.items() if SINCE.get(name, 0) <= int(programs.major)}
        options = [word for name, value in known.items() for word in ("-c", f"{name}={value}")]
        command = self.account.command(programs.program("postgres"), "-D", str(self.data), *options)
        with cluster.open_log(self._log) as output:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=cluster.environment(),
                cwd="/",
                umask=0o077,
                start_new_session=True,
            )

    def _wait_until_ready(self, deadline: float) -> bool:
        """Wait until the server accepts connections; False if it ended or the deadline passed."""
        pause_s = POLL_S
        while self.pid is not None and time.monotonic() < deadline:
            if self._ping() == pq.Ping.OK:
                return True
            time.sleep(pause_s)
            pause_s = min(1.2 * pause_s, MAX_POLL_S)  # each failed attempt adds a line to the log
        return False

    def _can_retry(self) -> bool:
        if self._ping() != pq.Ping.NO_RESPONSE:
            return False
        if orphans.remove_stale_locks(self.data, self.account.sockets):
            return True
        if "is still in use" in cluster.log_tail(self._log):  # the last children of a killed server are ending
            time.sleep(MAX_POLL_S)
            return True
        return False

    def _check_login(self) -> None:
        """Log in once, so that an unusable server is found here and not by the first query."""
        try:
            with psycopg.connect(self.conninfo()) as connection:
                connection.execute("select 1")
        except (psycopg.Error, StoreUnavailableError) as error:
            self.stop()
            hint = f"If the password is wrong, remove {self._password_file}: the next start creates a new one."
            raise self._failure(f"refuses our login: {error}", hint=hint) from error

    def _failure(self, what: str, *, hint: str = "") -> StoreUnavailableError:
        return StoreUnavailableError(f"The embedded Postgres {what}", hint=hint or f"The whole log is {self._log}.")

    def _address(self) -> str:
        # PGHOSTADDR and PGOPTIONS in the user's shell are meant for other servers; a frozen server never answers.
        return make_conninfo(host=str(self.account.sockets), hostaddr="", port=5432, options="", connect_timeout=5)

    def _ping(self) -> pq.Ping:
        return pq.Ping(pq.PGconn.ping(os.fsencode(self._address())))
