"""How a rule is applied."""

from __future__ import annotations

from behavior_plugin.redact.rule import Rule


def found(rule: Rule, text: str) -> list[str]:
    return [text[start:end] for start, end in rule.found(text, text.lower())]


def test_groups_are_masked_or_all_that_matches() -> None:
    assert found(Rule("x", r"a=(\w)|b", example=""), "a=1 b") == ["1", "b"]


def test_a_text_without_its_words_is_not_searched() -> None:
    rule = Rule("x", r"\d", example="", words=("key",))

    assert (found(rule, "1"), found(rule, "KEY 1")) == ([], ["1"])


def test_the_value_is_judged_in_its_own_case() -> None:
    rule = Rule("x", r"(?i)key=(\w+)", example="", is_secret=str.isupper)

    assert (found(rule, "Key=AB"), found(rule, "KEY=ab")) == (["AB"], [])


def test_each_value_inside_a_stretch_is_masked() -> None:
    assert found(Rule("x", r"put [^\n]*", each=r"=(\w+)", example=""), "a=0 put b=1 c=2") == ["1", "2"]


def test_the_first_group_can_decide_for_all() -> None:
    rule = Rule("x", r"(\w+)/(\w+)", example="", is_secret=str.isdigit, is_whole=True)

    assert (found(rule, "1/b"), found(rule, "a/1")) == (["1", "b"], [])
