"""The file of decisions: bounded, private, redacted, and readable after anything that happens to it."""

from __future__ import annotations

import os
import stat
import uuid
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from behavior_plugin.capture import paths
from behavior_plugin.model import PromptKind
from behavior_plugin.recall.decision import MAX_CONSIDERED, Considered, Decision, Fate, Verdict
from behavior_plugin.worker import MAX_DECISIONS, decisions
from behavior_plugin.worker.decisions import Decisions
from tests.factories import START
from tests.unit.recall.test_decision import candidate


@pytest.fixture(autouse=True)
def data() -> None:
    paths.make_private(paths.data_folder())


def decision(prompt: str = "ship it", *, minute: int = 0, **changes: Any) -> Decision:
    fields: dict[str, Any] = {
        "at": START + timedelta(minutes=minute),
        "session_id": "s",
        "project": "/p",
        "kind": PromptKind.TASK,
        "verdict": Verdict.NOTHING_KNOWN,
        "setting": "normal",
        "min_odds": 0.3,
    }
    return Decision(prompt=prompt, **{**fields, **changes})


def prompts() -> list[str]:
    return [each.prompt for each in decisions.read()]


def test_decisions_are_read_newest_first_by_anybody() -> None:
    """The worker that wrote them may have ended."""
    written = Decisions()
    assert prompts() == []

    for prompt in ("first", "second"):
        written.add(decision(prompt))
    Decisions().add(decision("of the next worker"))

    assert prompts() == ["of the next worker", "second", "first"]


def test_the_file_is_bounded() -> None:
    """In number and in size, with the longest texts in every field."""
    written, long = Decisions(), "\N{GRINNING FACE}" * 10_000
    rows = tuple(
        Considered(candidate=candidate("key", trigger=long), fate=Fate.BELOW, job=long)
        for _ in range(MAX_CONSIDERED + 1)
    )
    hostile = decision(long, session_id=long, project=long, note=long, problem=long, considered=rows)

    for number in range(MAX_DECISIONS + 5):
        written.add(decision(str(number)))
    kept = prompts()
    for _ in range(MAX_DECISIONS):
        written.add(hostile)

    assert kept == [str(number) for number in reversed(range(5, MAX_DECISIONS + 5))]
    assert decisions.MAX_BYTES // 2 < decisions.file().stat().st_size <= decisions.MAX_BYTES
    assert prompts()[0] == long[: decisions.MAX_PROMPT_CHARS]


def test_the_file_is_private_whatever_the_umask() -> None:
    before = os.umask(0)
    try:
        Decisions().add(decision())
    finally:
        os.umask(before)

    assert stat.S_IMODE(decisions.file().stat().st_mode) == 0o600


def test_a_session_is_forgotten() -> None:
    """Also by a worker that has not written it."""
    for session in ("s", "t"):
        Decisions().add(decision(session, session_id=session))

    Decisions().forget("s")

    assert prompts() == ["t"]


def test_compaction_rearms_only_what_was_shown_before_it() -> None:
    """The worker reads the event of an old compaction again at its next start."""
    written, pattern = Decisions(), uuid.UUID(int=1)
    for minute, session in ((0, "s"), (2, "s"), (0, "t")):
        written.add(decision(minute=minute, session_id=session, shown=pattern))
    written.add(decision(minute=3))

    written.rearm("s", START + timedelta(minutes=1))

    assert [(each.session_id, each.at) for each in Decisions().shown()] == [
        ("s", START + timedelta(minutes=2)),
        ("t", START),
    ]


def test_a_full_disk_keeps_nothing_that_was_forgotten() -> None:
    """The file cannot be replaced then, only deleted; the worker still has the rest."""
    written, full = Decisions(), Path(paths.in_data("decisions.jsonl.new"))
    written.add(decision("secret", session_id="forgotten"))
    written.add(decision("other"))
    full.mkdir()

    written.forget("forgotten")

    assert prompts() == []
    full.rmdir()
    written.add(decision("next"))
    assert prompts() == ["next", "other"]


def test_lines_that_cannot_be_read_are_left_out() -> None:
    """A later version may have written them otherwise, or a disk error. They go with the next change."""
    Decisions().add(decision("good"))
    with decisions.file().open("ab") as file:
        file.write(b'{"half": \n\xff\xfe\n[1]\n{"at": "2026-01-01T00:00:00Z"}\n')

    assert prompts() == ["good"]
    worker = Decisions()
    worker.forget("another")
    worker.add(decision("next"))
    assert prompts() == ["next", "good"]


@pytest.mark.timeout(10)
@pytest.mark.parametrize("kind", ["link", "pipe", "folder", "no data folder"])
@pytest.mark.parametrize("name", ["decisions.jsonl", "decisions.jsonl.new"])
def test_an_odd_file_costs_only_the_record(kind: str, name: str, tmp_path: Path) -> None:
    """Nothing waits for a pipe, and nothing is written through a link."""
    outside, file = tmp_path / "outside", Path(paths.in_data(name))
    outside.write_text("untouched")
    make: dict[str, Callable[[], object]] = {
        "link": lambda: file.symlink_to(outside),
        "pipe": lambda: os.mkfifo(file),
        "folder": file.mkdir,
        "no data folder": Path(paths.data_folder()).rmdir,
    }
    make[kind]()

    Decisions().add(decision())
    prompts()

    assert outside.read_text() == "untouched"


@pytest.mark.parametrize("is_dry_run", [True, False])
def test_decisions_of_older_rules_are_redacted_again(is_dry_run: bool) -> None:
    secret = "hunter2!" + "Blue"
    lines = [decision("ship it"), decision(f"the admin password is {secret} , log in")]
    decisions.file().write_text("".join(f"{each.model_dump_json()}\n" for each in lines))

    assert Decisions().redact_again(is_dry_run=is_dry_run) == 1

    assert (secret in decisions.file().read_text()) is is_dry_run
    assert len(prompts()) == 2
