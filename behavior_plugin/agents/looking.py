"""Find out whether a shell command only looks: it prints files, matches, logs or states, and runs no program on them.

The output of such a command is somebody else's text: "error" in it says nothing about the command. A command that is
not known here counts as one that does something.
"""

from __future__ import annotations

import re

# Commands are bounded where they are read; this is the limit of a text.
MAX_COMMAND_CHARS = 6_000
# The program and its sub-command are among the first words.
MAX_WORDS = 8

_HEREDOC = re.compile(r"<<-?\s{0,3}\\?['\"]?(\w{1,40})")
# A pattern that begins with one character or set, and no repetition, is found many times faster.
# An open quotation goes on to the end, or each quote in it would be tried as the first.
_QUOTED = re.compile(r"'[^']*(?:'|\Z)|\"[^\"\\]*(?:\\.[^\"\\]*)*(?:\"|\Z)", re.DOTALL)
_REDIRECTED = re.compile(r"[<>][<>]?&?\s?[^\s;|&()]*")
_COMPOUND = re.compile(r"[|&;\n()`<>'\"\\]")
# The first command is complete before one of these.
_AFTER_COMMAND = "|&;\n>"
_BETWEEN = re.compile(r"[|&;\n()`]")
_ASSIGNED = re.compile(r"\w+\+?=\S*")
_NUMBER = re.compile(r"\d+(?:\.\d+)?[smh]?")

# Programs that show what is there.
_LOOKING = frozenset(
    """
    ack ag awk base64 bat cat cmp column comm curl cut date df diff dig dir du echo egrep env eza fd fgrep file find
    findstr fold gawk git-log grep head hexdump host hostname htop http id jq journalctl less locate ls lsof man md5sum
    more mdfind nl nproc nslookup od paste ping printenv printf ps pwd readlink realpath rev rg sed seq sha256sum sls
    sort stat strings tac tail tee top tr tree type uname uniq uptime wc wget whereis which whoami xxd yq zcat zgrep
    """.split()  # noqa: SIM905 - words are easier to read and add than a list of strings
)
# Programs and shell words that print nothing of interest beside one that looks.
_SILENT = frozenset(
    """
    : . [ [[ break case cd chmod continue cp declare done echo elif esac exit export false fi for function if ln local
    mkdir mv popd pushd read return rm rmdir select set shift shopt sleep source test touch trap true umask unset until
    wait while } set-location
    """.split()  # noqa: SIM905
)
# Words before the program.
_BEFORE = frozenset(
    "! builtin command do doas else env exec if nice nohup stdbuf sudo then time timeout until while xargs {".split()  # noqa: SIM905
)
# Words after a program's name with which it only looks: `docker compose logs`, `gh pr view`, `kubectl get`.
_LOOKING_WORDS = frozenset(
    """
    blame cat cat-file check-ignore checks config describe diff doc events explain for-each-ref get grep help
    history info inspect list log logs ls ls-files ls-remote ls-tree merge-base name-rev outdated ps range-diff reflog
    rev-list rev-parse search shortlog show show-ref status top tree version view whatchanged why
    """.split()  # noqa: SIM905
)
_LOOKING_PAIRS = frozenset(
    [("git", "branch"), ("git", "remote"), ("git", "tag"), ("git", "worktree"), ("gh", "api"), ("glab", "api")]
)
_RUNNING_WORDS = frozenset("t test run exec x dlx".split())  # noqa: SIM905
# Of PowerShell.
_LOOKING_VERBS = tuple("get- select- format- out- where- sort- measure- write- test- foreach- group-".split())  # noqa: SIM905
_OPTIONS_WITH_VALUE = frozenset(
    """
    -C -c -n -f -p -w -k -m -t -g --context --cwd --dir --file --filter --grep --namespace --prefix --project
    --testNamePattern --tests --workspace
    """.split()  # noqa: SIM905
)


def is_looking(command: str) -> bool:
    """Whether a command only looks at files, logs or states. False for an empty one."""
    compound = _COMPOUND.search(command, 0, MAX_COMMAND_CHARS)
    if compound is None:
        return _looks(command.split(None, MAX_WORDS)) is True
    if compound[0] in _AFTER_COMMAND and _looks(command[: compound.start()].split(None, MAX_WORDS)) is False:
        return False
    bare = _without_heredocs(command[:MAX_COMMAND_CHARS].replace("\\\n", " "))
    bare = _REDIRECTED.sub(" ", _QUOTED.sub("''", bare))
    does_look = False
    for part in _BETWEEN.split(bare):
        looks = _looks(part.split(None, MAX_WORDS))
        if looks is False:
            return False
        does_look = does_look or looks is True
    return does_look


def _without_heredocs(command: str) -> str:
    """The command without the lines that it gives to a program as its input."""
    if "<<" not in command:
        return command
    kept, end = [], ""
    for line in command.split("\n"):
        if not end:
            kept.append(line)
            found = _HEREDOC.search(line)
            end = found[1] if found else ""
        elif line.strip() == end:
            end = ""
    return "\n".join(kept)


def _looks(words: list[str]) -> bool | None:
    """Whether one simple command looks; None if it prints nothing that matters."""
    while words and (words[0] in _BEFORE or _ASSIGNED.fullmatch(words[0])):
        is_prefix = words[0] in ("timeout", "xargs", "nice", "env", "sudo", "stdbuf")
        words = words[1:]
        while is_prefix and words and (words[0].startswith("-") or _NUMBER.fullmatch(words[0])):
            words = words[1:]
    if words[1:2] == ["="] and words[0].startswith("$"):
        words = words[2:]
    is_value = len(words) == 1 and words[0].startswith("$")
    if not words or is_value or words[0].startswith(("#", "-", "\\")):
        return None
    name = words[0].rpartition("/")[2].removesuffix(".exe")
    program = name.lower()
    # The first letter tells `Test-Path` from a script such as `test-all.sh`.
    if program in _LOOKING or (name[:1].isupper() and program.startswith(_LOOKING_VERBS)):
        return True
    return None if program in _SILENT else _has_looking_word(program, words[1:])


def _has_looking_word(program: str, words: list[str]) -> bool:
    if words and words[0] in ("--version", "--help"):
        return True
    bare = [word for word, before in zip(words, ["", *words], strict=False) if _is_bare(word, before)][:2]
    if not bare or (bare[0] in _RUNNING_WORDS and program not in ("gh", "glab")):
        return False
    return any(word in _LOOKING_WORDS for word in bare) or (program, bare[0]) in _LOOKING_PAIRS


def _is_bare(word: str, before: str) -> bool:
    return not word.startswith("-") and before not in _OPTIONS_WITH_VALUE
