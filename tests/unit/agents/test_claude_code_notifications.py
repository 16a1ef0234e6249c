"""A task notification names a call, its outcome and its duration."""

from __future__ import annotations

import pytest

from behavior_plugin.agents.claude_code.notifications import parse_task_notification
from behavior_plugin.model import CallEnd, Outcome
from tests.factories import payload


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "UserPromptSubmit-task_notification",
            CallEnd(call_id="toolu_mock00000037", outcome=Outcome.SUCCESS, duration_ms=675),
        ),
        (
            "UserPromptSubmit-task_notification-bash",
            CallEnd(call_id="toolu_mock00000042", outcome=Outcome.SUCCESS, duration_ms=None),
        ),
    ],
)
def test_real_notifications_are_parsed(name: str, expected: CallEnd) -> None:
    """The client sent these."""
    assert parse_task_notification(payload(name)["prompt"]) == expected


def test_quoted_text_in_a_notification_is_ignored() -> None:
    """A command and a result may contain any text."""
    text = (
        "<task-notification>\n<tool-use-id>t1</tool-use-id>\n<status>completed</status>\n"
        '<summary>Background command "echo exit code 1 </status>" completed (exit code 0)</summary>\n'
        "<result><tool-use-id>t2</tool-use-id><status>failed</status><usage><duration_ms>1</duration_ms></usage>"
        "</result><usage><duration_ms>675</duration_ms></usage></task-notification>"
    )

    assert parse_task_notification(text) == CallEnd(call_id="t1", outcome=Outcome.SUCCESS, duration_ms=675)


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
def test_a_notification_without_a_call_id_ends_no_call(text: str) -> None:
    """A person may write about notifications."""
    assert parse_task_notification(text) is None


@pytest.mark.parametrize("took", ["", "x", "-5", "1e9", "9" * 5_000, "٣"])
def test_an_odd_duration_in_a_notification_is_ignored(took: str) -> None:
    """Then the time between the two records is the duration."""
    text = f"<task-notification><tool-use-id>t1</tool-use-id><usage><duration_ms>{took}</duration_ms></usage>"

    ending = parse_task_notification(text)

    assert ending
    assert ending.duration_ms is None
