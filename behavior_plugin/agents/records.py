"""What the records of every agent's log are made of: times, and the words in the parts of a message."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeAlias

# Is told of each line that nothing could be made of: its number, from 1, and why.
Skip: TypeAlias = Callable[[int, str], object]
# When what happened before a log tells of any time is said to have happened.
START = datetime.fromtimestamp(0, tz=UTC)


def moment(value: Any) -> datetime | None:
    """A time as agents write it: ISO 8601, or milliseconds since 1970. None for what is none."""
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value / 1000, tz=UTC)
        time = datetime.fromisoformat(value[:40]) if isinstance(value, str) else None
    except (ValueError, OverflowError, OSError):
        return None
    return time if time is None or time.tzinfo else time.replace(tzinfo=UTC)


def parts(content: Any) -> list[dict[str, Any]]:
    """Those of a list that are objects; none where it is no list."""
    return [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []


def words(content: Any, *, besides: tuple[str, ...] = ()) -> str:
    """The text of a message: its images are left out, and so are parts that begin with one of `besides`."""
    if isinstance(content, str):
        return content
    texts = [block["text"] for block in parts(content) if isinstance(block.get("text"), str)]
    return "\n".join(text for text in texts if not text.startswith(besides))
