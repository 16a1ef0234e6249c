"""The command `behavior` as a process: its output for people and for scripts, and its exit code."""

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

from behavior_plugin.capture import paths, spool, wake
from behavior_plugin.cli import cli, main
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
    json_of,
    output_of,
    patterns,
    processes_of,
    turns,
    worker_pid,
)
from tests.settings import configure, elsewhere
from tests.waiting import wait_for

pytestmark = pytest.mark.usefixtures("clean_ending")
USAGE = 2
COMMANDS = [*([name] for name in cli.commands), ["worker", "start"], ["worker", "stop"], []]
on_linux = pytest.mark.skipif(
    not Path("/proc/self/fd").exists(), reason="only Linux reports the pid of a listening process"
)


@pytest.fixture
def known_id(project: Path) -> str:
    """The id of a pattern in the project."""
    Session(project).work(TASK, "python3 -m unittest").end()
    [pattern] = drain()
    return str(pattern.id)


def running_workers() -> list[str]:
    return [command for command in commands_of(Path(paths.data_folder())) if "worker/__main__.py" in command]


def is_worker_running() -> bool:
    return bool(running_workers())


def is_untouched() -> bool:
    """Whether the data folder has nothing but the settings of this file's tests."""
    return {file.name for file in Path(paths.data_folder()).iterdir()} <= {"config.toml"}


# Help and usage


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_help(command: list[str]) -> None:
    """The help is the manual at hand, and printing it changes nothing."""
    text = output_of(*command, "--help")

    assert text.startswith("Usage: ")
    assert is_untouched()


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
        ["recall", "--outcome", "good", "x"],
        ["recall", "--since", "soon", "x"],
        ["recall", "--all", "--project", "shop", "x"],
        ["recall", "-k", "0", "x"],
        ["suggest"],
        ["suggest", " "],
        ["suggest", "x", "--done", " "],
        ["suggest", "x", "-k", "51"],
        ["reap", "--idle", "-1"],
        ["status", "--no-such-option"],
        ["worker", "restart"],
    ],
    ids=" ".join,
)
def test_wrong_usage_has_its_own_exit_code(arguments: list[str]) -> None:
    """After a typo in a script nobody should look for a broken database."""
    done = behavior(*arguments)

    assert (done.returncode, done.stdout) == (USAGE, "")
    assert "Usage: " in done.stderr
    assert is_untouched()


# Recall, list, show


def test_recall_finds_similar_work(known_id: str, project: Path) -> None:
    """The command does by hand the work of the prompt hook."""
    text = output_of("recall", "an", "invoice", "total", "off", "by", "one", "cent", cwd=project)
    [suggestion] = json_of("recall", "an invoice total off by one cent", cwd=project)

    assert TASK in text
    assert known_id[:8] in text
    assert "`python3 -m unittest`" in text
    assert suggestion["pattern"]["id"] == known_id
    assert 0 < suggestion["similarity"] <= 1


def test_recall_searches_other_projects_only_on_request(known_id: str, tmp_path: Path) -> None:
    """By hand, other projects are one option away."""
    here = output_of("recall", TASK, cwd=elsewhere(tmp_path))
    everywhere = json_of("recall", TASK, "--all", cwd=elsewhere(tmp_path))

    assert here == (
        "Nothing has been learned in this project yet; other projects have 1 pattern. --all searches all projects.\n"
    )
    assert [suggestion["pattern"]["id"] for suggestion in everywhere] == [known_id]


def test_recall_says_so_if_nothing_is_similar(known_id: str, project: Path) -> None:
    """Nothing learned and nothing similar are two things."""
    unlike = ("recall", "\N{SLIGHTLY SMILING FACE}")

    assert output_of(*unlike, cwd=project) == "No similar work found. --all searches all projects.\n"
    assert output_of(*unlike, "--all", cwd=project) == "No similar work found.\n"
    assert output_of(*unlike, "--since", "2w", cwd=project) == "No similar work found with these options.\n"
    assert json_of(*unlike, cwd=project) == []


def test_recall_takes_a_project_an_outcome_and_a_time(known_id: str, project: Path, tmp_path: Path) -> None:
    """From another folder."""
    there = ("recall", SAME_TASK, "--project", project.name)

    [found] = json_of(*there, "--outcome", "success", "--since", "2d", "-k", "1", cwd=elsewhere(tmp_path))
    explained = output_of(*there, "--explain", cwd=elsewhere(tmp_path))

    assert found["pattern"]["id"] == known_id
    assert json_of(*there, "--outcome", "failed", cwd=elsewhere(tmp_path)) == []
    assert json_of(*there, "--since", "2999-01-01", cwd=elsewhere(tmp_path)) == []
    assert "odds " in explained
    assert "words in common" in explained
    assert "No project with patterns is named nope.\nMost work is in:" in (
        behavior("recall", "x", "--project", "nope", cwd=elsewhere(tmp_path)).stderr
    )


def test_suggest_names_the_next_steps(project: Path, tmp_path: Path) -> None:
    """From the steps that are named, and from those that an open session has done."""
    Session(project).work(TASK, "python3 -m unittest").end()
    learned = Session(project).work(OTHER_TASK, "make lint")
    learned.ask(TASK)
    learned.call("make lint")
    learned.call("git push origin main")
    learned.send("Stop")
    learned.end()
    drain()
    live = Session(project)
    live.send("SessionStart")
    live.ask("fix something else")
    live.call("make lint")

    text = output_of("suggest", "fix it", "--done", "make lint", cwd=project)
    [first] = json_of("suggest", "--session", live.id, "-k", "1", cwd=project)

    assert re.match(r" \d\d%  `git push origin main`, came next 1 time\n", text)
    assert first["step"]["text"] == "git push origin main"
    assert 0 < first["odds"] < 1
    nothing = output_of("suggest", "fix it", cwd=elsewhere(tmp_path))
    assert nothing == "No earlier work is known here. --all learns from all projects.\n"
    assert "git push" in output_of("suggest", "--done", "make lint", "--all", cwd=elsewhere(tmp_path))
    assert "No open session with a prompt has the id gone." in behavior("suggest", "--session", "gone").stderr


def test_higher_odds_return_less(known_id: str, project: Path) -> None:
    """The user decides how likely a pattern has to fit."""
    assert json_of("recall", SAME_TASK, "--min-odds", "0.3", cwd=project)
    assert json_of("recall", SAME_TASK, "--min-odds", "0.99", cwd=project) == []
    assert json_of("recall", TASK, "--floor", "0.5", cwd=project)


def test_list_shows_the_newest_first(known_id: str, project: Path, tmp_path: Path) -> None:
    """Users want to see the latest pattern."""
    Session(tmp_path / "another").work(OTHER_TASK).end()
    output_of("drain")

    lines = output_of("list").splitlines()
    everywhere, here, first = json_of("list"), json_of("list", "--here", cwd=project), json_of("list", "--limit", "1")

    assert len(lines) == 3
    assert [pattern["trigger"] for pattern in everywhere] == [OTHER_TASK, TASK]
    assert [pattern["id"] for pattern in here] == [known_id]
    assert first == everywhere[:1]


def test_list_can_show_the_turns_behind_the_patterns(known_id: str, project: Path, tmp_path: Path) -> None:
    """The same job done twice is one pattern, and both times can be looked up."""
    Session(project).work(OTHER_TASK, "python3 -m unittest").end()
    Session(tmp_path / "another").work(OTHER_TASK).end()
    output_of("drain")

    here = json_of("list", "--here", "--turns", cwd=project)

    assert [turn["trigger"] for turn in here] == [OTHER_TASK, TASK]
    [pattern] = json_of("list", "--here", cwd=project)
    assert pattern["id"] == known_id
    assert len({known_id, *(turn["id"] for turn in here)}) == 3
    assert all(turn.keys() == pattern.keys() for turn in here)  # scripts read both
    assert len(json_of("list", "--turns")) == 3
    assert TASK[:40] in output_of("list", "--turns")


def test_an_empty_list_explains_how_patterns_come() -> None:
    """A new user sees an empty list first."""
    assert "No patterns yet" in output_of("list")
    assert json_of("list") == []


def test_show_accepts_a_unique_prefix_of_an_id(known_id: str) -> None:
    """Git does the same with commits."""
    text = output_of("show", known_id[:8], "--run")

    assert known_id in text
    assert "Bash python3 -m unittest" in text
    assert json_of("show", known_id[:8].upper())["id"] == known_id


def test_show_reports_an_unknown_or_ambiguous_id(known_id: str, project: Path) -> None:
    """Showing any one of several patterns would be worse than none."""
    for number in range(16):  # more ids than there are hexadecimal digits
        session = Session(project.with_name(f"project-{number}"))
        session.ask(OTHER_TASK)
        session.call()
        session.end()
    first = Counter(str(pattern.id)[0] for pattern in drain()).most_common(1)[0][0]

    unknown, ambiguous = behavior("show", "not-an-id"), behavior("show", first)

    assert (unknown.returncode, unknown.stdout) == (ambiguous.returncode, ambiguous.stdout) == (1, "")
    assert "No pattern has an id that begins with not-an-id" in unknown.stderr
    assert "More than one pattern has" in ambiguous.stderr
    assert "behavior list" in unknown.stderr


def test_output_cannot_control_the_terminal(project: Path) -> None:
    """A prompt may be copied from a web page, with colours and links."""
    Session(project).work("Fix \x1b]52;c;cHdu\x07 [red]the[/red] [link=http://x]tests[/link]\u202e").end()
    [pattern] = drain()

    text = output_of("list") + output_of("show", str(pattern.id)) + output_of("recall", pattern.trigger, cwd=project)

    assert not {"\x1b", "\x07", "\u202e"} & set(text)
    assert "[red]the[/red]" in text


# Status


def test_status_starts_no_worker_and_makes_no_folder() -> None:
    """Users ask for the status when there is a fault, so asking must not change it."""
    text, found = output_of("status"), json_of("status")

    assert "not running" in text
    assert found["worker"].startswith("not running")
    assert (found["new_events"], found["open_sessions"], found["dead_letters"], found["lost_events"]) == (0, 0, 0, 0)
    assert is_untouched()
    assert not is_worker_running()


def test_status_counts_waiting_events_without_a_worker(own_home: Path) -> None:
    """A growing number of events is the first sign that no worker starts."""
    spool.put("Stop", b"{}")
    spool.lose(OSError(28, "No space left on device"))

    found = json_of("status")

    assert (found["new_events"], found["lost_events"]) == (1, 1)
    assert not is_worker_running()


def test_status_shows_the_state_of_the_running_worker(known_id: str) -> None:
    """The worker's answer proves its health; a pid in a file would not."""
    found = json_of("status")

    assert found["worker"] == "running"
    assert found["pid"] == worker_pid()
    assert (found["patterns"], found["store"], found["last_error"]) == (1, "embedded server", "")
    text = output_of("status")
    assert "embedded server" in text
    assert "since the start: 1 prompt with work; 0 sessions without" in text
    assert "last error" not in text


@on_linux
def test_a_frozen_worker_is_reported_and_can_be_stopped(known_id: str) -> None:
    """ "Not running" would be wrong, and a command that hangs as well would be no help."""
    os.kill(worker_pid(), signal.SIGSTOP)

    asked, state = behavior("list"), json_of("status")
    stopped = output_of("worker", "stop")

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
def test_status_reports_a_data_folder_that_hooks_refuse(make: Callable[[Path], None], why: str) -> None:
    """No event waits or was lost there, so all would look well."""
    data = Path(paths.data_folder())
    shutil.rmtree(data)
    make(data)

    found = json_of("status")["hooks"]
    check = failed_checks()["data folder"]

    assert found == f"cannot save events: {data} {why}"
    assert why in check["found"]
    assert ("Set BEHAVIOR_HOME to the folder itself." in check["hint"]) == data.is_symlink()


def test_doctor_reports_events_of_a_newer_version() -> None:
    """They wait for that version, and no other check would report it."""
    spool.put("Stop", b"{}")
    [record] = in_spool("new")
    record.write_bytes(record.read_bytes().replace(b'"v":1', b'"v":99'))

    failed = failed_checks()

    assert list(failed) == ["events"]
    assert "wait in the spool" in failed["events"]["found"]
    assert json_of("status")["left_in_spool"] in failed["events"]["found"]


# Dead letters


def make_dead_letters(count: int, reason: str = "it is no record") -> None:
    for _ in range(count):
        spool.put("Stop", b"{}")
        dead_letters.set_aside(in_spool("new")[0], reason)


def test_each_dead_letter_is_listed_on_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scripts cannot grep or cut a wrapped row."""
    make_dead_letters(2, "it cannot be read for a reason that takes more than the width of a narrow terminal")
    monkeypatch.setenv("COLUMNS", "40")

    done = subprocess.run(
        [sys.executable, str(ROOT / "behavior_plugin"), "dead", "list"], capture_output=True, text=True, check=True
    )

    heading, *rows, where = done.stdout.splitlines()
    assert heading.split() == ["id", "since", "events", "reason"]
    assert [row.split()[0] for row in rows] == [letter["id"] for letter in json_of("dead", "list")]
    assert all("a narrow terminal" in row for row in rows)
    assert where == f"They are in {spool.folder('dead')}."


def test_counts_of_dead_letters_read_naturally() -> None:
    """One letter is singular, and none is no success."""
    assert output_of("dead", "retry", "--all") == output_of("dead", "delete", "--all") == "There are no dead letters.\n"

    make_dead_letters(3)
    first, *_ = [letter["id"] for letter in json_of("dead", "list")]
    assert output_of("dead", "retry", first).startswith("1 event waits to be learned from again.")
    assert output_of("dead", "delete", "--all") == "2 dead letters deleted.\n"

    make_dead_letters(1)
    assert output_of("dead", "delete", "--all") == "1 dead letter deleted.\n"


# Drain, reap, worker


def test_drain_learns_ended_sessions_at_once(project: Path) -> None:
    """Scripts want the result now."""
    Session(project).work(TASK).end()
    Session(project).work(OTHER_TASK)

    text = output_of("drain")
    found = json_of("drain")

    assert "0 new events, 1 open sessions, 0 dead letters" in text
    assert (found["learned"], found["open_sessions"]) == (0, 1)
    assert [pattern.trigger for pattern in patterns()] == [TASK]


def test_reap_closes_sessions_by_hand(project: Path) -> None:
    """The agent may hang, or have been killed on another machine."""
    Session(project).work(TASK)

    live, idle = json_of("reap"), output_of("reap", "--idle", "0")

    assert (live["closed"], live["open_sessions"]) == (0, 1)
    assert idle.startswith("1 closed, 1 learned")


def test_the_worker_can_be_started_and_stopped_twice() -> None:
    """The second call finds its work done, which is no error."""
    answers = [output_of("worker", verb) for verb in ("start", "start", "stop", "stop")]

    assert answers == [
        "Worker started.\n",
        "The worker is already running.\n",
        "Worker stopped.\n",
        "No worker is running.\n",
    ]
    assert not is_worker_running()


def test_an_error_comes_with_a_hint(own_home: Path) -> None:
    """A message without a next step is half a message."""
    data = Path(paths.data_folder())
    shutil.rmtree(data, ignore_errors=True)
    data.write_text("a file")

    for command in (["list"], ["drain"], ["worker", "start"], ["recall", "x"]):
        done = behavior(*command)
        assert (done.returncode, done.stdout) == (1, "")
        message, hint = done.stderr.strip().split("\n")
        assert message.startswith("behavior: ")
        assert "behavior" in hint


def test_doctor_names_an_invalid_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker fails because of it, far from the person who made the setting."""
    configure(settle_s="canary-value")

    done = behavior("doctor")

    assert done.returncode == 1
    assert "settle_s" in done.stdout
    assert "canary-value" not in done.stdout


def test_a_worker_gives_way_to_one_with_new_settings(project: Path) -> None:
    """It might answer from another store or as another user."""
    output_of("worker", "start")

    configure(recall_scope="all")

    assert json_of("list") == []
    assert "config.toml has changed" in Path(paths.in_data("worker.log")).read_text(encoding="utf-8")
    assert json_of("status")["settings"] == ""


def test_db_commands_with_other_settings_do_not_reach_the_worker(project: Path, tmp_path: Path) -> None:
    """They might change another database than the one that was named."""
    other = tmp_path / "owner.toml"
    other.write_text('storage = "memories"\n')

    done = behavior("db", "--config", str(other), "verify")

    assert (done.returncode, done.stdout) == (1, "")
    assert f"others can read {other}" in done.stderr
    assert "other settings (storage)" in done.stderr
    other.chmod(0o600)
    other.write_text('storage = "behavior_patterns"\n')
    assert "all ok" in output_of("db", "--config", str(other), "verify")


def test_variables_that_name_settings_are_reported_and_not_used(
    own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A project's settings may have set them."""
    monkeypatch.setenv("BEHAVIOR_STORAGE", "memories")
    sentence = (
        "BEHAVIOR_STORAGE is set in this environment and not used; settings are read from "
        f"{own_home / 'behavior' / 'config.toml'} alone"
    )

    done = behavior("status", "--json")

    assert done.stderr == f"behavior: {sentence}.\n"
    assert json.loads(done.stdout)["settings"] == sentence
    assert json.loads(done.stdout)["storage"] == "behavior_patterns"
    assert sentence in failed_checks()["settings"]["found"]


def test_doctor_reports_secrets_that_others_can_read_and_a_key_that_is_not_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    configure(environment={"OPENAI_BASE_URL": "http://127.0.0.1:9/canary"})
    file = Path(paths.in_data("config.toml"))
    file.chmod(0o644)
    open_to_all = failed_checks()["settings"]
    file.chmod(0o600)
    monkeypatch.setenv("OPENAI_API_KEY", "canary")
    configure(embedder="openai")

    not_used = failed_checks()

    assert (f"Others can read {file}" in open_to_all["found"], "chmod 600" in open_to_all["hint"]) == (True, True)
    assert "OPENAI_API_KEY is set in this environment and not used" in not_used["settings"]["found"]
    assert "There is no OpenAI key" in not_used["embedder"]["found"]
    assert "[environment]" in not_used["embedder"]["hint"]
    assert "compared by their letters" in not_used["embedder"]["hint"]
    assert "[environment]" in not_used["settings"]["hint"]
    assert "canary" not in str([open_to_all, not_used])


def test_status_reports_unreadable_settings() -> None:
    """Otherwise everything looks well, and no worker starts."""
    file = Path(paths.make_private(paths.data_folder())) / "config.toml"
    file.write_text("storage = memories\n")
    assert str(file) in json_of("status")["settings"]

    file.write_text('exclude_projects = "acme"\n')
    assert json_of("status")["settings"].endswith('exclude_projects: Input should be a list, such as ["…"].')

    file.write_text('databse_url = "x"\n')
    assert "did you mean database_url?" in output_of("status")
    assert "did you mean database_url?" in failed_checks()["settings"]["found"]


def test_status_names_the_store_without_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unknown values take no line, and the URL stays private."""
    assert json_of("status")["store"] == "embedded server"
    configure(database_url="postgresql://me:canary-7f3a9c@127.0.0.1:1/db")

    text = output_of("status")

    assert "your own Postgres" in text
    assert "canary" not in text
    assert all(len(line.split()) > 1 for line in text.splitlines())


def test_switched_off_hooks_are_reported(known_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Users who forgot the switch would look for the fault everywhere else."""
    monkeypatch.setenv("BEHAVIOR_DISABLE", "1")

    listed = behavior("list")
    failed = failed_checks()

    assert json_of("status")["hooks"] == "switched off by BEHAVIOR_DISABLE"
    assert listed.returncode == 0
    assert "switched off by BEHAVIOR_DISABLE" in listed.stderr
    assert "switched off by BEHAVIOR_DISABLE" in failed["hooks"]["found"]
    assert failed["probe"]["found"] == "Skipped: the hooks do not work."


def test_a_relative_data_folder_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each directory would have its own memory."""
    monkeypatch.setenv("BEHAVIOR_HOME", "memory")

    done = behavior("status")

    assert (done.returncode, done.stdout) == (1, "")
    assert "not an absolute path" in done.stderr


# Doctor and demo


def test_doctor_passes_in_a_new_home_and_leaves_no_pattern(own_home: Path) -> None:
    """Its probe goes through the real table."""
    text = output_of("doctor")
    checks = json_of("doctor")

    assert [line.split()[0] for line in text.splitlines()] == ["ok"] * len(checks)
    assert [check["name"] for check in checks][-1] == "probe"
    assert all(check["is_ok"] for check in checks)
    assert (patterns(), turns()) == ([], [])
    assert json_of("status")["learned"] == 0
    assert json_of("status")["dead_letters"] == json_of("status")["open_sessions"] == 0


def failed_checks(*arguments: str) -> dict[str, dict[str, Any]]:
    done = behavior("doctor", "--json", *arguments)
    assert done.returncode == 1
    return {check["name"]: check for check in json.loads(done.stdout) if not check["is_ok"]}


@pytest.mark.parametrize(
    ("interpreter", "clue"), [("/nowhere/python", "/nowhere/python, which cannot be run"), ("/bin/false", "/bin/false")]
)
def test_doctor_names_a_missing_interpreter(interpreter: str, clue: str) -> None:
    """A deleted or rebuilt virtual environment is the commonest reason why the plugin learns nothing."""
    wake.record(interpreter)
    # A running worker, so that only the record is at fault.
    worker = subprocess.Popen([sys.executable, "-I", str(ROOT / "behavior_plugin" / "worker" / "__main__.py")])
    worker_pid()

    failed = failed_checks()

    assert list(failed) == ["interpreter"]
    assert clue in failed["interpreter"]["found"]
    assert failed["interpreter"]["hint"]
    stop_worker()
    worker.wait(timeout=20)


def test_doctor_names_a_data_folder_that_is_a_file() -> None:
    """Every check that needs the folder fails; the first one gives the reason."""
    data = Path(paths.data_folder())
    shutil.rmtree(data)
    data.write_text("a file")

    failed = failed_checks()

    assert {"data folder", "worker", "store", "probe"} <= set(failed)
    assert str(data) in failed["data folder"]["found"]
    assert all(check["found"] for check in failed.values())


def test_doctor_reports_lost_events(own_home: Path) -> None:
    """The hooks reported them once in the session's terminal, where nobody may have looked."""
    spool.make()
    spool.lose(OSError(28, "No space left on device"))

    assert list(failed_checks()) == ["events"]


def test_the_demo_shows_a_suggestion_and_leaves_nothing_behind(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """People who only want a look have nothing to clean up."""
    monkeypatch.delenv("BEHAVIOR_HOME")
    before = sorted(own_home.rglob("*"))
    with tempfile.TemporaryDirectory(prefix="b-") as temporary:
        monkeypatch.setenv("TMPDIR", temporary)

        text = output_of("demo")

        assert "the assistant gets:" in text
        assert "</past-workflow>" in text
        assert "nothing: if no earlier work fits" in text
        assert not list(Path(temporary).iterdir())
        assert not processes_of(Path(temporary))
    assert sorted(own_home.rglob("*")) == before


def test_the_demo_shows_the_steps_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """New users see it first, and it must work while the hooks are switched off."""
    monkeypatch.setenv("BEHAVIOR_DISABLE", "1")

    steps = re.findall(r"^ +\d\. (.*`.*)$", output_of("demo"), re.MULTILINE)

    assert [step.split(" -am")[0] for step in steps] == [
        "edit `shop/invoices.py` until `python3 -m unittest` passes (x2)",
        "`git commit",
    ]


# Install and uninstall


def test_uninstall_restores_the_settings(own_home: Path) -> None:
    """Other programs' settings are in that file too."""
    settings = own_home / ".claude" / "settings.json"
    settings.parent.mkdir()
    settings.write_text('{"model": "opus", "hooks": {}}\n')
    before = settings.read_bytes()

    dry = json_of("install", "--dry-run")
    untouched = settings.read_bytes()
    done = json_of("install")
    installed = json.loads(settings.read_text())
    again = json_of("install")
    removed = output_of("uninstall")

    assert dry["changed"]
    assert untouched == before
    assert done["file"] == str(settings)
    assert {"SessionStart", "UserPromptSubmit", "SessionEnd"} <= set(installed["hooks"])
    assert not again["changed"]
    assert str(settings) in removed
    assert settings.read_bytes() == before


def test_doctor_says_that_hooks_run_twice(own_home: Path) -> None:
    """A prompt would get two notes: the plugin may be enabled after the hooks were added to the settings."""
    output_of("install")
    settings = own_home / ".claude" / "settings.json"
    content = json.loads(settings.read_text())
    settings.write_text(json.dumps({**content, "enabledPlugins": {"behavior@behavior-plugin": True}}))

    [hooks] = [check for check in json_of("doctor") if check["name"] == "hooks"]

    assert f"also in {settings}. The plugin is enabled" in hooks["found"]
    assert "each hook runs twice" in hooks["found"]


def test_install_accepts_another_settings_file(own_home: Path, tmp_path: Path) -> None:
    """It may be for one project, or for a trial."""
    settings = tmp_path / "settings.json"

    output_of("install", "--settings", str(settings))

    assert settings.exists()
    assert not (own_home / ".claude").exists()
    assert json_of("uninstall", "--settings", str(settings))["changed"]


def test_invalid_settings_are_left_alone(own_home: Path) -> None:
    """Rewriting the file would lose the text that the user was about to correct."""
    settings = own_home / ".claude" / "settings.json"
    settings.parent.mkdir()
    settings.write_text("{not JSON")

    done = behavior("install")

    assert (done.returncode, done.stdout) == (1, "")
    assert "is not valid JSON" in done.stderr
    assert settings.read_text() == "{not JSON"


def test_uninstall_stops_the_worker_and_preserves_patterns(known_id: str) -> None:
    """No process of ours remains, and the patterns are the user's."""
    output_of("install")

    output_of("uninstall")

    assert not is_worker_running()
    assert [pattern["id"] for pattern in json_of("list")] == [known_id]


# The script beside the plugin


@pytest.mark.parametrize("by", ["path", "PATH", "symlink"])
def test_the_script_works_from_anywhere(by: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client puts bin/ on the assistant's PATH, and people link the script into their own."""
    script = ROOT / "bin" / "behavior"
    if by == "symlink":
        (tmp_path / "bin").mkdir()
        script = tmp_path / "bin" / "behavior"
        script.symlink_to(ROOT / "bin" / "behavior")
    if by == "PATH":
        monkeypatch.setenv("PATH", f"{script.parent}:{os.environ['PATH']}")
        script = Path(shutil.which("behavior") or "")

    done = subprocess.run(
        [str(script), "status", "--json"], cwd=elsewhere(tmp_path), capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["data_folder"] == paths.data_folder()


def test_a_module_in_the_working_directory_is_not_run(tmp_path: Path) -> None:
    """The assistant runs the script in repositories that anybody may have written."""
    for name in ("json", "click", "behavior_plugin", "os"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('hostile')\n")

    done = subprocess.run(
        [str(ROOT / "bin" / "behavior"), "status"], cwd=elsewhere(tmp_path), capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_simultaneous_commands_share_one_worker() -> None:
    """Each starts a missing worker, and several at once must not start several."""
    started = [subprocess.Popen([sys.executable, str(ROOT / "behavior_plugin"), "list"]) for _ in range(3)]

    codes = [process.wait(timeout=30) for process in started]

    assert codes == [0, 0, 0]
    assert not start_worker()
    assert len(running_workers()) == 1


def test_an_interrupted_command_exits_with_130(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scripts tell an interrupt from a failure by it."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("sys.argv", ["behavior", "status"])
    monkeypatch.setattr("behavior_plugin.capture.spool.lost", interrupt)

    with pytest.raises(SystemExit) as ended:
        main()

    assert ended.value.code == 130
