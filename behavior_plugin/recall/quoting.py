"""Quote text that anybody may have written: prompts, commands, error messages.

A quotation is data. It is one line without characters that hide or control, and it cannot leave its quotation marks.
People copy commands, so `<` and `>` remain. In the note for the assistant, `defused` makes sure that no quotation looks
like a tag, such as the end of the frame around it.
"""

from __future__ import annotations

import re
import unicodedata

# A command up to this length is not cut.
MAX_COMMAND_CHARS = 200

# The names of our own frame and of the frames of agents count even in an unfinished tag, and a quotation that was cut
# may have lost the rest of a name. A bar begins the tokens that separate the speakers of a chat.
_TAG = re.compile(
    r"""
    [<＜﹤] (?=
        [\s/]* past [\W_]{0,3} workflow
      | [\s/]* (?: antml | assistant | functions? | human | invoke | system | tools? | user ) (?![A-Za-z0-9./])
      | [|｜] [^<>|｜\s]* [|｜…]
      | /? [A-Za-z][\w:-]* (?: \s [^<>=]* = [^<>]* | / )? >
      | / [A-Za-z][\w:-]* \s [^<>]* >
      | [^<>…`"]* …
    )
    """,
    re.IGNORECASE | re.VERBOSE,
)
_BACKTICKS = re.compile("`+")


def quote(text: str, longest: int) -> str:
    """One line of at most `longest` characters, none of them hidden."""
    line = " ".join(visible(text).split())
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


def defused(line: str) -> str:
    """The line for a model, without the beginnings of tags; a shell line mostly stays as it is."""
    return _TAG.sub("‹", line)


def visible(text: str) -> str:
    """The text with a space for each hidden character."""
    return "".join(" " if _is_hidden(character) else character for character in text)


def _is_hidden(character: str) -> bool:
    """Control, format (zero width, bidi, tags), private and unassigned characters, and line separators."""
    return unicodedata.category(character) in {"Cc", "Cf", "Co", "Cn", "Cs", "Zl", "Zp"}
