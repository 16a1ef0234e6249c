"""Reduce a prompt to its core: the request, without courtesies, plan frames and text that editors add.

An embedder finds two prompts alike that share a frame such as "Implement the following plan:", whatever they ask for.
"""

from __future__ import annotations

import re

# Characters of a core that are compared; more of them cost time, and find nothing better.
MAX_CHARS = 500

# What editors and agents put around a person's words.
_WRAPPER = re.compile(
    r"<(ide_[a-z_]{1,40}|system-reminder|editor_context|open_files|environment_details|attached_files?)\b[^>]{0,200}>"
    r".*?</\1>",
    re.DOTALL | re.IGNORECASE,
)
_PLAN_FRAME = re.compile(
    r"(?:please\s+)?(?:implement|execute|carry\s+out|follow)\s+(?:the\s+following|this)\s+plan\s{0,5}[:.]?\s{0,20}",
    re.IGNORECASE,
)
_COURTESY = re.compile(
    r"(?:(?:please|pls|hi|hey|hello|ok|okay|so|now|great|thanks|thank\s+you|can\s+you|could\s+you|would\s+you|will\s+you"
    r"|i\s+want\s+you\s+to|i'd\s+like\s+you\s+to|i\s+need\s+you\s+to|let'?s|bitte|por\s+favor)\b[\s,.!:]{0,9}){1,6}",
    re.IGNORECASE,
)
# A shorter rest is no question: then the words around it count.
_MIN_CHARS = 3


def core_of(prompt: str) -> str:
    """The part of a prompt to compare, at most 500 characters of it."""
    text = _WRAPPER.sub(" ", prompt).strip()
    for frame in (_PLAN_FRAME, _COURTESY):
        rest = text[found.end() :] if (found := frame.match(text)) else text
        text = rest if len(rest) >= _MIN_CHARS else text
    return (text or prompt.strip())[:MAX_CHARS]
