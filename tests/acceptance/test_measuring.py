"""`behavior replay` and `behavior stats` on sessions that went through the real hooks and the real worker."""

from __future__ import annotations

import contextlib
import uuid
from pathlib import Path
from typing import Any

import pytest

from behavior_plugin.recall.gate import is_withheld
from tests.acceptance.sessions import OTHER_TASK, TASK, Session, drain, json_of, output_of, patterns
from tests.acceptance.test_suggest import suggestion
from tests.settings import configure
from tests.waiting import wait_for

pytestmark = pytest.mark.usefixtures("clean_ending")


def with_id(project: Path, session_id: str) -> Session:
    session = Session(project)
    session.id = session_id
    return session


def counted(*words: str) -> dict[str, Any]:
    found = json_of("replay", "--all", *words)
    return {name: found["answered"][name] for name in ("count", "cases", "value")}


def withheld() -> int:
    return int(json_of("stats")["comparison"]["withheld"]["suggestions"])


def test_a_history_is_replayed(project: Path) -> None:
    """The first of two like prompts was new, the second had an answer; another project and another task had none."""
    for prompt, folder in ((TASK, project), (OTHER_TASK, project), (TASK, project), (TASK, project.parent / "other")):
        Session(folder).work(prompt, "python3 -m unittest").end()
        drain()

    assert counted() == {"count": 1, "cases": 4, "value": None}
    assert counted("--since", "2100-01-01") == {"count": 0, "cases": 0, "value": None}
    here = json_of("replay", cwd=project)
    assert (here["answered"]["count"], here["answered"]["cases"]) == (1, 3)
    text = output_of("replay", "--project", str(project))
    assert "3 prompts that began work, suggestions = normal" in text
    assert "too few: 3 of at least 30" in text
    assert "No prompts to replay in this project; --all replays all projects." in output_of("replay")


def withheld_session(project: Path, ids: list[str]) -> Session:
    """A session from which a suggestion is withheld. The answer is silence, as it also is where the worker is late."""
    for each in ids:
        session = with_id(project, each)
        assert "python3 -m unittest" in session.ask(f"/behavior:recall {TASK}").stdout
        assert session.ask(TASK).stdout == ""
        with contextlib.suppress(AssertionError):
            wait_for(withheld, "a withheld suggestion", within_s=5)
            return session
    pytest.fail("no session was answered in time")


def test_withheld_suggestions_are_judged_like_shown_ones(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both arms follow the steps here, one without having seen them. Whoever asks by hand gets the answer anyway."""
    configure(holdout=0.5)
    Session(project).work(TASK, "python3 -m unittest").end()
    drain()
    [pattern] = patterns()
    ids = [str(uuid.uuid4()) for _ in range(100)]
    key = pattern.source_key
    shown_to = with_id(project, next(each for each in ids if not is_withheld(each, key, 0.5)))

    assert "python3 -m unittest" in suggestion(shown_to, TASK)
    withheld_from = withheld_session(project, [each for each in ids if is_withheld(each, key, 0.5)])
    for session in (shown_to, withheld_from):
        session.call("python3 -m unittest")
        session.send("Stop")
        session.end()
    drain()

    found = json_of("stats")
    arms = [found["comparison"][name] for name in ("shown", "withheld")]
    assert [(arm["suggestions"], arm["followed"]["count"], arm["worked"]["count"]) for arm in arms] == [(1, 1, 1)] * 2
    assert found["totals"] == {"patterns": 1, "episodes": 3, "sessions": 3, "projects": 1}
    assert [(each["shown"], each["followed"], each["withheld"]) for each in found["periods"]] == [(1, 1, 1)]
    [after] = patterns()
    assert after.use_count == 1
    assert after.workflow
    assert (after.workflow.shown, after.workflow.followed) == (1, 1)
    text = output_of("stats")
    assert "No claim yet: 1 and 1 cases, of at least 30 in each arm." in text
    assert json_of("stats", "--since", "2100-01-01")["periods"] == []
