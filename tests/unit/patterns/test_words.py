"""The words by which people judge work, go on with it or begin other work."""

from __future__ import annotations

import pytest

from behavior_plugin.patterns.words import (
    DELIVERY,
    DOUBT,
    HESITATION,
    PRAISE,
    REFUSAL,
    REJECTION,
    Phrases,
    count_words,
    plain,
    without_fillers,
)


def test_a_phrase_is_whole_words() -> None:
    """ "own" is not in "downtown", and "e-mail" is not "mail"."""
    phrases = Phrases(en="own, mail, don't")

    assert phrases.within("my own") == "own"
    assert [phrases.within(text) for text in ("downtown", "an e-mail", "owner")] == ["", "", ""]
    assert phrases.within("i don't") == "don't"


def test_a_star_stands_for_the_rest_of_a_word() -> None:
    """Languages bend their words."""
    phrases = Phrases(en="fail*, still *")

    assert phrases.within("it failed") == "failed"
    assert phrases.opens("still red") == "still red"


def test_the_longest_phrase_of_any_language_counts() -> None:
    """The language of a text is not known."""
    phrases = Phrases(en="go, go on", de="weiter")

    assert phrases.opens("go on now") == "go on"
    assert phrases.opens("weiter so") == "weiter"
    assert phrases.opens("now go") == ""


def test_phrases_of_languages_without_spaces_are_found_inside_words() -> None:
    """Nothing separates them from the rest."""
    assert Phrases(zh="不对").within("这样不对啊") == "不对"


def test_plain_text_has_small_letters_and_straight_apostrophes() -> None:
    """Keyboards and phones disagree about apostrophes."""
    assert plain("It\u2019s\n  WRONG") == "it's wrong"


def test_plain_text_has_only_the_first_words() -> None:
    """A pasted log follows them, and is full of errors."""
    text = "word " * 40 + "wrong"

    assert not REJECTION.within(plain(text))
    assert REJECTION.within(plain(text.removeprefix("word ")))


@pytest.mark.parametrize(("text", "expected"), [("run the tests", 3), ("テストを実行", 4), ("테스트 실행", 2), ("", 0)])
def test_words_are_counted_without_spaces_too(text: str, expected: int) -> None:
    """Otherwise a Japanese sentence would be one word."""
    assert count_words(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hmm, ok so it fails", "it fails"),
        ("please, commit", "commit"),
        ("okay", "okay"),
        ("some words", "some words"),
        ("so", "so"),
    ],
)
def test_fillers_are_dropped_where_something_follows(text: str, expected: str) -> None:
    """They stand before all kinds of prompts."""
    assert without_fillers(text) == expected


@pytest.mark.parametrize(
    "text",
    ["no, do it differently", "no that is another", "nope, the second", "nein, anders", "no. again please"],
)
def test_a_no_that_goes_on_is_a_refusal(text: str) -> None:
    """It says what to do in place of it."""
    assert REFUSAL.match(text)


@pytest.mark.parametrize("text", ["no", "no tests cover this, add some", "no, that's fine", "now, commit", "none"])
def test_another_no_is_no_refusal(text: str) -> None:
    """It answers a question, or counts something."""
    assert not REFUSAL.match(text)


@pytest.mark.parametrize(
    ("phrases", "text"),
    [
        (PRAISE, "perfekt, danke"),
        (PRAISE, "完璧です"),
        (REJECTION, "das funktioniert nicht"),
        (REJECTION, "ça ne marche pas"),
        (DOUBT, "pero falta el título"),
        (DOUBT, "但是缺少测试"),
        (DELIVERY, "커밋해줘"),
    ],
)
def test_other_languages_have_their_words(phrases: Phrases, text: str) -> None:
    """A language without a list says nothing."""
    assert phrases.within(text)


@pytest.mark.parametrize("text", ["hmm, odd", "uhm not that", "hm"])
def test_hesitation_is_heard(text: str) -> None:
    """People make the sound when something is not as they expected."""
    assert HESITATION.match(text)
    assert not HESITATION.match("humble")
