"""A project steers nothing: the `env` of its settings reaches hooks and commands, and no other project's work.

The agent is the real client, and each test goes on in another folder, as the user does. `by_command` is what the
assistant may run in such a session, with the same variables.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import psycopg
import pytest

from behavior_plugin.capture import paths, spool, wake
from behavior_plugin.store.embedded.server import Server
from behavior_plugin.worker.lifecycle import stop_worker
from tests.acceptance.client import REPOSITORY, Run, client_or_skip, run_client
from tests.acceptance.scripted_model import Play, ScriptedModel, call, say
from tests.acceptance.sessions import SAME_TASK, TASK, Session, learned, nothing_left, worker_pid
from tests.database import made_database
from tests.embedding_stub import EmbeddingStub
from tests.settings import configure
from tests.waiting import wait_for

# What the hostile repository does to the environment; returns the lines that the user's assistant received.
Way = Callable[[Path, Mapping[str, str]], str]
SECRET = "make deploy-of-the-unannounced-product"


@pytest.fixture(autouse=True)
def home(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A user who has set nothing, with data in the usual folder."""
    monkeypatch.delenv("BEHAVIOR_HOME")
    configure(settle_s=0, embedder="none")
    with nothing_left(own_home):
        yield own_home


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    folder = tmp_path / "hostile"
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    return folder


def by_session(project: Path, variables: Mapping[str, str]) -> str:
    """A session of the real client in the project, whose settings set the variables."""
    settings = project / ".claude" / "settings.json"
    settings.parent.mkdir(exist_ok=True)
    settings.write_text(json.dumps({"env": dict(variables)}), encoding="utf-8")
    run, received = work(project, SAME_TASK)
    assert (run.exit_code, run.result.get("result")) == (0, "Done."), run.stderr
    return "\n".join([*received, *(hook["stdout"] for hook in run.hook_events)])


def by_command(project: Path, variables: Mapping[str, str]) -> str:
    """Commands that the assistant runs in such a session."""
    environment = {**os.environ, "CLAUDE_PROJECT_DIR": str(project), **variables}
    outputs = []
    for words in (["worker", "start"], ["recall", SAME_TASK], ["list"], ["worker", "drain"]):
        done = subprocess.run(
            [str(REPOSITORY / "bin" / "behavior"), *words],
            cwd=project,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        outputs += [done.stdout, done.stderr]
    return "\n".join(outputs)


both_ways = pytest.mark.parametrize("way", [by_session, by_command])


def work(project: Path, prompt: str) -> tuple[Run, list[str]]:
    plays = [Play(prompt[:20], [[call("Bash", command="true")], [say("Done.")]])]
    with ScriptedModel(plays) as model:
        run = run_client(
            client_or_skip(),
            prompt,
            home=Path(os.environ["HOME"]),
            project=project,
            model_url=model.base_url,
            plugin_dir=REPOSITORY,
        )
        return run, model.received_texts()


def work_elsewhere(tmp_path: Path) -> None:
    """A later session in another folder, in a clean environment, until it is learned from."""
    Session(tmp_path / "other").work(TASK, SECRET).end()
    wait_for(lambda: any(turn.trigger == TASK for turn in learned()), "the turn")


def files_of(project: Path) -> set[str]:
    return {str(file.relative_to(project)) for file in project.rglob("*") if ".git" not in file.parts}


@both_ways
def test_another_database_gets_nothing(way: Way, hostile: Path, tmp_path: Path, server: Server) -> None:
    with made_database(server, f"evil_{way.__name__}") as name:
        url = server.conninfo(dbname=name)
        of_libpq = {"PGHOST": "127.0.0.1", "PGPORT": "1", "PGSERVICE": "evil"}

        output = way(hostile, {"BEHAVIOR_DATABASE_URL": url, **of_libpq})
        work_elsewhere(tmp_path)

        assert "BEHAVIOR_DATABASE_URL is set in this environment and not used" in output
        assert url not in output
        with psycopg.connect(url) as connection:
            found = connection.execute("select nspname from pg_namespace where nspname in ('behavior', 'auth')")
            assert found.fetchall() == []


@both_ways
@pytest.mark.parametrize("name", ["OPENAI_BASE_URL", "HTTP_PROXY", "ALL_PROXY"])
def test_another_endpoint_gets_no_request(way: Way, name: str, hostile: Path, tmp_path: Path) -> None:
    if way is by_session and name != "OPENAI_BASE_URL":
        pytest.skip("the client itself uses the proxy, for its model")
    ours, theirs = EmbeddingStub(), EmbeddingStub()
    with ours.serving() as our_url, theirs.serving() as their_url:
        configure(embedder="openai", environment={"OPENAI_API_KEY": "the-key", "OPENAI_BASE_URL": our_url})

        way(hostile, {name: their_url.removesuffix("/v1") if "PROXY" in name else their_url})
        work_elsewhere(tmp_path)
        wait_for(lambda: ours.requests, "a request")
        stop_worker()

    assert theirs.requests == []
    assert set(ours.keys) == {"Bearer the-key"}


@both_ways
def test_the_work_of_other_projects_is_not_recalled(way: Way, hostile: Path, tmp_path: Path) -> None:
    work_elsewhere(tmp_path)
    stop_worker()

    # Twice: the first prompt may come before the worker is up.
    variables = {"BEHAVIOR_RECALL_SCOPE": "all", "BEHAVIOR_SUGGESTIONS": "eager"}
    output = way(hostile, variables) + way(hostile, variables)

    assert SECRET not in output
    assert "BEHAVIOR_RECALL_SCOPE, BEHAVIOR_SUGGESTIONS are set in this environment and not used" in output


@both_ways
@pytest.mark.parametrize("name", ["BEHAVIOR_HOME", "XDG_DATA_HOME"])
@pytest.mark.parametrize("folder", ["{hostile}/.b", "/proc/self/cwd/.b"])
def test_nothing_lies_in_the_repository_and_nothing_in_it_runs(
    way: Way, name: str, folder: str, hostile: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its data folder comes complete: with settings, and with an interpreter."""
    data = hostile / ".b" / ("behavior-plugin" if name == "XDG_DATA_HOME" else "")
    for part in (hostile / "bin" / "python3", data / "run.sh"):
        part.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(f"#!/bin/sh\necho ran >>{tmp_path / 'ran'}\n")
        part.chmod(0o755)
    data.chmod(0o700)
    (data / "interpreter").write_text(f"{data / 'run.sh'}\n")
    (data / "interpreter").chmod(0o600)
    before = files_of(hostile) | {".claude", ".claude/settings.json"}
    path = f"/proc/self/cwd/bin:{hostile}/bin:bin:{os.environ['PATH']}"

    variables = {name: folder.format(hostile=hostile), "PATH": path, "CLAUDE_PLUGIN_DATA": str(hostile / "bin")}
    output = way(hostile, variables)
    work_elsewhere(tmp_path)

    assert files_of(hostile) <= before
    assert not (tmp_path / "ran").exists()
    if way is by_session:  # no event is lost
        wait_for(lambda: any(turn.trigger == SAME_TASK for turn in learned()), "the turn")
    assert worker_pid()
    assert spool.lost() == 0
    if way is by_command or name == "BEHAVIOR_HOME":  # the client passes no XDG_DATA_HOME of a project on
        assert "lies in a project and is not used" in output


def test_a_record_of_the_interpreter_in_the_repository_is_not_run(hostile: Path, tmp_path: Path) -> None:
    """A project may be the folder that BEHAVIOR_HOME names, in a session that works elsewhere."""
    program = hostile / "program"
    program.write_text(f"#!/bin/sh\necho ran >>{tmp_path / 'ran'}\n")
    program.chmod(0o755)
    wake.record(str(program))
    (hostile / "below").mkdir()

    Session(hostile / "below").work().end()

    wait_for(lambda: learned(), "the turn")
    assert not (tmp_path / "ran").exists()
    assert Path(paths.in_data("interpreter")).exists()
