"""Read what a failed call said: the line with the error, and whether the command was wrong as typed."""

from __future__ import annotations

from datetime import UTC, datetime
from time import process_time

import pytest

from behavior_plugin.model import Action, Outcome, Verdict
from behavior_plugin.patterns.failures import (
    MAX_ERROR_CHARS,
    error_kind,
    error_line,
    is_passing,
    is_plain_error,
    names_no_such,
    names_wrong_word,
    was_stopped,
    words_of,
)

WRONG_WORDS = """
error: unrecognized subcommand 'fmtt'
error: unexpected argument '--fast' found
Error: unknown command "deplyo" for "helm"
unknown shorthand flag: 'x' in -x
pytest: error: unrecognized arguments: --timeout=5
cat: illegal option -- A
error: No such option: --foo
npm error Missing script: "tests"
error: Script not found "lint"
make: *** No rule to make target 'tests'.  Stop.
Task 'lintAll' not found in root project 'app'.
error: Justfile does not contain recipe `tests`
flag provided but not defined: -runs
git: 'comit' is not a git command. See 'git --help'.
no configuration file provided: not found
error: invalid choice: 'chek' (choose from 'check'): invalid choice
Option '--ext' is not defined: option not recognized
The task "tets" could not be found
""".strip().splitlines()
MISSING = """
zsh: command not found: docker
sh: 1: vitest: not found
error Command "lint" not found.
'rg' is not recognized as an internal or external command
/usr/bin/python3: No module named pytest
exec: "protoc": executable file not found in $PATH
Cannot connect to the Docker daemon. Is the docker daemon running?
error: externally-managed-environment
bash: ./run.sh: Permission denied
npm error code EACCES
HTTP 403: Forbidden
The following paths are ignored by one of your .gitignore files:
error: gpg failed to sign the data
remote: error: GH006: Protected branch update failed
husky - pre-commit script failed (code 1)
remote: pre-receive hook declined
PreToolUse:Bash hook error: BLOCKED: use pnpm
Error: DATABASE_URL is not set
This command must be run from the root of the repository
ERR_PNPM_UNSUPPORTED_ENGINE Unsupported engine
""".strip().splitlines()
ABOUT_THE_CODE = """
FAILED tests/test_app.py::test_adds - assert 3 == 4
error TS2322: Type 'string' is not assignable to type 'number'.
× Formatter would have printed the following content:
TypeError: f() got an unexpected keyword argument 'size'
E501 Line too long (140 > 120)
error[E0308]: mismatched types
panic: runtime error: index out of range
Error: connect ECONNREFUSED 127.0.0.1:5432
undefined: parseConfig
""".strip().splitlines()
PASSING = """
bash: line 1: cd: src: No such file or directory
pattern ./...: directory prefix . does not contain main module or its selected dependencies
fatal: not a git repository (or any of the parent directories): .git
fatal: pathspec 'src/a.py' did not match any files
CONFLICT (content): Merge conflict in a.py
! [rejected] main -> main (fetch first)
fatal: Unable to create '/repo/.git/index.lock': File exists.
Command timed out after 2m 0s
The model is temporarily unavailable
curl: (6) Could not resolve host: example.com
Sibling tool call errored
""".strip().splitlines()


def failed(error: str, verdict: Verdict | None = None) -> Action:
    at = datetime(2026, 3, 2, tzinfo=UTC)
    return Action(tool="Bash", outcome=Outcome.FAILED, timestamp=at, error=error, verdict=verdict)


@pytest.mark.parametrize("line", WRONG_WORDS)
def test_a_wrong_word_is_plain(line: str) -> None:
    assert is_plain_error(line)
    assert names_wrong_word(line)


@pytest.mark.parametrize("line", MISSING)
def test_a_missing_tool_or_right_is_plain_and_may_be_mended_by_another_command(line: str) -> None:
    assert is_plain_error(line)
    assert not names_wrong_word(line)


@pytest.mark.parametrize("line", ABOUT_THE_CODE)
def test_an_error_about_the_code_is_not_plain(line: str) -> None:
    assert not is_plain_error(line)
    assert not is_passing(line)


@pytest.mark.parametrize("line", PASSING)
def test_the_folder_the_work_of_others_and_trouble_pass(line: str) -> None:
    assert is_passing(line)


def test_the_line_with_a_plain_error_comes_before_others() -> None:
    text = "Exit code 127\n$ npm test\nerror: it failed\n  \x1b[31msh: vitest: command not found\x1b[0m\nbye"

    assert error_line(failed(text, Verdict(error="error: last"))) == "sh: vitest: command not found"


def test_the_verdict_names_the_error_of_a_long_output() -> None:
    text = "start\nerror: first"

    assert error_line(failed(text, Verdict(error="error: last"))) == "error: last"
    assert error_line(failed(text)) == "error: first"


def test_a_line_that_only_repeats_an_exit_code_says_nothing() -> None:
    text = 'x\nerror: bad import\nerror: script "lint" exited with code 1'

    assert error_line(failed(text, Verdict(error='error: script "lint" exited with code 1'))) == "error: bad import"
    assert error_line(failed("one\nnpm ERR! code ELIFECYCLE: failed")) == ""
    assert error_line(failed("one\nhusky - pre-commit hook failed, exit code 1")).startswith("husky")


def test_a_line_that_ends_in_a_colon_needs_the_next() -> None:
    assert error_line(failed("ok\nfatal: cannot read:\nconfig.toml\nmore")) == "fatal: cannot read: config.toml"


def test_without_an_error_only_a_single_line_speaks() -> None:
    assert error_line(failed("Exit code 1\nnothing to do")) == "nothing to do"
    assert error_line(failed("Exit code 1\none\ntwo")) == ""
    assert error_line(failed("")) == ""


def test_a_long_line_is_cut() -> None:
    assert error_line(failed("error " + "x" * 500)) == ("error " + "x" * 500)[:MAX_ERROR_CHARS]
    assert MAX_ERROR_CHARS == 200


def test_a_name_that_nothing_has() -> None:
    assert names_no_such("commit", "Unknown skill: commit")
    assert not names_no_such("commit", "Unknown skill: deploy")
    assert not names_no_such("commit", "commit failed")


def test_words_are_found_behind_quotes_and_dashes() -> None:
    assert words_of("unknown option `cached'") & words_of("git status --cached") == {"cached"}


@pytest.mark.parametrize(
    "text", ["A_" * 1000, "command " * 250, "unknown a b " * 160, "not " * 500, "could not find " * 130]
)
def test_reading_a_hostile_error_is_fast(text: str) -> None:
    began = process_time()

    error_line(failed(text))
    is_passing(text)

    assert process_time() - began < 0.5


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("/usr/bin/python3: No module named pytest", "python#: no module named pytest"),
        ("C:\\tools\\x.exe: Access is denied.", "x.exe: access is denied."),
        ("src/shop/cart.py:9:80  error  Line too long", "cart.py:#:# error line too long"),
        ("fatal: bad revision 'deadbeef1'", "fatal: bad revision '#'"),
        ("error: a/b or c", "error: b or c"),
        ("", ""),
    ],
)
def test_an_error_kind_has_no_folders_and_numbers(line: str, kind: str) -> None:
    """They differ from one occasion to the next."""
    assert error_kind(line) == kind


def test_a_call_that_was_stopped_is_known_by_its_exit_code_or_its_words() -> None:
    """The code at the beginning is that of the call; others are of commands in it."""
    assert was_stopped("Exit code 143\nTerminated")
    assert was_stopped("[Request interrupted by user for tool use]")
    assert not was_stopped("Exit code 1\nnpm error Exit code 143")
    assert not was_stopped("Exit code 1240")
