"""Each accepted event is pending, stored or a dead letter, after any faults in any order.

Hypothesis runs hooks, the worker and the store, kills or fails each of them at any step, and checks after every step.
The spool and the database are real. So are the worker's objects, which are created anew after a death. A failure prints
the shortest sequence that fails.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from psycopg.rows import DictRow

from behavior_plugin.capture import paths, spool
from behavior_plugin.errors import BehaviorError, StoreUnavailableError
from behavior_plugin.store.embedded.server import Server
from behavior_plugin.store.postgres import PostgresStore
from behavior_plugin.workflow import StoredPattern
from tests.database import LOGIN
from tests.factories import payload
from tests.faults import Faults, die, fail
from tests.integration.working import Worker, clear, stored_turns
from tests.oracle import Oracle

# `make torture` runs more sequences, other ones each time; otherwise they are always the same.
STORIES = int(os.environ.get("BEHAVIOR_TORTURE_STORIES", "60"))
CONVERSATIONS = 4
# The store refuses this conversation until it is mended.
POISONED = 3
REFUSE = "alter table behavior.episodes add constraint poisoned check (turns::text !~ 'poisoned')"
MEND = "alter table behavior.episodes drop constraint if exists poisoned"
FAULTS = Faults()


class Store(PostgresStore):
    """A real store that can be stopped at each transaction, and that fails in the usual ways."""

    is_gone = loses_answer = False

    @contextmanager
    def _transaction(self) -> Iterator[psycopg.Connection[DictRow]]:
        if self.is_gone:
            raise StoreUnavailableError
        FAULTS.step()
        with super()._transaction() as connection:
            yield connection
            FAULTS.step()
        FAULTS.step()
        if self.loses_answer:
            raise StoreUnavailableError


@dataclass
class Conversation:
    """One conversation of an agent, which uses two ids alternately."""

    number: int
    ids: tuple[str, str] = field(default_factory=lambda: (str(uuid.uuid4()), str(uuid.uuid4())))
    prompt: str = ""
    prompt_id: str = ""


@dataclass(frozen=True)
class Fault:
    """A fault and its step; step 0 is none."""

    step: int = 0
    act: Callable[[], None] = die
    is_for_ever: bool = False
    is_gone: bool = False
    loses_answer: bool = False


SOME_STEP = st.integers(1, 30)
faults = st.one_of(
    st.just(Fault()),
    st.builds(Fault, step=SOME_STEP),
    st.builds(Fault, step=SOME_STEP, act=st.just(fail), is_for_ever=st.booleans()),
    st.builds(Fault, is_gone=st.just(True)),
    st.builds(Fault, loses_answer=st.just(True)),
)
EVENTS = ["SessionStart", "UserPromptSubmit", "PostToolUse", "PostToolUse", "PostToolUseFailure", "Stop", "SessionEnd"]
TURN = ["UserPromptSubmit", "PostToolUse", "Stop"]
TURNS = [TURN, ["SessionStart", *TURN], [*TURN, "SessionEnd"], ["SessionStart", *TURN, *TURN, "SessionEnd"]]
STEPS = [Worker.file, Worker.learn, Worker.drain, Worker.reap, Worker.wait, Worker.retry]
GARBAGE = ["", "{", '["%s"]', '{"session_id": "%s', '{"no": "%s"}', "\x00%s\ufffd", "[" * 2_000 + "%s"]


class CaptureMachine(RuleBasedStateMachine):
    """Hooks, a worker that may die, and a store that may fail."""

    store: ClassVar[Store]
    owner: ClassVar[psycopg.Connection]

    def __init__(self) -> None:
        super().__init__()
        shutil.rmtree(spool.folder(), ignore_errors=True)
        clear(self.owner)
        self.owner.execute(f"{MEND}; {REFUSE}")
        self.oracle = Oracle()
        self.store.is_gone = self.store.loses_answer = False
        self.worker: Worker | None = None
        self.conversations = [Conversation(number) for number in range(CONVERSATIONS)]
        self.late: list[tuple[Path, str, str]] = []

    # Hooks

    @rule(
        number=st.integers(0, CONVERSATIONS - 1),
        event=st.sampled_from(EVENTS),
        which=st.integers(0, 1),
        times=st.sampled_from([1, 1, 1, 2]),
        is_late=st.sampled_from([False, False, False, True]),
        fault=faults,
    )
    def hook(self, number: int, event: str, which: int, times: int, is_late: bool, fault: Fault) -> None:
        """Report an event of a conversation; its hook may be registered twice, be slow, or die."""
        conversation = self.conversations[number]
        sent, mark = self._event(conversation, event, which)
        for _ in range(times):
            if self._put(event, sent, mark, conversation.prompt, fault) and is_late and times == 1:
                self._hold(mark, conversation.prompt)

    @rule(number=st.integers(0, CONVERSATIONS - 1), events=st.sampled_from(TURNS), which=st.integers(0, 1))
    def turn(self, number: int, events: list[str], which: int) -> None:
        """Report a typical turn."""
        for event in events:
            self.hook(number, event, which, 1, False, Fault())

    @rule(text=st.sampled_from(GARBAGE), fault=faults)
    def garbage(self, text: str, fault: Fault) -> None:
        """Report a malformed payload, which a hook saves like any other."""
        mark = self.oracle.mark(100)
        self._put("PostToolUse", text.replace("%s", mark).encode(), mark if "%s" in text else "", "", fault)

    @rule()
    def newer(self) -> None:
        """Save an event of a newer version, which is then uninstalled again."""
        spool.make()
        mark = self.oracle.mark(101)
        name = f"{time.time_ns():020d}-1-PostToolUse"
        Path(spool.folder("new"), name).write_text(f'{{"v": 99}}\n{mark}', encoding="utf-8")
        self.oracle.accept(mark)

    @precondition(lambda self: self.late)
    @rule()
    def arrive(self) -> None:
        """Finish a slow hook, long after others that began later."""
        self._arrive()

    # The worker

    @rule(step=st.sampled_from(STEPS), fault=faults)
    def work(self, step: Callable[[Worker], None], fault: Fault) -> None:
        """Run one step of the worker, after starting one if none runs."""
        self._do(lambda: step(self.started()), fault)

    @rule()
    def die(self) -> None:
        """Let the idle worker die."""
        self.worker = None

    @rule()
    def mend(self) -> None:
        """Let the store accept the events that it refused."""
        self.owner.execute(MEND)

    # Checks

    @invariant()
    def each_event_is_in_one_place(self) -> None:
        self.oracle.check(self.turns())

    def teardown(self) -> None:
        """End the faults, drain once and close everything; each event must be in its place."""
        while self.late:
            self._arrive()
        self.worker = None
        self.started().drain()
        self.started().reap()
        self.oracle.check(self.turns(), is_over=True)
        self._check_liveness()

    def _check_liveness(self) -> None:
        fresh = Conversation(200)
        for event in ("SessionStart", "UserPromptSubmit", "PostToolUse", "Stop", "SessionEnd"):
            assert self._put(event, *self._event(fresh, event, 0), fresh.prompt, Fault())
        self.started().drain()
        assert fresh.prompt in "".join(turn.trigger for turn in self.turns())

    def _event(self, conversation: Conversation, event: str, which: int) -> tuple[bytes, str]:
        """A payload, and its mark if a turn stores the event."""
        mark = ""
        changes: dict[str, Any] = {}
        if event == "UserPromptSubmit":
            mark = conversation.prompt = self.oracle.mark(conversation.number)
            conversation.prompt_id = str(uuid.uuid4())
            kind = "poisoned" if conversation.number == POISONED else "broken"
            changes = {"prompt": f"Repair the {kind} parser of {mark}"}
        elif event.startswith("Post"):
            mark = self.oracle.mark(conversation.number)
            changes = {"tool_use_id": mark}
        named = {
            "session_id": conversation.ids[which],
            "prompt_id": conversation.prompt_id,
            "transcript_path": f"/home/dev/{conversation.ids[0]}.jsonl",
        }
        return json.dumps(payload(event, **named, **changes)).encode(), mark

    def _put(self, event: str, sent: bytes, mark: str, prompt: str, fault: Fault) -> bool:
        """Save an event as the hook does; returns whether it was accepted."""
        is_accepted = self._do(lambda: spool.put(event, sent), fault)
        if is_accepted and mark:
            self.oracle.accept(mark, prompt=prompt)
        return is_accepted

    def _hold(self, mark: str, prompt: str) -> None:
        """Undo the end of a hook that has only taken the time so far."""
        record = max(Path(spool.folder("new")).iterdir(), key=lambda record: record.name)
        away = Path(paths.in_data("late"))
        away.mkdir(exist_ok=True)
        self.late.append((record.rename(away / record.name), mark, prompt))
        if mark:
            self.oracle.accepted[mark] -= 1

    def _arrive(self) -> None:
        record, mark, prompt = self.late.pop(0)
        spool.make()
        record.rename(Path(spool.folder("new"), record.name))
        if mark:
            self.oracle.accept(mark, prompt=prompt)

    def started(self) -> Worker:
        if self.worker is None:
            self.worker = Worker(self.store)
        return self.worker

    def _do(self, step: Callable[[], None], fault: Fault) -> bool:
        """Run a step; returns whether it succeeded. A failed worker continues, as in its loop; a dead one does not."""
        self.store.is_gone, self.store.loses_answer = fault.is_gone, fault.loses_answer
        with FAULTS.at(fault.step, fault.act, paths.data_folder(), is_for_ever=fault.is_for_ever):
            try:
                step()
                return True
            except (BehaviorError, OSError):
                return False
            except BaseException:
                self.worker = None
                if not FAULTS.was_met or not fault.step:
                    raise
                return False
            finally:
                self.store.is_gone = self.store.loses_answer = False

    def turns(self) -> list[StoredPattern]:
        return stored_turns(self.store)


@pytest.fixture
def store(server: Server, database: str) -> Iterator[Store]:
    opened = Store(server.conninfo(LOGIN, database))
    yield opened
    opened.close()


@pytest.fixture
def machine_type(store: Store, owner: psycopg.Connection, monkeypatch: pytest.MonkeyPatch) -> type[CaptureMachine]:
    """The state machine for Hypothesis and for single tests. The agent is this process."""
    monkeypatch.setenv("CLAUDE_PID", str(os.getpid()))

    return type("Machine", (CaptureMachine,), {"store": store, "owner": owner})


@pytest.mark.timeout(0)
def test_each_event_is_in_one_place_after_any_faults(
    machine_type: type[CaptureMachine], caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody can think of every order of faults."""
    caplog.set_level(logging.CRITICAL, logger="behavior_plugin")  # each of very many failures is logged
    run_state_machine_as_test(
        machine_type,
        settings=settings(
            max_examples=STORIES,
            stateful_step_count=25,
            derandomize="BEHAVIOR_TORTURE_STORIES" not in os.environ,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_calls_before_the_first_prompt_become_dead_letters(machine_type: type[CaptureMachine]) -> None:
    """A session whose start was missed, or that a late call reopened, has calls without a prompt."""
    machine = machine_type()
    machine.hook(0, "PostToolUse", 0, 1, False, Fault())
    machine.turn(0, ["UserPromptSubmit", "PostToolUse", "SessionEnd"], 0)

    machine.work(Worker.drain, Fault())

    assert machine.oracle.check(machine.turns(), is_over=True) == {
        "accepted": 3,
        "stored": 2,
        "dead": 1,
        "waiting": 0,
    }


def test_a_drain_that_makes_a_dead_letter_succeeds(machine_type: type[CaptureMachine]) -> None:
    """The status shows the dead letter, so the caller of the drain need not handle a failure."""
    machine = machine_type()
    machine.turn(POISONED, ["UserPromptSubmit", "PostToolUse", "SessionEnd"], 0)

    machine.started().drain()

    assert machine.oracle.check(machine.turns(), is_over=True) == {
        "accepted": 2,
        "stored": 0,
        "dead": 2,
        "waiting": 0,
    }


def test_a_single_fault_at_any_step_loses_nothing(machine_type: type[CaptureMachine]) -> None:
    """A record that the disk cannot read for a moment must not be left out and then deleted."""
    for step in range(1, 300):
        machine = machine_type()
        machine.turn(0, ["SessionStart", "UserPromptSubmit", "PostToolUse", "PostToolUse", "SessionEnd"], 0)

        machine.work(Worker.drain, Fault(step=step, act=fail))
        was_met = FAULTS.was_met
        machine.teardown()

        if not was_met:
            return
    pytest.fail("a drain of one session has more steps than this test tries")
