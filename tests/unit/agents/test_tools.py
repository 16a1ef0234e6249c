"""Tools of other agents get our names."""

from __future__ import annotations

from typing import Any

import pytest

from behavior_plugin.agents.tools import MAX_FILES, arguments, normalize_patch, normalize_tool, patched_files


def test_an_unknown_tool_keeps_its_name() -> None:
    """Nothing is lost where we have no word for it."""
    words = {"view": ("Read", {"path": "file_path"})}

    assert normalize_tool("view", {"path": "a", "range": 1}, words) == ("Read", {"file_path": "a", "range": 1})
    assert normalize_tool("ask", {"path": "a"}, words) == ("ask", {"path": "a"})


def test_a_patch_names_no_file_or_many() -> None:
    """It may be cut off, or of another kind; and every stored part of a call is bounded."""
    many = "".join(f"*** Add File: {number}\n" for number in range(1_000))

    assert len(normalize_patch(many)[2]) == MAX_FILES
    assert normalize_patch("+text\n*** Update File: \n") == ("Edit", {}, ())


def test_a_patch_names_every_file_that_it_touches() -> None:
    """One that moves a file changes two."""
    patch = (
        "*** Update File: a.py\n*** Move to: b.py\n@@\n-*** Add File: x\n*** Delete File: c.py\n*** Add File: a.py\n"
    )

    assert patched_files(patch) == ("a.py", "b.py", "c.py")


@pytest.mark.parametrize(
    ("value", "expected"),
    [({"a": 1}, {"a": 1}), ('{"a": 1}', {"a": 1}), ("[1]", {}), ("{", {}), ("[" * 100_000, {}), (None, {}), ([1], {})],
)
def test_arguments_may_be_an_object_or_its_text(value: Any, expected: dict[str, Any]) -> None:
    """Models write them as text, and some agents keep that."""
    assert arguments(value) == expected
