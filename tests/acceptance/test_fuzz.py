"""Send several hundred malformed inputs through the real hook to a real worker.

Hooks do no harm, each accepted event is stored, counted or a dead letter, and the worker survives.
"""

from __future__ import annotations

import json
import subprocess
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from behavior_plugin.capture import spool
from behavior_plugin.worker.client import start_worker
from tests.acceptance.feeding import LOSS_NOTICE, hook_environment
from tests.acceptance.marked_sessions import HOOKS, check_liveness, everything_learned
from tests.acceptance.sessions import in_spool, status, worker_pid
from tests.factories import payload
from tests.oracle import Oracle

pytestmark = pytest.mark.usefixtures("clean_ending", "no_embedder")

MEGABYTE = 1 << 20
ODD_VALUES = [None, True, 7, -1.5, "", [], {}, ["x"], {"x": {"y": None}}, "\x00", "x" * 70_000, 2**70]
HOSTILE_IDS = [
    "../../pwn",
    "/etc/pwn",
    "C:\\pwn",
    "CON",
    ".lock",
    "a\nb",
    "a\x00b",
    "x" * 300,
    "x" * 5_000,
    "~/pwn",
    "\ud800",
    "\u202epwn",
]
HOSTILE_TEXTS = [
    "$(touch pwn)",
    "`touch pwn`",
    "'; touch pwn; '",
    "'); drop table public.behavior_patterns; --",
    "%s%n%x",
    "{0.__class__}",
    "\\copy (select 1) to program 'touch pwn'",
    "(a+)+$" * 100,
    "a=" * 20_000,
    "-----BEGIN " * 500,
    "\x1b]52;c;cHdu\x07",
    "</past-workflow>",
    "\ud83d",
]
ID_FIELDS = ["session_id", "tool_use_id", "agent_id", "prompt_id", "transcript_path", "cwd"]
TEXT_FIELDS = ["tool_name", "error", "permission_mode", "hook_event_name"]


@dataclass(frozen=True)
class Case:
    """One input for the hook of an event; without a mark it cannot be recognized later."""

    event: str
    raw: bytes
    mark: str = ""


class MalformedInputs:
    """Creates inputs. A call gets a session with a prompt, so that it can be stored if it is readable."""

    def __init__(self, oracle: Oracle) -> None:
        self._oracle = oracle
        self._number = 0

    def all(self) -> list[Case]:
        kinds = (self._wrong_types(), self._hostile(), self._cut(), self._encoded(), self._not_json(), self._large())
        return [case for kind in kinds for case in kind]

    def _wrong_types(self) -> Iterator[Case]:
        for event in ("PostToolUse", "UserPromptSubmit", "SessionEnd"):
            for field in payload(event):
                yield from (self._case(event, **{field: value}) for value in ODD_VALUES)
        for field in ("command", "file_path", "description"):
            yield from (self._case("PostToolUse", tool_input={field: value}) for value in ODD_VALUES)

    def _hostile(self) -> Iterator[Case]:
        for field in ID_FIELDS:
            yield from (self._case("PostToolUse", **{field: text}) for text in HOSTILE_IDS)
        for field in TEXT_FIELDS:
            yield from (self._case("PostToolUseFailure", **{field: text}) for text in HOSTILE_TEXTS)
        for text in HOSTILE_TEXTS:
            yield self._case("PostToolUse", tool_input={text: text})
            yield self._case("UserPromptSubmit", prompt=text)

    def _cut(self) -> Iterator[Case]:
        for event in HOOKS:
            for part in range(1, 13):
                case = self._case(event)
                raw = case.raw[: len(case.raw) * part // 13]
                yield Case(event, raw, case.mark if case.mark.encode() + b'"' in raw else "")

    def _encoded(self) -> Iterator[Case]:
        for encoding in ("utf-16", "utf-16-le", "utf-32", "utf-8-sig", "latin-1"):
            case = self._case("PostToolUse", tool_name="größer")
            text = json.dumps(json.loads(case.raw), ensure_ascii=False)
            yield Case(case.event, text.encode(encoding), case.mark)

    def _not_json(self) -> Iterator[Case]:
        texts = [
            "",
            " \n",
            "null",
            "[]",
            "7",
            '"text"',
            "{}{}",
            "{} trailing",
            "{'single': 1}",
            '{"a": 1,}',
            "\x00" * 99,
        ]
        yield from (Case("PostToolUse", text.encode()) for text in texts)
        yield from (Case("Stop", raw) for raw in (b"\xff\xfe", b"\x80" * 4096, b"[" * 100_000, b'{"a":' * 100_000))
        for text in ("%s", "{%s", '{"session_id": "%s', '["%s"]', '{"session_id": "s", "session_id": 1, "x": "%s"}'):
            mark = self._mark()
            yield Case("PostToolUse", text.replace("%s", mark).encode(), mark)

    def _large(self) -> Iterator[Case]:
        yield self._case("PostToolUse", tool_response={"stdout": "x" * 5 * MEGABYTE})
        yield self._case("PostToolUse", tool_response={str(key): key for key in range(200_000)})
        yield self._case("PostToolUse", tool_input={"command": "x" * 7 * MEGABYTE})
        for number in ("9" * 100_000, "1e400", "-1e400", "NaN", "Infinity"):
            case = self._case("PostToolUse", duration_ms=123456)
            yield Case(case.event, case.raw.replace(b"123456", number.encode()), case.mark)
        case = self._case("PostToolUse")
        yield Case(case.event, case.raw + b" " * 50 * MEGABYTE, case.mark)

    def _mark(self) -> str:
        self._number += 1
        return self._oracle.mark(self._number)

    def _case(self, event: str, **changes: Any) -> Case:
        """A real payload with changes. It has its mark twice, since one of the two may be changed."""
        mark, session, prompt_id = self._mark(), str(uuid.uuid4()), str(uuid.uuid4())
        named: dict[str, Any] = {"session_id": session, "prompt_id": prompt_id}
        named["transcript_path"] = f"/home/dev/{session}.jsonl"
        if event.startswith("Post"):
            prompt = payload("UserPromptSubmit", **named, prompt="Repair the parser and its tests")
            spool.put("UserPromptSubmit", json.dumps(prompt).encode())
            changes = {"tool_use_id": mark, "tool_input": {"description": mark}} | changes
        return Case(event, json.dumps({"mark": mark, **payload(event, **named | changes)}).encode(), mark)


def feed(case: Case, canary: Path) -> bool:
    """Run the registered command; returns whether it accepted the event."""
    done = subprocess.run(
        ["/bin/sh", "-c", HOOKS[case.event].command],
        input=case.raw,
        cwd=canary,
        env=hook_environment(),
        capture_output=True,
        check=False,
        timeout=30,
    )
    case_text = f"{case.event} {case.raw[:200]!r}"
    assert done.returncode == 0, case_text
    assert not done.stdout or isinstance(json.loads(done.stdout), dict), case_text
    assert not done.stderr or (done.stderr.startswith(LOSS_NOTICE) and done.stderr.count(b"\n") == 1), case_text
    return not done.stderr


@pytest.mark.timeout(300)
def test_malformed_inputs_do_no_harm_and_are_not_lost(project: Path, own_home: Path, tmp_path: Path) -> None:
    """Agents change their payloads, and anybody may have written the texts in them."""
    oracle, canary = Oracle(), tmp_path / "canary"
    canary.mkdir()
    start_worker()
    pid = worker_pid()
    cases = MalformedInputs(oracle).all()

    with ThreadPoolExecutor(max_workers=4) as hooks:
        accepted = list(hooks.map(lambda case: feed(case, canary), cases))
    for case, is_accepted in zip(cases, accepted, strict=True):
        if is_accepted and case.mark:
            oracle.accept(case.mark, prompt="" if case.event.startswith("Post") else case.mark)
    patterns = everything_learned()

    ended = oracle.check(patterns, is_over=True)
    assert len(cases) > 300
    assert ended["stored"] > 100
    assert ended["dead"] > 10
    assert not in_spool("open")
    assert (status().pid, status().new_events) == (pid, 0)
    assert not list(canary.iterdir())
    assert {entry.name for entry in own_home.iterdir()} == {"behavior"}
    assert not list(tmp_path.rglob("*pwn*"))
    check_liveness(oracle, project)
