"""A bare reply means something only after the work before it, so it is never learned as a task."""

from __future__ import annotations

import pytest

from behavior_plugin.agents.replies import is_bare_reply


@pytest.mark.parametrize("text", ["yes", "go on", "Yes, please continue.", "2", "ok, do it", "1 and 3", "LGTM!", "hmm"])
def test_words_of_assent_are_a_bare_reply(text: str) -> None:
    """They name nothing at all."""
    assert is_bare_reply(text)


@pytest.mark.parametrize(
    "text",
    [
        "no, do it differently",
        "ok lets try it",
        "yes please delete them",
        "no, the other file",
        "not what I meant",
        "still too slow",
        "Hmmm, that doesn't work",
        "go ahead with the plan",
        "3 seems like the one to tackle",
    ],
)
def test_a_reply_may_name_one_thing(text: str) -> None:
    """It begins like an answer, and one word is too little to find the same work by."""
    assert is_bare_reply(text)


@pytest.mark.parametrize("text", ["folded in", "ok I updated it", "updated them", "it has been fixed already"])
def test_a_report_is_a_bare_reply(text: str) -> None:
    """The person did something, and says so."""
    assert is_bare_reply(text)


@pytest.mark.parametrize("text", ["undo that", "add it", "fix both", "show me"])
def test_a_verb_with_a_pronoun_is_a_bare_reply(text: str) -> None:
    """Only the prompt before says what it is about."""
    assert is_bare_reply(text)


@pytest.mark.parametrize(
    "text",
    [
        "no tests cover the parser, add some",
        "fix lint",
        "explain",
        "embed",
        "fix it in the parser",
        "rebase on main",
        "run the tests",
        "yes, add a changelog entry",
        "ok back to main",
        "go vet ./...",
        "3 columns",
        "need a parser",
        "/home/dev/app.py is wrong",
        "can you move that over here then",
    ],
)
def test_a_prompt_that_names_its_work_is_none(text: str) -> None:
    """A short prompt can be a whole task."""
    assert not is_bare_reply(text)


@pytest.mark.parametrize("text", ["commit", "commit it", "yes, push it", "now the tests", "ok merge", "review this"])
def test_a_job_named_in_one_word_is_none(text: str) -> None:
    """People type such prompts again and again, and mean the same each time."""
    assert not is_bare_reply(text)


def test_a_bare_reply_is_short() -> None:
    """A long text of small words may still mean something."""
    assert is_bare_reply("yes please go on and do it now")
    assert not is_bare_reply("yes please go on and do it now then")


@pytest.mark.parametrize("text", ["?!", "...", "\N{THUMBS UP SIGN}"])
def test_a_text_without_words_is_a_bare_reply(text: str) -> None:
    """It names no work of its own."""
    assert is_bare_reply(text)


@pytest.mark.parametrize(
    "text",
    [
        "ja, mach weiter",
        "oui vas-y",
        "sí, por favor",
        "sim, continua",
        "네, 계속해줘",
        "はい、お願いします",
        "好的，继续吧",
    ],
)
def test_other_languages_have_their_words(text: str) -> None:
    """Yes, no and go on; Japanese and Chinese have no spaces between them."""
    assert is_bare_reply(text)


@pytest.mark.parametrize("text", ["ja, die Tests", "oui, le parser", "好的解析器", "好" * 21])
def test_other_words_of_other_languages_name_something(text: str) -> None:
    """Without a grammar of a language, each word must be on its list."""
    assert not is_bare_reply(text)
