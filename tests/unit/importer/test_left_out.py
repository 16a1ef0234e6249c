"""An import leaves out pauses, exclusions and private prompts, and says so."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from behavior_plugin.capture import paths
from behavior_plugin.exclude import pauses
from behavior_plugin.exclude.pauses import Pause
from behavior_plugin.importer.log import ImportFilter, LogResult, import_log
from behavior_plugin.importer.logs import Log
from behavior_plugin.importer.report import summarize
from tests.settings import configure

WORK = [("Fix the parser", "make test"), ("Ship the release", "cat prod.env"), ("Write the notes", "make notes")]


def imported(folder: Path, work: list[tuple[str, str]]) -> LogResult:
    """A dry import of a log with one turn an hour."""
    records: list[dict[str, Any]] = []
    for hour, (prompt, command) in enumerate(work, start=8):
        common = {"sessionId": "s1", "timestamp": f"2026-03-02T{hour:02}:00:00Z", "cwd": "/home/dev/app"}
        use = {"type": "tool_use", "id": f"call-{hour}", "name": "Bash", "input": {"command": command}}
        typed = {"type": "user", "uuid": f"u{hour}", "promptId": f"p{hour}", "message": {"content": prompt}}
        records += [
            {**common, **typed},
            {**common, "type": "assistant", "uuid": f"a{hour}", "message": {"content": [use]}},
        ]
    file = folder / "s1.jsonl"
    file.write_text("".join(json.dumps(record) + "\n" for record in records))
    return import_log(Log(file, "claude-code", 1, 0), ImportFilter(is_dry_run=True), int)


def prompts(found: LogResult) -> list[str]:
    return [run.trigger for run in found.runs]


def test_everything_is_imported_without_exclusions(tmp_path: Path) -> None:
    found = imported(tmp_path, WORK)

    assert prompts(found) == [prompt for prompt, _ in WORK]
    assert (found.prompts, found.calls, found.left_out, found.excluded_calls) == (3, 3, 0, 0)


@pytest.mark.parametrize(("scope", "name"), [("everywhere", ""), ("project", "/home/dev/app"), ("session", "s1")])
def test_the_turns_of_a_pause_are_left_out(scope: Any, name: str, tmp_path: Path) -> None:
    paths.make_private(paths.data_folder())
    since, until = (datetime(2026, 3, 2, *time, tzinfo=UTC) for time in ((8, 30), (9, 30)))
    past = Pause(scope=scope, name=name, since=since, until=until)
    pauses.file().write_text(past.model_dump_json() + "\n")

    found = imported(tmp_path, WORK)

    assert prompts(found) == ["Fix the parser", "Write the notes"]
    assert (found.prompts, found.calls, found.left_out, found.sessions) == (2, 2, 1, {"s1"})


def test_a_project_that_is_excluded_is_left_out(tmp_path: Path) -> None:
    configure(exclude_projects=["/home/dev/app"])

    found = imported(tmp_path, WORK)

    assert (prompts(found), found.prompts, found.left_out, found.sessions) == ([], 0, 3, set())


def test_calls_of_excluded_files_are_left_out(tmp_path: Path) -> None:
    configure(exclude_paths=["*.env"])

    found = imported(tmp_path, WORK)

    assert prompts(found) == ["Fix the parser", "Write the notes"]
    assert (found.calls, found.excluded_calls) == (2, 1)


def test_private_prompts_are_left_out(tmp_path: Path) -> None:
    found = imported(tmp_path, [*WORK[:1], ("<private>sell the house</private>", "sell"), *WORK[2:]])

    assert prompts(found) == ["Fix the parser", "Write the notes"]
    assert found.prompts == 2


def test_the_report_counts_them() -> None:
    log = Log(Path("/logs/s1.jsonl"), "claude-code", 1, 0)
    each = LogResult(log, left_out=2, excluded_calls=3)

    from behavior_plugin.importer.logs import Found

    report = summarize(Found(), [each, each], seconds=1, is_dry_run=True)

    assert (report.left_out, report.excluded_calls) == (4, 6)
