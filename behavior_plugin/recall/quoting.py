"""Quote text that anybody may have written: prompts, commands, error messages.

A quotation is data. It is one line without characters that hide or control, and it can neither look like a tag, such as
the end of the frame around it, nor leave its quotation marks. Commands stay copyable: `<` and `>` remain where a shell
line has them.
"""

from __future__ import annotations

import re
import unicodedata

# A command up to this length is not cut.
MAX_COMMAND_CHARS = 200

# The names of our own frame and of the frames of agents count even in an unfinished tag.
_TAG = re.compile(
    r"""
    [<＜﹤] (?=
        [\s/]* past [\W_]{0,3} workflow
      | [\s/]* (?: antml | assistant | functions? | human | invoke | system | tools? | user ) (?![A-Za-z0-9./])
      | /? [A-Za-z][\w:-]* (?: \s [^<>=]* = [^<>]* | / )? >
      | / [A-Za-z][\w:-]* \s [^<>]* >
    )
    """,
    re.IGNORECASE | re.VERBOSE,
)
_BACKTICKS = re.compile("`+")


def quote(text: str, longest: int) -> str:
    """One harmless line of at most `longest` characters."""
    line = _TAG.sub("‹", " ".join(visible(text).split()))
    return line if len(line) <= longest else line[: longest - 1] + "…"


def said(text: str, longest: int) -> str:
    """A prose quotation, in quotation marks that its text does not have."""
    return '"' + quote(text, longest).replace('"', "'") + '"'


def code(text: str, longest: int = MAX_COMMAND_CHARS) -> str:
    """A code span as in Markdown: its fence is longer than any run of backticks in the text."""
    line = quote(text, longest)
    fence = "`" * (1 + max(map(len, _BACKTICKS.findall(line)), default=0))
    room = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{room}{line}{room}{fence}" if line else ""


def visible(text: str) -> str:
    """The text with a space for each hidden character."""
    return "".join(" " if _is_hidden(character) else character for character in text)


def _is_hidden(character: str) -> bool:
    """Control, format (zero width, bidi, tags), private and unassigned characters, and line separators."""
    return unicodedata.category(character) in {"Cc", "Cf", "Co", "Cn", "Cs", "Zl", "Zp"}
