"""Match paths against globs as .gitignore does, in bounded time whatever the glob."""

from __future__ import annotations

import pytest

from behavior_plugin.capture import globs


@pytest.mark.parametrize(
    ("glob", "path", "is_match"),
    [
        ("*.env", "prod.env", True),
        ("*.env", "deploy/prod.env", True),
        ("*.env", "deploy/prod.environment", False),
        ("secrets", "a/secrets/b/c.txt", True),
        ("secrets/", "secrets/c.txt", True),
        ("/secrets", "a/secrets", False),
        ("/secrets", "secrets/a", True),
        ("deploy/*.env", "deploy/prod.env", True),
        ("deploy/*.env", "a/deploy/prod.env", False),
        ("deploy/*.env", "deploy/a/prod.env", False),
        ("deploy/**/*.env", "deploy/a/b/prod.env", True),
        ("deploy/**/*.env", "deploy/prod.env", True),
        ("**/keys/*", "a/b/keys/c", True),
        ("key?.txt", "key1.txt", True),
        ("key?.txt", "key10.txt", False),
        ("key[0-4].txt", "key3.txt", True),
        ("key[!0-4].txt", "key3.txt", False),
        (r"\*.txt", "*.txt", True),
        (r"\*.txt", "a.txt", False),
        (r"\#notes", "#notes", True),
        ("# *.txt", "a.txt", False),
        ("!a.txt", "a.txt", False),
        ("", "a.txt", False),
        ("./a.txt", "a.txt", True),
        ("A.txt", "a.txt", False),
    ],
)
def test_a_glob_matches_as_in_a_gitignore(glob: str, path: str, is_match: bool) -> None:
    assert globs.matches(globs.parse(glob), path) is is_match


@pytest.mark.parametrize("line", ["*", "/", "**", "/*", "**/*", " * "])
def test_some_globs_are_everything(line: str) -> None:
    assert globs.is_everything(line)


@pytest.mark.parametrize("line", ["", "#", "*.py", ".*", "a/*", "!*"])
def test_others_are_not(line: str) -> None:
    assert not globs.is_everything(line)


@pytest.mark.parametrize(
    ("glob", "name", "is_match"),
    [
        ("github.com/acme/app", "github.com/acme/app", True),
        ("acme/app", "github.com/acme/app", True),
        ("app", "github.com/acme/app", True),
        ("acme/*", "github.com/acme/app", True),
        ("acme", "github.com/acme/app", False),
        ("app", "github.com/acme/my-app", False),
        ("*", "github.com/acme/app", True),
    ],
)
def test_a_projects_name_matches_up_to_its_end(glob: str, name: str, is_match: bool) -> None:
    """A folder above a project has a name of its own, which says nothing about the project."""
    assert globs.matches_end(glob, name) is is_match


def test_a_hostile_glob_is_matched_in_few_steps() -> None:
    """As one regular expression, four stars and 400 letters took more than a minute; the test would never end."""
    for glob in ("*a" * 90 + "*b", "**/" * 40 + "b", "[a-z]*" * 40 + "!"):
        assert not globs.matches(globs.parse(glob), "/".join(["a" * 200] * 60))
