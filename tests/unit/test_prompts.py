"""What counts as a task decides what is learned and when recall speaks."""

from __future__ import annotations

import pytest

from behavior_plugin.prompts import PromptKind, kind_of
from tests.factories import payload


@pytest.mark.parametrize("text", ["yes", "go on", "Yes, please continue.", "2", "ok, do it", "1 and 3", "LGTM!"])
def test_an_acknowledgement_is_a_follow_up(text: str) -> None:
    """A third of the wrong suggestions of word-based recall are answers to "yes"."""
    assert kind_of(text) is PromptKind.FOLLOW_UP


@pytest.mark.parametrize(
    "text", ["fix it in the parser", "Run the tests", "deploy", "/release 1.2", "no, the other file"]
)
def test_what_names_something_is_a_task(text: str) -> None:
    """A short prompt can be a whole task."""
    assert kind_of(text) is PromptKind.TASK


def test_a_task_notification_is_machine_text() -> None:
    """The client sends these through the prompt hook, with no mark that no human wrote them."""
    prompt = payload("UserPromptSubmit-task_notification")["prompt"]

    assert kind_of(prompt) is PromptKind.MACHINE


def test_our_own_command_is_no_task() -> None:
    """Asking for a recall must not itself become a pattern."""
    assert kind_of("/behavior:recall fix the tests") is PromptKind.OWN_COMMAND


@pytest.mark.parametrize("text", ["", "  \n "])
def test_an_empty_prompt_is_no_task(text: str) -> None:
    """There is nothing to learn from or to look for."""
    assert kind_of(text) is PromptKind.MACHINE
