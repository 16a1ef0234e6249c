"""Summaries of test runners and linters."""

from __future__ import annotations

import pytest

from behavior_plugin.agents.summaries import MAX_LINE_CHARS, Summary, read_summary


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("3 failed, 5 passed, 1 skipped in 0.12s", Summary(passed=5, failed=3)),
        ("=== 1 failed, 2 errors in 61.20s (0:01:01) ===", Summary(failed=3)),
        ("tests run: 5, failures: 1, errors: 2, skipped: 0", Summary(failed=3, total=5)),
        ("failed (failures=1, errors=2)", Summary(failed=3)),
        ("ok (expected failures=1)", None),
        ("# pass 2", Summary(passed=2)),
        ("5 tests, 1 failure", Summary(failed=1, total=5)),
        ("2 doctests, 3 tests, 0 failures", Summary(failed=0, total=5)),
        ("3 problems (2 errors, 1 warning)", Summary(failed=2)),
        ("5 issues:", Summary(failed=5)),
        ("5 files inspected, no offenses detected", Summary(failed=0)),
        ("found 5 errors (2 fixed, 3 remaining).", Summary(failed=3)),
        ("found 1 error (3 fixed, 1 remaining).", Summary(failed=0)),
        ("5 offenses detected, 4 offenses autocorrectable", Summary(failed=5)),
        ("found 2 errors in the same file, starting at: src/a.ts:3", Summary(failed=2, is_part=True)),
        (
            "tests run: 5, failures: 0, errors: 0, time elapsed: 0.1 s -- in a.b",
            Summary(failed=0, total=5, is_part=True),
        ),
        ("test suites: 1 failed, 1 passed, 2 total", Summary(passed=1, failed=1, total=2, is_coarse=True)),
        ("passed: total 5, failed 0, errors 0, passed 5", Summary(passed=5, failed=0, total=5)),
        ("[error] tests run: 5, failures: 1, errors: 0", Summary(failed=1, total=5)),
        ("with 2 known issues", None),
    ],
)
def test_each_form_is_read(line: str, expected: Summary | None) -> None:
    """A count has its word before or after it."""
    assert read_summary(line) == expected


@pytest.mark.parametrize(
    "line",
    [
        "fix 3 failing tests",
        "3 failed attempts to connect",
        'assert "3 failed" in out',
        "error: 404",
        "error 2",
        "step 3 failed",
        "3 warnings",
        "errors",
        "all tests passed",
        "2 failed, see the log",
        "1 2 3",
        "3 failed".ljust(MAX_LINE_CHARS + 1),
        "9" * 5_000,
    ],
)
def test_a_line_with_another_word_is_no_summary(line: str) -> None:
    """Prose, source code and data have words of their own."""
    assert read_summary(line) is None


def test_a_huge_number_is_cut() -> None:
    """Python refuses to read the longest ones, and Postgres to store them."""
    summary = read_summary("9" * 200 + " failed")

    assert summary
    assert summary.failed == 999_999_999
