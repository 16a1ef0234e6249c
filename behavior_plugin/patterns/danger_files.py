"""The rules by which a command is dangerous for the files that it deletes, changes, shows or sends."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from behavior_plugin.patterns import hazards
from behavior_plugin.patterns.commands import program_of
from behavior_plugin.patterns.hazards import Danger
from behavior_plugin.patterns.shell import Typed

_SLOT = re.compile(r"\{\w+\}")
# With a slot or a wildcard in its name it may be anything.
_FILE = re.compile(r"[^*?\[\]{}$]*[^./*?\[\]{}$][^/*?\[\]{}$]*\.[A-Za-z]\w{0,7}")


def danger_of_writing(place: str) -> Danger | None:
    """The kind of danger of changing a file."""
    kinds = (
        (hazards.CREDENTIALS, Danger.CREDENTIALS),
        (hazards.AGENT_FILES, Danger.AGENT),
        (hazards.STARTUP, Danger.STARTUP),
        (hazards.DISK, Danger.DISK),
        (hazards.SYSTEM, Danger.SYSTEM),
    )
    return next((kind for pattern, kind in kinds if pattern.search(place)), None)


def deletion(program: str, words: Sequence[str], root: str) -> Danger | None:
    """Deleting outside the project, or whole folders of it that no tool makes again."""
    targets = [word for word in words[1:] if not re.match(r"-|/[a-z]$", word, re.IGNORECASE)]
    targets = [word for word in targets if not hazards.NO_FILE.match(word)]
    if program == "find":
        return Danger.DELETION if _finds_to_delete(words, root) else None
    if program not in hazards.DELETING:
        return None
    is_recursive = any(hazards.RECURSIVE.fullmatch(word) for word in words[1:]) or program in ("rimraf", "trash")
    if any(hazards.HOME.sub("~", target).endswith((".bash_history", ".zsh_history")) for target in targets):
        return Danger.TRACES
    if is_recursive and not targets:
        return Danger.DELETION
    is_bad = any(_is_kept(place_of(target, root), is_recursive=is_recursive) for target in targets)
    return Danger.DELETION if is_bad else None


def deletion_of_found(program: str, words: Sequence[str], before: Sequence[Typed], root: str) -> Danger | None:
    """Deleting what a `find` before the pipe has found."""
    if program not in hazards.DELETING or any(not word.startswith("-") for word in words[1:]):
        return None
    finding = [each.words for each in before[:-1] if each.words and program_of(each.words[0]) == "find"]
    return Danger.DELETION if any(_finds_to_delete([*found, "-delete"], root) for found in finding) else None


def written(program: str, words: Sequence[str]) -> list[str]:
    """The files that a program changes."""
    named = [word for word in words[1:] if not word.startswith("-")]
    if program in hazards.WRITING:
        return named[-1:] if program in hazards.WRITING_LAST else named
    if program in ("sed", "perl") and any(re.match(r"-\w*i|--in-place", word) for word in words[1:]):
        return named
    return [word[3:] for word in words if program == "dd" and word.startswith("of=")]


def reading(program: str, words: Sequence[str], before: Sequence[Typed], root: str) -> Danger | None:
    """Showing, copying or sending credentials."""
    earlier = [word for each in before[:-1] for word in each.words]
    prints_settings = any(each.words and each.words[0] in ("env", "printenv", "set") for each in before[:-1])
    if program in hazards.SENDING:
        sent = [place_of(re.sub(r"^[\w.-]*=?@|^--?[\w-]+=", "", word), root) for word in (*words[1:], *earlier)]
        keys = {
            place_of(word, root)
            for before_, word in pairwise(words)
            if before_ in ("-i", "--key", "--cert", "--cacert")
        }
        secrets = [place for place in sent if place not in keys]
        if prints_settings or any(hazards.CREDENTIALS.search(p) or hazards.PROJECT_SECRETS.search(p) for p in secrets):
            return Danger.SENT
    is_reading = program in hazards.READING
    is_secret = any(hazards.CREDENTIALS.search(place_of(word, root)) for word in words[1:])
    return Danger.CREDENTIALS if is_reading and is_secret else None


def place_of(path: str, root: str = "") -> str:
    """A path with `/`, seen from the project's folder or from `~`."""
    place = path.strip("\"'").replace("\\", "/")
    folder = root.replace("\\", "/")
    if len(folder) > 2 and (place == folder or place.startswith(f"{folder}/")):
        return place[len(folder) :].lstrip("/") or "."
    return hazards.HOME.sub("~", place)


def _finds_to_delete(words: Sequence[str], root: str) -> bool:
    tests = [place for place, word in enumerate(words) if word.startswith("-")]
    starts = words[1 : tests[0]] if tests else words[1:]
    deletes = "-delete" in words or any(
        program_of(word) in hazards.DELETING for before, word in pairwise(words) if "-exec" in before
    )
    is_chosen = any(re.fullmatch(r"-i?(?:name|path|regex)", word) for word in words)
    is_inside = all(
        _is_inside(place) or hazards.TEMPORARY.match(place) for place in (place_of(word, root) for word in starts)
    )
    more = words[next((place for place, word in enumerate(words) if "-exec" in word), len(words)) + 1 :]
    has_more = any(word not in ("{}", ";", "+") and not word.startswith("-") for word in more[1:])
    return deletes and (has_more or not (is_chosen and is_inside))


def _is_kept(place: str, *, is_recursive: bool) -> bool:
    """Whether a file or folder is none that tools make again, or lies elsewhere."""
    parts = [part for part in place.split("/") if part not in ("", ".")]
    if hazards.TEMPORARY.match(place) and ".." not in parts:
        return False
    if not _is_inside(place):
        return True
    if not parts or parts[0] == "*" or (is_recursive and set(place) <= set("./*{}")):
        return True
    if not is_recursive:
        return False
    if is_generated(place):
        return False
    return not _FILE.fullmatch(parts[-1]) or bool(_SLOT.search(place))


def is_generated(place: str) -> bool:
    """Whether a file or folder inside the project is one that tools make again."""
    parts = [part for part in place.split("/") if part not in ("", ".")]
    is_named = bool(parts) and "*" not in parts[0].replace("*.egg", "") and not _SLOT.search(place)
    return is_named and _is_inside(place) and any(map(hazards.GENERATED.search, parts))


def _is_inside(place: str) -> bool:
    """Whether a path is surely inside the folder that the command runs in."""
    is_elsewhere = re.match(r"[/~$%]|[A-Za-z]:/|\\\\", place)
    return not is_elsewhere and ".." not in place.split("/")
