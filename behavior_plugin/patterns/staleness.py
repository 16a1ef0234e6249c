"""Find patterns that no longer fit their project: their scripts, targets or files are gone, or they failed too often.

Only certain facts count: a slot stands for any value, a product of a build may be made again, and a step may be a
sentence that a user wrote.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import chain

from behavior_plugin.patterns import programs
from behavior_plugin.patterns.commands import Part, program_of, script_of, split_command
from behavior_plugin.workflow import SHELL_KINDS, StepKind, StoredPattern, Workflow

Names = frozenset[str] | None

# Folders of build products, packages and caches: another checkout may not have them yet.
GENERATED = frozenset(
    """
    .build .bundle .cache .direnv .eggs .env .git .gradle .next .nox .tox .venv __pycache__ _build build coverage dist
    env node_modules obj out target vendor venv
    """.split()  # noqa: SIM905 - words are easier to read and add than a list of strings
)
# Reasons in one note, files in one reason, and characters of a step in one.
MAX_REASONS, MAX_FILES, MAX_STEP_CHARS = 3, 3, 80
# More words behind `make`, none of them a target: somebody wrote a sentence.
MAX_UNKNOWN_TARGETS = 2

_PACKAGE_MANAGERS = frozenset({"bun", "npm", "pnpm", "yarn"})
# Their `run` also runs the programs of packages.
_RUN_PROGRAMS = frozenset({"bun", "yarn"})
_OTHER_FILE = frozenset({"-f", "--file", "--justfile", "--makefile"})
_MAKE_SETTINGS = frozenset({"-C", "-I", "-W", "-o"})
_TARGET = re.compile(r"[A-Za-z_][\w:-]*")
_CERTAIN_PATH = re.compile(r"(?![/-])[\w.@+/-]+")
# Others may be products of a build: `go build -o bin/shop && bin/shop`.
_SCRIPT = re.compile(r".*\.(?:sh|bash|zsh|py|[cm]?[jt]s|rb|pl|php|ps1|lua)|(?:.*/)?(?:\.?ci|hack|scripts?|tools)/[^/]+")
# Without such an ending it may be a filter: `jest cart.test` names no file.
_TEST_FILE = re.compile(
    r"(.*\.(?:bats|clj|cs|dart|exs?|feature|go|java|[cm]?[jt]sx?|kt|lua|php|pl|py|rb|rs|scala|sh|swift))(?:::.*|:\d+)?"
    r"|(.*/)"
)
_TEST_WORD = re.compile(r"(?:^|[/_.-])(?:tests?|specs?|e2e|__tests__)(?:[/_.-]|$)|(?:Test|Spec)s?\.\w+$")


def reasons(
    pattern: StoredPattern,
    *,
    has_file: Callable[[str], bool],
    scripts: Callable[[], Names],
    targets: Callable[[str], Names],
    min_confidence: float = 0.0,
) -> tuple[str, ...]:
    """The reasons against a pattern, each as a clause; none if everything that it needs is there.

    `has_file` answers for a path inside the project, and is true where that cannot be known. `scripts` has the names in
    package.json, `targets` those that `make` or `just` know, with % for any text; None where they cannot be known.
    """
    workflow = pattern.workflow
    if workflow is None:
        return ()
    parts = [part for line in _lines(workflow) for part in split_command(line)]
    found = chain(
        *(_gone_paths(part, has_file) for part in parts),
        *(_gone_script(part, scripts, has_file) for part in parts),
        *(_gone_targets(part, targets) for part in parts),
        _gone_files(workflow, has_file),
        _refused(pattern, min_confidence),
    )
    return tuple(dict.fromkeys(found))


def stale_note(found: Sequence[str]) -> str:
    """Reasons on one line; empty if there are none."""
    more = len(found) - MAX_REASONS
    return "; ".join([*found[:MAX_REASONS], *([f"and {more} more"] if more > 0 else [])])


def _lines(workflow: Workflow) -> Iterator[str]:
    """The shell lines of the steps."""
    for step in workflow.steps:
        if step.kind in SHELL_KINDS:
            yield step.text
        if step.until:
            yield step.until


def _gone_paths(part: Part, has_file: Callable[[str], bool]) -> Iterator[str]:
    for path in dict.fromkeys([*_scripts(part), *_tests(part)]):
        if _is_certain(path) and not has_file(path):
            yield f"`{path}` of its step {_named(part)} is gone"


def _scripts(part: Part) -> Iterator[str]:
    """The scripts of the project that a command runs."""
    program = part.words[0] if part.words else ""
    if "/" in program and _SCRIPT.fullmatch(program):
        yield program.removeprefix("./")
    yield script_of(part.words).removeprefix("./")


def _tests(part: Part) -> Iterator[str]:
    """The files and folders of tests that a command names."""
    for word in part.words[1:] if part.job == "test" else ():
        found = _TEST_FILE.fullmatch(word)
        if found and not word.startswith("-") and _TEST_WORD.search(word):
            yield (found[1] or found[2]).removeprefix("./")


def _is_certain(path: str) -> bool:
    """Whether a path has one meaning, inside the project, and is in a folder that each checkout has."""
    folders = path.split("/")[:-1]
    is_fixed = not any(folder in GENERATED or folder == ".." for folder in folders)
    return bool(_CERTAIN_PATH.fullmatch(path)) and is_fixed


def _gone_script(part: Part, scripts: Callable[[], Names], has_file: Callable[[str], bool]) -> Iterator[str]:
    program, *sub = part.label.split(" ")
    if program not in _PACKAGE_MANAGERS or len(sub) != 2 or sub[0] != "run" or "--if-present" in part.words:
        return
    name = sub[1]
    if program in _RUN_PROGRAMS and (name in programs.PROGRAM_JOBS or has_file(f"node_modules/.bin/{name}")):
        return
    known = scripts()
    if not script_of(part.words) and known is not None and name not in known:
        yield f"its step {_named(part)} has no script in package.json any more"


def _gone_targets(part: Part, targets: Callable[[str], Names]) -> Iterator[str]:
    program = program_of(part.words[0]) if part.words else ""
    wanted = {"make": _make_targets, "just": _recipe}[program](part) if program in ("make", "just") else []
    if not wanted or (known := targets(program)) is None:
        return
    missing = [name for name in wanted if not any(_matches(name, target) for target in known)]
    if missing and not (missing == wanted and len(missing) > MAX_UNKNOWN_TARGETS):
        kind, file = ("target", "Makefile") if program == "make" else ("recipe", "justfile")
        yield f"its step {_named(part)} has no {kind} in the {file} any more"


def _make_targets(part: Part) -> list[str]:
    """The targets that a call of make names, if all are plain names; `make` builds a file by rules of its own."""
    words = list(part.words[1:])
    if any(word.split("=")[0] in _OTHER_FILE for word in words):
        return []
    behind = zip(words, ["", *words], strict=False)
    named = [word for word, before in behind if before not in _MAKE_SETTINGS and not re.match(r"-|\d|\w+[:?+]?=", word)]
    return named if all(_TARGET.fullmatch(name) for name in named) else []


def _recipe(part: Part) -> list[str]:
    """The recipe that a call of just names; the words behind it are its arguments."""
    names = part.label.split(" ")[1:]
    is_plain = not any(word.split("=")[0] in _OTHER_FILE for word in part.words)
    return names if is_plain and names and "::" not in names[0] else []


def _matches(name: str, target: str) -> bool:
    """Whether a target is a name, or a pattern that the name fits."""
    if "%" not in target:
        return name == target
    first, *others = target.split("%")
    return name.startswith(first) and name.endswith(others[-1]) and len(name) >= len(first) + len(others[-1])


def _gone_files(workflow: Workflow, has_file: Callable[[str], bool]) -> Iterator[str]:
    """One file of several that is still there shows that the work is."""
    files = [file for step in workflow.steps if step.kind is StepKind.EDIT for file in step.files]
    files = list(dict.fromkeys(files))
    if files and not any(map(has_file, files)):
        more = f" and {len(files) - MAX_FILES} more" if len(files) > MAX_FILES else ""
        named = ", ".join(f"`{file}`" for file in files[:MAX_FILES])
        yield f"{'the file' if len(files) == 1 else 'all files'} that it edited {_are_gone(files)}: {named}{more}"


def _are_gone(files: Sequence[str]) -> str:
    return "is gone" if len(files) == 1 else "are gone"


def _refused(pattern: StoredPattern, min_confidence: float) -> Iterator[str]:
    if pattern.confidence < min_confidence:
        yield f"it failed or was turned down too often (confidence {pattern.confidence:.2f})"


def _named(part: Part) -> str:
    text = " ".join(part.text.split())
    return f"`{text if len(text) <= MAX_STEP_CHARS else text[: MAX_STEP_CHARS - 1] + '…'}`"
