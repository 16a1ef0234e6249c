"""Answer HTTP requests: find the operation, check the handshake, and put results and errors into JSON.

`/v1/NAME` is an operation of `api`. `/v1/prompt` and `/v1/failure` are for hooks: the agent's own payload goes in, and
the bytes that the agent reads come out, or none.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import ValidationError

from behavior_plugin.agents import hooks_of, payload, read_record
from behavior_plugin.agents.payload import UnreadableError
from behavior_plugin.api import OPERATIONS, FailedCall, Message, Note, Operation, Problem, Suggest
from behavior_plugin.capture import ask, handlers
from behavior_plugin.config import Settings
from behavior_plugin.errors import (
    BehaviorError,
    EmbedError,
    NotFoundError,
    OtherSettingsError,
    RequestError,
    StoreUnavailableError,
    WorkerError,
    WorkerLeavingError,
    WorkerUnavailableError,
    describe_for_log,
)
from behavior_plugin.model import Event
from behavior_plugin.worker import handshake
from behavior_plugin.worker.answers import Caller
from behavior_plugin.worker.requests import context_of
from behavior_plugin.worker.service import Service

PROMPT, FAILURE = "/v1/prompt", "/v1/failure"
# The hooks' names for the two.
PROMPT_EVENT, FAILURE_EVENT = "UserPromptSubmit", "PostToolUseFailure"
# The first class that an error belongs to decides.
STATUSES: tuple[tuple[type[BehaviorError], int], ...] = (
    (NotFoundError, 404),
    (RequestError, 400),
    (OtherSettingsError, 409),
    (WorkerUnavailableError, 503),
    (StoreUnavailableError, 503),
    (EmbedError, 503),
    (BehaviorError, 500),
)

log = logging.getLogger(__name__)


class Loop(Protocol):
    """The worker's main loop, as far as a handshake concerns it."""

    def stop(self) -> None: ...
    def is_leaving(self) -> bool: ...


@dataclass(frozen=True)
class Request:
    """One HTTP request. `path` has no query, and the names of headers are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True)
class Response:
    """The answer to it."""

    status: int
    body: bytes


class Routes:
    """The worker's HTTP interface. Safe to use from several threads."""

    def __init__(self, service: Service, settings: Settings, loop: Loop) -> None:
        self._service = service
        self._settings = settings
        self._loop = loop

    def refusal(self, headers: Mapping[str, str]) -> Response | None:
        """The answer to a caller that this worker must not serve; None if it may."""
        try:
            self._check(handshake.read(headers))
        except BehaviorError as error:
            return error_response(error)
        return None

    def answer(self, request: Request, caller: Caller) -> Response:
        """The answer to a request whose handshake was checked. Never raises."""
        try:
            return Response(200, self._answer(request, caller))
        except _MethodError as error:
            return Response(405, error_response(error).body)
        except BehaviorError as error:
            if request.path in (PROMPT, FAILURE):
                log.warning("no suggestion: %s", error)
            return error_response(error)
        except Exception as error:
            known = request.path if request.path in (*_PATHS, PROMPT, FAILURE) else "an unknown path"
            log.error("the request to %s failed: %s", known, describe_for_log(error))
            return error_response(WorkerError(f"unexpected {type(error).__name__}, see the log"))

    def _check(self, caller: handshake.Handshake) -> None:
        """A caller that sends no version cannot start a newer worker."""
        if handshake.supersedes(caller):
            log.info("a worker of another version or folder takes over")
            self._loop.stop()
            raise WorkerLeavingError
        if caller.version and self._loop.is_leaving():
            raise WorkerLeavingError
        handshake.check_settings(caller, self._settings)

    def _answer(self, request: Request, caller: Caller) -> bytes:
        if request.path == PROMPT:
            _check_method(request, "POST")
            suggest = read_prompt(request.body, request.headers)
            note = self._service.suggest(suggest, caller)
            return hook_answer(PROMPT_EVENT, note, has_messages=_has_messages(request.headers))
        if request.path == FAILURE:
            _check_method(request, "POST")
            failed = read_failure(request.body, request.headers)
            return hook_answer(FAILURE_EVENT, self._service.explain_failure(failed, caller)) if failed else b""
        operation = _operation(request)
        call = getattr(self._service, operation.name)
        result = call() if operation.request is None else call(_parse(operation.request, request.body))
        return operation.adapter.dump_json(result)


def read_prompt(body: bytes, headers: Mapping[str, str]) -> Suggest:
    """The prompt in an agent's payload, with the hook's notes on the directory; without those, with our own.

    Raises:
        RequestError: the payload is not a JSON object, or names no session.
    """
    notes = _json_object(headers.get(ask.CONTEXT))
    event = _read_event(PROMPT_EVENT, body, headers, notes)
    return Suggest(
        session_id=event.session_id,
        prompt=event.prompt or "",
        kind=event.prompt_kind,
        context=event.context if notes else context_of(event.context.directory),
    )


def read_failure(body: bytes, headers: Mapping[str, str]) -> FailedCall | None:
    """The call in an agent's payload, with our own notes on the directory; None if there is none.

    Raises:
        RequestError: the payload is not a JSON object, or names no session.
    """
    event = _read_event(FAILURE_EVENT, body, headers, {})
    if event.action is None:
        return None
    return FailedCall(session_id=event.session_id, action=event.action, context=context_of(event.context.directory))


def _read_event(name: str, body: bytes, headers: Mapping[str, str], notes: dict[str, Any]) -> Event:
    envelope = {**notes, "event": name, "client": _json(headers.get(ask.AGENT))}
    try:
        return read_record(envelope, body)
    except UnreadableError as error:
        raise RequestError(f"The payload of {name} cannot be read: {error}") from None


def error_response(error: BehaviorError) -> Response:
    """An error as JSON: {"error": Problem}."""
    status = next(status for kind, status in STATUSES if isinstance(error, kind))
    names = error.names if isinstance(error, OtherSettingsError) else ()
    kind = "RequestError" if isinstance(error, _MethodError) else type(error).__name__
    problem = Problem(kind=kind, message=str(error), hint=error.hint, names=names)
    return Response(status, json.dumps({"error": problem.model_dump()}).encode())


class _MethodError(RequestError):
    """This path takes another HTTP method."""


_PATHS = {operation.path: operation for operation in OPERATIONS}


def _operation(request: Request) -> Operation[Any]:
    operation = _PATHS.get(request.path)
    if operation is None:
        raise NotFoundError("There is no such operation.", hint=f"Operations: {', '.join([*_PATHS, PROMPT, FAILURE])}.")
    _check_method(request, operation.method)
    return operation


def _check_method(request: Request, method: str) -> None:
    if request.method != method:
        raise _MethodError(hint=f"{request.path} takes {method}.")


def _parse(kind: type[Message], body: bytes) -> Message:
    """The request in a body. Its values are not repeated in an error, which may end up in a log."""
    try:
        return kind.model_validate(json.loads(body or b"{}"))
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()]
        raise RequestError(f"The request is not valid: {'; '.join(problems)}") from None
    except (ValueError, RecursionError) as error:
        raise RequestError(f"The request is not JSON ({type(error).__name__}).") from None


def _json(text: str | None) -> Any:
    try:
        return json.loads(text) if text else None
    except (ValueError, RecursionError):
        return None


def _json_object(text: str | None) -> dict[str, Any]:
    value = _json(text)
    return value if isinstance(value, dict) else {}


def hook_answer(event: str, note: Note, *, has_messages: bool = False) -> bytes:
    """The answer of a hook: the text for the assistant, and the line for the user where the agent shows such lines.

    The line is left out of an answer that would be longer than a hook passes on.
    """
    if not note.text:
        return b""
    text = {"hookSpecificOutput": {"hookEventName": event, "additionalContext": note.text}}
    whole = _encoded({**text, "systemMessage": note.line}) if note.line and has_messages else b""
    return whole if 0 < len(whole) <= handlers.ANSWER_LIMIT else _encoded(text)


def _has_messages(headers: Mapping[str, str]) -> bool:
    hooks = hooks_of(payload.agent_name({"client": _json(headers.get(ask.AGENT))}))
    return hooks is not None and hooks.has_messages


def _encoded(answer: dict[str, Any]) -> bytes:
    # Letters as they are: escaped, a Cyrillic text is three times as long, and a hook passes on only so much.
    return json.dumps(answer, ensure_ascii=False).encode("utf-8", "replace")
