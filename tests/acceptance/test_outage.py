"""The whole product while a database of the user's own fails: no event is lost or stored twice."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from behavior_plugin import api
from behavior_plugin.capture import paths
from behavior_plugin.errors import StoreUnavailableError
from behavior_plugin.store.embedded.server import Server
from behavior_plugin.worker.client import Client, start_worker
from behavior_plugin.worker.learner import TRIES
from behavior_plugin.worker.lifecycle import stop_worker
from tests.acceptance.sessions import TASK, Session, behavior, in_spool, processes_of, worker_pid
from tests.database import LOGIN
from tests.settings import configure
from tests.tcp_proxy import Fault, TcpProxy
from tests.waiting import wait_for

# An assertion reports the failure, perhaps after several waits.
pytestmark = [pytest.mark.timeout(300), pytest.mark.usefixtures("clean_ending", "no_embedder")]

# The worker's pauses between its attempts grow.
BACK_S = 60.0
ANSWER_S = 20.0
# Two commands, each of which starts a Python, and one of them a worker.
AT_ONCE_S = 30.0
NETWORK = [Fault.REFUSE, Fault.BLACK_HOLE, Fault.RESET]
EVIDENCE, PATTERNS = "behavior.episodes", "public.behavior_patterns"


@pytest.fixture
def proxy(server: Server, database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[TcpProxy]:
    """The connection to a database of the user's own."""
    with TcpProxy(server.conninfo()).serving() as serving:
        configure(database_url=serving.conninfo(server.conninfo(LOGIN, database)))
        yield serving


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return tmp_path / "project"


@contextmanager
def changed_database(server: Server, database: str, change: str, back: str) -> Iterator[None]:
    """Change the database for a while, and close its connections each time as a restart does."""
    end = "select pg_terminate_backend(pid, 10000) from pg_stat_activity where datname = %s and pid <> pg_backend_pid()"
    for statement in (change, back):
        writing = "-c default_transaction_read_only=off"
        with psycopg.connect(server.conninfo(dbname=database), autocommit=True, options=writing) as owner:
            owner.execute(statement.format(database=database))
            owner.execute(end, [database])
        if statement is change:
            yield


PATTERNS_AWAY = "the table is not there"
SERVER: dict[str, Callable[[Server, str], AbstractContextManager[None]]] = {
    "no connection is left": lambda server, database: changed_database(
        server,
        database,
        "alter database {database} connection limit 0",
        "alter database {database} connection limit -1",
    ),
    "it only reads": lambda server, database: changed_database(
        server,
        database,
        "alter database {database} set default_transaction_read_only = on",
        "alter database {database} reset default_transaction_read_only",
    ),
    "the evidence is not there": lambda server, database: changed_database(
        server, database, f"alter table {EVIDENCE} rename to away", "alter table behavior.away rename to episodes"
    ),
    # The evidence is saved then, and the session is done: its pattern is computed later.
    PATTERNS_AWAY: lambda server, database: changed_database(
        server,
        database,
        f"alter table {PATTERNS} rename to away",
        "alter table public.away rename to behavior_patterns",
    ),
}


def play(project: Path, count: int = 1) -> list[Session]:
    """Play whole sessions; each hook must exit with 0 within the client's time limit."""
    return [Session(project).work().end() for _ in range(count)]


def rows(owner: psycopg.Connection) -> Counter[str]:
    """The number of stored turns of each session, read without worker or proxy."""
    asked = f"select session_id from {EVIDENCE}, jsonb_array_elements(turns)"
    return Counter(session for (session,) in owner.execute(asked.encode()))


def is_stored(owner: psycopg.Connection, *sessions: Session) -> bool:
    """Whether these sessions, and no others, have one turn each, all of them in one pattern, and the spool is empty."""
    assert not in_spool("dead"), "a session became a dead letter"
    patterns = owner.execute(f"select (workflow ->> 'times')::int from {PATTERNS}".encode()).fetchall()
    is_complete = rows(owner) == Counter(session.id for session in sessions) and patterns == [(len(sessions),)]
    return is_complete and not in_spool("open") and not in_spool("new")


def wait_until_stored(owner: psycopg.Connection, *sessions: Session) -> None:
    wait_for(lambda: is_stored(owner, *sessions), "one turn for each session", within_s=BACK_S)


def state() -> dict[str, Any]:
    """The worker's state; does not wait for a worker that hangs with its database."""
    return Client(is_starting=False, within_s=ANSWER_S).status().model_dump()


def wait_until_reported(count: int) -> str:
    """Wait until the worker has so many open sessions and reports an error; returns the error."""
    return str(
        wait_for(
            lambda: (found := state())["open_sessions"] == count and found["new_events"] == 0 and found["last_error"],
            "the sessions wait and the worker reports an error",
            within_s=BACK_S,
        )
    )


def wait_until_tried(times: int) -> None:
    """Wait for so many failed attempts: each is a line of the worker's log, among those of the connections."""
    log = Path(paths.in_data("worker.log"))
    failure = re.compile(r"(WARNING|ERROR) (The pattern store|your own Postgres|session )")

    wait_for(lambda: len(failure.findall(log.read_text())) >= times, f"{times} tries", within_s=BACK_S)


# The network


@pytest.mark.parametrize("fault", NETWORK, ids=lambda fault: fault.name)
def test_a_network_outage_loses_no_session(
    fault: Fault, project: Path, proxy: TcpProxy, owner: psycopg.Connection
) -> None:
    """Users continue their work, and it is learned when the network is back."""
    before = play(project)
    wait_until_stored(owner, *before)
    pid = worker_pid()

    proxy.begin(fault)
    during = play(project, 2)
    wait_until_reported(2)
    proxy.end()

    wait_until_stored(owner, *before, *during)
    assert state()["pid"] == pid
    assert state()["last_error"] == ""


@pytest.mark.parametrize("fault", NETWORK, ids=lambda fault: fault.name)
def test_a_network_outage_before_the_workers_start_loses_no_session(
    fault: Fault, project: Path, proxy: TcpProxy, owner: psycopg.Connection
) -> None:
    """A laptop opened in the train has no network until it arrives."""
    proxy.begin(fault)
    during = play(project, 2)
    reported = wait_until_reported(2)
    proxy.end()

    after = play(project)
    wait_until_stored(owner, *during, *after)
    assert "database_url in config.toml" in reported


def test_a_slow_network_loses_no_session(project: Path, proxy: TcpProxy, owner: psycopg.Connection) -> None:
    """No hook waits for the database, however far away it is."""
    proxy.begin(Fault.SLOW)

    wait_until_stored(owner, *play(project, 2))

    assert proxy.met
    assert state()["last_error"] == ""


@pytest.mark.parametrize(
    ("fault", "moment"),
    [
        (Fault.RESET, b"BEGIN"),
        (Fault.RESET, b"insert into"),
        (Fault.RESET, b"COMMIT\0"),
        (Fault.BLACK_HOLE, b"insert into"),
        (Fault.BLACK_HOLE, b"COMMIT\0"),
        (Fault.LOSE_ANSWER, b"insert into"),
        (Fault.LOSE_ANSWER, b"COMMIT\0"),
    ],
    ids=lambda value: value.name if isinstance(value, Fault) else value.decode(),
)
def test_an_interrupted_transaction_is_repeated_and_stores_one_row(
    fault: Fault, moment: bytes, project: Path, proxy: TcpProxy, owner: psycopg.Connection
) -> None:
    """Without an answer to the commit its result is unknown, so it is repeated and must change nothing."""
    is_done = (fault, moment) == (Fault.LOSE_ANSWER, b"COMMIT\0")
    proxy.begin(fault, at=moment)
    during = play(project, 2)
    wait_until_reported(2)
    assert proxy.met
    wait_for(lambda: bool(rows(owner)) is is_done, "a row where the commit was done, and none where it was not")
    proxy.end()

    wait_until_stored(owner, *during)


def test_a_worker_killed_after_an_unanswered_commit_stores_one_row(
    project: Path, own_home: Path, proxy: TcpProxy, owner: psycopg.Connection
) -> None:
    """The next worker finds the session in the spool, and its row in the table."""
    proxy.begin(Fault.LOSE_ANSWER, at=b"COMMIT\0")
    during = play(project)
    wait_for(lambda: rows(owner), "the commit is done, and nobody hears of it")
    os.kill(int(state()["pid"]), signal.SIGKILL)
    wait_for(lambda: not processes_of(own_home), "the worker is gone")
    assert len(in_spool("open")) == 1
    proxy.end()

    wait_for(lambda: start_worker() or worker_pid(), "another worker")

    wait_until_stored(owner, *during)


def test_suggestions_stop_during_an_outage_and_return_after_it(
    project: Path, proxy: TcpProxy, owner: psycopg.Connection
) -> None:
    """Waiting for a suggestion is not worthwhile, and a missing one is no reason to stop suggesting."""
    wait_until_stored(owner, *play(project))
    proxy.begin(Fault.BLACK_HOLE)
    prompts = [Session(project).ask(TASK) for _ in range(3)]
    proxy.end()

    later = wait_for(lambda: Session(project).ask(TASK).stdout, "a suggestion", within_s=BACK_S)

    assert [run.stdout for run in prompts] == [""] * 3
    assert TASK in later


@pytest.mark.parametrize("moment", [b"", b"to_regclass", b"insert into"], ids=["connect", "open", "save"])
def test_a_worker_without_database_answers_stops_on_request(
    moment: bytes, project: Path, own_home: Path, proxy: TcpProxy
) -> None:
    """Otherwise it would block the next worker, perhaps with yesterday's password."""
    proxy.begin(Fault.BLACK_HOLE, at=moment)
    play(project)
    wait_for(lambda: proxy.met, "the worker waits for an answer")

    assert stop_worker()

    wait_for(lambda: not processes_of(own_home), "the end of all processes")
    assert len(in_spool("open") or in_spool("new")) >= 1


def test_a_worker_without_its_database_ends_after_its_last_agent(
    project: Path, own_home: Path, proxy: TcpProxy, owner: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A week's outage must not keep a process alive for a week; the worker of the next session takes over."""
    configure(idle_timeout_s=0.5)
    proxy.begin(Fault.BLACK_HOLE)
    during = play(project)

    wait_for(lambda: not processes_of(own_home), "the end of all processes", within_s=BACK_S)
    proxy.end()

    wait_until_stored(owner, *during, *play(project))


def test_commands_report_an_outage(project: Path, proxy: TcpProxy, owner: psycopg.Connection) -> None:
    """Users would believe an empty answer."""
    wait_until_stored(owner, *play(project))
    proxy.begin(Fault.REFUSE)
    play(project)
    wait_until_reported(1)

    with pytest.raises(StoreUnavailableError, match="database_url"):
        Client(is_starting=False, within_s=BACK_S).drain(api.Drain())
    assert (state()["store"], state()["patterns"]) == ("not open", None)

    proxy.end()
    wait_for(lambda: state()["patterns"] == 1, "the patterns are counted again", within_s=BACK_S)


def test_the_log_of_an_outage_does_not_name_the_database(
    project: Path, server: Server, database: str, proxy: TcpProxy, owner: psycopg.Connection
) -> None:
    """People paste logs into bug reports, and libraries write into them too."""
    wait_until_stored(owner, *play(project))
    owner.close()
    with SERVER["no connection is left"](server, database):
        play(project)
        wait_until_reported(1)
    stop_worker()

    log = Path(paths.in_data("worker.log")).read_text(encoding="utf-8")

    assert "WARNING The pattern store" in log
    assert not [part for part in ("127.0.0.1", LOGIN, database) if part in log]


# The server


@pytest.mark.parametrize("fault", SERVER)
def test_a_server_that_refuses_all_rows_for_a_while_loses_no_session(
    fault: str, project: Path, server: Server, database: str, proxy: TcpProxy, owner: psycopg.Connection
) -> None:
    """A failure of every session is no session's fault, so none becomes a dead letter, after any number of attempts."""
    before = play(project)
    wait_until_stored(owner, *before)
    owner.close()
    with SERVER[fault](server, database):
        during = play(project)
        for _ in range(TRIES):
            behavior("worker", "drain")  # each tries at once, where the worker alone would wait ever longer
        wait_until_tried(TRIES)
        wait_until_reported(0 if fault == PATTERNS_AWAY else 1)

    behavior("worker", "drain")
    with psycopg.connect(server.conninfo(dbname=database), autocommit=True) as anew:
        wait_until_stored(anew, *before, *during)


def test_a_session_that_always_fails_does_not_delay_others(
    project: Path, proxy: TcpProxy, owner: psycopg.Connection
) -> None:
    """A statement that times out looks like a busy server each time, yet its row is the cause."""
    slow = Session(project)
    owner.execute(
        f"""
        create function public.too_slow() returns trigger language plpgsql as
        $$ begin raise 'too slow' using errcode = 'query_canceled'; end $$;
        create trigger too_slow before insert on {EVIDENCE} for each row
          when (new.session_id = '{slow.id}') execute function public.too_slow()""".encode()
    )
    slow.work().end()
    wait_until_reported(1)

    others = play(project, 2)

    wait_for(lambda: rows(owner) == Counter(session.id for session in others), "the others are stored", within_s=BACK_S)
    assert state()["open_sessions"] == 1
    assert not in_spool("dead")


def test_a_read_only_server_still_serves_suggestions(
    project: Path, server: Server, database: str, proxy: TcpProxy, owner: psycopg.Connection
) -> None:
    """A failure to note the suggestion is no reason not to make it."""
    wait_until_stored(owner, *play(project))
    owner.close()
    with SERVER["it only reads"](server, database):
        found = wait_for(lambda: Session(project).ask(TASK).stdout, "a suggestion", within_s=BACK_S)

    assert TASK in found


def test_users_do_not_notice_a_restart_of_the_server(project: Path, proxy: TcpProxy, owner: psycopg.Connection) -> None:
    """The connections are closed, and the next session is the first to find out."""
    before = play(project)
    wait_until_stored(owner, *before)
    owner.execute("select pg_terminate_backend(pid, 10000) from pg_stat_activity where usename = %s", [LOGIN])

    wait_until_stored(owner, *before, *play(project, 2))


def test_a_wrong_password_is_reported_and_never_written(
    project: Path, server: Server, database: str, proxy: TcpProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fault does not pass by itself, so the user needs the reason, and the network must not get the blame."""
    wrong = make_conninfo(proxy.conninfo(server.conninfo(LOGIN, database)), password="canary-7f3a9c")
    configure(database_url=wrong)
    play(project)

    reported = wait_until_reported(1)

    assert "password" in reported
    assert "canary-7f3a9c" not in reported + Path(paths.in_data("worker.log")).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("wrong", "remedy"),
    [({"password": "canary-7f3a9c"}, "Correct the login or its password"), ({"dbname": "nowhere"}, "database's name")],
    ids=["password", "database"],
)
def test_a_permanent_refusal_is_reported_at_once_and_once(
    wrong: dict[str, str], remedy: str, server: Server, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A minute of silence looks like a hang, and a user who looks for the fault needs the hint."""
    configure(database_url=make_conninfo(server.conninfo(LOGIN, database), **wrong))
    began = time.monotonic()

    listed = behavior("list")
    examined = behavior("doctor", "--json")

    assert time.monotonic() - began < AT_ONCE_S
    assert listed.returncode == examined.returncode == 1
    assert remedy in listed.stderr
    failed = {check["name"]: check for check in json.loads(examined.stdout) if not check["is_ok"]}
    assert list(failed) == ["store", "probe"]
    assert remedy in failed["store"]["hint"]
    assert failed["probe"]["found"] == "Skipped: the store does not work."
    assert "behavior doctor" not in examined.stdout
    assert not in_spool("new")
    assert not in_spool("open")


def test_a_command_works_as_soon_as_the_cause_is_mended(
    project: Path, proxy: TcpProxy, owner: psycopg.Connection
) -> None:
    """The worker pauses between its attempts, but must not make a waiting person pause."""
    proxy.begin(Fault.REFUSE)
    play(project)
    wait_until_reported(1)
    with pytest.raises(StoreUnavailableError, match="database_url"):
        Client(is_starting=False, within_s=ANSWER_S).list_patterns(api.ListPatterns())
    proxy.end()

    assert isinstance(Client(is_starting=False, within_s=ANSWER_S).list_patterns(api.ListPatterns()), list)
