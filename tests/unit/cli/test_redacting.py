"""`behavior redact-again`: a dry run by default, in words and as JSON."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from behavior_plugin import api
from behavior_plugin.cli import cli, redacting, terminal


class FakeClient:
    """Has two batches of sessions, and then the rest."""

    def __init__(self) -> None:
        self.asked: list[api.RedactAgain] = []
        self.is_interrupted = False
        self.refused = 0
        self.batches = [
            api.RedactedAgain(sessions=2, turns=3, refused=0, after="b", left=1),
            api.RedactedAgain(sessions=1, turns=0, refused=0, after="c", left=0),
            api.RedactedAgain(sessions=0, turns=0, refused=0, remarks=1, dead_letters=2),
        ]

    def redact_again(self, request: api.RedactAgain) -> api.RedactedAgain:
        self.asked.append(request)
        if self.is_interrupted and len(self.asked) == 2:
            raise KeyboardInterrupt
        return self.batches[len(self.asked) - 1].model_copy(update={"refused": self.refused})


@pytest.fixture(autouse=True)
def client(monkeypatch: pytest.MonkeyPatch) -> FakeClient:
    fake = FakeClient()
    monkeypatch.setattr(redacting, "Client", lambda: fake)
    return fake


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, ["redact-again", *words])


def test_without_apply_it_only_counts(client: FakeClient) -> None:
    assert run().output.splitlines() == [
        "Older rules have redacted 3 sessions.",
        "Would change: 3 turns, 1 remark, 2 dead letters.",
        "This was a dry run: --apply changes what is stored.",
    ]
    assert [(each.after, each.is_dry_run) for each in client.asked] == [("", True), ("b", True), ("c", True)]


def test_apply_changes_what_is_stored(client: FakeClient) -> None:
    assert run("--apply").output.splitlines()[1] == "Redacted again: 3 turns, 1 remark, 2 dead letters."
    assert {each.is_dry_run for each in client.asked} == {False}


def test_nothing_to_do_is_said(client: FakeClient) -> None:
    client.batches = [api.RedactedAgain(sessions=0, turns=0, refused=0)]

    assert run().output.splitlines() == ["No session waits for newer rules.", "Nothing would change."]


def test_refused_sessions_are_reported(client: FakeClient) -> None:
    client.refused = 1

    assert "3 sessions could not be read or saved; worker.log says why." in run("--apply").output


def test_json_has_all_counts() -> None:
    assert json.loads(run("--json").output) == {
        "is_applied": False,
        "sessions": 3,
        "turns": 3,
        "refused": 0,
        "remarks": 1,
        "decisions": 0,
        "dead_letters": 2,
        "left": 0,
    }


def test_an_interruption_says_that_it_can_go_on(client: FakeClient) -> None:
    client.is_interrupted = True

    found = run("--apply")

    assert found.exit_code == 130
    assert "run it again to continue" in found.output


@pytest.mark.parametrize(("count", "is_said"), [(0, False), (3, True)])
def test_status_says_when_old_rows_wait(
    count: int, is_said: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(terminal, "console", Console(highlight=False, soft_wrap=True))

    terminal.show_state({"worker": "running", "to_redact_again": count})

    said = capsys.readouterr().out
    assert ("have redacted 3 sessions or remarks; `behavior redact-again` applies newer ones" in said) is is_said
    assert "to redact again" not in said
