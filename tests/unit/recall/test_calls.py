"""The calls of one run, uncut."""

from __future__ import annotations

from behavior_plugin.model import Outcome, Verdict
from behavior_plugin.recall.calls import call_lines
from tests.factories import make_action


def test_repeated_calls_are_one_line_with_their_whole_duration() -> None:
    """Ten identical test runs are one line of a run."""
    again = make_action(duration_ms=1500)

    assert call_lines([again, again, make_action("Read", parameters={"file_path": "a.py"}, duration_ms=None)]) == [
        "1. Bash make test (x2, 3.0 s)",
        "2. Read a.py",
    ]


def test_a_failed_call_has_its_duration_verdict_and_error() -> None:
    """The reader wants to know why it failed."""
    failed = make_action(
        outcome=Outcome.FAILED,
        duration_ms=12_000,
        error="Traceback\nAssertionError: total is 6",
        verdict=Verdict(passed=11, failed=1),
    )
    unfinished = make_action(outcome=Outcome.PARTIAL, parameters={"command": "sleep 99"}, duration_ms=None)

    assert call_lines([failed, unfinished]) == [
        "1. Bash make test (failed, 12 s, 11 passed, 1 failed)\n   AssertionError: total is 6",
        "2. Bash sleep 99 (did not finish)",
    ]


def test_commands_are_whole_and_keep_their_lines() -> None:
    """They are there to be copied."""
    long = "python3 -m pytest " + "tests/unit/test_one.py " * 30
    lines = "cat > a.py <<'EOF'\nif x:\n    y  =  1\nEOF"

    shown = call_lines([make_action(parameters={"command": text}, duration_ms=None) for text in (long, lines)])

    assert shown[0] == f"1. Bash {long.rstrip()}"
    assert shown[1] == "2. Bash cat > a.py <<'EOF'\n   if x:\n       y  =  1\n   EOF"


def test_remarks_on_a_command_of_several_lines_have_their_own_line() -> None:
    """Behind the end of a here-document, they would be copied with it."""
    [line] = call_lines([make_action(parameters={"command": "cat <<E\nE"})])

    assert line == "1. Bash cat <<E\n   E\n   (0.1 s)"


def test_hidden_characters_of_a_command_are_stripped() -> None:
    """A terminal obeys some of them."""
    [line] = call_lines([make_action(parameters={"command": "echo \x1b[2J\u202eevil"}, duration_ms=None)])

    assert line == "1. Bash echo  [2J evil"


def test_the_same_command_with_another_result_is_another_line() -> None:
    """First it failed, then it passed: that is the story of the run."""
    red, green = make_action(verdict=Verdict(failed=1)), make_action(verdict=Verdict(passed=1))

    assert len(call_lines([red, green])) == 2


def test_subagent_calls_are_counted_on_their_starting_line() -> None:
    """The delegation matters to the reader, not the files the subagent read."""
    actions = [
        make_action("Agent", parameters={"description": "List tests"}, started_agent="a1", duration_ms=None),
        make_action("Read", actor="a1"),
        make_action("Bash", actor="a1"),
        make_action(actor="user"),
        make_action("Edit", parameters={"file_path": "app.py"}, duration_ms=None),
    ]

    assert call_lines(actions) == ["1. Agent List tests (2 calls)", "2. Edit app.py"]
