"""One tool call is stored with bounded parameters, its outcome and its files."""

from __future__ import annotations

import json
from typing import Any

import pytest

from behavior_plugin import redact
from behavior_plugin.agents.calls import MAX_DEPTH, MAX_ENTRIES, bounded_parameters, started_subagent, touched_files
from behavior_plugin.agents.fields import MAX_ERROR_CHARS, MAX_TEXT_CHARS
from behavior_plugin.model import Outcome
from behavior_plugin.redact.text import MARGIN


def test_call_limits_exceed_those_of_redaction() -> None:
    """A secret that is cut in two here would not be recognised there."""
    assert max(redact.TRIGGER_LIMIT, redact.STRING_LIMIT, redact.PATH_LIMIT) + MARGIN <= MAX_TEXT_CHARS
    assert MAX_ERROR_CHARS >= redact.ERROR_LIMIT + MARGIN
    assert redact.PARAMETERS.entries < MAX_ENTRIES
    assert redact.PARAMETERS.depth < MAX_DEPTH


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
    assert len(json.dumps(bounded_parameters(tool_input))) < 50_000


def test_ordinary_parameters_stay_as_they_are() -> None:
    """Patterns are made of them; only the contents of files are left out."""
    asked = {"command": "make test", "timeout": 1500, "flags": ["-v", {"deep": None}], "file_path": "/p/app.py"}

    assert bounded_parameters({**asked, "content": "secret", "new_string": "x"}) == asked


def test_only_touched_files_are_listed() -> None:
    """A folder that was searched is none, nor is a file that was not there."""
    named = {"file_path": "/p/app.py", "path": "/p"}
    changed = {"bashEditDiff": {"changedFiles": ["/p/made.py", 5]}}

    assert touched_files(named, {}, Outcome.SUCCESS) == ("/p/app.py",)
    assert touched_files(named, {}, Outcome.FAILED) == ()
    assert touched_files({}, changed, Outcome.PARTIAL) == ("/p/made.py",)


@pytest.mark.parametrize(
    ("tool", "started", "actor", "expected"),
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
def test_only_tools_that_start_subagents_name_one(tool: str, started: object, actor: str, expected: str | None) -> None:
    """Any tool may answer with an `agentId`; a session's own calls would be moved behind that call."""
    assert started_subagent(tool, {"agentId": started}, actor=actor) == expected


def test_large_parameters_are_not_cut_within_a_word() -> None:
    """A value may end in a password."""
    others = {str(number): ["y" * 6_000] for number in range(9)}

    bounded = bounded_parameters({"url": "x" * 190 + " postgres://app:secret@host/db", **others})

    assert bounded == {"url": "x" * 190 + " "}
