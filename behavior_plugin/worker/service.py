"""What the worker answers when it is asked: one function a verb.

`suggest` speaks to the hook and answers with the very bytes the host reads, or with none. All other verbs take and
give JSON: {"result": ...} or {"error": {"kind", "message", "hint"}}.
"""

from __future__ import annotations

import contextlib
import json
import logging
import threading
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any, Protocol
from uuid import UUID

from behavior_plugin.agents import read_record
from behavior_plugin.capture import context as places
from behavior_plugin.config import Settings, fingerprint
from behavior_plugin.embed import Embedder
from behavior_plugin.errors import BehaviorError, StoreError, describe_for_log
from behavior_plugin.learn import save_new
from behavior_plugin.model import TASKS, Context, Event, Pattern, PromptKind, StoredPattern, Suggestion
from behavior_plugin.recall import MANUAL_MIN_SIMILARITY, recall
from behavior_plugin.recall.render import render
from behavior_plugin.redact import redact_model
from behavior_plugin.store import Store

# A prompt that comes while the worker is starting waits no longer than its hook does.
COLD_S = 0.9
# A command in a terminal can wait for the first start of the server.
START_S = 60.0
ORDER_S = 300.0
# How many past workflows `/behavior:recall` brings back.
COMMAND_ANSWERS = 3
# In bytes; a hook passes on 8,000, quotes and line ends escaped.
MAX_ANSWER_BYTES = 7000
# How many sessions' suggestions are remembered, so that none is made twice.
MAX_SESSIONS = 1000

log = logging.getLogger(__name__)


class Caller(Protocol):
    """Who asks."""

    def is_waiting(self) -> bool: ...
    def afterwards(self, do: Callable[[], None]) -> None: ...


class House(Protocol):
    """What the desk needs of the worker."""

    settings: Settings

    def store(self, within_s: float) -> Store: ...
    def embedder(self, within_s: float) -> Embedder | None: ...
    def ping(self, version: str) -> str: ...
    def status(self) -> dict[str, Any]: ...
    def order(self, what: Callable[[], Any], within_s: float) -> Any: ...
    def drain(self, probe: str = "") -> dict[str, int]: ...
    def reap(self, idle_s: float | None) -> dict[str, int]: ...
    def discard(self, session_id: str) -> None: ...
    def stop(self) -> None: ...


class Service:
    """Answers questions, from several threads at once."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._shown: dict[str, set[str]] = {}
        self._shown_lock = threading.Lock()
        self._verbs: dict[str, Callable[[dict[str, Any]], Any]] = {
            "ping": lambda asked: house.ping(str(asked.get("version") or "")),
            "status": lambda _: house.status(),
            "settings": lambda asked: fingerprint(house.settings, str(asked["salt"]).encode()),
            "recall": self._recall,
            "list": self._list,
            "show": self._show,
            "keep": self._keep,
            "forget_session": self._forget_session,
            "drain": lambda asked: house.order(lambda: house.drain(asked.get("probe") or ""), ORDER_S),
            "reap": lambda asked: house.order(lambda: house.reap(asked.get("idle_s")), ORDER_S),
            "stop": lambda _: house.stop(),
        }

    def answer(self, verb: str, body: bytes, caller: Caller) -> bytes:
        """Never raises: what goes wrong is told to who asked, except to a hook, which is told nothing."""
        if verb == "suggest":
            return self._suggest_or_nothing(body, caller)
        try:
            return _json({"result": self._verbs[verb](json.loads(body or b"{}"))})
        except BehaviorError as error:
            return _json({"error": {"kind": type(error).__name__, "message": str(error), "hint": error.hint}})
        except Exception as error:
            log.error(
                "the question %s failed: %s", verb if verb in self._verbs else "(unknown)", describe_for_log(error)
            )
            told_to_asker = f"unexpected {type(error).__name__}, see the log"
            return _json({"error": {"kind": "WorkerError", "message": told_to_asker}})

    def _suggest_or_nothing(self, payload: bytes, caller: Caller) -> bytes:
        try:
            text = self._suggest(payload, caller)
        except Exception as error:  # a hook is told nothing: the session goes on without us
            log.warning("no suggestion: %s", describe_for_log(error))
            return b""
        if not text:
            return b""
        answer = {"hookSpecificOutput": {"hookEventName": "UserPromptSubmit", "additionalContext": text}}
        # Letters as they are: escaped, a Cyrillic text is three times as long, and a hook passes on only so much.
        return json.dumps(answer, ensure_ascii=False).encode("utf-8", "replace")

    def _suggest(self, payload: bytes, caller: Caller) -> str | None:
        prompt = read_record({"event": "UserPromptSubmit"}, payload)
        kind = prompt.prompt_kind
        if kind is PromptKind.OWN_COMMAND:
            return self._answer_command(prompt)
        return self._suggest_once(prompt, caller) if kind in TASKS else None

    def _answer_command(self, prompt: Event) -> str:
        """What `/behavior:recall TEXT` asks for, always with an answer: here a person waits for one."""
        _, _, text = (prompt.prompt or "").partition(" ")
        context = _context(prompt.context.directory)
        found = self._find(text, context, within_s=COLD_S, floor=MANUAL_MIN_SIMILARITY, limit=COMMAND_ANSWERS)
        answer = ""
        for text in map(render, found):
            if len((answer + text).encode("utf-8", "replace")) > MAX_ANSWER_BYTES:
                break
            answer += text + "\n"
        return answer or "The behavior plugin knows of no earlier work like this."

    def _suggest_once(self, prompt: Event, caller: Caller) -> str | None:
        """At most one suggestion for a prompt, and none twice in a session; one that comes too late was not made."""
        assert prompt.prompt
        found = self._find(prompt.prompt, _context(prompt.context.directory), within_s=COLD_S)
        for suggestion in found if caller.is_waiting() else ():
            if self._is_news(prompt.session_id, suggestion.pattern):
                caller.afterwards(partial(self._count_use, suggestion.pattern.id))
                return render(suggestion)
        return None

    def _count_use(self, pattern_id: UUID) -> None:
        with contextlib.suppress(StoreError):  # a store that only reads for now is of use all the same
            self._house.store(COLD_S).count_use(pattern_id)

    def _is_news(self, session_id: str, pattern: StoredPattern) -> bool:
        """Whether this session has neither been shown the pattern nor made it; from then on it has been shown."""
        if pattern.session_id == session_id:
            return False
        with self._shown_lock:
            while len(self._shown) >= MAX_SESSIONS and session_id not in self._shown:
                del self._shown[next(iter(self._shown))]
            shown = self._shown.setdefault(session_id, set())
            is_news = str(pattern.id) not in shown
            shown.add(str(pattern.id))
        return is_news

    def _recall(self, asked: dict[str, Any]) -> list[dict[str, Any]]:
        found = self._find(
            str(asked["text"]),
            _context(str(asked.get("directory") or "")),
            within_s=START_S,
            floor=MANUAL_MIN_SIMILARITY if asked.get("floor") is None else float(asked["floor"]),
            everywhere=bool(asked.get("everywhere")),
            limit=int(asked.get("limit") or 5),
        )
        return [suggestion.model_dump(mode="json") for suggestion in found]

    def _find(
        self,
        text: str,
        context: Context,
        *,
        within_s: float,
        floor: float | None = None,
        everywhere: bool = False,
        limit: int = 5,
    ) -> list[Suggestion]:
        settings = self._house.settings
        return recall(
            text,
            context,
            embedder=self._house.embedder(within_s),
            store=self._house.store(within_s),
            now=datetime.now(UTC),
            floor=settings.similarity_floor if floor is None else floor,
            everywhere=everywhere or settings.recall_scope == "all",
            limit=limit,
        )

    def _list(self, asked: dict[str, Any]) -> list[dict[str, Any]]:
        directory = asked.get("directory")
        project = _context(str(directory)).project if directory else None
        patterns = self._house.store(START_S).newest(project=project, limit=int(asked.get("limit") or 20))
        return [pattern.model_dump(mode="json") for pattern in patterns]

    def _show(self, asked: dict[str, Any]) -> list[dict[str, Any]]:
        patterns = self._house.store(START_S).starting_with(str(asked["id"]))
        return [pattern.model_dump(mode="json") for pattern in patterns]

    def _keep(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Keep redacted patterns; those that the store refuses are told, each with the reason, and stop no others."""
        patterns = [Pattern.model_validate(each) for each in asked["patterns"]]
        kept = save_new(patterns, embedder=self._house.embedder(START_S), store=self._house.store(START_S))
        return {
            "kept": Counter(each for each in kept if not isinstance(each, StoreError)),
            "refused": [str(each) for each in kept if isinstance(each, StoreError)],
        }

    def _forget_session(self, asked: dict[str, Any]) -> int:
        """Out of the spool first: that is possible also where the store does not work."""
        session_id = str(asked["session_id"])
        self._house.order(lambda: self._house.discard(session_id), ORDER_S)
        return self._house.store(START_S).forget_session(session_id)


def _context(directory: str) -> Context:
    """The context of a question: read as hooks note it and redacted as it is stored, so that it is found."""
    return redact_model(Context(**{"directory": directory, **places.describe(directory)}))


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()
