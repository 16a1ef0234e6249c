"""Label actions, so that runs of the same work can be compared: the tool, or the programs in a shell line.

`cd app && npm run build && git push -q` is "npm run build" and "git push".
"""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Iterator, Sequence

from behavior_plugin.model import Action, Outcome

# Programs whose first word says little without the second, or, after some words, the third.
_WITH_WORD = frozenset(
    """
    apt apt-get brew bun bunx cargo composer deno docker dotnet flyctl gcloud gh git go just kubectl make mise npm npx
    nx pip pip3 pnpm poetry rustup swift systemctl task terraform uv vercel yarn
    """.split()  # noqa: SIM905 - words are easier to read and add than a list of strings
)
_WITH_TWO = frozenset({"run", "pr", "issue", "api", "repo", "workflow", "release", "exec", "compose"})
# They run the command behind them.
_WRAPPERS = frozenset(
    "! command do elif else env exec if nice nohup sudo then time timeout until while xargs".split()  # noqa: SIM905
)
# They change nothing, or only the shell itself.
_READ_ONLY_PROGRAMS = frozenset(
    """
    awk basename cat cd cut date diff dirname done du echo env esac export false fi file find for grep head jq less ls
    popd printf pushd pwd read rg sed set sleep sort source stat tail test tr tree true type uniq wait wc which
    """.split()  # noqa: SIM905
)
_READ_ONLY_SUB_COMMANDS = frozenset(
    {f"git {word}" for word in "blame branch diff fetch log ls-files remote rev-parse show status".split()}  # noqa: SIM905
    | {f"gh {what} {word}" for what in ("issue", "pr", "repo", "run") for word in ("list", "view")}
)
_READING_TOOLS = frozenset(
    """
    AskUserQuestion BashOutput EnterPlanMode ExitPlanMode Glob Grep LS NotebookRead Read TaskCreate TaskGet TaskList
    TaskOutput TaskUpdate TodoRead TodoWrite ToolSearch
    """.split()  # noqa: SIM905
)
_EDITING_TOOLS = frozenset({"Edit", "MultiEdit", "NotebookEdit", "Write"})
_BETWEEN = frozenset({"&&", "||", "|", ";", "&", "(", ")", "|&", ";;", "{", "}"})
_WORD = re.compile(r"[a-z][\w:.-]*")
_PROGRAM = re.compile(r"[A-Za-z_][\w.+-]*")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
_SETTING = re.compile(r"-(?:C|c|R|F|w|-repo|-prefix|-filter|-cwd|-dir)")
# Characters of a shell line that are read; a longer line carries its input along.
MAX_COMMAND_CHARS = 2_000


def workflow_labels(actions: Sequence[Action]) -> tuple[str, ...]:
    """The labels of the main agent's changes and commands, each once, in the order of first use.

    Actions that only read say little about a workflow, and failed ones are not part of how it is done.
    """
    own = [action for action in actions if action.actor == "main" and action.outcome is not Outcome.FAILED]
    return tuple(dict.fromkeys(label for action in own for label in labels(action)))


def labels(action: Action) -> tuple[str, ...]:
    """The labels of one action; none where it only reads."""
    if action.tool == "Bash":
        return tuple(_programs(str(action.parameters.get("command") or "")))
    if action.tool in _READING_TOOLS:
        return ()
    if action.tool in _EDITING_TOOLS:
        return ("edit",)
    kind = action.parameters.get("skill") or action.parameters.get("subagent_type")
    return (f"{action.tool} {kind}" if isinstance(kind, str) else action.tool,)


def _programs(command: str) -> Iterator[str]:
    segment: list[str] = []
    for word in [*_words(command), ";"]:
        if word not in _BETWEEN:
            segment.append(word)
            continue
        if label := _label(segment):
            yield label
        segment = []


def _words(command: str) -> list[str]:
    """Split a command as a shell does, up to the first here-document."""
    line, _, _ = command[:MAX_COMMAND_CHARS].partition("<<")
    split = shlex.shlex(line.replace("\n", " ; "), posix=True, punctuation_chars="();|&")
    split.whitespace_split = True
    try:
        return list(split)
    except ValueError:  # a quote that is never closed
        return line.split()


def _label(words: Sequence[str]) -> str | None:
    while words and _is_wrapper(words):
        words = words[1:]
    program = posixpath.basename(words[0]) if words else ""
    if not _PROGRAM.fullmatch(program) or program in _READ_ONLY_PROGRAMS:
        return None
    if program not in _WITH_WORD:
        return program
    label = " ".join([program, *_sub_command(words[1:])])
    return None if label in _READ_ONLY_SUB_COMMANDS else label


def _is_wrapper(words: Sequence[str]) -> bool:
    """Whether the first word only wraps the command behind it, as any word before a known program or `exec` does.

    `env CI=1 bundle exec rake` is rake, `dotenv npm run dev` is npm run dev.
    """
    first, second = words[0], words[1] if len(words) > 1 else ""
    if first in _WITH_WORD or first in _READ_ONLY_PROGRAMS:
        return False
    is_before_known = second in _WITH_WORD or second == "exec"
    return is_before_known or first in _WRAPPERS or bool(_ASSIGNMENT.match(first)) or first.isdigit()


def _sub_command(words: Sequence[str]) -> list[str]:
    rest = list(words)
    while rest and rest[0].startswith("-"):
        rest = rest[2:] if _SETTING.fullmatch(rest[0]) else rest[1:]
    count = 2 if rest and rest[0] in _WITH_TWO else 1
    return [word for word in rest[:count] if _WORD.fullmatch(word)]
