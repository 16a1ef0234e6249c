"""What counts as a task decides what is learned and when recall speaks."""

from __future__ import annotations

import pytest

from behavior_plugin.agents.fields import LONGEST_TEXT
from behavior_plugin.agents.prompts import PromptKind, as_typed, essence, kind_of
from tests.factories import payload


@pytest.mark.parametrize("text", ["yes", "go on", "Yes, please continue.", "2", "ok, do it", "1 and 3", "LGTM!"])
def test_an_acknowledgement_is_a_follow_up(text: str) -> None:
    """A third of the wrong suggestions of word-based recall are answers to "yes"."""
    assert kind_of(text) is PromptKind.FOLLOW_UP


@pytest.mark.parametrize(
    "text", ["fix it in the parser", "Run the tests", "deploy", "no, the other file", "/home/dev/app.py is wrong"]
)
def test_what_names_something_is_a_task(text: str) -> None:
    """A short prompt can be a whole task."""
    assert kind_of(text) is PromptKind.TASK


@pytest.mark.parametrize("text", ["/release 1.2", "/greet Ada", "/gsd:quick", "/init", "/review"])
def test_a_custom_command_stands_for_a_task(text: str) -> None:
    """It sets the assistant to work, as the same words would."""
    assert kind_of(text) is PromptKind.COMMAND


@pytest.mark.parametrize("text", ["/clear", "/compact keep it short", "/model opus", "/exit", " /mcp\n"])
def test_a_command_of_the_client_sets_nothing_to_work(text: str) -> None:
    """Hooks do not even hear of them."""
    assert kind_of(text) is PromptKind.BUILT_IN


@pytest.mark.parametrize(
    ("recorded", "typed"),
    [
        ("fix it", "fix it"),
        ("<command-name>/compact</command-name>\n  <command-message>compact</command-message>\n", "/compact"),
        (
            "<command-message>greet</command-message>\n<command-name>/greet</command-name>\n"
            "<command-args>Ada and <b>Bo</b></command-args>",
            "/greet Ada and <b>Bo</b>",
        ),
        ("<command-message>without a name</command-message>", "<command-message>without a name</command-message>"),
    ],
)
def test_a_command_reads_as_it_was_typed(recorded: str, typed: str) -> None:
    """The client writes it down in tags; hook and transcript must mean the same prompt."""
    assert as_typed(recorded) == typed


def test_the_end_of_a_long_notification_is_kept() -> None:
    """How long the work took stands there, behind a result of any length."""
    text = f"<task-notification><result>{'x' * 50_000}</result><usage><duration_ms>5</duration_ms></usage>"

    assert len(as_typed(text)) == LONGEST_TEXT
    assert as_typed(text).endswith("<duration_ms>5</duration_ms></usage>")


@pytest.mark.parametrize(
    "text", ["centre the title", " centre\n the  title ", "[Image #1] centre the [Image #22]title"]
)
def test_the_essence_of_a_prompt_is_its_words(text: str) -> None:
    """Hook and transcript differ in white space and in where images stood."""
    assert essence(text) == "centre the title"


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
