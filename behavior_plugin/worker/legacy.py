"""Answer the hooks of the version before this one, whose sessions are still open while the plugin is updated.

They send `VERB LENGTH\\n` and so many bytes, and read `LENGTH\\n` and so many bytes. Remove this with the next version.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from io import BufferedIOBase

from behavior_plugin.capture import ask
from behavior_plugin.worker.answers import Caller
from behavior_plugin.worker.routes import PROMPT, Request, Routes

OTHER_VERSION = "The worker is of another version than this command."
HINT = "Run `behavior worker stop`, then try again."


def is_legacy(first_line: bytes) -> bool:
    """Whether a request begins in the old way; an HTTP request line has three words."""
    words = first_line.split()
    return len(words) == 2 and words[1].isdigit()


def answer(first_line: bytes, source: BufferedIOBase, routes: Routes, caller: Caller, *, limit: int) -> bytes | None:
    """The answer to an old request, of which the rest is read from `source`; None if it is cut off or too long."""
    verb, length = first_line.split()
    if len(length) > len(str(limit)) or int(length) > limit:
        return None
    body = source.read(int(length))
    if len(body) < int(length):
        return None
    text = _ANSWERS.get(verb, _refuse)(body, routes, caller)
    return b"%d\n" % len(text) + text


def _suggest(payload: bytes, routes: Routes, caller: Caller) -> bytes:
    response = routes.answer(Request("POST", PROMPT, {}, payload), caller)
    return response.body if response.status == ask.OK else b""


def _ping(body: bytes, routes: Routes, _: Caller) -> bytes:
    try:
        version = str(json.loads(body or b"{}").get("version") or "")
    except (ValueError, RecursionError, AttributeError):
        version = ""
    refusal = routes.refusal({ask.VERSION: version})
    return json.dumps({"result": "leaving" if refusal else "here"}).encode()


def _refuse(*_: object) -> bytes:
    return json.dumps({"error": {"kind": "WorkerError", "message": OTHER_VERSION, "hint": HINT}}).encode()


_ANSWERS: dict[bytes, Callable[[bytes, Routes, Caller], bytes]] = {b"suggest": _suggest, b"ping": _ping}
