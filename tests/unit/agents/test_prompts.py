"""The kind of a prompt decides whether it is learned from and answered."""

from __future__ import annotations

import pytest

from behavior_plugin.agents.prompts import read_prompt
from behavior_plugin.model import PromptKind
from tests.factories import payload


@pytest.mark.parametrize("text", ["yes", "Yes, please continue.", "2", "no, do it differently"])
def test_a_bare_reply_is_a_follow_up(text: str) -> None:
    """A third of the wrong suggestions of word-based recall are answers to "yes"."""
    assert read_prompt(text)["prompt_kind"] is PromptKind.FOLLOW_UP


@pytest.mark.parametrize("text", ["fix it in the parser", "Run the tests", "deploy", "/home/dev/app.py is wrong"])
def test_a_prompt_that_names_something_is_a_task(text: str) -> None:
    """A short prompt can be a whole task."""
    assert read_prompt(text)["prompt_kind"] is PromptKind.TASK


@pytest.mark.parametrize("text", ["/release 1.2", "/greet Ada", "/gsd:quick", "/init", "/review"])
def test_a_custom_command_is_a_task(text: str) -> None:
    """It sets the assistant to work, as the same words would."""
    assert read_prompt(text)["prompt_kind"] is PromptKind.COMMAND


@pytest.mark.parametrize("text", ["/clear", "/compact keep it short", "/model opus", "/exit", " /mcp\n"])
def test_a_built_in_command_is_no_task(text: str) -> None:
    """Hooks do not even hear of them."""
    assert read_prompt(text)["prompt_kind"] is PromptKind.BUILT_IN


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
def test_a_tagged_command_reads_as_typed(recorded: str, typed: str) -> None:
    """The client writes it down in tags; hook and transcript must mean the same prompt."""
    assert read_prompt(recorded)["prompt"] == typed


@pytest.mark.parametrize(
    "text", ["centre the title", " centre\n the  title ", "[Image #1] centre the [Image #22]title"]
)
def test_the_key_of_a_prompt_ignores_spacing_and_images(text: str) -> None:
    """Hook and transcript differ in white space and in where images stood."""
    assert read_prompt(text)["prompt_key"] == "centre the title"


def test_a_task_notification_is_machine_text() -> None:
    """The client sends these through the prompt hook, with no mark that no human wrote them."""
    prompt = payload("UserPromptSubmit-task_notification")["prompt"]

    assert read_prompt(prompt)["prompt_kind"] is PromptKind.MACHINE


def test_our_own_command_is_no_task() -> None:
    """Asking for a recall must not itself become a pattern."""
    assert read_prompt("/behavior:recall fix the tests")["prompt_kind"] is PromptKind.OWN_COMMAND


@pytest.mark.parametrize("text", ["", "  \n "])
def test_an_empty_prompt_is_no_task(text: str) -> None:
    """There is nothing to learn from or to look for."""
    assert read_prompt(text)["prompt_kind"] is PromptKind.MACHINE


@pytest.mark.parametrize(
    ("typed", "logged"),
    [
        ("fix the <private>kestrel-4711</private> bug", "fix the <private>kestrel-4711</private> bug"),
        ("fix the <private></private> bug", "fix the <PRIVATE>kestrel-4711</PRIVATE> bug"),
        (
            "/greet <private></private>",
            "<command-message>greet</command-message>\n<command-name>/greet</command-name>\n"
            "<command-args><private>kestrel-4711</command-args>",
        ),
    ],
)
def test_marked_text_is_cut_from_hooks_and_logs_alike(typed: str, logged: str) -> None:
    """A hook has cut it before, a log has all of it; both are one prompt."""
    from_hook, from_log = read_prompt(typed), read_prompt(logged)

    assert "kestrel" not in str([from_hook, from_log])
    assert from_hook["prompt_key"] == from_log["prompt_key"]
    assert from_hook["prompt_kind"] is from_log["prompt_kind"]
    assert from_log["prompt_kind"] in (PromptKind.TASK, PromptKind.COMMAND)


def test_a_long_private_text_is_cut_before_the_prompt_is() -> None:
    assert read_prompt(f"fix {'x' * 5_990}<private>kestrel-4711</private>")["prompt"].endswith("x")
    assert read_prompt(f"<private>{'x' * 9_000}</private> fix it")["prompt"] == " fix it"


@pytest.mark.parametrize("text", ["<private>sell the house</private>", " <private></private>\n", "<private>sell it"])
def test_a_prompt_can_be_private_as_a_whole(text: str) -> None:
    found = read_prompt(text)

    assert (found["prompt"], found["prompt_kind"]) == ("", PromptKind.PRIVATE)
