"""Transcripts are opened with care: a payload names them, and payloads come from anywhere."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from behavior_plugin.model import Event
from behavior_plugin.worker import transcripts
from behavior_plugin.worker.transcripts import recorded
from tests.factories import make_prompt

RECORDED = Path(__file__).parents[1] / "transcripts" / "print-subagents"
SESSION = "22222222-2222-4222-8222-22222222bbbb"

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


@pytest.fixture
def transcript(tmp_path: Path) -> Path:
    """A real one, with those of its two subagents."""
    shutil.copytree(RECORDED, tmp_path / "session")
    return Path(shutil.copy(RECORDED.with_suffix(".jsonl"), tmp_path / "session.jsonl"))


def told_of(transcript: object) -> list[Event]:
    return [make_prompt("fix it", transcript=str(transcript), session_id=SESSION)]


def agents(events: list[Event]) -> set[str]:
    return {event.action.agent for event in events if event.action}


def test_a_transcript_is_read_with_those_of_its_subagents(transcript: Path) -> None:
    """Their calls are nowhere else."""
    events = recorded(told_of(transcript))

    assert len(agents(events)) == 3
    assert {event.session_id for event in events} == {SESSION}


def test_the_newest_event_names_the_transcript(transcript: Path) -> None:
    """A session that is taken up again may have moved."""
    reported = [*told_of("/nonexistent.jsonl"), *told_of(transcript)]

    assert recorded(reported)


def test_a_subagents_missing_file_is_no_trouble(transcript: Path) -> None:
    """A fork has no files for the subagents of what it copied."""
    shutil.rmtree(transcript.with_suffix(""))

    assert agents(recorded(told_of(transcript))) == {"main"}


def test_what_is_not_a_file_of_ours_is_not_read(transcript: Path, tmp_path: Path) -> None:
    """A link may lead to a secret, and a pipe is waited for."""
    link, pipe, folder = tmp_path / "link.jsonl", tmp_path / "pipe.jsonl", tmp_path / "folder.jsonl"
    link.symlink_to(transcript)
    os.mkfifo(pipe)
    folder.mkdir()
    other = transcript.rename(tmp_path / "session.txt")

    for path in (link, pipe, folder, other, tmp_path / "absent.jsonl", "nul\0.jsonl", ""):
        assert recorded(told_of(path)) == []


@as_root
def test_another_users_transcript_is_not_read(transcript: Path) -> None:
    """Only root could read it, and it is nothing that our client has written."""
    os.chown(transcript, 65534, 65534)

    assert recorded(told_of(transcript)) == []


def test_one_that_is_too_long_is_left_alone(transcript: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What hooks reported must do then."""
    monkeypatch.setattr(transcripts, "LONGEST", transcript.stat().st_size - 1)

    assert recorded(told_of(transcript)) == []


def test_there_is_an_end_to_subagents(transcript: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A forged transcript may name any number of them."""
    monkeypatch.setattr(transcripts, "MOST_SUBAGENTS", 1)

    assert len(agents(recorded(told_of(transcript)))) == 2


def test_another_sessions_transcript_tells_nothing(transcript: Path) -> None:
    """A payload may name any file; that session's work would be stored a second time."""
    [reported] = told_of(transcript)

    assert recorded([reported.model_copy(update={"session_id": "another"})]) == []
