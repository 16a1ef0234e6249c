"""Read a task notification, which Claude Code writes in a prompt's place when background work has ended."""

from __future__ import annotations

import re

from behavior_plugin.agents.fields import MAX_NAME_CHARS, get_ms
from behavior_plugin.agents.prompts import NOTIFICATION
from behavior_plugin.model import CallEnd, Outcome

_EXIT_CODE = re.compile(r"exit code (\d{1,10})")


def parse_task_notification(text: str) -> CallEnd | None:
    """The end of the call that a notification names; None if the text is no notification, or names none.

    A notification quotes the command and the result, which anybody may have written. So fields are read only before
    the result, and the duration only in the usage, which comes last.
    """
    head, _, _ = text.partition("<result>")
    call_id = _within(head, "tool-use-id")
    if not text.lstrip().startswith(NOTIFICATION) or not call_id:
        return None
    duration = _within(text[max(0, text.rfind("<usage>")) :], "duration_ms")
    return CallEnd(
        call_id=call_id[:MAX_NAME_CHARS],
        outcome=_outcome(_within(head, "status"), _within(head, "summary")),
        duration_ms=get_ms({"duration": int(duration)}, "duration") if re.fullmatch(r"[0-9]{1,15}", duration) else None,
    )


def _outcome(status: str, summary: str) -> Outcome:
    codes = _EXIT_CODE.findall(summary)
    if status == "failed" or (codes and int(codes[-1])):
        return Outcome.FAILED
    return Outcome.SUCCESS if status == "completed" else Outcome.PARTIAL


def _within(text: str, tag: str) -> str:
    _, _, rest = text.partition(f"<{tag}>")
    inner, end, _ = rest.partition(f"</{tag}>")
    return inner.strip() if end else ""
