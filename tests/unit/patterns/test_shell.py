"""Shell lines are split as a shell does."""

from __future__ import annotations

import pytest

from behavior_plugin.patterns.shell import commands, unquoted, words_of


@pytest.mark.parametrize(
    ("typed", "received"),
    [
        ("plain", "plain"),
        ("'a b'c", "a bc"),
        (r'"say \"hi\""', 'say "hi"'),
        (r"a\ b", "a b"),
        (r"'C:\dir\a.py'", "C:/dir/a.py"),
        ("'open", "open"),
    ],
)
def test_a_word_is_unquoted(typed: str, received: str) -> None:
    """A program receives no quotes."""
    assert unquoted(typed) == received


def test_words_keep_their_quotes() -> None:
    """A command is shown as it was typed."""
    assert words_of("git commit -m 'one two' --no-edit") == ["git", "commit", "-m", "'one two'", "--no-edit"]


def test_a_command_comes_with_its_words() -> None:
    """Redirections and comments are no words."""
    line = "npm test -- 'a b' >out.txt 2>&1 # slow\nls"

    assert list(commands(line)) == [("npm test -- 'a b'", ["npm", "test", "--", "a b"]), ("ls", ["ls"])]


def test_powershell_redirects_all_of_its_streams() -> None:
    """The star is no file."""
    line = "node a.mjs *> $null; node b.mjs *>&1; node c.mjs 3> out.txt"

    assert [text for text, _ in commands(line)] == ["node a.mjs", "node b.mjs", "node c.mjs"]


def test_a_line_ends_whatever_stands_before_its_end() -> None:
    """White space, or the carriage return of Windows."""
    assert [text for text, _ in commands("npm test  \nls\r\nnpm run lint")] == ["npm test", "ls", "npm run lint"]


def test_a_line_may_go_on() -> None:
    """Behind a backslash, or PowerShell's backtick."""
    assert [words for _, words in commands("npm test \\\n -- a `\n  b")] == [["npm", "test", "--", "a", "b"]]
