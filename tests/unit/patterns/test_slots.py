"""Tests of the slots for words of a command. `test_portable` has whole lines."""

from __future__ import annotations

import pytest

from behavior_plugin.patterns.commands import split_command
from behavior_plugin.patterns.slots import slotted, without_version


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("git add a.py b.py", ["add", "{files}", "{files}"]),
        ("git checkout fix/cart", ["checkout", "{branch}"]),
        ("git checkout main", ["checkout", "main"]),
        ("git push origin v1.2.3", ["push", "origin", "{version}"]),
        ("pytest tests/test_cart.py", ["{test}"]),
        ("gh pr view 12", ["pr", "view", "{number}"]),
        ("npm install left-pad", ["install", "{package}"]),
        ("npm run lint", ["run", "lint"]),
    ],
)
def test_the_values_of_one_occasion_become_slots(command: str, expected: list[str]) -> None:
    [part] = split_command(command)

    assert slotted(part, part.text.split()[1:]) == expected


def test_a_version_behind_a_name_becomes_a_slot() -> None:
    assert without_version("eslint@9.1") == "eslint@{version}"
    assert without_version("@scope/name") == "@scope/name"
