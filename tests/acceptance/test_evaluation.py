"""`python -m evaluation` on a small hand-made data folder: predictions, errors, and answers that stay unread."""

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
# A scorer that prints its arguments and the number of predictions.
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
    entry("pump", "2026-01-02", "The pond pump is stuck, repair it", "Bash:look", "Bash:sweep", "Bash:unscrew"),
    entry("failed", "2026-01-03", "Trim the rose bushes at the fence", "Bash:trim") | {"pool": "garden/other"},
    entry("same", "2026-01-04", "Cut back the roses at the fence", "Bash:rake", session="today"),
    entry("later", "2026-02-02", "Prune all the roses along the fence", "Bash:prune"),
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
# All answer fields, with values that would break any code that reads them.
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
    """A data folder with set names that exist nowhere else, so that none can be hard-coded."""
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
    """All predictions for the data folder."""
    folder = tmp_path_factory.mktemp("evaluation")
    done = evaluate(make_data(folder / "data"), folder / "out")
    assert (done.returncode, done.stderr) == (0, "")
    assert "contains no score.py" in done.stdout
    return written(folder / "out")


def recalled(whole: dict[str, list[Line]], query: str) -> list[str]:
    [answer] = [line for line in whole["recall-plants.jsonl"] if line["qid"] == query]
    return [each["id"] for each in answer["ranked"]]


def test_each_part_has_its_file(whole: dict[str, list[Line]]) -> None:
    """The scorer expects these file names, for any names of sets."""
    assert list(whole) == [
        "learning.jsonl",
        "next-plants_anew.jsonl",
        "parse.jsonl",
        "recall-plants.jsonl",
        "redact.jsonl",
        "steps-plants.jsonl",
    ]


def test_prompts_and_calls_of_a_log_are_counted(whole: dict[str, list[Line]]) -> None:
    """The product's own reader counts them; other files count zero."""
    counts, others = sorted(whole["parse.jsonl"], key=lambda line: -line["tool_calls"])

    assert (counts["file"], others["tool_calls"], others["prompts"]) == ("projects/fix.jsonl", 0, 0)
    assert counts["prompts"] == 2
    assert counts["tool_calls"] == sum(counts["tools"].values()) > 0
    assert set(counts) == {"file", "prompts", "tool_calls", "tools", "tool_errors"}


def test_each_prompt_of_a_session_is_judged(whole: dict[str, list[Line]]) -> None:
    """Prompts are named by file and time, so the scorer can find them whatever their order."""
    first, second = whole["learning.jsonl"]

    assert (first["kind"], first["file"], first["starts"]) == ("prompt", "projects/fix.jsonl", True)
    assert (second["starts"], second["outcome"], second["turn_outcome"]) == (False, first["outcome"], "success")
    assert first["at"] < second["at"]
    assert first["at"].endswith("Z")


def test_past_work_is_recalled_best_first(whole: dict[str, list[Line]]) -> None:
    """The scorer applies one threshold to the scores, so each suggestion needs one."""
    [answer] = [line for line in whole["recall-plants.jsonl"] if line["qid"] == "q-roses"]

    scores = [each["score"] for each in answer["ranked"]]
    assert [each["id"] for each in answer["ranked"]] == ["roses", "pump"]
    assert 0 < scores[1] < scores[0] < 1
    assert answer["steps"] == ["Bash:look", "Bash:cut", "Bash:sweep"]
    assert {line["qid"]: line["steps"] for line in whole["steps-plants.jsonl"]}["q-roses"] == answer["steps"]
    assert {line["qid"]: line["distilled"] for line in whole["steps-plants.jsonl"]}["q-roses"] == answer["distilled"]
    assert answer["distilled"] == ["Bash:look", "Bash:sweep"]


def test_only_earlier_work_of_the_project_is_recalled(whole: dict[str, list[Line]]) -> None:
    """Later work, the session's own work and other projects' work were unknown at that moment."""
    assert recalled(whole, "q-first") == []
    assert recalled(whole, "q-roses") == ["roses", "pump"]
    assert set(recalled(whole, "q-end")) == {"roses", "same", "later", "pump"}


def test_a_prompt_without_a_task_recalls_nothing(whole: dict[str, list[Line]]) -> None:
    """The worker makes no suggestion for an acknowledgement, however similar it is to past work."""
    assert recalled(whole, "q-yes") == []


def test_the_next_action_is_predicted_from_similar_work(whole: dict[str, list[Line]]) -> None:
    """The set has no memory of its own and uses the memory of the set it varies."""
    predicted = {line["cid"]: line["pred"] for line in whole["next-plants_anew.jsonl"]}

    assert predicted["c-0"][0] == "Bash:look"
    assert predicted["c-1"][0] == "Bash:cut"
    assert predicted["c-2"][0] == "Bash:sweep"
    assert all(len(guesses) <= 3 for guesses in predicted.values())


def test_texts_are_redacted_and_not_truncated(whole: dict[str, list[Line]]) -> None:
    """The scorer would count a truncated text as wrongly altered."""
    redacted = {line["id"]: b64decode(line["redacted_b64"]).decode() for line in whole["redact.jsonl"]}

    assert TOKEN not in redacted["v-token"]
    assert redacted["v-long"] == "water the beds. " * 1000


def test_no_answer_is_read(whole: dict[str, list[Line]], tmp_path: Path) -> None:
    """A prediction made with the answer would not measure the product."""
    poisoned = make_data(tmp_path / "data", POISON)

    done = evaluate(poisoned, tmp_path / "out")

    assert done.returncode == 0, done.stderr
    assert written(tmp_path / "out") == whole


def test_the_folders_scorer_is_run(tmp_path: Path) -> None:
    """The command prints its tables; all sets of a kind are scored together."""
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


def test_learning_has_a_scorer_of_its_own(tmp_path: Path) -> None:
    """It is run even if the folder has no other scorer."""
    data = make_data(tmp_path / "data")
    (data / "learning").mkdir()
    (data / "learning" / "score_learning.py").write_text("import sys; print(*sys.argv[1:])", encoding="utf-8")

    done = evaluate(data, tmp_path / "out", "--sets", "learning,redact")

    assert done.returncode == 0, done.stderr
    assert f"## learning\n\n{data / 'learning'} {tmp_path / 'out' / 'learning.jsonl'}\n" in done.stdout
    assert "contains no score.py" in done.stdout
    assert "contains no learning" not in done.stdout


def test_a_failing_scorer_is_an_error(tmp_path: Path) -> None:
    """Predictions without scores must not look like a successful run."""
    data = make_data(tmp_path / "data")
    (data / "score.py").write_text("raise SystemExit('no such column')", encoding="utf-8")

    done = evaluate(data, tmp_path / "out", "--sets", "redact")

    assert done.returncode == 1
    assert "score.py redact exited with 1: no such column" in done.stderr


@pytest.mark.parametrize("name", ["flowers", "recall-flowers", "parse,flowers"])
def test_an_unknown_name_is_refused_with_the_known_ones(tmp_path: Path, name: str) -> None:
    """The message lists the valid names, so the user need not look into the folder."""
    done = evaluate(make_data(tmp_path / "data"), tmp_path / "out", "--sets", name)

    assert done.returncode == USAGE
    message = " ".join(done.stderr.split())
    assert (
        f"{name.rpartition(',')[2]}: not one of parse, recall, next, redact, learning, languages, plants, recall-plants"
        in message
    )
    assert not (tmp_path / "out").exists()


def test_missing_data_for_a_requested_part_is_an_error(tmp_path: Path) -> None:
    """A run that silently skips a requested part looks complete."""
    data = make_data(tmp_path / "data")
    shutil.rmtree(data / "transcripts")

    missing = evaluate(data, tmp_path / "out", "--sets", "parse,redact")
    nowhere = evaluate(tmp_path / "nowhere", tmp_path / "out")

    assert (missing.returncode, nowhere.returncode) == (1, 1)
    assert f"{data} has no data for parse" in missing.stderr
    assert f"{tmp_path / 'nowhere'} does not exist" in nowhere.stderr


def test_parts_without_data_are_skipped_with_a_note(tmp_path: Path) -> None:
    """A folder with only some of the parts is valid."""
    data = make_data(tmp_path / "data")
    for part in ("recall", "next", "transcripts"):
        shutil.rmtree(data / part)

    done = evaluate(data, tmp_path / "out")

    assert done.returncode == 0, done.stderr
    assert all(f"{kind}: skipped" in done.stdout for kind in ("parse", "recall", "next", "learning"))
    assert list(written(tmp_path / "out")) == ["redact.jsonl"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [("{}", "id: Field required"), ("not JSON", "Invalid JSON"), (json.dumps(QUERIES[0] | {"ts": "soon"}), "ts: ")],
)
def test_an_invalid_line_is_reported_with_its_number(tmp_path: Path, line: str, reason: str) -> None:
    """Programs write the data, and their authors need the line to fix them."""
    data = make_data(tmp_path / "data")
    file = data / "recall" / "plants.queries.jsonl"
    file.write_text(json.dumps(QUERIES[0]) + f"\n{line}\n", encoding="utf-8")

    done = evaluate(data, tmp_path / "out", "--sets", "plants")

    assert done.returncode == 1
    assert f"{file}, line 2, is not a valid query: {reason}" in done.stderr


def test_a_set_without_memory_is_an_error(tmp_path: Path) -> None:
    """Without past work every figure would be zero, yet look measured."""
    data = make_data(tmp_path / "data")
    (data / "recall" / "plants.memory.jsonl").unlink()

    done = evaluate(data, tmp_path / "out", "--sets", "next")

    assert done.returncode == 1
    assert f"{data / 'recall' / 'plants.memory.jsonl'} does not exist." in done.stderr
