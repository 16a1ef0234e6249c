"""`behavior forget` deletes from every file of the data folder."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from behavior_plugin.capture import paths, spool
from behavior_plugin.config import Storage
from behavior_plugin.store.sql_files import STORAGES
from behavior_plugin.worker.lifecycle import stop_worker
from tests.acceptance.sessions import (
    OTHER_TASK,
    ROOT,
    TASK,
    Session,
    behavior,
    drain,
    json_of,
    output_of,
    status,
    turns,
)
from tests.acceptance.test_import import transcript
from tests.factories import START
from tests.settings import configure
from tests.waiting import wait_for

pytestmark = pytest.mark.usefixtures("clean_ending")

CANARY = "canary-7f3a9c21"
EVERYWHERE = {"postgres", "pg_wal", "spool", "decisions.jsonl"}
AGAIN = f"{TASK} {CANARY}"


@pytest.fixture(params=STORAGES)
def storage(request: pytest.FixtureRequest) -> Storage:
    chosen: Storage = request.param
    return chosen


@pytest.fixture
def home(project: Path, storage: Storage) -> Path:
    """The data folder, with its settings; the project's database exists."""
    assert project
    configure(storage=storage, embedder="none", settle_s=0)
    return Path(paths.data_folder())


def files_with(text: str, home: Path) -> list[str]:
    """The files that have a text, in upper or lower case."""
    found = []
    for file in sorted(home.rglob("*")):
        with suppress(FileNotFoundError):  # it has been moved or deleted
            if file.is_file() and not file.is_symlink() and text.lower().encode() in file.read_bytes().lower():
                found.append(str(file.relative_to(home)))
    return found


def _folders(files: list[str]) -> set[str]:
    """The first part of each path, and the write-ahead log."""
    return {file.split("/")[0] for file in files} | {"pg_wal" for file in files if "pg_wal" in file}


def forget(*words: str) -> dict[str, Any]:
    done = behavior("forget", *words, "--json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_forgotten_text_is_in_no_file(project: Path, home: Path) -> None:
    """Deleting a row leaves its text in the table's file, in the write-ahead log, and in our logs."""
    Session(project).work(AGAIN, f"make {CANARY}").end()
    Session(project).work(OTHER_TASK).end()
    drain()
    asked = Session(project)
    asked.send("SessionStart")
    asked.ask(AGAIN)  # it is answered with the canary, which is logged
    Session(project).work(f"waiting {CANARY}")
    # The worker is filing the events, and writes the decision after its answer.
    wait_for(lambda: _folders(files_with(CANARY, home)) >= EVERYWHERE, "the canary everywhere")

    expected = forget("--matching", CANARY.upper())
    done = forget("--matching", CANARY.upper(), "--apply")

    assert files_with(CANARY, home) == []
    assert [each["trigger"] for each in expected["examples"]] == [AGAIN]
    counts = ("episodes", "waiting_sessions", "decisions", "turns")
    assert [done[name] for name in counts] == [expected[name] for name in counts] == [1, 2, done["decisions"], 1]
    assert done["left_in_files"] == ""
    assert [each.trigger for each in turns()] == [OTHER_TASK]


def test_nothing_is_left_of_everything(project: Path, home: Path) -> None:
    sessions = [Session(project).work(f"{task} {CANARY}").end() for task in (TASK, OTHER_TASK)]
    drain()
    Session(project).work(CANARY)
    Path(paths.make_private(paths.in_data("backups")), "old.jsonl.gz").write_text(CANARY, encoding="utf-8")

    shown = output_of("forget", "--everything")
    assert len(turns()) == 2
    output_of("forget", "--everything", "--apply")

    assert "This was a dry run: --apply deletes it for good." in shown
    assert "2 pieces of work" in shown
    for text in (CANARY, str(project), *(session.id for session in sessions)):
        assert files_with(text, home) == []
    assert (status().open_sessions, turns()) == (0, [])
    again = behavior("forget", "--everything", "--apply", "--json")
    assert json.loads(again.stdout)["episodes"] == 0


def test_nothing_matches_is_said(project: Path, home: Path) -> None:
    Session(project).work().end()
    drain()

    for words, hint in (
        (("--matching", CANARY), ""),
        (("--session", "none"), " --session takes a whole id; `behavior list --turns --json` has them."),
        (("--project", "none", "--apply"), " --project takes a name or the end of it, in whole words; "),
    ):
        done = behavior("forget", *words)
        assert done.returncode == 1
        assert done.stdout.startswith(f"Nothing matches.{hint}")
        assert bool(hint) is (done.stdout != "Nothing matches.\n")

    assert behavior("forget").returncode == behavior("forget", "--everything", "--session", "x").returncode == 2
    assert behavior("forget", "--pattern", "ffffffff").returncode == 1


def test_an_open_session_is_forgotten_and_goes_on(project: Path, home: Path) -> None:
    """Later events are learned; the user is told so."""
    session = Session(project).work(AGAIN)

    shown = output_of("forget", "--session", session.id, "--apply")
    session.ask(OTHER_TASK)
    session.call()
    session.send("Stop")
    session.end()

    assert f"Still open: {session.id}." in shown
    assert [each.trigger for each in [*drain(), *turns()][-1:]] == [OTHER_TASK]
    assert files_with(CANARY, home) == []


def test_what_waited_is_not_imported_again(project: Path, home: Path, tmp_path: Path) -> None:
    """A session that was forgotten before anything was learned from it is in the agent's log all the same."""
    session = Session(project)
    session.send("SessionStart")
    session.ask(AGAIN)
    session.call()
    logs = tmp_path / "logs"
    logs.mkdir()
    log = transcript(session.id, session.prompt_id, "t-one", prompt=AGAIN)
    (logs / f"{session.id}.jsonl").write_text(log, encoding="utf-8")

    done = forget("--session", session.id, "--apply")

    assert done["waiting_sessions"] == 1
    assert json_of("import", str(logs))["new"] == 0
    assert (turns(), files_with(CANARY, home)) == ([], [])


def test_what_a_killed_hook_left_is_forgotten_too(project: Path, home: Path) -> None:
    """Half an event belongs to no session, and has its text."""
    Session(project).work().end()
    drain()
    torn = Path(spool.folder("tmp", "00000001-1-UserPromptSubmit"))
    torn.write_text(f"{{}}\n{{{CANARY}", encoding="utf-8")
    os.utime(torn, (1, 1))

    forget("--everything", "--apply")

    assert files_with(CANARY, home) == []


def test_a_forgotten_pattern_is_not_imported_again(tmp_path: Path, home: Path) -> None:
    """Its sessions are still in the agent's log. New work of the same kind counts anew."""
    logs = tmp_path / "logs"
    logs.mkdir()
    for name in ("one", "two"):
        (logs / f"{name}.jsonl").write_text(transcript(name, f"p-{name}", f"t-{name}"), encoding="utf-8")
    imported = json_of("import", str(logs))
    [pattern] = json_of("list")

    done = forget("--pattern", pattern["id"][:8], "--apply")
    again = json_of("import", str(logs))

    assert (imported["new"], done["patterns"], done["episodes"], again["new"]) == (2, 1, 2, 0)
    assert (json_of("list"), turns()) == ([], [])
    later = transcript("three", "p-three", "t-three")
    later = later.replace(f"{START:%Y-%m-%d}", f"{START + timedelta(days=1):%Y-%m-%d}")
    (logs / "three.jsonl").write_text(later, encoding="utf-8")
    assert json_of("import", str(logs))["new"] == 1
    assert [each["workflow"]["times"] for each in json_of("list")] == [1]


@pytest.mark.parametrize(("answer", "left"), [("n", 1), ("y", 0)])
def test_a_terminal_asks_before(project: Path, home: Path, answer: str, left: int) -> None:
    Session(project).work(TASK).end()
    drain()
    ours, theirs = pty.openpty()
    os.write(ours, f"{answer}\n".encode())

    command = [sys.executable, str(ROOT / "behavior_plugin"), "forget", "--everything", "--apply"]
    done = subprocess.run(command, stdin=theirs, capture_output=True, text=True, timeout=100, check=False)

    os.close(ours)
    os.close(theirs)
    assert "Delete it for good?" in done.stderr
    assert done.returncode == (0 if answer == "y" else 130)
    assert len(turns()) == left


# Export


def test_an_export_brings_everything_back(project: Path, home: Path, tmp_path: Path) -> None:
    """Exported, forgotten and imported records are exported again as they were."""
    for task in (TASK, f"{OTHER_TASK} {CANARY}"):
        Session(project).work(task).end()
    drain()
    gone = Session(project).work("Tidy the changelog before the release").end()
    [pattern, *_] = drain()
    output_of("feedback", str(pattern.id)[:8], "--good", "--note", "saves an hour")
    output_of("forget", "--session", gone.id, "--apply")
    Session(project).work(TASK).end()
    files = [tmp_path / name for name in ("before.jsonl", "after.jsonl")]

    saved = json_of("export", str(files[0]))
    output_of("forget", "--everything", "--apply")
    assert files_with(CANARY, home) == []
    brought = json_of("import", "--from-export", str(files[0]))
    again = json_of("import", "--from-export", str(files[0]))
    output_of("export", str(files[1]))

    assert "3 pieces of work" in output_of("export", str(tmp_path / "again.jsonl"))
    assert files[0].read_text(encoding="utf-8") == files[1].read_text(encoding="utf-8")
    assert saved["records"].keys() >= {"pattern", "episode", "remark", "decision", "setting"}
    assert files[0].stat().st_mode & 0o777 == 0o600
    assert (brought["refused"], again["imported"]) == (0, 0)
    assert len(turns()) == 3


def test_an_export_can_be_brought_into_another_folder_and_storage(
    project: Path, home: Path, storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Session(project).work(TASK).end()
    before = [(each.source_key, each.workflow) for each in drain()]
    text = output_of("export", str(tmp_path / "all.jsonl"))
    stop_worker()
    monkeypatch.setenv("BEHAVIOR_HOME", str(tmp_path / "home" / "second"))
    [other] = set(STORAGES) - {storage}
    configure(storage=other, embedder="none", settle_s=0)

    brought = json_of("import", "--from-export", str(tmp_path / "all.jsonl"))

    assert "1 pattern, 1 piece of work" in text
    assert (brought["refused"], [(each.source_key, each.workflow) for each in drain()]) == (0, before)


def test_a_damaged_export_changes_nothing(project: Path, home: Path, tmp_path: Path) -> None:
    Session(project).work(TASK).end()
    drain()
    whole = behavior("export", "-").stdout.splitlines()
    output_of("forget", "--everything", "--apply")

    for number, damaged in enumerate(
        (whole[1:], [*whole[:-1], whole[-1][:20]], [], ['{"kind": "export", "row": {"format": "x"}}'])
    ):
        file = tmp_path / f"{number}.jsonl"
        file.write_text("\n".join(damaged), encoding="utf-8")
        assert behavior("import", "--from-export", str(file)).returncode == 1

    assert turns() == []
    assert behavior("export", str(file)).returncode == 1  # it is there already
