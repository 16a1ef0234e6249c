"""Cut text that is marked as private, in every way of writing the tag."""

from __future__ import annotations

import json

import pytest

from behavior_plugin.capture import handlers, private

CANARY = "kestrel-4711"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("deploy <private>kestrel-4711</private> now", "deploy  now"),
        ("<PRIVATE>kestrel-4711</Private> now", " now"),
        ("< private >kestrel-4711< / private > now", " now"),
        ("<private\n>kestrel-4711</private\t> now", " now"),
        ("a <private>b <private>kestrel-4711</private> kestrel-4711</private> c", "a  c"),
        ("a <private>kestrel-4711", "a "),
        ("a <private>b</private> c <private>kestrel-4711", "a  c "),
        ("kestrel-4711</private> c", " c"),
        ("a <private>b</private> kestrel-4711</private> c", " c"),
        ("no tags here", "no tags here"),
        ("a private method, a < b", "a private method, a < b"),
    ],
)
def test_marked_text_is_cut(text: str, left: str) -> None:
    """A typing error in a tag must not publish the text."""
    assert private.without_private(text) == left


@pytest.mark.parametrize(
    ("text", "is_all"),
    [
        ("<private>all of it</private>", True),
        (" \n<private>all</private> <private>of it</private>\n", True),
        ("<private>all of it", True),
        (private.MARK, True),
        ("<private>a part</private> of it", False),
        ("", False),
        ("private", False),
    ],
)
def test_a_prompt_can_be_private_as_a_whole(text: str, is_all: bool) -> None:
    assert private.is_private(text) is is_all


def test_cutting_again_changes_nothing() -> None:
    """A hook cuts a prompt, and the worker reads it again."""
    cut = private.without_private("a <private>kestrel-4711</private> b", private.MARK)

    assert private.without_private(cut, private.MARK) == cut
    assert private.without_private(cut) == "a  b"


WRITTEN = [
    '"fix <private>kestrel-4711</private> it"',
    r'"fix \u003cprivate\u003ekestrel-4711\u003c/private\u003e it"',
    r'"fix \u003CPRIVATE\u003Ekestrel-4711\u003C\/private\u003E it"',
    r'"fix <\u0070rivate>kestrel-4711<\/privat\u0065> it"',
    r'"fix <\u0050RIVATE>kestrel-4711</private> it"',
    r'"fix <private>\u006Bestrel-4711"',
]


@pytest.mark.parametrize("prompt", WRITTEN)
def test_a_payload_is_cut_however_json_writes_the_tag(prompt: str) -> None:
    raw = f'{{"session_id":"s1","prompt_id":"p1","session_title":"about kestrel-4711","prompt":{prompt}}}'.encode()

    assert handlers._may_be_private(raw)
    cut, is_all = private.cut_payload(raw)

    fields = json.loads(cut)
    assert CANARY not in json.dumps(fields)
    assert fields["prompt"].startswith("fix " + private.MARK)
    assert (fields["session_id"], fields["prompt_id"], is_all) == ("s1", "p1", False)


@pytest.mark.parametrize("raw", [b'{"prompt": "<private>x</private>', b"[1, 2]", b"\xff<private>", b"[" * 100_000])
def test_nothing_is_kept_of_a_payload_that_cannot_be_cut(raw: bytes) -> None:
    assert private.cut_payload(raw) == (b"", True)


def test_a_payload_without_the_tag_stays_as_it_came() -> None:
    """Prompts about private methods are frequent, and a worker wants the agent's own bytes."""
    raw = b'{ "session_id": "s1", "prompt": "make the method private if a < b" }\n'

    assert private.cut_payload(raw) == (raw, False)
    assert not handlers._may_be_private(b'{"prompt":"fix the parser <here>"}')


def test_other_fields_of_a_marked_payload_are_dropped() -> None:
    """The client may make a title of the prompt."""
    raw = json.dumps({"session_id": "s1", "prompt": "go on", "title": f"<private>{CANARY}</private>"}).encode()

    cut, _ = private.cut_payload(raw)

    assert json.loads(cut) == {"session_id": "s1", "prompt": "go on"}
