"""Texts are compared by their words, or by letters where nobody can tell the words."""

from __future__ import annotations

import pytest

from behavior_plugin.recall.words import MAX_TOKENS, WordIndex, tokens, trigrams


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Fix the LOGIN-test", ["fix", "the", "login", "test"]),
        ("user_id: 7", ["user", "id", "7"]),
        ("修复测试", ["修复", "复测", "测试"]),
        ("测", ["测"]),
        ("Größe ändern", ["größe", "ändern"]),
        ("…", []),
    ],
)
def test_words_of_any_script_are_found(text: str, expected: list[str]) -> None:
    """Chinese puts no spaces between words, so pairs of characters stand for them."""
    assert tokens(text) == expected


def test_long_texts_are_cut() -> None:
    """A pasted log has thousands of words."""
    assert len(tokens("word " * 5_000)) == MAX_TOKENS
    assert len(trigrams("word " * 5_000)) <= 4 * MAX_TOKENS


def test_text_with_all_the_words_scores_highest() -> None:
    """A rare word counts more than one that most texts have."""
    index = WordIndex([tokens(text) for text in ("fix the login", "fix the export", "fix the login test", "say hello")])

    scores = index.scores(tokens("login test"))

    assert scores.argmax() == 2
    assert 0 < scores[0] < scores[2]
    assert scores[1] == scores[3] == 0
    assert index.scores(tokens("fix login"))[0] > index.scores(tokens("fix login"))[1]


def test_a_text_has_nearly_all_of_itself_as_a_question() -> None:
    """So the scores of different questions can be compared."""
    text = tokens("deploy the shop to staging, and see that the old pages are gone")
    index = WordIndex([text, *[tokens("another text of some words")] * 20])

    assert 0.9 < index.scores(text)[0] < 1


def test_a_question_of_one_common_word_has_little_in_common_with_any_text() -> None:
    """Nobody who says "run it" names the work that ran something."""
    index = WordIndex([*[tokens("run the gate")] * 9, tokens("release the shop")])

    assert max(index.scores(tokens("run"))) < 0.3 < max(index.scores(tokens("release")))


def test_repeated_and_unknown_words_count_little() -> None:
    """A question of unknown words has nothing in common with any text."""
    index = WordIndex([tokens("fix the login")])

    assert index.scores(tokens("login login login"))[0] <= 1.1
    assert index.scores(tokens("nothing known"))[0] == 0
    assert index.scores([]).tolist() == [0]
    assert WordIndex([]).scores(tokens("fix")).tolist() == []


def test_letters_find_other_forms_of_a_word() -> None:
    """Most languages inflect their words."""
    index = WordIndex([trigrams("Räume die Warnungen des Linters auf"), trigrams("Schreibe ein Haiku")])

    scores = index.scores(trigrams("eine Warnung vom Linter"))

    assert scores[0] > 0.2 > scores[1]


def test_a_word_may_be_repeated_without_end() -> None:
    """One such text must not cost the whole project its recall."""
    index = WordIndex([["a"] * 70_000, ["b"]])

    assert index.scores(["a"]).argmax() == 0


def test_a_word_that_is_repeated_is_no_more_of_the_question() -> None:
    """A pasted log says the same in each line: a text with one of its words has not all of it."""
    texts = [tokens(text) for text in ("speed up the report", "add a login page", "translate the errors", "write docs")]
    line = "at com.shop.Report.run(Report.java:10)"

    once, often = (WordIndex(texts).scores(tokens(line * times)).max() for times in (1, 12))

    assert 0 < often < 1.2 * once
