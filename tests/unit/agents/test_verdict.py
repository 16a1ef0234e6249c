"""Verdicts on the outputs of commands: the common tools', innocent ones, and hostile ones."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from behavior_plugin.agents.verdict import (
    MAX_GIST_CHARS,
    MAX_HEAD_CHARS,
    MAX_LINE_CHARS,
    MAX_REFUSAL_CHARS,
    MAX_TAIL_CHARS,
    call_verdict,
    read_verdict,
)
from behavior_plugin.model import Verdict

# "#### name: passed=3 failed=1 nothing", and the end of the tool's output.
OUTPUTS = (Path(__file__).parents[2] / "outputs.txt").read_text(encoding="utf-8")
CASES = {
    match[1]: (match[2], match[3]) for match in re.finditer(r"^#### (.+): ?(.*)\n((?:(?!####).*\n)*)", OUTPUTS, re.M)
}


def counts(verdict: Verdict | None) -> str:
    verdict = verdict or Verdict()
    named = {"passed": verdict.passed, "failed": verdict.failed}
    words = [f"{name}={count}" for name, count in named.items() if count is not None]
    return " ".join([*words, *(["nothing"] if verdict.ran_nothing else [])])


def error(output: str, command: str = "make check") -> str | None:
    verdict = read_verdict(output, command=command)
    return verdict.error if verdict else None


def commit(output: str, command: str = "git commit -m x") -> str | None:
    verdict = read_verdict(output, command=command)
    return verdict.commit if verdict else None


@pytest.mark.parametrize("name", CASES)
def test_the_counts_of_each_tool_are_read(name: str) -> None:
    """The outputs have the form of the tools' own, passing and failing."""
    expected, output = CASES[name]

    assert counts(read_verdict(output, command="make check")) == expected


def test_colours_are_no_part_of_an_output() -> None:
    """Some tools use them even where nobody looks."""
    output = (
        "\x1b[96msrc/cart.ts\x1b[0m:\x1b[93m7\x1b[0m:\x1b[93m3\x1b[0m - \x1b[91merror\x1b[0m\x1b[90m TS2322: \x1b[0mNo"
    )

    assert counts(read_verdict(output)) == "failed=1"
    assert counts(read_verdict("\x1b]0;title\x07\x1b[32m4 passed\x1b[0m in 0.03s")) == "passed=4 failed=0"


def test_a_progress_bar_ends_its_line() -> None:
    """It returns to the beginning of the line, which is no new one for Unix."""
    assert counts(read_verdict("  0%\r 50%\r100%\r4 passed in 0.03s\r\n")) == "passed=4 failed=0"


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        (CASES["unittest fails"][1], "AssertionError: 2 != 1"),
        (CASES["pytest fails"][1], "ERROR tests/test_cart.py - ImportError: no cart"),
        (CASES["tsc fails"][1], "src/cart.ts(7,3): error TS2322: Type 'string' is not assignable to type 'number'."),
        (CASES["cargo test fails"][1], "thread 'cart::adds' panicked at src/lib.rs:9:5:"),
        (CASES["npm fails"][1], "npm ERR! code ELIFECYCLE"),
        (CASES["maven fails"][1], "[ERROR] Failures:"),
        ("java.lang.IllegalStateException: no cart\n\tat com.example.Cart.add(Cart.java:9)\n", None),
        ("Exit code 127\n(eval):1: command not found: docker\n", "(eval):1: command not found: docker"),
        ("Exit code 2\nls: cannot access 'x': No such file or directory\n", None),
        ("Exit code 128\nfatal: not a git repository\n", "fatal: not a git repository"),
        (
            "Auto-merging a.py\nCONFLICT (content): Merge conflict in a.py\n",
            "CONFLICT (content): Merge conflict in a.py",
        ),
        (
            "remote: error: GH006: Protected branch update failed\n",
            "remote: error: GH006: Protected branch update failed",
        ),
        ("Failed to start the server\nError: listen EADDRINUSE: :::80\n", "Error: listen EADDRINUSE: :::80"),
    ],
)
def test_the_last_line_that_names_an_error_is_kept(output: str, expected: str | None) -> None:
    """Of the lines of wrappers, which count where there is no other, the first says most."""
    expected = expected or output.splitlines()[-1 if "Exit" in output else 0]

    assert error(output) == expected


def test_errors_of_passing_tests_do_not_count() -> None:
    """Tests of errors print them."""
    log = "Error: no cart\nerror: job failed with exit code 1\n"

    assert read_verdict(f"{log}12 passed in 0.1s\n") == Verdict(passed=12, failed=0)
    assert read_verdict(f"12 passed in 0.1s\n{log}") == Verdict(passed=12, failed=1, error="Error: no cart")


def test_a_check_after_passing_tests_counts() -> None:
    """Several checks are run in one line."""
    output = ' 12 pass\n 0 fail\nRan 12 tests across 2 files. [8.00ms]\nerror: script "lint" exited with code 1\n'

    assert (
        counts(read_verdict(output, command="bun run test | tail -5; bun run lint | tail -3")) == "passed=12 failed=1"
    )


def test_a_program_that_begins_with_an_error_and_ends_there_has_failed() -> None:
    """Behind a pipe, its exit code is lost."""
    refusal = "error: unrecognized subcommand 'test'\n\nUsage: tool [OPTIONS]\n"

    assert read_verdict(refusal) == Verdict(failed=1, error="error: unrecognized subcommand 'test'")
    assert counts(read_verdict("starting\n" + refusal)) == ""
    assert counts(read_verdict(refusal + "x" * MAX_REFUSAL_CHARS)) == ""


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("[main 1a2b3c4] Round once", "1a2b3c4 Round once"),
        ("[main (root-commit) 1a2b3c4] Start", "1a2b3c4 Start"),
        ("[detached HEAD 1a2b3c4d5] Try: [x] works", "1a2b3c4d5 Try: [x] works"),
        ("[feat/tax-2.0 1a2b3c4] Größe", "1a2b3c4 Größe"),
        ("[main abc] Too short an id", None),
        ("[12:00:00 1a2b3c4d] worker started today", None),
        ("  [main 1a2b3c4] quoted", None),
    ],
)
def test_the_commit_that_was_made_is_named(line: str, expected: str | None) -> None:
    """Hooks print before it, the list of files after it."""
    output = (
        f"lint................Passed\n{line}\n 2 files changed, 3 insertions(+)\n" + " create mode 100644 a.py\n" * 1000
    )

    assert commit(output) == expected


def test_of_several_commits_the_last_is_named() -> None:
    """It is the one that the work ended with."""
    assert commit("[main 1a2b3c4] One\n[main 2b3c4d5] Two\n") == "2b3c4d5 Two"


@pytest.mark.parametrize(
    "command",
    ["cat test.log", "grep -rn 'error:' src | head", "git log -3", "gh run view 7 --log", "git diff && git status"],
)
def test_nothing_is_read_from_a_command_that_only_looks(command: str) -> None:
    """Its output is somebody else's."""
    output = "error: no cart\n3 failed, 2 passed in 0.1s\n[main 1a2b3c4] Round once\nno tests ran\n"

    assert read_verdict(output, command=command) is None
    assert read_verdict(output, command=f"{command}; make check")


@pytest.mark.parametrize(
    "output",
    [
        "",
        "\n\n",
        "done\n",
        # Source code.
        "def test_error():\n    error = None\n    raise ValueError('no cart')\n    assert '3 failed' in out\n",
        "export interface Result {\n  error: string;\n  failed: number,\n  errors?: Error[];\n}\n",
        "try {\n} catch (Exception e) {\n  throw new IllegalStateException(e);\n}\n",
        '+    expect(result.error).toBe("failed")\n-    // 2 tests failed\n',
        # Data.
        '{\n  "error": null,\n  "failed": 0,\n  "message": "error: none"\n}\n',
        "{ ok: true,\n  error: undefined,\n  failed: 2 }\n",
        "error: null\nfatal: false\n",
        "name       errors  failed\ncheckout   3       1\n",
        "MD013     3\nMD040     3\n",
        # Lists of files and commits.
        "tests/test_errors.py\nsrc/fail.ts\nsrc/error.go\n",
        "1a2b3c4 fix: error in the build\n2b3c4d5 Fix 3 failing tests\n",
        " 3 files changed, 63 insertions(+), 12 deletions(-)\n",
        # Warnings.
        "warning: unused variable: `x`\nsrc/a.c:3:5: warning: unused variable 'x' [-Wunused-variable]\n",
        "npm warn deprecated inflight@1.0.6: This module is not supported\n",
        # Prose.
        "The 2 tests that failed in CI are the ones of the cart.\nErrors should never pass silently.\n",
        "Step 3 of 5\n100% done\n5 items, 2 left\n",
        # Logs of servers.
        "2026-03-02 09:00:00 ERROR cart failed\n[cart] Error in POST /api/cart: 500\n",
        "Listening on port 8080\nGET /error 500 12ms\n",
        "5 tests\nexit: 0\n",
    ],
)
def test_innocent_outputs_have_no_verdict(output: str) -> None:
    """A wrong failure makes good work look bad."""
    assert read_verdict(output, command="python3 script.py") is None


@pytest.mark.parametrize(
    "command", ["go test ./... 2>&1 | grep -v '^ok'", "go test ./... | awk '/x/'", "go test ./... | Select-String x"]
)
def test_behind_a_filter_other_tests_may_have_run(command: str) -> None:
    """The lines of those that passed are left out."""
    output = "?   \texample.com/shop/cmd\t[no test files]\n"

    assert counts(read_verdict(output, command=command)) == ""
    assert counts(read_verdict(output, command="go test ./... 2>&1 | tail -3")) == "nothing"


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (0, MAX_TAIL_CHARS - 60, "failed=3"),
        (0, MAX_TAIL_CHARS + 10, ""),
        (MAX_TAIL_CHARS * 4, 100, "failed=3"),
        (MAX_TAIL_CHARS * 4, MAX_TAIL_CHARS + 10, ""),
    ],
)
def test_the_end_of_an_output_is_read(before: int, after: int, expected: str) -> None:
    """Programs sum up at the end; the rest may be long."""
    output = ".\n" * (max(before, MAX_HEAD_CHARS) // 2) + "Found 3 errors.\n" + ".\n" * (after // 2)

    assert counts(read_verdict(output)) == expected


def test_the_beginning_of_an_output_is_read() -> None:
    """A commit names itself first, and then its files."""
    files = " create mode 100644 a.py\n" * 2_000

    assert commit(".\n" * 450 + "[main 1a2b3c4] Round once\n" + files)
    assert not commit(".\n" * 550 + "[main 1a2b3c4] Round once\n" + files)


def test_gists_are_short_and_cut_between_words() -> None:
    """Half a secret would not be recognised as one."""
    token = "ghp_" + "a1B2c3D4e5F6" * 3
    words = "word " * 55

    gist = error(f"error: {words}aaaaaaaaaaaaaaa {token}\n")

    assert gist
    assert len(gist) <= MAX_GIST_CHARS
    assert "ghp_" not in gist
    assert len(commit(f"[main 1a2b3c4] {'long ' * 70}") or "") <= MAX_GIST_CHARS


def test_a_line_of_data_is_passed_over() -> None:
    """A bundle of a megabyte has every word in it."""
    assert error("error: no cart " + "x" * (MAX_LINE_CHARS - 20))
    assert error("error: no cart " + "x" * MAX_LINE_CHARS) is None


@pytest.mark.parametrize(
    "unit",
    [
        *(
            "error ",
            "error: ",
            "a:a:",
            "1 failed, ",
            "[main ",
            "\x1b[",
            "\x1b]",
            "=",
            "ok ",
            "ok\n",
            "FAIL ",
            "Error.",
            "....",
        ),
        *(
            "fail\n",
            "a.a:1:1: ",
            "1 2 3 4 ",
            "no tests ",
            "✖",
            "\n",
            "\r",
            "x(1,1): ",
            "İ",
            "::",
            "exit code ",
            "ErrorError",
        ),
        *("\n1 passed, 1 failed in 1s", "\nerror: x", "\nnpm ERR! x", "test x ... "),
    ],
)
def test_hostile_outputs_take_milliseconds(unit: str) -> None:
    """Time is linear, and an output of any length is read in part."""
    output = unit * (2_000_000 // len(unit))
    began = time.process_time()

    read_verdict(output, command="make check")

    assert time.process_time() - began < 0.5


@pytest.mark.parametrize("tool", ["Bash", "PowerShell", "shell"])
def test_shells_have_verdicts(tool: str) -> None:
    """Other tools return files, pages and reports."""
    parameters = {"command": "make check"}

    assert call_verdict(tool, parameters, "3 failed", None, "in 1s") == Verdict(failed=3)
    assert call_verdict(tool, {}, "", None) is None
    assert call_verdict(tool, {"command": ["make"]}, {"text": "3 failed"}, 7) is None
    assert call_verdict("Read", parameters, "3 failed") is None


@pytest.mark.parametrize("place", range(4, 40, 6))
def test_an_output_is_not_cut_within_a_secret(place: int) -> None:
    """Neither at the end of its beginning, nor at the beginning of its end."""
    secret = "ghp_" + "A1b2C3d4E5" * 3 + "F6g7H8"
    line = f"{secret}: command not found"
    at_head = " " * (MAX_HEAD_CHARS - place) + line + "\n" * (MAX_TAIL_CHARS + 50)
    at_tail = "\n" * (MAX_HEAD_CHARS + 50) + line + "\n" * (MAX_TAIL_CHARS + place - len(line))

    for output in (at_head, at_tail):
        found = read_verdict(output, command="run")
        assert not any(part in (found.error or "") for part in (secret[4:20], secret[-20:])) if found else True
