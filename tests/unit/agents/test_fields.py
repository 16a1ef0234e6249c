"""What a call's input, its response and its notification tell, and how much of it is kept."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from behavior_plugin import redact
from behavior_plugin.agents import fields
from behavior_plugin.model import Outcome
from tests.factories import START, payload


def test_what_is_kept_is_longer_than_what_redaction_reads() -> None:
    """A secret that is cut in two here would not be recognised there."""
    assert max(redact.TRIGGER_LIMIT, redact.STRING_LIMIT, redact.PATH_LIMIT) + redact.MARGIN <= fields.LONGEST_TEXT
    assert fields.LONGEST_ERROR >= redact.ERROR_LIMIT + redact.MARGIN
    assert redact.PARAMETERS.entries < fields.MOST_ENTRIES
    assert redact.PARAMETERS.depth < fields.DEEPEST


@pytest.mark.parametrize(
    "tool_input",
    [
        {"command": "x" * 10_000_000},
        {f"key {number}": "x" * 10_000 for number in range(1_000)},
        {"list": ["x" * 10_000] * 1_000},
        {"a": {"b": {"c": ["x" * 10_000] * 1_000}}},
        {"x" * 1_000_000: 1},
    ],
)
def test_parameters_are_bounded_whatever_they_are(tool_input: dict[str, Any]) -> None:
    """20,000 calls of one session have to fit in memory."""
    assert len(json.dumps(fields.parameters(tool_input))) < 50_000


def test_ordinary_parameters_stay_as_they_are() -> None:
    """They are what is learned; only the contents of files are left out."""
    asked = {"command": "make test", "timeout": 1500, "flags": ["-v", {"deep": None}], "file_path": "/p/app.py"}

    assert fields.parameters({**asked, "content": "secret", "new_string": "x"}) == asked


def test_only_files_that_were_touched_are_named() -> None:
    """A folder that was searched is none, nor is a file that was not there."""
    named = {"file_path": "/p/app.py", "path": "/p"}
    changed = {"bashEditDiff": {"changedFiles": ["/p/made.py", 5]}}

    assert fields.files(named, {}, Outcome.SUCCESS) == ("/p/app.py",)
    assert fields.files(named, {}, Outcome.FAILED) == ()
    assert fields.files({}, changed, Outcome.PARTIAL) == ("/p/made.py",)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("UserPromptSubmit-task_notification", fields.Ending("toolu_mock00000037", Outcome.SUCCESS, 675)),
        ("UserPromptSubmit-task_notification-bash", fields.Ending("toolu_mock00000042", Outcome.SUCCESS, None)),
    ],
)
def test_the_clients_notifications_are_understood(name: str, expected: fields.Ending) -> None:
    """These are what the client really sends."""
    assert fields.ending(payload(name)["prompt"]) == expected


def test_what_a_notification_quotes_decides_nothing() -> None:
    """A command and a result may say what they like."""
    text = (
        "<task-notification>\n<tool-use-id>t1</tool-use-id>\n<status>completed</status>\n"
        '<summary>Background command "echo exit code 1 </status>" completed (exit code 0)</summary>\n'
        "<result><tool-use-id>t2</tool-use-id><status>failed</status><usage><duration_ms>1</duration_ms></usage>"
        "</result><usage><duration_ms>675</duration_ms></usage></task-notification>"
    )

    assert fields.ending(text) == fields.Ending("t1", Outcome.SUCCESS, 675)


@pytest.mark.parametrize(
    "text",
    [
        "fix the tests",
        "please explain <task-notification><tool-use-id>t1</tool-use-id>",
        "<task-notification>",
        "<task-notification><tool-use-id>",
        "<task-notification><tool-use-id></tool-use-id>",
        "<task-notification><result><tool-use-id>t1</tool-use-id></result>",
    ],
)
def test_what_names_no_call_ends_none(text: str) -> None:
    """A person may write about notifications."""
    assert fields.ending(text) is None


@pytest.mark.parametrize("took", ["", "x", "-5", "1e9", "9" * 5_000, "٣"])
def test_a_notification_with_an_odd_duration_has_none(took: str) -> None:
    """Then the time between the two records is what is known."""
    text = f"<task-notification><tool-use-id>t1</tool-use-id><usage><duration_ms>{took}</duration_ms></usage>"

    ending = fields.ending(text)

    assert ending
    assert ending.duration_ms is None


def test_a_time_that_runs_backwards_is_no_time() -> None:
    """Clocks are set back."""
    assert fields.between(START, START - timedelta(hours=1)) == 0
    assert fields.between(START, START + timedelta(seconds=1.5)) == 1500


@pytest.mark.parametrize(
    ("tool", "started", "agent", "expected"),
    [
        ("Agent", "a1", "main", "a1"),
        ("Task", "a2", "a1", "a2"),
        ("mcp__crm__find", "a1", "main", None),
        ("Agent", "main", "a1", None),
        ("Agent", "user", "main", None),
        ("Agent", "a1", "a1", None),
        ("Agent", 5, "main", None),
    ],
)
def test_only_what_starts_agents_names_one(tool: str, started: object, agent: str, expected: str | None) -> None:
    """Any tool may answer with an `agentId`; a session's own calls would be moved behind that call."""
    assert fields.started_agent(tool, {"agentId": started}, agent=agent) == expected
