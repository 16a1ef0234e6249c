"""The commands `replay` and `stats`: their figures fit 80 columns, and say where there are too few cases."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from behavior_plugin import api
from behavior_plugin.cli import cli, figures, measuring, terminal
from behavior_plugin.measure.past import PastWork
from behavior_plugin.measure.stats import Summary, Totals, summary_of
from behavior_plugin.model import Outcome
from behavior_plugin.workflow import PastSuggestion, Remark, RemarkKind
from tests.factories import START
from tests.settings import configure
from tests.unit.measure.history import past
from tests.unit.measure.test_lessons import failed, taught

TOTALS = Totals(patterns=4_600, episodes=14_400, sessions=11_800, projects=1)


class FakeClient:
    """A worker that sends this history by the page, and this summary."""

    def __init__(self) -> None:
        self.history: list[PastWork] = []
        self.suggestions: list[PastSuggestion] = []
        self.asked: list[api.ListWork] = []
        self.since: list[object] = []

    def list_work(self, request: api.ListWork) -> list[PastWork]:
        self.asked.append(request)
        later = sorted((each for each in self.history if each.source_key > request.after), key=lambda e: e.source_key)
        return later[: request.limit]

    def summarize(self, request: api.Summarize) -> Summary:
        self.since.append(request.since)
        return summary_of(self.suggestions, TOTALS)


@pytest.fixture(autouse=True)
def client(monkeypatch: pytest.MonkeyPatch) -> FakeClient:
    fake = FakeClient()
    monkeypatch.setattr(measuring, "Client", lambda: fake)
    monkeypatch.setattr(os, "nice", lambda _: None)
    return fake


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Callable[[], str]:
    """A terminal of 80 columns without colours."""
    file = io.StringIO()
    shown = Console(file=file, width=80, force_terminal=True, color_system=None, highlight=False, soft_wrap=True)
    monkeypatch.setattr(terminal, "console", shown)
    monkeypatch.setattr(figures, "console", shown)
    return file.getvalue


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, words)


def json_of(*words: str) -> dict[str, object]:
    done = run(*words, "--json")
    assert done.exit_code == 0, done.output
    found: dict[str, object] = json.loads(done.stdout)
    return found


def text_of(screen: Callable[[], str], *words: str) -> str:
    done = run(*words)
    assert done.exit_code == 0, done.output
    text = screen()
    assert max(map(len, text.splitlines())) <= 80
    return text


def alike(count: int) -> list[PastWork]:
    """A history with the same task again and again."""
    return [past(hour, source_key=f"key {hour:05}") for hour in range(count)]


def made(kind: RemarkKind, count: int, *, followed: int, holdout: float = 0.5) -> list[PastSuggestion]:
    return [
        PastSuggestion(
            Remark(
                pattern_key="key",
                kind=kind,
                made_at=START + timedelta(days=number),
                session_id=f"session {number}",
                is_followed=number < followed,
                outcome=Outcome.SUCCESS,
                holdout=holdout,
            ),
            steps=5,
            took_ms=90_000,
        )
        for number in range(count)
    ]


# Replay


def test_replay_shows_its_figures(client: FakeClient, screen: Callable[[], str]) -> None:
    client.history = alike(41)

    text = text_of(screen, "replay", "--all")

    assert "41 prompts that began work, suggestions = normal" in text
    [answered] = [line.split() for line in text.splitlines() if line.startswith("answered")]
    assert answered[-3:] == ["40", "of", "41"]
    assert "98%" in answered
    assert "kinds of steps named" in text
    assert "rare kinds named" in text
    assert "too few: 0 of at least 30" in text
    assert "\n10-19 " in text
    assert "\n20+ " in text
    assert "only withheld ones show that" in text


def test_replay_reads_every_page_once(client: FakeClient) -> None:
    """A project may have thousands."""
    client.history = alike(2 * measuring.PAGE)

    found = json_of("replay", "--all")

    assert found["answered"]["cases"] == 200  # type: ignore[index]
    assert [each.after for each in client.asked] == ["", "key 00099", "key 00199"]
    assert {each.directory for each in client.asked} == {None}


def test_replay_is_of_this_project_unless_told_otherwise(client: FakeClient, tmp_path: object) -> None:
    json_of("replay")
    json_of("replay", "--project", "/elsewhere/./shop")

    assert [each.directory for each in client.asked] == [str(Path.cwd()), "/elsewhere/shop"]
    assert run("replay", "--all", "--project", "x").exit_code == 2


def test_settings_and_since_count(client: FakeClient, monkeypatch: pytest.MonkeyPatch) -> None:
    client.history = [*alike(40), past(50, "quite another thing", project="b"), past(60, project="b")]

    def answered(*words: str) -> Sequence[object]:
        found = json_of("replay", "--all", *words)
        share = found["answered"]
        return found["suggestions"], share["count"], share["cases"]  # type: ignore[index]

    assert answered() == ("normal", 39, 42)
    assert answered("--since", "2026-03-04T01:00+00:00") == ("normal", 0, 2)
    configure(recall_scope="all")
    assert answered() == ("normal", 40, 42)
    configure(suggestions="quiet")
    assert answered()[0] == "quiet"


@pytest.mark.parametrize(("setting", "lessons"), [("normal", 1), ("quiet", 0)])
def test_a_quiet_setting_tells_fewer_lessons(
    client: FakeClient, monkeypatch: pytest.MonkeyPatch, setting: str, lessons: int
) -> None:
    """As a running session does: one earlier session is not enough."""
    configure(suggestions=setting)
    client.history = [taught(1), failed(2)]

    assert json_of("replay", "--all")["lessons"]["lessons"] == lessons  # type: ignore[index]


def test_replay_of_nothing_says_where_there_is_some(screen: Callable[[], str]) -> None:
    assert "No prompts to replay in this project; --all replays all projects." in text_of(screen, "replay")
    named = text_of(screen, "replay", "--project", "/srv/[shop]")
    assert "No prompts to replay in the project of /srv/[shop]; --all replays all projects." in named


# Stats


def test_stats_without_suggestions(screen: Callable[[], str]) -> None:
    text = text_of(screen, "stats")

    assert "4,600 patterns from 14,400 pieces of work in 11,800 sessions of 1 project." in text
    assert "No suggestions yet." in text


def test_stats_make_no_claim_from_few_cases(client: FakeClient, screen: Callable[[], str]) -> None:
    client.suggestions = [
        *made(RemarkKind.SHOWN, 40, followed=20),
        *made(RemarkKind.WITHHELD, 29, followed=0),
    ]

    text = text_of(screen, "stats")

    assert "No claim yet: 40 and 29 cases, of at least 30 in each arm." in text
    assert "0 of 29" in text
    assert "50% (35% to 65%)" in text


def test_stats_compare_the_arms(client: FakeClient, screen: Callable[[], str]) -> None:
    client.suggestions = [
        *made(RemarkKind.SHOWN, 40, followed=30),
        *made(RemarkKind.SHOWN, 50, followed=0, holdout=0),
        *made(RemarkKind.WITHHELD, 40, followed=10),
    ]

    text = text_of(screen, "stats")

    assert "followed the steps  +50 (+29 to +65)\n" in text
    assert "ended in success    +0 (-9 to +9), which may be chance\n" in text
    [steps] = [line for line in text.splitlines() if line.startswith("steps, median")]
    assert steps.split()[2:] == ["5", "5", "5"]
    assert "1.5 min" in text or "2 min" in text


def test_stats_without_a_holdout_say_so(client: FakeClient, screen: Callable[[], str]) -> None:
    client.suggestions = made(RemarkKind.SHOWN, 3, followed=1, holdout=0)

    text = text_of(screen, "stats")

    assert "setting `holdout`" in text
    assert "2026-03-02  3      1         3       0         ####################" in text


def test_stats_since_a_day(client: FakeClient) -> None:
    found = json_of("stats", "--since", "2026-03-04")

    assert str(client.since[0]).startswith("2026-03-04 00:00")
    assert found["min_cases"] == 30
    assert found["by"] == "week"


@pytest.mark.parametrize(("share", "shown"), [(None, ""), (0, ""), (0.5, "#" * 10), (1, "#" * 20)])
def test_a_bar_is_as_long_as_its_share(share: float | None, shown: str) -> None:
    assert figures.bar(share) == shown
