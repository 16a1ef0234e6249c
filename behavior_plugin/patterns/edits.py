"""Find the files that a shell line changes in place: with `sed -i`, or with a program that is in the line itself.

Such a line is no command to use again, but it is an edit, as those of an editing tool are.
"""

from __future__ import annotations

import re

from behavior_plugin.patterns.commands import Part, program_of, split_command
from behavior_plugin.patterns.portable import is_inline_program, relative_path

# Characters of a line in which a program and its file names are looked for.
MAX_PROGRAM_CHARS = 10_000

_IN_PLACE = re.compile(r"-[a-zA-Z]*i.*|--in-place.*")
_WRITES = re.compile(
    r"\.write_(?:text|bytes)\(|\bopen\([^()\n]{1,200},\s{0,9}(?:mode=)?['\"][wax]|\bwriteFile(?:Sync)?\("
    r"|\bFile\.write\(|\bfile_put_contents\("
)
_FILE = re.compile(r"(?!-)[\w./~@+-]+\.[A-Za-z]\w{0,7}|/tmp/.*")
_QUOTED_FILE = re.compile(r"['\"]((?:[\w.~@+-]{0,80}/){0,20}[\w.@+-]{1,80}\.[A-Za-z]\w{0,7})['\"]")


def edited_files(command: str, root: str = "") -> tuple[str, ...] | None:
    """The files of the project that a line names and changes; None where it changes none of the project's."""
    named: list[str] = []
    is_edit = False
    for part in split_command(command):
        if _edits_in_place(part):
            is_edit = True
            named += filter(_FILE.fullmatch, part.words[1:])
        elif part.words and is_inline_program(part) and _WRITES.search(command[:MAX_PROGRAM_CHARS]):
            is_edit = True
            named += _QUOTED_FILE.findall(command[:MAX_PROGRAM_CHARS])
    inside = tuple(dict.fromkeys(file for name in named if (file := relative_path(name, root))))
    return inside if is_edit and (inside or not named) else None


def _edits_in_place(part: Part) -> bool:
    is_editor = bool(part.words) and program_of(part.words[0]) in ("sed", "gsed", "perl")
    return is_editor and any(map(_IN_PLACE.fullmatch, part.words[1:]))
