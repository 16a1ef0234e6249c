"""Pauses, exclusions and private text leave no trace: through the registered hooks."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from behavior_plugin.capture import ignore_file, paths, private, skip, spool
from behavior_plugin.capture.handlers import HANDLERS
from behavior_plugin.exclude import pauses
from tests.acceptance.feeding import LOSS_NOTICE, data_folder, feed, hook_environment, spooled_payloads
from tests.factories import payload

CANARY = "kestrel-4711"


@pytest.fixture(autouse=True)
def app(own_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A project to run hooks in. No worker starts."""
    folder = tmp_path / "app"
    (folder / "sub").mkdir(parents=True)
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    monkeypatch.chdir(folder)
    with data_folder(own_home):
        yield folder


def send(event: str, folder: Path, session: str = "s1", **options: Any) -> subprocess.CompletedProcess[bytes]:
    """Run the hook of an event in a folder, with the canary in its payload."""
    changes = {"session_id": session, "cwd": str(folder), "extra": CANARY}
    done = feed(event, json.dumps(payload(event, **changes)).encode(), cwd=folder, **options)
    assert (done.returncode, done.stderr) == (0, b"")
    return done


def files_with(text: str) -> list[str]:
    """The files of the data folder that hold a text, in their content or their name."""
    found = [file for file in Path(paths.data_folder()).rglob("*") if file.is_file()]
    return [file.name for file in found if text.encode() in file.read_bytes() or text in file.name]


@pytest.mark.parametrize("event", HANDLERS)
@pytest.mark.parametrize("scope", ["project", "session", "everywhere"])
def test_hooks_record_nothing_in_a_pause(event: str, scope: Any, app: Path) -> None:
    name = {"project": str(app), "session": "s1", "everywhere": ""}[scope]
    pauses.begin(scope, name, None)

    done = send(event, app / "sub")

    assert files_with(CANARY) == []
    assert spooled_payloads() == []
    assert not Path(paths.in_data("run")).exists()
    assert not Path(paths.in_data("lost")).exists()
    assert (b"systemMessage" in done.stdout) is (event == "SessionStart")


def test_only_what_is_paused_is_left_out(app: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    pauses.begin("project", str(app), None)
    pauses.begin("session", "s2", None)

    send("PostToolUse", other)
    send("PostToolUse", other, session="s2")
    send("PostToolUse", app)

    assert [json.loads(each)["cwd"] for each in spooled_payloads()] == [str(other)]


def test_a_session_stays_paused_when_its_shell_leaves_the_project(app: Path, tmp_path: Path) -> None:
    pauses.begin("project", str(app), None)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()

    send("PostToolUse", elsewhere, env=hook_environment(CLAUDE_PROJECT_DIR=str(app)))

    assert spooled_payloads() == []


def test_hooks_record_again_after_the_pause(app: Path) -> None:
    pauses.begin("project", str(app), None)
    pauses.end("project", str(app))
    send("UserPromptSubmit", app)
    with skip.Lock():
        skip.write({"pauses": [{"scope": "everywhere", "name": "", "until": time.time() - 1}]})
    send("PostToolUse", app)

    assert len(spooled_payloads()) == 2


def test_the_session_start_says_that_it_is_paused(app: Path) -> None:
    """A forgotten pause could not be told from a plugin that does nothing."""
    pauses.begin("everywhere", "", None)

    shown = json.loads(send("SessionStart", app).stdout)["systemMessage"]

    assert shown == "behavior: paused until `behavior resume --everywhere`: nothing is recorded or suggested."


@pytest.mark.parametrize(
    ("scope", "name", "command"),
    [("project", "app", "resume"), ("session", "s1", "resume --session s1"), ("everywhere", "", "resume --everywhere")],
)
def test_a_pause_names_the_command_that_ends_it(scope: str, name: str, command: str) -> None:
    """The plain `behavior resume` ends only the pause of this project."""
    assert skip.end_of({"scope": scope, "name": name, "until": None}) == f"`behavior {command}`"


def test_a_damaged_file_keeps_hooks_from_recording_and_is_reported(app: Path) -> None:
    """Any event may belong to a pause then."""
    Path(paths.in_data("skip")).write_text('{"pauses": [')

    done = feed("PostToolUse", json.dumps(payload("PostToolUse", extra=CANARY)).encode(), cwd=app)

    assert (done.returncode, done.stdout) == (0, b"")
    assert done.stderr.startswith(LOSS_NOTICE)
    assert (spooled_payloads(), files_with(CANARY), spool.lost()) == ([], [], 1)


@pytest.mark.parametrize("event", HANDLERS)
def test_hooks_record_nothing_of_a_project_that_the_settings_exclude(event: str, app: Path) -> None:
    pauses.sync([str(app)])

    done = send(event, app / "sub")

    assert (done.stdout, spooled_payloads(), files_with(CANARY)) == (b"", [], [])


@pytest.mark.parametrize("first", ["SessionStart", "UserPromptSubmit"])
def test_hooks_record_nothing_of_a_project_that_excludes_itself(first: str, app: Path) -> None:
    """The hooks of calls do not look for the file; those before them do."""
    (app / ignore_file.NAME).write_text("*\n")

    for event in (first, "PostToolUse", "PostToolUseFailure", "Stop", "SessionEnd"):
        assert send(event, app / "sub").stdout == b""

    assert (spooled_payloads(), files_with(CANARY)) == ([], [])
    assert skip.read()["roots"] == [str(app)]
    (app / ignore_file.NAME).write_text("*.env\n")
    send("PostToolUse", app)
    assert len(spooled_payloads()) == 1


@pytest.mark.parametrize(
    "written",
    [
        f"fix it <private>{CANARY}</private> now",
        f"fix it <PRIVATE >{CANARY}</ private> now",
        f"fix it <private>a<private>{CANARY}</private>{CANARY}</private> now",
        f"fix it <private>{CANARY}",
    ],
)
@pytest.mark.parametrize("is_escaped", [False, True])
def test_marked_text_never_reaches_the_spool(written: str, is_escaped: bool, app: Path) -> None:
    raw = json.dumps(payload("UserPromptSubmit", prompt=written, session_title=f"About {CANARY}"))
    raw = raw.replace("<", "\\u003c").replace(">", "\\u003e") if is_escaped else raw

    done = feed("UserPromptSubmit", raw.encode(), cwd=app)

    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert files_with(CANARY) == []
    [saved] = spooled_payloads()
    assert json.loads(saved)["prompt"].startswith(f"fix it {private.MARK}")


def test_of_a_wholly_private_prompt_only_that_is_saved(app: Path) -> None:
    """Nobody is asked either, so that no prompt counts as unanswered."""
    raw = json.dumps(payload("UserPromptSubmit", prompt=f"<private>{CANARY}</private>")).encode()

    done = feed("UserPromptSubmit", raw, cwd=app)

    assert (done.stdout, done.stderr, files_with(CANARY)) == (b"", b"", [])
    [saved] = spooled_payloads()
    assert json.loads(saved)["prompt"] == private.MARK
    assert not Path(paths.in_data("unanswered")).exists()


def test_nothing_is_saved_of_a_marked_prompt_that_cannot_be_read(app: Path) -> None:
    """It would become a dead letter, with all of its text."""
    done = feed("UserPromptSubmit", f'{{"prompt": "<private>{CANARY}</private>'.encode(), cwd=app)

    assert (done.returncode, done.stderr, spooled_payloads(), files_with(CANARY)) == (0, b"", [], [])


@pytest.mark.parametrize("event", ["PostToolUse", "UserPromptSubmit", "SessionStart"])
def test_a_hook_that_has_nothing_to_leave_out_loads_nothing_for_it(event: str, app: Path) -> None:
    """A hook's cost is its start."""
    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from behavior_plugin.capture import handlers\n"
        "handlers.main(sys.argv[2])\n"
        "print(*sys.modules)"
    )
    root = str(Path(skip.__file__).parents[2])
    run = subprocess.run(
        [sys.executable, "-I", "-S", "-c", script, root, event],
        input=json.dumps(payload(event)).encode(),
        capture_output=True,
        cwd=app,
        check=True,
    )
    loaded = set(run.stdout.decode().split())
    # A test's folder has a long path, and `tempfile`, which makes a short one for the socket, needs `re`.
    assert "tempfile" in loaded or not loaded & {"json", "re"}
    assert not {name.rpartition(".")[2] for name in loaded} & {"skip", "private", "globs", "ignore_file"}
