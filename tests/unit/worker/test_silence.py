"""The worker answers no hook in a pause or an excluded project, and logs nothing of its prompts."""

from __future__ import annotations

from typing import Any

import pytest

from behavior_plugin import api
from behavior_plugin.exclude import pauses
from behavior_plugin.model import Context, PromptKind
from behavior_plugin.worker import decisions
from tests.factories import make_action
from tests.settings import configure
from tests.unit.worker.test_service import TASK, Worker, suggest


@pytest.mark.parametrize(("scope", "name"), [("everywhere", ""), ("project", "/p"), ("session", "now")])
def test_a_pause_silences_suggestions_until_it_ends(scope: Any, name: str) -> None:
    """The hook does not even ask; an older version's hook would."""
    worker = Worker()
    worker.knows(TASK)
    pauses.begin(scope, name, None)

    assert worker.service.suggest(suggest()) == api.Note()
    assert decisions.read() == []
    pauses.end(scope, name)

    assert worker.service.suggest(suggest()).text
    assert len(decisions.read()) == 1


def test_an_excluded_project_gets_no_suggestion() -> None:
    """Its patterns stay, and are suggested again once it is not excluded any more."""
    worker = Worker()
    worker.knows(TASK)
    configure(exclude_projects=["/p"])
    assert worker.service.suggest(suggest()) == api.Note()
    configure(exclude_projects=[])

    assert worker.service.suggest(suggest()).text


def test_a_failed_call_gets_no_lesson_in_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = Worker()
    pauses.begin("everywhere", "", None)
    monkeypatch.setattr(worker.resources, "store", None)  # nobody may ask it

    failed = api.FailedCall(session_id="now", action=make_action(), context=Context(directory="/p", project="/p"))

    assert worker.service.explain_failure(failed) == api.Note()


def test_no_decision_is_logged_on_a_private_prompt() -> None:
    configure()  # makes the data folder
    worker = Worker()

    assert worker.service.suggest(suggest("", kind=PromptKind.PRIVATE)) == api.Note()
    assert decisions.read() == []
    worker.service.suggest(suggest("yes", kind=PromptKind.FOLLOW_UP))

    assert len(decisions.read()) == 1
