"""The command `behavior`, as a process: what it prints, for people and for scripts, and the status it ends with."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from behavior_plugin.capture import paths, spool
from behavior_plugin.cli import cli
from behavior_plugin.worker import dead_letters
from behavior_plugin.worker.client import start_worker
from behavior_plugin.worker.lifecycle import stop_worker
from tests.acceptance.sessions import (
    OTHER_TASK,
    ROOT,
    SAME_TASK,
    TASK,
    Session,
    behavior,
    commands_of,
    drain,
    in_spool,
    patterns,
    processes_of,
    said,
    told,
    worker_pid,
)
from tests.waiting import wait_for

pytestmark = pytest.mark.usefixtures("clean_ending")
USAGE = 2
COMMANDS = [*([name] for name in cli.commands), ["worker", "start"], ["worker", "stop"], []]
on_linux = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="the kernel must tell who listens")


@pytest.fixture
def known(project: Path) -> str:
    """The id of a pattern in the project."""
    Session(project).work(TASK, "python3 -m unittest").end()
    [pattern] = drain()
    return str(pattern.id)


def running_workers() -> list[str]:
    return [command for command in commands_of(Path(paths.data_folder())) if "worker/__main__.py" in command]


def is_worker_running() -> bool:
    return bool(running_workers())


# Help and usage


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_explains_itself(command: list[str]) -> None:
    """The help is the manual that is always at hand, and never changes anything."""
    text = said(*command, "--help")

    assert text.startswith("Usage: ")
    assert not Path(paths.data_folder()).exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["no-such-command"],
        ["recall"],
        ["show"],
        ["show", ""],
        ["dead", "retry"],
        ["dead", "retry", ""],
        ["list", "--limit", "many"],
        ["list", "--limit", "0"],
        ["recall", "--floor", "2", "x"],
        ["reap", "--idle", "-1"],
        ["status", "--no-such-option"],
        ["worker", "restart"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_told_apart_from_failure(arguments: list[str]) -> None:
    """A script that has a typing error should not look for a broken database."""
    done = behavior(*arguments)

    assert (done.returncode, done.stdout) == (USAGE, "")
    assert "Usage: " in done.stderr
    assert not Path(paths.data_folder()).exists()


# Looking


def test_recall_finds_what_resembles(known: str, project: Path) -> None:
    """The command does by hand what the prompt hook does by itself."""
    text = said("recall", "an", "invoice", "total", "off", "by", "one", "cent", cwd=project)
    [suggestion] = told("recall", "an invoice total off by one cent", cwd=project)

    assert TASK in text
    assert known[:8] in text
    assert "Bash python3 -m unittest" in text
    assert suggestion["pattern"]["id"] == known
    assert 0 < suggestion["similarity"] <= 1


def test_recall_looks_elsewhere_only_when_told(known: str, tmp_path: Path) -> None:
    """Asked by hand, the fence around a project is one option away."""
    here = said("recall", TASK, cwd=tmp_path)
    everywhere = told("recall", TASK, "--all", cwd=tmp_path)

    assert "No similar work found" in here
    assert "--all" in here
    assert [suggestion["pattern"]["id"] for suggestion in everywhere] == [known]


def test_a_higher_minimum_similarity_returns_less(known: str, project: Path) -> None:
    """Whoever asks decides how near is near."""
    assert told("recall", SAME_TASK, "--min-similarity", "0.5", cwd=project)
    assert told("recall", SAME_TASK, "--min-similarity", "0.99", cwd=project) == []
    assert told("recall", TASK, "--floor", "0.99", cwd=project)


def test_list_shows_the_newest_first(known: str, project: Path, tmp_path: Path) -> None:
    """The last thing learned is what one wants to see."""
    Session(tmp_path / "another").work(OTHER_TASK).end()
    said("drain")

    lines = said("list").splitlines()
    everywhere, here, first = told("list"), told("list", "--here", cwd=project), told("list", "--limit", "1")

    assert len(lines) == 3
    assert [pattern["trigger"] for pattern in everywhere] == [OTHER_TASK, TASK]
    assert [pattern["id"] for pattern in here] == [known]
    assert first == everywhere[:1]


def test_list_of_nothing_says_how_something_comes() -> None:
    """A new user sees an empty list first."""
    assert "No patterns yet" in said("list")
    assert told("list") == []


def test_show_needs_only_enough_of_an_id(known: str) -> None:
    """As with commits."""
    text = said("show", known[:8])

    assert known in text
    assert "Bash python3 -m unittest" in text
    assert told("show", known[:8].upper())["id"] == known


def test_show_of_an_unknown_or_an_ambiguous_id_says_so(known: str, project: Path) -> None:
    """To show just any of them would be worse than none."""
    session = Session(project).work(OTHER_TASK)
    for _ in range(16):  # more ids than there are digits to begin with
        session.ask(OTHER_TASK)
        session.call()
    session.end()
    first = Counter(str(pattern.id)[0] for pattern in drain()).most_common(1)[0][0]

    unknown, ambiguous = behavior("show", "not-an-id"), behavior("show", first)

    assert (unknown.returncode, unknown.stdout) == (ambiguous.returncode, ambiguous.stdout) == (1, "")
    assert "No pattern has an id that begins with not-an-id" in unknown.stderr
    assert "More than one pattern has" in ambiguous.stderr
    assert "behavior list" in unknown.stderr


def test_what_is_shown_cannot_take_over_the_terminal(project: Path) -> None:
    """A prompt may come from a web page, with colours and links for whoever lists it later."""
    Session(project).work("Fix \x1b]52;c;cHdu\x07 [red]the[/red] [link=http://x]tests[/link]\u202e").end()
    [pattern] = drain()

    text = said("list") + said("show", str(pattern.id)) + said("recall", pattern.trigger, cwd=project)

    assert not {"\x1b", "\x07", "\u202e"} & set(text)
    assert "[red]the[/red]" in text


# The state


def test_status_starts_nothing_and_makes_nothing() -> None:
    """It is what one looks at when something is wrong; it must not change what one looks at."""
    text, found = said("status"), told("status")

    assert "not running" in text
    assert found["worker"].startswith("not running")
    assert (found["new_events"], found["open_sessions"], found["dead_letters"], found["lost_events"]) == (0, 0, 0, 0)
    assert not Path(paths.data_folder()).exists()
    assert not is_worker_running()


def test_status_counts_what_waits_without_a_worker(own_home: Path) -> None:
    """Events that pile up are the first sign that no worker comes up."""
    spool.put("Stop", b"{}")
    spool.lose(OSError(28, "No space left on device"))

    found = told("status")

    assert (found["new_events"], found["lost_events"]) == (1, 1)
    assert not is_worker_running()


def test_status_tells_what_a_running_worker_has(known: str) -> None:
    """Health is told by its answer, not by a pid in a file."""
    found = told("status")

    assert found["worker"] == "running"
    assert found["pid"] == worker_pid()
    assert (found["patterns"], found["store"], found["last_error"]) == (1, "embedded server", "")
    text = said("status")
    assert "embedded server" in text
    assert "1 pattern since the start; 0 sessions had no work in them" in text
    assert "last error" not in text


@on_linux
def test_a_frozen_worker_is_told_and_can_be_ended(known: str) -> None:
    """ "Not running" would be a lie, and a command that hangs with it no help."""
    os.kill(worker_pid(), signal.SIGSTOP)

    asked, state = behavior("list"), told("status")
    stopped = said("worker", "stop")

    assert asked.returncode == 1
    assert "does not answer" in asked.stderr
    assert "does not answer" in state["worker"]
    assert "pid" not in state
    assert stopped == "Worker stopped.\n"
    wait_for(lambda: not is_worker_running(), "the end of the worker")


def make_link(data: Path) -> None:
    (data.parent / "elsewhere").mkdir()
    data.symlink_to("elsewhere")


@pytest.mark.parametrize(
    ("make", "why"), [(make_link, "is a link"), (Path.touch, "is not a folder"), (os.mkfifo, "is not a folder")]
)
def test_status_tells_of_a_data_folder_that_hooks_refuse(make: Callable[[Path], None], why: str) -> None:
    """Nothing waits and nothing was lost there, so that all would look well."""
    data = Path(paths.data_folder())
    make(data)

    found = told("status")["hooks"]
    check = failed_checks()["data folder"]

    assert found == f"cannot save events: {data} {why}"
    assert why in check["found"]
    assert ("Set BEHAVIOR_HOME to the folder itself." in check["hint"]) == data.is_symlink()


def test_doctor_tells_of_records_that_only_a_newer_version_can_read() -> None:
    """They wait for that version, and nobody else would say so."""
    spool.put("Stop", b"{}")
    [record] = in_spool("new")
    record.write_bytes(record.read_bytes().replace(b'"v":1', b'"v":99'))

    failed = failed_checks()

    assert list(failed) == ["events"]
    assert "wait in the spool" in failed["events"]["found"]
    assert told("status")["left_in_spool"] in failed["events"]["found"]


# Dead letters


def make_letters(count: int, reason: str = "it is no record") -> None:
    for _ in range(count):
        spool.put("Stop", b"{}")
        dead_letters.set_aside(in_spool("new")[0], reason)


def test_dead_letters_are_lines_for_a_script(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row that is wrapped is no row to grep or to cut."""
    make_letters(2, "it cannot be read for a reason that takes more than the width of a narrow terminal")
    monkeypatch.setenv("COLUMNS", "40")

    done = subprocess.run(
        [sys.executable, str(ROOT / "behavior_plugin"), "dead", "list"], capture_output=True, text=True, check=True
    )

    heading, *rows, where = done.stdout.splitlines()
    assert heading.split() == ["id", "since", "events", "reason"]
    assert [row.split()[0] for row in rows] == [letter["id"] for letter in told("dead", "list")]
    assert all("a narrow terminal" in row for row in rows)
    assert where == f"They are in {spool.folder('dead')}."


def test_dead_letters_are_counted_as_people_count() -> None:
    """One is not some, and none is no success."""
    assert said("dead", "retry", "--all") == said("dead", "delete", "--all") == "There are no dead letters.\n"

    make_letters(3)
    first, *_ = [letter["id"] for letter in told("dead", "list")]
    assert said("dead", "retry", first).startswith("1 event waits to be learned from again.")
    assert said("dead", "delete", "--all") == "2 dead letters deleted.\n"

    make_letters(1)
    assert said("dead", "delete", "--all") == "1 dead letter deleted.\n"


# Doing


def test_drain_learns_at_once_what_has_ended(project: Path) -> None:
    """For scripts that want to see the result now."""
    Session(project).work(TASK).end()
    Session(project).work(OTHER_TASK)

    text = said("drain")
    found = told("drain")

    assert "0 new events, 1 open sessions, 0 dead letters" in text
    assert (found["learned"], found["open_sessions"]) == (0, 1)
    assert [pattern.trigger for pattern in patterns()] == [TASK]


def test_reap_closes_sessions_by_hand(project: Path) -> None:
    """For a client that hangs, or that was killed on another machine."""
    Session(project).work(TASK)

    live, idle = told("reap"), said("reap", "--idle", "0")

    assert (live["closed"], live["open_sessions"]) == (0, 1)
    assert idle.startswith("1 closed, 1 learned")


def test_the_worker_can_be_started_and_stopped_twice() -> None:
    """Neither is an error when it is so already."""
    answers = [said("worker", what) for what in ("start", "start", "stop", "stop")]

    assert answers == [
        "Worker started.\n",
        "The worker is already running.\n",
        "Worker stopped.\n",
        "No worker is running.\n",
    ]
    assert not is_worker_running()


def test_what_cannot_be_done_is_said_with_what_to_do(own_home: Path) -> None:
    """A message without a next step is half a message."""
    data = Path(paths.data_folder())
    data.write_text("a file")

    for command in (["list"], ["drain"], ["worker", "start"], ["recall", "x"]):
        done = behavior(*command)
        assert (done.returncode, done.stdout) == (1, "")
        message, hint = done.stderr.strip().split("\n")
        assert message.startswith("behavior: ")
        assert "behavior" in hint


def test_a_setting_that_is_wrong_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker dies of it, far from whoever set it."""
    monkeypatch.setenv("BEHAVIOR_SETTLE_S", "canary-value")

    done = behavior("doctor")

    assert done.returncode == 1
    assert "settle_s" in done.stdout
    assert "canary-value" not in done.stdout


@pytest.mark.parametrize("where", ["environment", "file"])
def test_a_worker_with_other_settings_is_not_asked_but_told_of(
    where: str, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would answer from another store, in another's name perhaps, and the doctor would call all well."""
    said("worker", "start")
    if where == "file":
        (Path(paths.data_folder()) / "config.toml").write_text('recall_scope = "all"\n')
    else:
        monkeypatch.setenv("BEHAVIOR_RECALL_SCOPE", "all")

    for command in (["list"], ["recall", "x"], ["drain"], ["worker", "start"]):
        done = behavior(*command)
        assert (done.returncode, done.stdout) == (1, "")
        assert "other settings (recall_scope)" in done.stderr
        assert "`behavior worker stop` ends it" in done.stderr
    assert "recall_scope" in failed_checks()["worker"]["found"]
    assert "recall_scope" in told("status")["settings"]

    said("worker", "stop")
    assert told("list") == []
    assert told("status")["settings"] == ""


def test_status_tells_of_settings_that_cannot_be_read() -> None:
    """Else everything looks well, and no worker comes up."""
    file = Path(paths.make_private(paths.data_folder())) / "config.toml"
    file.write_text("storage = memories\n")
    assert str(file) in told("status")["settings"]

    file.write_text('databse_url = "x"\n')
    assert "did you mean database_url?" in said("status")
    assert "did you mean database_url?" in failed_checks()["settings"]["found"]


def test_status_tells_without_a_worker_which_store_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """And takes no line for what is not known; the URL is nobody's business."""
    assert told("status")["store"] == "embedded server"
    monkeypatch.setenv("BEHAVIOR_DATABASE_URL", "postgresql://me:canary-7f3a9c@127.0.0.1:1/db")

    text = said("status")

    assert "your own Postgres" in text
    assert "canary" not in text
    assert all(len(line.split()) > 1 for line in text.splitlines())


def test_hooks_that_are_switched_off_are_told_of(known: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has forgotten the switch looks for the fault everywhere else."""
    monkeypatch.setenv("BEHAVIOR_DISABLE", "1")

    listed = behavior("list")
    failed = failed_checks()

    assert told("status")["hooks"] == "switched off by BEHAVIOR_DISABLE"
    assert listed.returncode == 0
    assert "switched off by BEHAVIOR_DISABLE" in listed.stderr
    assert "switched off by BEHAVIOR_DISABLE" in failed["hooks"]["found"]
    assert failed["probe"]["found"] == "Skipped: the hooks do not work."


def test_a_data_folder_that_depends_on_the_directory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each directory would have a memory of its own."""
    monkeypatch.setenv("BEHAVIOR_HOME", "memory")

    done = behavior("status")

    assert (done.returncode, done.stdout) == (1, "")
    assert "not an absolute path" in done.stderr


def test_doctor_mentions_variables_that_are_no_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    """A typo there cannot be refused: it may be another program's."""
    monkeypatch.setenv("BEHAVIOR_EMBEDER", "none")

    [settings] = [check for check in told("doctor") if check["name"] == "settings"]

    assert "BEHAVIOR_EMBEDER (did you mean BEHAVIOR_EMBEDDER?)" in settings["found"]


# Trying itself out


def test_doctor_finds_a_fresh_home_well_and_leaves_no_pattern(own_home: Path) -> None:
    """Its probe goes through the real table, where real patterns are."""
    text = said("doctor")
    checks = told("doctor")

    assert [line.split()[0] for line in text.splitlines()] == ["ok"] * len(checks)
    assert [check["name"] for check in checks][-1] == "probe"
    assert all(check["is_ok"] for check in checks)
    assert patterns() == []
    assert told("status")["learned"] == 0
    assert told("status")["dead_letters"] == told("status")["open_sessions"] == 0


def failed_checks(*arguments: str) -> dict[str, dict[str, Any]]:
    done = behavior("doctor", "--json", *arguments)
    assert done.returncode == 1
    return {check["name"]: check for check in json.loads(done.stdout) if not check["is_ok"]}


@pytest.mark.parametrize(
    ("interpreter", "clue"), [("/nowhere/python", "/nowhere/python, which cannot be run"), ("/bin/false", "/bin/false")]
)
def test_doctor_names_an_interpreter_that_is_gone(interpreter: str, clue: str) -> None:
    """A virtual environment that was deleted or rebuilt is the commonest reason why nothing is learned."""
    record = Path(paths.make_private(paths.data_folder())) / "interpreter"
    record.write_text(f"{interpreter}\n")
    # A worker that runs already, so that only the record is at fault.
    worker = subprocess.Popen([sys.executable, "-I", str(ROOT / "behavior_plugin" / "worker" / "__main__.py")])
    worker_pid()

    failed = failed_checks()

    assert list(failed) == ["interpreter"]
    assert clue in failed["interpreter"]["found"]
    assert failed["interpreter"]["hint"]
    stop_worker()
    worker.wait(timeout=20)


def test_doctor_names_a_data_folder_that_is_none() -> None:
    """Every part that needs it fails; the first one says why."""
    data = Path(paths.data_folder())
    data.write_text("a file")

    failed = failed_checks()

    assert {"data folder", "worker", "store", "probe"} <= set(failed)
    assert str(data) in failed["data folder"]["found"]
    assert all(check["found"] for check in failed.values())


def test_doctor_tells_of_lost_events(own_home: Path) -> None:
    """They were told to the session's terminal once, where nobody may have looked."""
    spool.make()
    spool.lose(OSError(28, "No space left on device"))

    assert list(failed_checks()) == ["events"]


def test_the_demo_shows_the_main_job_and_leaves_nothing_behind(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever only wants to see it has nothing to clean up."""
    monkeypatch.delenv("BEHAVIOR_HOME")
    with tempfile.TemporaryDirectory(prefix="b-") as temporary:
        monkeypatch.setenv("TMPDIR", temporary)

        text = said("demo")

        assert "the assistant gets:" in text
        assert "</past-workflow>" in text
        assert "nothing: if no earlier work fits" in text
        assert not list(Path(temporary).iterdir())
        assert not processes_of(Path(temporary))
    assert not list(own_home.iterdir())


def test_the_demo_shows_the_steps_as_they_were_done(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the first thing anybody sees, also who has switched the hooks off for now."""
    monkeypatch.setenv("BEHAVIOR_DISABLE", "1")

    steps = re.findall(r"^ +\d\. (\w+ .*)$", said("demo"), re.MULTILINE)

    assert [step.split(" -am")[0] for step in steps] == [
        "Read shop/invoices.py",
        "Bash python3 -m unittest (failed)",
        "Edit shop/invoices.py",
        "Bash python3 -m unittest",
        "Bash git commit",
    ]


# In the client's settings


def test_install_and_uninstall_leave_the_settings_as_they_were(own_home: Path) -> None:
    """Other people's settings are in that file."""
    settings = own_home / ".claude" / "settings.json"
    settings.parent.mkdir()
    settings.write_text('{"model": "opus", "hooks": {}}\n')
    before = settings.read_bytes()

    dry = told("install", "--dry-run")
    untouched = settings.read_bytes()
    done = told("install")
    installed = json.loads(settings.read_text())
    again = told("install")
    removed = said("uninstall")

    assert dry["changed"]
    assert untouched == before
    assert done["file"] == str(settings)
    assert {"SessionStart", "UserPromptSubmit", "SessionEnd"} <= set(installed["hooks"])
    assert not again["changed"]
    assert str(settings) in removed
    assert settings.read_bytes() == before


def test_install_into_a_file_of_ones_choice(own_home: Path, tmp_path: Path) -> None:
    """A project's settings, or a trial."""
    settings = tmp_path / "settings.json"

    said("install", "--settings", str(settings))

    assert settings.exists()
    assert not (own_home / ".claude").exists()
    assert told("uninstall", "--settings", str(settings))["changed"]


def test_settings_that_are_no_json_are_left_alone(own_home: Path) -> None:
    """To write them anew would lose what somebody was about to correct."""
    settings = own_home / ".claude" / "settings.json"
    settings.parent.mkdir()
    settings.write_text("{not JSON")

    done = behavior("install")

    assert (done.returncode, done.stdout) == (1, "")
    assert "is not valid JSON" in done.stderr
    assert settings.read_text() == "{not JSON"


def test_uninstall_ends_the_worker_and_keeps_what_was_learned(known: str) -> None:
    """No process of ours stays; the patterns are the user's."""
    said("install")

    said("uninstall")

    assert not is_worker_running()
    assert [pattern["id"] for pattern in told("list")] == [known]


# The script beside the plugin


@pytest.mark.parametrize("by", ["path", "PATH", "symlink"])
def test_the_script_works_from_anywhere(by: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client puts bin/ on the assistant's PATH; people link it into their own."""
    script = ROOT / "bin" / "behavior"
    if by == "symlink":
        (tmp_path / "bin").mkdir()
        script = tmp_path / "bin" / "behavior"
        script.symlink_to(ROOT / "bin" / "behavior")
    if by == "PATH":
        monkeypatch.setenv("PATH", f"{script.parent}:{os.environ['PATH']}")
        script = Path(shutil.which("behavior") or "")

    done = subprocess.run([str(script), "status", "--json"], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["data_folder"] == paths.data_folder()


def test_a_module_in_the_working_directory_is_not_run(tmp_path: Path) -> None:
    """The assistant calls the script inside repositories that anybody may have written."""
    for name in ("json", "click", "behavior_plugin", "os"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('hostile')\n")

    done = subprocess.run(
        [str(ROOT / "bin" / "behavior"), "status"], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_commands_share_one_worker() -> None:
    """Each of them starts it where it is missing; two at once must not start two."""
    started = [subprocess.Popen([sys.executable, str(ROOT / "behavior_plugin"), "list"]) for _ in range(3)]

    codes = [process.wait(timeout=30) for process in started]

    assert codes == [0, 0, 0]
    assert not start_worker()
    assert len(running_workers()) == 1
