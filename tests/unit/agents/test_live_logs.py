"""Transcripts are opened with care: a payload names them, and payloads come from anywhere."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from behavior_plugin.agents import log_file, read_live_log, subagents
from behavior_plugin.model import Event
from tests.factories import make_call, make_prompt
from tests.logs import UNREADABLE, make_unreadable

RECORDED = Path(__file__).parents[2] / "transcripts" / "print-subagents"
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
    return {event.action.actor for event in events if event.action}


def test_a_transcript_includes_its_subagents_calls(transcript: Path) -> None:
    """Their calls are nowhere else."""
    events = read_live_log(told_of(transcript))

    assert len(agents(events)) == 3
    assert {event.session_id for event in events} == {SESSION}


def test_the_newest_event_names_the_transcript(transcript: Path) -> None:
    """A session that is taken up again may have moved."""
    reported = [*told_of("/nonexistent.jsonl"), *told_of(transcript)]

    assert read_live_log(reported)


def test_a_missing_subagent_file_is_no_problem(transcript: Path) -> None:
    """A fork has no files for the subagents of copied turns."""
    shutil.rmtree(transcript.with_suffix(""))

    assert agents(read_live_log(told_of(transcript))) == {"main"}


def test_only_regular_files_are_read(transcript: Path, tmp_path: Path) -> None:
    """A link may lead to a secret, and a pipe is waited for."""
    link, pipe, folder = tmp_path / "link.jsonl", tmp_path / "pipe.jsonl", tmp_path / "folder.jsonl"
    link.symlink_to(transcript)
    os.mkfifo(pipe)
    folder.mkdir()
    other = transcript.rename(tmp_path / "session.txt")

    for path in (link, pipe, folder, other, tmp_path / "absent.jsonl", "nul\0.jsonl", ""):
        assert read_live_log(told_of(path)) == []


@as_root
def test_another_users_transcript_is_not_read(transcript: Path) -> None:
    """Only root could read it, and it is nothing that our client has written."""
    os.chown(transcript, 65534, 65534)

    assert read_live_log(told_of(transcript)) == []


def test_a_transcript_that_is_too_long_is_not_read(transcript: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the events of the hooks must do."""
    monkeypatch.setattr(log_file, "MAX_LIVE_LOG_BYTES", transcript.stat().st_size - 1)

    assert read_live_log(told_of(transcript)) == []


def test_the_number_of_subagents_is_limited(transcript: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A forged transcript may name any number of them."""
    monkeypatch.setattr(subagents, "MAX_SUBAGENTS", 1)

    assert len(agents(read_live_log(told_of(transcript)))) == 2


@pytest.mark.parametrize("what", UNREADABLE)
def test_an_unreadable_subagent_file_costs_only_its_own_calls(transcript: Path, what: str) -> None:
    """The calls of the other subagents are still read."""
    bad, *_ = sorted(transcript.with_suffix("").rglob("*.jsonl"))
    make_unreadable(bad, what)

    assert len(agents(read_live_log(told_of(transcript)))) == 2


def test_a_subagent_named_only_by_hooks_is_read(transcript: Path, tmp_path: Path) -> None:
    """The call that started it may be in another session's records; old clients keep its file beside the session's."""
    [file, *_] = sorted(transcript.with_suffix("").rglob("*.jsonl"))
    file.rename(tmp_path / file.name)
    agent = file.stem.removeprefix("agent-")
    transcript.write_bytes(b"")

    events = read_live_log([*told_of(transcript), make_call(actor=agent, session_id=SESSION)])

    assert agents(events) == {agent}


def test_another_sessions_transcript_is_ignored(transcript: Path) -> None:
    """A payload may name any file; that session's work would be stored a second time."""
    [reported] = told_of(transcript)

    assert read_live_log([reported.model_copy(update={"session_id": "another"})]) == []


def test_the_transcript_of_an_unknown_agent_is_not_read(transcript: Path) -> None:
    """It may look like one of Claude Code's, and mean something else."""
    [reported] = told_of(transcript)

    assert read_live_log([reported.model_copy(update={"agent": "someday"})]) == []


ROLLOUTS = RECORDED.parent / "codex"
THREAD = "01a21494-7b02-71e1-ba13-eb45ad719db9"
SUBAGENT = "01a21494-7bb3-7362-b4bf-62d691aa657f"


@pytest.fixture
def rollout(tmp_path: Path) -> Path:
    """A real one of Codex, with that of its subagent beside it."""
    shutil.copytree(ROLLOUTS, tmp_path / "sessions")
    return next((tmp_path / "sessions").glob(f"*{THREAD}.jsonl"))


def told_by_codex(*files: object, session_id: str = THREAD) -> list[Event]:
    return [make_prompt("fix it", transcript=str(file), session_id=session_id, agent="codex") for file in files]


def test_a_rollout_includes_its_subagents_calls(rollout: Path) -> None:
    """Codex keeps its sessions in another form, and its subagents in other places."""
    events = read_live_log(told_by_codex(rollout))

    assert agents(events) == {"main", SUBAGENT}
    assert {event.agent for event in events} == {"codex"}


def test_a_sessions_rollout_has_its_id_in_the_name(rollout: Path) -> None:
    """A subagent's hooks name the subagent's, and a payload may name any."""
    of_subagent = next(rollout.parent.glob(f"*{SUBAGENT}.jsonl"))

    assert read_live_log(told_by_codex(rollout, of_subagent)) == read_live_log(told_by_codex(rollout))
    assert read_live_log(told_by_codex(of_subagent)) == []
    assert read_live_log(told_by_codex(rollout, session_id=SESSION)) == []


def test_a_rollout_is_opened_with_the_same_care(rollout: Path, tmp_path: Path) -> None:
    """A link may lead to a secret, also in the place of a subagent's."""
    of_subagent = next(rollout.parent.glob(f"*{SUBAGENT}.jsonl"))
    of_subagent.rename(tmp_path / "elsewhere")
    of_subagent.symlink_to(tmp_path / "elsewhere")
    link = tmp_path / rollout.name
    link.symlink_to(rollout)

    assert read_live_log(told_by_codex(link)) == []
    assert read_live_log(told_by_codex(f"/nonexistent/{rollout.name}", f"/\0/{rollout.name}")) == []
    assert agents(read_live_log(told_by_codex(rollout))) == {"main"}
