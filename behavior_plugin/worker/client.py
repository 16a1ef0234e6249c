"""The worker as commands see it: the operations of `api` over its socket."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from functools import cached_property
from typing import Any, TypeVar

from behavior_plugin import api, errors
from behavior_plugin.capture import ask
from behavior_plugin.measure.past import PastWork
from behavior_plugin.measure.stats import Summary
from behavior_plugin.worker.exchange import ALIVE_S, exchange
from behavior_plugin.worker.lifecycle import REACT_S, START_S, bring_up, make_folder
from behavior_plugin.workflow import NextStep, StoredPattern, Suggestion

ANSWER_S = 300.0
# Rewriting the files of a large database takes minutes.
FORGET_S = 3600.0
# The status has a count in it, and the store may be slow to fail.
STATUS_S = 15.0

A = TypeVar("A")


class Client(api.Api):
    """The operations, for commands.

    By default it starts a worker where none runs, and only a worker of this version, with these settings, answers. With
    `is_starting=False` it asks the worker that runs, whichever that is. `has_started` says whether it started one.

    Raises, in every method:
        WorkerUnavailableError: no worker runs and none could be started, or it gave no answer in time.
        SetupError, ConfigError: no worker runs and none can be started; see `lifecycle.bring_up`.
        OtherSettingsError: the worker that runs has other settings.
        BehaviorError: the worker's own error, as the same class.
    """

    def __init__(self, *, is_starting: bool = True, within_s: float = ANSWER_S) -> None:
        self._is_starting = is_starting
        self._within_s = within_s
        self.has_started = False

    def ping(self) -> api.Pong:
        return self._ask(api.PING, within_s=ALIVE_S)

    def status(self) -> api.Status:
        return self._ask(api.STATUS, within_s=STATUS_S)

    def stop(self) -> api.Pong:
        return self._ask(api.STOP, within_s=REACT_S)

    def recall(self, request: api.Recall) -> list[Suggestion]:
        return self._ask(api.RECALL, request)

    def suggest(self, request: api.Suggest) -> api.Note:
        return self._ask(api.SUGGEST, request)

    def next_steps(self, request: api.NextSteps) -> list[NextStep]:
        return self._ask(api.NEXT_STEPS, request)

    def list_patterns(self, request: api.ListPatterns) -> list[StoredPattern]:
        return self._ask(api.LIST_PATTERNS, request)

    def list_turns(self, request: api.ListTurns) -> list[StoredPattern]:
        return self._ask(api.LIST_TURNS, request)

    def show_pattern(self, request: api.ShowPattern) -> api.Shown:
        return self._ask(api.SHOW_PATTERN, request)

    def add_remark(self, request: api.AddRemark) -> api.Shown:
        return self._ask(api.ADD_REMARK, request)

    def list_work(self, request: api.ListWork) -> list[PastWork]:
        return self._ask(api.LIST_WORK, request)

    def summarize(self, request: api.Summarize) -> Summary:
        return self._ask(api.SUMMARIZE, request)

    def save_turns(self, request: api.SaveTurns) -> api.SaveReport:
        return self._ask(api.SAVE_TURNS, request)

    def forget_session(self, request: api.ForgetSession) -> api.Deleted:
        return self._ask(api.FORGET_SESSION, request)

    def forget(self, request: api.Forget) -> api.ForgetReport:
        return self._ask(api.FORGET, request, within_s=FORGET_S)

    def drain(self, request: api.Drain) -> api.Drained:
        return self._ask(api.DRAIN, request)

    def reap(self, request: api.Reap) -> api.Reaped:
        return self._ask(api.REAP, request)

    def embed_anew(self, request: api.EmbedAnew) -> api.EmbeddedAnew:
        return self._ask(api.EMBED_ANEW, request)

    def redact_again(self, request: api.RedactAgain) -> api.RedactedAgain:
        return self._ask(api.REDACT_AGAIN, request)

    def _ask(self, operation: api.Operation[A], request: api.Message | None = None, *, within_s: float = ANSWER_S) -> A:
        body = b"" if request is None else _to_json(request)
        try:
            status, answer = self._answered(operation, body, min(within_s, self._within_s))
        except OSError as error:
            raise errors.WorkerUnavailableError from error
        if status != ask.OK:
            raise _error_in(answer)
        return operation.adapter.validate_json(answer)

    def _answered(self, operation: api.Operation[Any], body: bytes, within_s: float) -> tuple[int, bytes]:
        """The answer of a worker that may answer us; another one is started where there is none, or it is leaving."""
        path, method = operation.path, operation.method
        if not self._is_starting:
            return exchange(path, body, within_s, method=method)
        make_folder()
        deadline = time.monotonic() + START_S
        while True:
            try:
                status, answer = exchange(path, body, within_s, headers=self._handshake, method=method)
                if status != ask.UNAVAILABLE or not isinstance(_error_in(answer), errors.WorkerLeavingError):
                    return status, answer
            except (ask.NotListening, ask.Unanswered):
                if time.monotonic() > deadline:
                    raise
            bring_up()
            self.has_started = True

    @cached_property
    def _handshake(self) -> Sequence[tuple[str, str]]:
        # Imported here: a command that only asks for help should start fast.
        from behavior_plugin import config
        from behavior_plugin.worker import handshake

        return handshake.headers(config.load())


def start_worker() -> bool:
    """Make sure that a worker of this version, with these settings, answers; returns whether it had to be started.

    Raises as `Client`.
    """
    client = Client()
    client.ping()
    return client.has_started


def _to_json(request: api.Message) -> bytes:
    """Letters as they are: escaped, a Chinese text is twice as long. Half characters, as in file names, survive."""
    return json.dumps(request.model_dump(mode="json"), ensure_ascii=False).encode("utf-8", "surrogatepass")


def _error_in(answer: bytes) -> errors.BehaviorError:
    problem = api.Problem.model_validate(json.loads(answer)["error"])
    kind = getattr(errors, problem.kind, errors.WorkerError)
    if kind is errors.OtherSettingsError:
        return errors.OtherSettingsError(problem.message, hint=problem.hint, names=problem.names)
    error: errors.BehaviorError = kind(problem.message, hint=problem.hint)
    return error
