"""Which files are taken for logs, and which are not."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from behavior_plugin.agents import AGENTS
from behavior_plugin.importer.logs import find_logs
from tests.factories import TRANSCRIPTS

RECORDED = TRANSCRIPTS / "print-fix-and-follow-up.jsonl"


def put(file: Path, raw: bytes | None = None) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(RECORDED.read_bytes() if raw is None else raw)
    return file


def test_the_sessions_below_a_folder_are_found_the_oldest_first(tmp_path: Path) -> None:
    """What was copied into a fork is then known from where it was done."""
    young, old = put(tmp_path / "b" / "1.jsonl"), put(tmp_path / "a" / "2.jsonl")
    os.utime(old, (1, 1))

    found = find_logs([tmp_path], AGENTS.values(), None)

    assert [log.file for log in found.logs] == [old, young]
    assert {log.agent for log in found.logs} == {"claude-code"}


def test_a_subagents_file_is_no_session(tmp_path: Path) -> None:
    """It is read with the session that started it."""
    record = b'{"type":"user","isSidechain":true,"agentId":"a1","sessionId":"s","message":{"role":"user"}}\n'
    put(tmp_path / "s" / "subagents" / "agent-a1.jsonl", record)
    put(tmp_path / "agent-a1.jsonl", record)

    assert not find_logs([tmp_path], AGENTS.values(), None).logs


def test_what_is_no_log_is_counted_and_left_alone(tmp_path: Path) -> None:
    """A folder of logs has other files too; none of them may end an import."""
    put(tmp_path / "package.json", b'{"name": "app", "type": "module"}')
    put(tmp_path / "rows.jsonl", b'{"a": 1}\n[]\nnot json\n\xff\xfe')
    put(tmp_path / "empty.jsonl", b"")
    put(tmp_path / "notes.txt")

    found = find_logs([tmp_path], AGENTS.values(), None)

    assert (found.logs, found.others, found.problems) == ([], 3, [])


def test_a_log_that_is_found_twice_is_one(tmp_path: Path) -> None:
    """By a link, or by two paths to it."""
    log = put(tmp_path / "a" / "log.jsonl")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "linked").symlink_to(tmp_path / "a")

    assert [each.file for each in find_logs([tmp_path / "a", log, tmp_path], AGENTS.values(), None).logs] == [log]
    assert len(find_logs([tmp_path / "b"], AGENTS.values(), None).logs) == 1


def test_a_pipe_is_not_waited_for_and_a_loop_is_not_followed(tmp_path: Path) -> None:
    """Whoever puts one there must not stop us."""
    os.mkfifo(tmp_path / "pipe.jsonl")
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "gone.jsonl").symlink_to(tmp_path / "nowhere")
    log = put(tmp_path / "log.jsonl")

    found = find_logs([tmp_path], AGENTS.values(), None)

    assert [each.file for each in found.logs] == [log]
    assert {(problem.file.name, problem.reason) for problem in found.problems} == {
        ("pipe.jsonl", "not a file"),
        ("gone.jsonl", "No such file or directory"),
    }


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_a_problem_told(tmp_path: Path) -> None:
    """The others are taken."""
    put(tmp_path / "mine.jsonl").chmod(0)

    [problem] = find_logs([tmp_path], AGENTS.values(), None).problems

    assert problem.reason == "Permission denied"


def test_a_log_that_has_not_changed_since_is_not_opened_for_it(tmp_path: Path) -> None:
    """All that it holds is older."""
    os.utime(put(tmp_path / "old.jsonl"), (1, 1))
    new = put(tmp_path / "new.jsonl")

    found = find_logs([tmp_path], AGENTS.values(), datetime(2020, 1, 1, tzinfo=UTC))

    assert [log.file for log in found.logs] == [new]
    assert found.older == 1
