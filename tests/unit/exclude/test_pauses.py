"""Record pauses, and tell hooks of those that run."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from behavior_plugin.capture import ignore_file, paths, skip
from behavior_plugin.errors import PausesUnreadableError
from behavior_plugin.exclude import pauses
from behavior_plugin.exclude.pauses import Pause

HOUR = timedelta(hours=1)


def in_skip() -> list[tuple[str, str]]:
    return [(each["scope"], each["name"]) for each in skip.read()["pauses"]]


def test_hooks_have_no_file_to_read_as_long_as_nothing_is_paused() -> None:
    assert not Path(paths.in_data("skip")).exists()

    pauses.begin("project", "acme/app", None)
    assert in_skip() == [("project", "acme/app")]
    pauses.end("project", "acme/app")

    assert not Path(paths.in_data("skip")).exists()


def test_a_pause_stays_on_record_when_it_is_over() -> None:
    """An agent's log still has its work, and may be imported next year."""
    pauses.begin("project", "acme/app", None)
    [ended] = pauses.end("project", "acme/app")

    [known] = pauses.read()
    assert ended.until is None
    assert known.until is not None
    assert known.since <= known.until <= datetime.now(UTC)
    assert pauses.running() == ()


def test_each_kind_of_pause_is_ended_by_itself() -> None:
    pauses.begin("everywhere", "", None)
    pauses.begin("session", "s1", None)
    pauses.begin("project", "acme/app", None)

    assert pauses.end("project", "acme/other") == []
    pauses.end("everywhere", "")

    assert in_skip() == [("session", "s1"), ("project", "acme/app")]


def test_pausing_again_changes_the_end_and_not_the_beginning() -> None:
    """Between the two nothing was noticed either."""
    first = pauses.begin("project", "acme/app", datetime.now(UTC) + HOUR)
    pauses.begin("project", "acme/app", None)

    [known] = pauses.read()
    assert (known.since, known.until) == (first.since, None)


def test_a_pause_ends_by_itself() -> None:
    now = datetime.now(UTC)
    pause = Pause(scope="everywhere", since=now - 2 * HOUR, until=now - HOUR)

    assert not pause.is_running(now)
    assert pause.is_running(now - HOUR - timedelta(seconds=1))
    assert not pause.is_running(now - 3 * HOUR)


def test_the_files_are_private_to_their_user() -> None:
    pauses.begin("project", "acme/app", None)

    assert [Path(paths.in_data(name)).stat().st_mode & 0o777 for name in ("pauses", "skip")] == [0o600, 0o600]


def test_a_damaged_record_is_reported_and_not_taken_for_none() -> None:
    """Otherwise the work of a pause would be learned from."""
    pauses.begin("project", "acme/app", None)
    pauses.file().write_text('{"scope": "proj')

    with pytest.raises(PausesUnreadableError):
        pauses.read()


def test_hooks_learn_of_the_settings_too(tmp_path: Path) -> None:
    """A project that excludes itself stays known to hooks for as long as it does."""
    paths.make_private(paths.data_folder())
    (tmp_path / ignore_file.NAME).write_text("*\n")
    skip.add_root(str(tmp_path))

    pauses.sync(["acme/*"])
    assert skip.read() == {"pauses": [], "exclude_projects": ["acme/*"], "roots": [str(tmp_path)]}
    pauses.begin("session", "s1", None)
    assert skip.read()["exclude_projects"] == ["acme/*"]
    pauses.end("session", "s1")
    (tmp_path / ignore_file.NAME).unlink()
    pauses.sync([])

    assert not Path(paths.in_data("skip")).exists()


def test_projects_that_exclude_themselves_cannot_fill_the_hooks_file() -> None:
    """Hooks cannot read a longer one, and would keep nothing of any project."""
    pauses.begin("session", "s1", None)
    for number in range(60):  # a byte that is no text takes six signs in JSON
        skip.add_root(f"/{number}/" + "\udcff" * 4_000)

    assert len(skip.read()["roots"]) > 10
    assert in_skip() == [("session", "s1")]
    pauses.begin("everywhere", "", None)
    assert len(in_skip()) == 2


def test_the_hooks_file_is_made_anew_if_it_is_damaged() -> None:
    paths.make_private(paths.data_folder())
    Path(paths.in_data("skip")).write_text("{")

    pauses.begin("everywhere", "", None)

    assert json.loads(Path(paths.in_data("skip")).read_text())["pauses"][0]["scope"] == "everywhere"
