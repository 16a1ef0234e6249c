"""Finding agents' logs among other files."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from behavior_plugin.agents import AGENTS
from behavior_plugin.importer.logs import find_logs
from tests.factories import TRANSCRIPTS

RECORDED = TRANSCRIPTS / "print-fix-and-follow-up.jsonl"


def write(file: Path, raw: bytes | None = None) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(RECORDED.read_bytes() if raw is None else raw)
    return file


def test_sessions_in_a_folder_are_found_oldest_first(tmp_path: Path) -> None:
    """A fork's copied work is then already known from the original session."""
    young, old = write(tmp_path / "b" / "1.jsonl"), write(tmp_path / "a" / "2.jsonl")
    os.utime(old, (1, 1))

    found = find_logs([tmp_path], AGENTS.values(), None)

    assert [log.file for log in found.logs] == [old, young]
    assert {log.agent for log in found.logs} == {"claude-code"}


def test_a_subagents_file_is_not_a_session(tmp_path: Path) -> None:
    """The session that started the subagent includes its file."""
    record = b'{"type":"user","isSidechain":true,"agentId":"a1","sessionId":"s","message":{"role":"user"}}\n'
    write(tmp_path / "s" / "subagents" / "agent-a1.jsonl", record)
    write(tmp_path / "agent-a1.jsonl", record)

    assert not find_logs([tmp_path], AGENTS.values(), None).logs


def test_other_files_are_counted_and_ignored(tmp_path: Path) -> None:
    """A folder of logs has other files too; none of them may abort an import."""
    write(tmp_path / "package.json", b'{"name": "app", "type": "module"}')
    write(tmp_path / "rows.jsonl", b'{"a": 1}\n[]\nnot json\n\xff\xfe')
    write(tmp_path / "empty.jsonl", b"")
    write(tmp_path / "notes.txt")

    found = find_logs([tmp_path], AGENTS.values(), None)

    assert (found.logs, found.others, found.problems) == ([], 3, [])


def test_a_log_found_twice_is_read_once(tmp_path: Path) -> None:
    """Two paths or a link may lead to the same log."""
    log = write(tmp_path / "a" / "log.jsonl")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "linked").symlink_to(tmp_path / "a")

    assert [each.file for each in find_logs([tmp_path / "a", log, tmp_path], AGENTS.values(), None).logs] == [log]
    assert len(find_logs([tmp_path / "b"], AGENTS.values(), None).logs) == 1


def test_pipes_and_link_loops_do_not_block_the_search(tmp_path: Path) -> None:
    """A hostile folder must not stop the import."""
    os.mkfifo(tmp_path / "pipe.jsonl")
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "gone.jsonl").symlink_to(tmp_path / "nowhere")
    log = write(tmp_path / "log.jsonl")

    found = find_logs([tmp_path], AGENTS.values(), None)

    assert [each.file for each in found.logs] == [log]
    assert {(problem.file.name, problem.reason) for problem in found.problems} == {
        ("pipe.jsonl", "not a file"),
        ("gone.jsonl", "No such file or directory"),
    }


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_is_reported(tmp_path: Path) -> None:
    """The import continues with the other files."""
    write(tmp_path / "mine.jsonl").chmod(0)

    [problem] = find_logs([tmp_path], AGENTS.values(), None).problems

    assert problem.reason == "Permission denied"


def test_a_log_older_than_the_limit_is_skipped(tmp_path: Path) -> None:
    """An unchanged log contains no newer event."""
    os.utime(write(tmp_path / "old.jsonl"), (1, 1))
    new = write(tmp_path / "new.jsonl")

    found = find_logs([tmp_path], AGENTS.values(), datetime(2020, 1, 1, tzinfo=UTC))

    assert [log.file for log in found.logs] == [new]
    assert found.older == 1
