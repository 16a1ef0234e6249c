"""`python -m evaluation` on a small data folder made by hand: what it writes, what it refuses, what it never reads."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.sessions import ROOT
from tests.factories import TRANSCRIPTS

Line = dict[str, Any]
USAGE = 2
POOL = "garden/shed"
TOKEN = "ghp_" + "16C7e42F292c6912E7710c838347Ae178B4a"
# A scorer that tells how it was called, and how many predictions it was given.
SCORER = """
import sys
words = dict(zip(sys.argv[2::2], sys.argv[3::2]))
print(sys.argv[1], "of", words.get("--set"), len(open(words["--pred"]).readlines()), words.get("--thresholds"))
"""


def entry(name: str, ts: str, prompt: str, *acts: str, **changes: Any) -> Line:
    steps = [{"tool": "Bash", "act": act, "arg": act.partition(":")[2], "ok": True, "ms": 5} for act in acts]
    return {"id": name, "pool": POOL, "session": name, "ts": ts, "prompt": prompt, "steps": steps, **changes}


MEMORY = [
    entry("roses", "2026-01-01", "Prune the roses along the fence", "Bash:look", "Bash:cut", "Bash:sweep"),
    entry("pump", "2026-01-02", "The pond pump is stuck, repair it", "Bash:look", "Bash:unscrew"),
    entry("failed", "2026-01-03", "Trim the rose bushes at the fence", "Bash:cut") | {"pool": "garden/other"},
    entry("same", "2026-01-04", "Cut back the roses at the fence", "Bash:dig", session="today"),
    entry("later", "2026-02-02", "Prune all the roses along the fence", "Bash:dig"),
]
QUERY = {"pool": POOL, "session": "today", "ts": "2026-02-01T08:00:00.000Z~", "cwd": None, "branch": "main"}
QUERIES = [
    {"id": "q-roses", "prompt": "Please prune the roses by the fence", **QUERY},
    {"id": "q-yes", "prompt": "yes, go on", **QUERY},
    {"id": "q-first", "prompt": "Prune the roses along the fence", **QUERY, "ts": "2025"},
    {"id": "q-end", "prompt": "Prune the roses along the fence", **QUERY, "session": "tomorrow", "ts": "9999"},
]
CASES = [
    {"id": f"c-{len(done)}", "prompt": "Prune the roses", "prefix": [{"act": act} for act in done], **QUERY}
    for done in ([], ["Bash:look"], ["Bash:look", "Bash:cut"])
]
VECTORS = [
    {"id": "v-token", "text_b64": b64encode(f"token: {TOKEN}".encode()).decode()},
    {"id": "v-long", "text_b64": b64encode(b"water the beds. " * 1000).decode()},
]
# Every answer field there is, of a type that no reader of it could take for an answer.
POISON = {
    field: ["poison"]
    for field in (
        *("answerable", "kind", "why", "relevant", "steps"),
        *("target", "target_tool"),
        "expect",
        *("label", "secrets_b64", "rule"),
    )
}


def write(file: Path, lines: list[Line], more: Line | None = None) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(line | (more or {})) + "\n" for line in lines), encoding="utf-8")


def make_data(folder: Path, answers: Line | None = None) -> Path:
    """A data folder; its sets are called as no other folder's are."""
    write(folder / "recall" / "plants.memory.jsonl", MEMORY)
    write(folder / "recall" / "plants.queries.jsonl", QUERIES, answers)
    write(folder / "next" / "plants_anew.cases.jsonl", CASES, answers)
    write(folder / "redaction" / "vectors.jsonl", VECTORS, answers)
    write(folder / "transcripts" / "manifest.jsonl", [{"file": "projects/fix.jsonl"}], answers)
    logs = folder / "transcripts" / "projects"
    logs.mkdir()
    shutil.copy(TRANSCRIPTS / "print-fix-and-follow-up.jsonl", logs / "fix.jsonl")
    (logs / "notes.txt").write_text("no log\nat all\n", encoding="utf-8")
    return folder


def evaluate(data: Path, out: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "evaluation", "--data", str(data), "--out", str(out), *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def read(file: Path) -> list[Line]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def written(out: Path) -> dict[str, list[Line]]:
    return {file.name: read(file) for file in sorted(out.iterdir())}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Line]]:
    """Everything that is predicted for the data folder."""
    folder = tmp_path_factory.mktemp("evaluation")
    done = evaluate(make_data(folder / "data"), folder / "out")
    assert (done.returncode, done.stderr) == (0, "")
    assert "no score.py" in done.stdout
    return written(folder / "out")


def recalled(whole: dict[str, list[Line]], query: str) -> list[str]:
    [answer] = [line for line in whole["recall-plants.jsonl"] if line["qid"] == query]
    return [each["id"] for each in answer["ranked"]]


def test_each_part_has_its_file(whole: dict[str, list[Line]]) -> None:
    """The scorer looks for these names, whatever the sets are called."""
    assert list(whole) == [
        "next-plants_anew.jsonl",
        "parse.jsonl",
        "recall-plants.jsonl",
        "redact.jsonl",
        "steps-plants.jsonl",
    ]


def test_a_log_is_counted_as_it_is_read(whole: dict[str, list[Line]]) -> None:
    """The figures are those of the reader that serves users; nothing is in what is no log."""
    counts, others = sorted(whole["parse.jsonl"], key=lambda line: -line["tool_calls"])

    assert (counts["file"], others["tool_calls"], others["prompts"]) == ("projects/fix.jsonl", 0, 0)
    assert counts["prompts"] == 2
    assert counts["tool_calls"] == sum(counts["tools"].values()) > 0
    assert set(counts) == {"file", "prompts", "tool_calls", "tools", "tool_errors"}


def test_past_work_is_recalled_best_first(whole: dict[str, list[Line]]) -> None:
    """One threshold over the scores decides, so they have to be there."""
    [answer] = [line for line in whole["recall-plants.jsonl"] if line["qid"] == "q-roses"]

    scores = [each["score"] for each in answer["ranked"]]
    assert [each["id"] for each in answer["ranked"]] == ["roses", "pump"]
    assert 0 < scores[1] < scores[0] < 1
    assert answer["steps"] == ["Bash:look", "Bash:cut", "Bash:sweep"]
    assert {line["qid"]: line["steps"] for line in whole["steps-plants.jsonl"]}["q-roses"] == answer["steps"]


def test_only_what_was_known_then_is_recalled(whole: dict[str, list[Line]]) -> None:
    """Neither what came later, nor the asking session's own work, nor another project's."""
    assert recalled(whole, "q-first") == []
    assert recalled(whole, "q-roses") == ["roses", "pump"]
    assert set(recalled(whole, "q-end")) == {"roses", "same", "later", "pump"}


def test_to_what_is_no_task_nothing_is_recalled(whole: dict[str, list[Line]]) -> None:
    """The worker says nothing to a yes, whatever its words resemble."""
    assert recalled(whole, "q-yes") == []


def test_the_next_action_is_what_followed_in_similar_work(whole: dict[str, list[Line]]) -> None:
    """The set has no memory of its own, and takes that of the set it varies."""
    foretold = {line["cid"]: line["pred"] for line in whole["next-plants_anew.jsonl"]}

    assert foretold["c-0"][0] == "Bash:look"
    assert foretold["c-1"][0] == "Bash:cut"
    assert foretold["c-2"][0] == "Bash:sweep"
    assert all(len(guesses) <= 3 for guesses in foretold.values())


def test_texts_are_redacted_and_not_cut(whole: dict[str, list[Line]]) -> None:
    """A text that was cut would count as one that was spoilt."""
    redacted = {line["id"]: b64decode(line["redacted_b64"]).decode() for line in whole["redact.jsonl"]}

    assert TOKEN not in redacted["v-token"]
    assert redacted["v-long"] == "water the beds. " * 1000


def test_no_answer_is_read(whole: dict[str, list[Line]], tmp_path: Path) -> None:
    """A prediction that has seen the answer says nothing about the product."""
    poisoned = make_data(tmp_path / "data", POISON)

    done = evaluate(poisoned, tmp_path / "out")

    assert done.returncode == 0, done.stderr
    assert written(tmp_path / "out") == whole


def test_the_scorer_is_run_where_there_is_one(tmp_path: Path) -> None:
    """Its tables are what the command is for; all sets of a kind go to it at once."""
    data = make_data(tmp_path / "data")
    shutil.copy(data / "recall" / "plants.memory.jsonl", data / "recall" / "trees.memory.jsonl")
    shutil.copy(data / "recall" / "plants.queries.jsonl", data / "recall" / "trees.queries.jsonl")
    (data / "score.py").write_text(SCORER, encoding="utf-8")
    fixed = tmp_path / "thresholds.json"
    fixed.touch()

    done = evaluate(data, tmp_path / "out", "--sets", "recall,parse", "--thresholds", str(fixed))

    assert done.returncode == 0, done.stderr
    assert f"## recall\n\nrecall of plants,trees 8 {fixed}\n" in done.stdout
    assert "## steps\n\nsteps of plants,trees 8 None\n" in done.stdout
    assert "## parse\n\nparse of None 2 None\n" in done.stdout


def test_a_scorer_that_fails_is_told_of(tmp_path: Path) -> None:
    """Predictions without figures must not pass for a run that went well."""
    data = make_data(tmp_path / "data")
    (data / "score.py").write_text("raise SystemExit('no such column')", encoding="utf-8")

    done = evaluate(data, tmp_path / "out", "--sets", "redact")

    assert done.returncode == 1
    assert "score.py redact ended with 1: no such column" in done.stderr


@pytest.mark.parametrize("name", ["flowers", "recall-flowers", "parse,flowers"])
def test_an_unknown_name_is_refused_with_the_known_ones(tmp_path: Path, name: str) -> None:
    """Nobody has to look into the folder to find out what may be asked for."""
    done = evaluate(make_data(tmp_path / "data"), tmp_path / "out", "--sets", name)

    assert done.returncode == USAGE
    said = " ".join(done.stderr.split())
    assert f"{name.rpartition(',')[2]}: not one of parse, recall, next, redact, plants, recall-plants" in said
    assert not (tmp_path / "out").exists()


def test_what_was_asked_for_and_is_not_there_is_an_error(tmp_path: Path) -> None:
    """A run that quietly leaves out what was asked for looks like one that did it."""
    data = make_data(tmp_path / "data")
    shutil.rmtree(data / "transcripts")

    asked = evaluate(data, tmp_path / "out", "--sets", "parse,redact")
    nowhere = evaluate(tmp_path / "nowhere", tmp_path / "out")

    assert (asked.returncode, nowhere.returncode) == (1, 1)
    assert f"{data} has nothing for parse" in asked.stderr
    assert f"{tmp_path / 'nowhere'} is not there" in nowhere.stderr


def test_what_the_folder_has_not_is_left_out_and_said(tmp_path: Path) -> None:
    """A folder with fewer parts is as good as one with all."""
    data = make_data(tmp_path / "data")
    for part in ("recall", "next", "transcripts"):
        shutil.rmtree(data / part)

    done = evaluate(data, tmp_path / "out")

    assert done.returncode == 0, done.stderr
    assert all(f"{kind}: skipped" in done.stdout for kind in ("parse", "recall", "next"))
    assert list(written(tmp_path / "out")) == ["redact.jsonl"]


@pytest.mark.parametrize(
    ("line", "what"),
    [("{}", "id: Field required"), ("not JSON", "Invalid JSON"), (json.dumps(QUERIES[0] | {"ts": "soon"}), "ts: ")],
)
def test_a_line_that_cannot_be_read_is_named(tmp_path: Path, line: str, what: str) -> None:
    """Data are made by programs, and programs are mended by who knows the line."""
    data = make_data(tmp_path / "data")
    file = data / "recall" / "plants.queries.jsonl"
    file.write_text(json.dumps(QUERIES[0]) + f"\n{line}\n", encoding="utf-8")

    done = evaluate(data, tmp_path / "out", "--sets", "plants")

    assert done.returncode == 1
    assert f"{file}, line 2, is no query: {what}" in done.stderr


def test_a_set_without_memory_is_an_error(tmp_path: Path) -> None:
    """With nothing to recall from, every figure would be a nought that looks measured."""
    data = make_data(tmp_path / "data")
    (data / "recall" / "plants.memory.jsonl").unlink()

    done = evaluate(data, tmp_path / "out", "--sets", "next")

    assert done.returncode == 1
    assert f"There is no {data / 'recall' / 'plants.memory.jsonl'}." in done.stderr
