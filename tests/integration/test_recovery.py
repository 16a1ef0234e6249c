"""After kill -9 of the server or its owner at any moment, the next start recovers by itself and no row is lost.

`make torture` runs more rounds. Each derives its moment from its number, so that a failed round can be repeated.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

import psutil
import psycopg
import pytest

from behavior_plugin.capture import paths
from behavior_plugin.config import Settings
from behavior_plugin.errors import StoreUnavailableError
from behavior_plugin.store.embedded import account as accounts
from behavior_plugin.store.embedded import binaries
from behavior_plugin.store.embedded.binaries import Binaries
from behavior_plugin.store.embedded.server import Server
from behavior_plugin.store.opening import open_store
from behavior_plugin.store.sql_files import migrations
from tests.database import save
from tests.factories import make_pattern
from tests.integration.copying import learn, learned
from tests.integration.homes import short_home
from tests.integration.processes import has_ended, processes_on
from tests.waiting import wait_for

ROOT = Path(__file__).resolve().parents[2]
ROUNDS = int(os.environ.get("BEHAVIOR_TORTURE_ROUNDS", "1"))
ROWS = 60
# An owner that opens the store as the worker does, reports each step, and kills itself at a given moment.
OWNER = """
import os, signal, sys, threading
from pathlib import Path
from behavior_plugin.config import Settings
from behavior_plugin.errors import StoreError
from behavior_plugin.store.opening import open_store
from behavior_plugin.store.embedded import account
from behavior_plugin.store.sql_files import migrations
from tests.integration.copying import learn

account.SYSTEM_DIR, rows, (what, moment, delay_s) = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]

def kill():
    os.kill(os.getpid(), signal.SIGKILL)

def watch(event, arguments):
    if event == "os.rename" and what == "rename" and Path(os.fsdecode(arguments[1])).name == moment:
        kill()

def migrate(owner, statements):
    if statements == files.get(moment):
        threading.Timer(float(delay_s), kill).start()
    run(owner, statements)

files = {each.file.name: each.file.read_bytes() for each in migrations("behavior_patterns")}
module = sys.modules["behavior_plugin.store.migrate"]
run, module.run_script = module.run_script, migrate
sys.addaudithook(watch)
print("starting", flush=True)
store = open_store(Settings())
print("open", flush=True)
try:
    for number in range(rows):
        learn(store.patterns, f"key-{number}")
        print(number, flush=True)
except StoreError:
    print("failed", flush=True)
print("closing", flush=True)
store.close()
"""


class Owner:
    """Another process that owns the server, and its output so far."""

    all: ClassVar[list[Owner]] = []

    def __init__(self, home: Path, *die: str, rows: int = ROWS) -> None:
        Owner.all.append(self)
        self._said = Path(tempfile.mkstemp(dir=home, prefix="said-")[1])
        words = [*die, "", "", ""][:3]
        with self._said.open("w") as said:
            command = [sys.executable, "-c", OWNER, str(accounts.SYSTEM_DIR), str(rows), *words]
            self._process = subprocess.Popen(command, cwd=ROOT, stdout=said, stderr=subprocess.DEVNULL)

    @property
    def said(self) -> list[str]:
        return self._said.read_text(encoding="ascii").splitlines()

    def wait_for(self, word: str) -> None:
        wait_for(lambda: word in self.said or self._process.poll() is not None, word)

    def stored(self) -> set[str]:
        """The keys of the rows that the store acknowledged."""
        return {f"key-{word}" for word in self.said if word.isdigit()}

    def strike(self, victim: str, chance: random.Random) -> None:
        """Kill the process itself, the server or the program that creates its data, or one backend."""
        myself = psutil.Process(self._process.pid)
        with suppress(psutil.NoSuchProcess):
            family = [myself] if victim == "owner" else myself.children()
            if victim == "backend":
                family = [child for server in family for child in server.children()]
            if family:
                chance.choice(family).kill()

    def end(self) -> None:
        self._process.wait(timeout=60)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


@pytest.fixture
def home() -> Iterator[Path]:
    with short_home() as home:
        yield home
        while Owner.all:
            Owner.all.pop().kill()
        assert not processes_on(home, accounts.SYSTEM_DIR)


@pytest.fixture(scope="module")
def first_start_s() -> float:
    """The duration of a first start here, so that the moments are spread over all of it."""
    with short_home() as home:
        owner = Owner(home, rows=0)
        owner.wait_for("starting")
        began = time.monotonic()
        owner.wait_for("closing")
        took_s = time.monotonic() - began
        owner.end()
    return took_s


def next_start() -> tuple[list[str], list[str]]:
    """What the next start finds, and what there is after everything was delivered again."""
    opened = open_store(Settings())
    try:
        found = learned(opened.patterns)
        for number in range(ROWS):
            learn(opened.patterns, f"key-{number}")
        return found, learned(opened.patterns)
    finally:
        opened.close()


def check_recovery(owner: Owner) -> None:
    """The next start finds all acknowledged rows, at most one more, no duplicates and no unfinished files."""
    found, delivered_again = next_start()

    assert owner.stored() <= set(found)
    assert len(found) <= len(owner.stored()) + 1
    assert delivered_again == sorted(f"key-{number}" for number in range(ROWS))
    names = {path.name for path in Path(paths.in_data("postgres")).iterdir()}
    assert names <= {"data", "password", "server.log", "server.log.1"}


@pytest.mark.parametrize("victim", ["owner", "server", "backend"])
@pytest.mark.parametrize("number", range(ROUNDS))
def test_acknowledged_rows_survive_a_kill(home: Path, victim: str, number: int) -> None:
    """The user relies on every acknowledged row."""
    chance = random.Random(f"{victim}-{number}")
    owner = Owner(home)
    owner.wait_for(str(chance.randrange(ROWS - 1)))
    time.sleep(chance.random() * 0.01)

    owner.strike(victim, chance)
    owner.end()

    check_recovery(owner)


@pytest.mark.parametrize("victim", ["owner", "server"])
@pytest.mark.parametrize("number", range(ROUNDS))
def test_first_start_can_be_killed_at_any_moment(home: Path, first_start_s: float, victim: str, number: int) -> None:
    """It often happens on a machine that is busy installing software."""
    chance = random.Random(f"{victim}-{number}")
    owner = Owner(home)
    owner.wait_for("starting")
    time.sleep(first_start_s * (number + chance.random()) / ROUNDS)

    owner.strike(victim, chance)
    owner.end()

    check_recovery(owner)


@pytest.mark.parametrize("name", ["password", "data"])
def test_kill_before_the_data_folder_is_renamed(home: Path, name: str) -> None:
    """It is complete, but not under its name yet."""
    owner = Owner(home, "rename", name)
    owner.end()
    assert list(home.glob("postgres/init-*")) or accounts.SYSTEM_DIR.exists()

    check_recovery(owner)


def test_kill_before_a_new_password_is_renamed(home: Path) -> None:
    """The server has the new password already, and no file does."""
    Owner(home).end()
    Path(paths.in_data("postgres", "password")).unlink()

    Owner(home, "rename", "password").end()

    assert not Path(paths.in_data("postgres", "password")).exists()
    assert len(next_start()[0]) == ROWS


@pytest.mark.parametrize("number", range(ROUNDS))
def test_migration_can_be_killed_at_any_moment(home: Path, number: int) -> None:
    """Each is one transaction, so the next start finds it done or not begun."""
    chance = random.Random(number)
    migration = chance.choice(migrations("behavior_patterns"))

    owner = Owner(home, "migration", migration.file.name, str(chance.random() * 0.02))
    owner.end()

    check_recovery(owner)


@pytest.mark.parametrize("victim", ["owner", "server", "backend"])
@pytest.mark.parametrize("number", range(ROUNDS))
def test_shutdown_can_be_killed(home: Path, victim: str, number: int) -> None:
    """A machine that goes down does not wait long."""
    chance = random.Random(f"{victim}-{number}")
    owner = Owner(home)
    owner.wait_for("closing")
    time.sleep(chance.random() * 0.1)

    owner.strike(victim, chance)
    owner.end()

    check_recovery(owner)


@pytest.mark.parametrize("number", range(ROUNDS))
def test_recovery_can_be_killed(home: Path, number: int) -> None:
    """Crashes can follow each other."""
    chance = random.Random(number)
    first = Owner(home)
    first.wait_for(str(ROWS // 2))
    first.strike("server", chance)
    first.end()
    second = Owner(home, rows=0)
    second.wait_for("starting")
    time.sleep(chance.random() * 0.3)

    second.strike(chance.choice(["owner", "server"]), chance)
    second.end()

    check_recovery(first)


@pytest.mark.parametrize("number", range(ROUNDS))
def test_stop_succeeds_after_a_backend_was_killed(home: Path, number: int) -> None:
    """A fast shutdown during that recovery never ends, so we have to escalate."""
    chance = random.Random(number)
    server = Server(Path(paths.in_data("postgres")), Path(paths.make_run_folder()))
    server.start()
    pid = server.pid
    assert pid
    with psycopg.connect(server.conninfo(), autocommit=True) as connection:
        connection.execute("create table kept as select 42 as answer")
        psutil.Process(connection.info.backend_pid).kill()
        time.sleep(chance.random() * 0.1)
        server.stop()

    assert has_ended(pid)
    server.start()
    with psycopg.connect(server.conninfo()) as connection:
        assert connection.execute("select answer from kept").fetchall() == [(42,)]
    server.stop()


# Replaced programs


@pytest.fixture
def programs(tmp_path: Path) -> Binaries:
    """A copy of the installed programs that a test may damage."""
    installed = binaries.find()
    for part in (f"{installed.package}/{installed.tree}", f"{installed.package}.libs"):
        shutil.copytree(installed.site / part, tmp_path / "site" / part)
    return Binaries(tmp_path / "site", installed.package, installed.tree)


def test_server_survives_the_replacement_of_its_programs(
    home: Path, programs: Binaries, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pip update: for a moment nothing can be stored, but nothing fails permanently."""
    monkeypatch.setattr(binaries, "find", lambda: programs)
    opened = open_store(Settings())
    if accounts.SYSTEM_DIR.exists():
        opened.close()
        pytest.skip("no user namespaces here: the server runs on a copy, which nobody replaces")
    pattern = make_pattern()
    away = programs.site.with_name("away")

    programs.site.rename(away)
    with pytest.raises(StoreUnavailableError):
        save(opened.patterns, pattern, [1.0] * 1536, "model")
    shutil.copytree(away, programs.site)
    save(opened.patterns, pattern, [1.0] * 1536, "model")
    opened.close()
    later = open_store(Settings())
    found = later.patterns.newest(project=None, limit=10)
    later.close()

    assert [each.trigger for each in found] == [pattern.trigger]
