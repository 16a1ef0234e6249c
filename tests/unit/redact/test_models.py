"""Every text of a turn is redacted and bounded, but for our own ids."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from behavior_plugin.model import Action, Context, Outcome, Turn, Verdict
from behavior_plugin.redact import ACTIONS_LIMIT, FILES_LIMIT, PARAMETERS, STRING_LIMIT, TRIGGER_LIMIT, redact_turn

# Assembled, so that scanners do not report this file as a leak.
PASSWORD = "hunter2-" + "Xq7"
GITHUB = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
NOW = datetime(2026, 11, 23, tzinfo=UTC)


def make_turn(**changes: Any) -> Turn:
    values: dict[str, Any] = {
        "source_key": "3f786850e387550fdab836ed7e6dc881de23001b",
        "prompt": "fix the test",
        "context": Context(),
        "actions": (make_action(),),
        "started_at": NOW,
        "session_id": "123e4567-e89b-12d3-a456-426614174000",
    }
    return Turn(**{**values, **changes})


def make_action(**changes: Any) -> Action:
    values: dict[str, Any] = {"tool": "Bash", "outcome": Outcome.SUCCESS, "timestamp": NOW}
    return Action(**{**values, **changes})


def test_every_field_of_a_turn_is_redacted() -> None:
    """Keys, lists, branch names, the agent's own words and the output of commands can contain secrets too."""
    address = f"https://me:{PASSWORD}@example.com/x.git"
    action = make_action(
        tool=GITHUB,
        actor=GITHUB,
        error=address,
        parameters={GITHUB: [{"deep": address}], "command": address},
        verdict=Verdict(error=address, commit=GITHUB),
    )
    context = Context(directory=address, project=address, branch=GITHUB, files_touched=(GITHUB,))

    turn = make_turn(prompt=address, context=context, actions=(action,), closing=address)
    stored = redact_turn(turn).model_dump_json()

    assert PASSWORD not in stored
    assert GITHUB not in stored


def test_a_turn_is_bounded() -> None:
    """A row must stay readable, however large a tool's input was."""
    many = {f"key {number}": "x" * 10_000 for number in range(100)}
    actions = tuple(make_action(tool=f"tool {number}", parameters=many, error="e" * 9_999) for number in range(300))
    context = Context(files_touched=tuple(f"{number}.py" for number in range(1_000)))

    found = redact_turn(make_turn(prompt="t" * 9_999, actions=actions, context=context, closing="c" * 9_999))

    assert (len(found.prompt), len(found.closing or "")) == (TRIGGER_LIMIT, STRING_LIMIT)
    assert len(found.context.files_touched) == FILES_LIMIT
    assert len(found.actions) == ACTIONS_LIMIT
    assert (found.actions[0].tool, found.actions[-1].tool) == ("tool 0", "tool 299")
    assert len(found.actions[0].parameters) == PARAMETERS.entries + 1
    assert max(len(text) for text in found.actions[0].parameters.values()) == STRING_LIMIT
    assert found.actions[99].parameters["actions left out after this one"] == 100


def test_our_own_ids_are_not_redacted() -> None:
    """The store identifies turns and sessions by these ids."""
    turn = make_turn()

    assert redact_turn(turn) == turn
