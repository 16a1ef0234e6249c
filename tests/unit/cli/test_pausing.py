"""The commands `pause` and `resume`, and how `status`, `why` and `doctor` show them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from rich.console import Console

from behavior_plugin import doctor
from behavior_plugin.capture import context, ignore_file, skip
from behavior_plugin.cli import cli, terminal
from behavior_plugin.cli.output import current_folder
from behavior_plugin.errors import BehaviorError
from behavior_plugin.exclude import pauses
from tests.settings import configure


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    folder = tmp_path / "app"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return str(context.describe(current_folder())["project"])


def run(*words: str, exit_code: int = 0) -> str:
    done = CliRunner().invoke(cli, words, catch_exceptions=False)
    assert done.exit_code == exit_code
    return done.output


def json_of(*words: str) -> Any:
    return json.loads(run(*words, "--json"))


def test_a_pause_is_of_this_project_unless_another_is_named(here: str) -> None:
    assert f"Paused in {here} until `behavior resume`" in run("pause")
    assert (json_of("pause", "--session", "s1")["scope"], json_of("pause", "--everywhere")["name"]) == ("session", "")

    assert [(each.scope, each.name) for each in pauses.running()] == [
        ("project", here),
        ("session", "s1"),
        ("everywhere", ""),
    ]


def test_resume_ends_one_pause_and_names_the_others() -> None:
    """Otherwise a person believes that all is well again."""
    run("pause", "--everywhere")
    run("pause")

    shown = run("resume")
    assert "Resumed in " in shown
    assert "Still paused: everywhere until `behavior resume --everywhere`." in shown
    assert "There is no such pause." in run("resume")
    assert [len(each) for each in json_of("resume", "--everywhere").values()] == [1, 0]


@pytest.mark.parametrize(("length", "seconds"), [("30m", 1800), ("2h", 7200), ("1d", 86400), ("1 d", 86400)])
def test_a_pause_can_have_an_end(length: str, seconds: int) -> None:
    shown = run("pause", "--for", length)

    assert "(`behavior resume` ends it sooner): nothing is recorded" in shown
    [pause] = pauses.running()
    assert pause.until is not None
    assert round((pause.until - pause.since).total_seconds()) == seconds
    assert f"{pause.until.astimezone():%Y-%m-%d %H:%M}" in run("status")


@pytest.mark.parametrize(
    "words", [["--for", "0m"], ["--for", "2"], ["--session", "x", "--everywhere"], ["--session", " "]]
)
def test_wrong_usage_pauses_nothing(words: list[str]) -> None:
    with pytest.raises(Exception, match=r"time|not both|empty"):
        CliRunner().invoke(cli, ["pause", *words], catch_exceptions=False, standalone_mode=False)

    assert pauses.running() == ()


def test_status_shows_what_is_paused_and_excluded(here: str) -> None:
    """A forgotten pause does nothing, and says nothing by itself."""
    configure(exclude_projects=["acme/*"], exclude_paths=["*.env"])
    Path(ignore_file.NAME).write_text("# keys\n*.key\n")
    run("pause")

    found = json_of("status")
    assert found["paused"] == [f"in {here} until `behavior resume`"]
    assert found["excluded"][:2] == ["projects acme/*", "files *.env"]
    assert found["excluded"][2].startswith("files of this project, by 1 line of ")
    Path(ignore_file.NAME).write_text("/\n")
    assert json_of("status")["excluded"][2].startswith("this project, by ")
    assert "projects acme/*; files *.env" in run("status")


def test_status_shows_that_the_record_is_damaged() -> None:
    run("pause")
    pauses.file().write_text("{")

    assert "cannot be read" in run("status")


def test_why_says_that_no_prompt_is_looked_at(here: str) -> None:
    assert json_of("why")["silent"] == ""
    run("pause")
    assert f"Paused in {here} until" in run("why")
    run("resume")
    run("pause", "--session", "s1")
    assert "Paused in the session s1 until" in run("why")
    run("resume", "--session", "s1")
    Path(ignore_file.NAME).write_text("*\n")

    assert "This project is excluded" in run("why")


def test_the_doctor_names_exclusions_and_fails_where_everything_is_paused() -> None:
    """Then nothing works, and the pause may have been forgotten."""
    configure(exclude_projects=["acme/*"])
    run("pause")
    assert "paused: " in doctor._exclusions()
    assert "projects acme/*" in doctor._exclusions()
    assert skip.read()["exclude_projects"] == ["acme/*"]

    run("pause", "--everywhere")
    with pytest.raises(BehaviorError, match=r"Everything is paused"):
        doctor._exclusions()


def test_the_doctor_has_nothing_to_say_without_exclusions() -> None:
    configure()
    assert doctor._exclusions() == "none"


@pytest.mark.parametrize(("count", "line"), [(0, ""), (3, "3 of the prompts and calls, by pauses and exclusions")])
def test_status_says_how_much_was_left_out_if_anything_was(
    count: int, line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(terminal, "console", Console(highlight=False, soft_wrap=True))

    terminal.show_state({"worker": "running", "left_out": count})

    said = capsys.readouterr().out
    assert ("left out" in said) is bool(count)
    assert line in said
