"""Choose the slot for a word of a command, by its type and its place: a file, a test, a branch, a version …"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from behavior_plugin.patterns import hazards, programs, shell
from behavior_plugin.patterns.commands import Part, program_of, script_of
from behavior_plugin.patterns.danger_files import is_generated

FILES, TEST, BRANCH, COMMIT = "{files}", "{test}", "{branch}", "{commit}"
NUMBER, VERSION, URL, MESSAGE, PACKAGE = "{number}", "{version}", "{url}", "{message}", "{package}"
TAG = "{tag}"

# The value behind these flags is a setting of the project and stays.
_SETTINGS = frozenset(
    """
    -C -c -f -p -F --config --cwd --dir --env-file --file --manifest-path --prefix --project --rootdir --repo -R -r
    """.split()  # noqa: SIM905
)
_PACKAGE_FLAGS = frozenset({"--filter", "--package", "--workspace", "-p", "-w", "-F"})
_PACKAGE_MANAGERS = frozenset({"cargo", "lerna", "npm", "nx", "pnpm", "turbo", "yarn", "bun", "uv"})
_TEST_FLAGS = frozenset("-k -run --run -t -g --grep --testNamePattern --tests --filter --test --match -e".split())  # noqa: SIM905
_BRANCHING = frozenset("branch checkout cherry-pick fetch merge pull push rebase reset switch tag worktree".split())  # noqa: SIM905
_WITH_FILES = frozenset({"git add", "git rm", "git mv", "git restore"})
_WITH_SOME_FILES = frozenset({"git checkout", "git reset"})
_SUB_SUB_COMMANDS = frozenset("add list move prune remove".split())  # noqa: SIM905
_ADDING = frozenset({"add", "i", "install", "get"})
_SHARED_BRANCHES = re.compile(r"(?:(?:origin|upstream)/?)?(?:main|master|develop|trunk|HEAD)?|@\{u\}|--|\.|-")
_PATH = re.compile(r"@?[\w.*{},@+~\[\]-]*(?:[/\\][\w.*{},@+~\[\]-]*)+(?::\d+)*|[\w*][\w.*-]*\.[a-zA-Z]\w{0,7}(?::\d+)*")
_ALL_BELOW = re.compile(r"(\./)?(?:[\w.{},-]+/)+\.\.\.")
_TEST_PATH = re.compile(r"(?:^|[/\\_.-])(?:tests?|specs?|e2e|__tests__)(?:[/\\_.-]|$)|(?:Test|Spec)s?\.\w+$|::")
_HASH = re.compile(r"(?=[a-f]*\d)(?=\d*[a-f]|\d{7})[0-9a-f]{7,40}([~^]\d*|\.\.+\w*)*")
_ANCESTOR = re.compile(r"(HEAD|@)~\d+")
_VERSION = re.compile(r"v?\d+\.\d+(?:\.\d+)*(?:[-+.]?(?:alpha|beta|rc|dev|post|[a-z])[\w.-]*)?")
_AT_VERSION = re.compile(r"(?<=[\w-])@[~^]?v?\d[\w.-]*$")
_TAG_NAME = re.compile(r"v\d[\w.+-]*")
_TAG_REF = re.compile(r"([+:]?refs/tags/)(.+)")
# The value behind -o is a file, unless it names a format, or the flag has another meaning.
_NO_FILE = re.compile(r"[\w-]+=.*|csv|html|json[lp]?|markdown|md|name|none|plain|table|text|toml|tsv|wide|xml|ya?ml")
_OTHER_OUTPUTS = frozenset({"git", "scp", "sftp", "ssh"})
ANY_URL = re.compile(r"(?:[a-z][a-z+.]*://|git@)\S+")


@dataclass(frozen=True)
class _Word:
    """A word as typed, as the program receives it, and the word before it."""

    typed: str
    value: str
    before: str


def slotted(part: Part, typed: Sequence[str]) -> list[str]:
    """The words of a command, as typed, with slots in the place of the values of one occasion."""
    befores = ["", *typed]
    words = [_Word(word, shell.unquoted(word), before) for word, before in zip(typed, befores, strict=False)]
    return [_slot(part, word) for word in words]


def without_version(word: str) -> str:
    """A word with a slot for the version behind its `@`, as in `eslint@9`."""
    return _AT_VERSION.sub(f"@{VERSION}", word)


def _slot(part: Part, word: _Word) -> str:
    """The slot for a word, or the word."""
    flag, equals, value = word.typed.partition("=")
    if equals and word.before in programs.SENDING_FLAGS:
        return f"{flag}={MESSAGE}"
    if equals and flag.startswith("-"):
        behind = _slot(part, _Word(value, shell.unquoted(value), flag))
        return f"{flag}={behind}"
    if word.typed.startswith(("-", "{")):
        return word.typed
    return _flag_value(part, word) or _typed_slot(word) or _argument(part, word)


def _flag_value(part: Part, word: _Word) -> str:
    """The slot for the value of a flag that names tests, a package or an output; a setting stays as it is."""
    program = program_of(part.words[0])
    if part.job == "test" and word.before in _TEST_FLAGS and program not in _PACKAGE_MANAGERS - {"npm", "bun"}:
        return TEST
    if word.before in programs.OUTPUT_FLAGS and program not in _OTHER_OUTPUTS:
        return word.typed if _NO_FILE.fullmatch(word.value) else FILES
    if word.before in _PACKAGE_FLAGS and program in _PACKAGE_MANAGERS:
        return PACKAGE
    return word.typed if word.before in _SETTINGS else ""


def _typed_slot(word: _Word) -> str:
    """The slot for a value that shows its type."""
    value = word.value
    if ANY_URL.match(value):
        return URL
    if found := _HASH.fullmatch(value):
        return COMMIT + (found[1] or "")
    if _ANCESTOR.fullmatch(value):
        return _ANCESTOR.sub(rf"\1~{NUMBER}", value)
    if _VERSION.fullmatch(value):
        return VERSION
    is_number = re.fullmatch(r"#?\d+", value) and not word.before.startswith("-")
    return NUMBER if is_number else ""


def _argument(part: Part, word: _Word) -> str:
    """The slot for a path, a branch or a package, or the word."""
    program, _, sub = part.label.partition(" ")
    if word.value == script_of(part.words) or word.value == sub or word.value in sub.split(" "):
        return word.typed
    if program in hazards.DELETING and is_generated(word.value) and is_generated(word.value.rstrip("/").split("/")[-1]):
        # `rm -rf dist/` names a habit; what else is deleted belongs to one occasion.
        return word.typed
    if part.label in _WITH_FILES:
        return word.typed if word.value in (".", "-A", "*") else FILES
    if program == "git" and sub in _BRANCHING:
        return _branch(part, word)
    if program in programs.CODE_HOSTS and sub.startswith("api"):
        return re.sub(r"(?<=/)\d+(?=[/?'\"]|$)", NUMBER, word.typed)
    if part.job == "install" and sub in _ADDING and word.value != ".":
        return PACKAGE
    return _path(part, word)


def _branch(part: Part, word: _Word) -> str:
    words = part.words
    if _SHARED_BRANCHES.fullmatch(word.value) or word.value in _SUB_SUB_COMMANDS:
        return word.typed
    if part.label == "git tag":
        return TAG
    if part.label == "git push" and (tag := _pushed_tag(word)):
        return tag
    is_behind_dashes = "--" in words and word.value in words[words.index("--") :]
    is_file = part.label in _WITH_SOME_FILES and re.search(r"\.[a-z]\w{0,4}$", word.value)
    return FILES if is_behind_dashes or is_file else BRANCH


def _pushed_tag(word: _Word) -> str:
    """The slot for a tag among pushed branches; the word "tag", which names the next one; empty for a branch."""
    if found := _TAG_REF.fullmatch(word.value):
        return f"{found[1]}{VERSION if _VERSION.fullmatch(found[2]) else TAG}"
    if word.value == "tag":
        return word.typed
    name = word.value.lstrip("+:")
    # A colon before it deletes it.
    prefix = word.value.removesuffix(name)
    if _VERSION.fullmatch(name):
        return f"{prefix}{VERSION}"
    return f"{prefix}{TAG}" if word.before == "tag" or _TAG_NAME.fullmatch(name) else ""


def _path(part: Part, word: _Word) -> str:
    if word.value in (".", "./", "./...", "..."):
        return word.typed
    if part.job == "test" and "::" in word.value:
        return TEST
    if found := _ALL_BELOW.fullmatch(word.value):
        return f"{found[1] or ''}{PACKAGE}/..."
    if not _PATH.fullmatch(word.value):
        return without_version(word.typed)
    return TEST if part.job == "test" and _TEST_PATH.search(word.value) else FILES
