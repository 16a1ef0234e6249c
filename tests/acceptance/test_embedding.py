"""Prompts in other languages, and a change of the embedder, with a real worker and both models."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import psutil
import pytest

from behavior_plugin import api
from behavior_plugin.capture import paths
from behavior_plugin.embed import E5, MINILM
from behavior_plugin.model import Context, Turn
from behavior_plugin.worker.client import Client
from behavior_plugin.worker.lifecycle import stop_worker
from tests.acceptance.sessions import ROOT, Session, behavior, json_of, output_of
from tests.acceptance.test_suggest import suggestion
from tests.factories import START, make_action, make_turn
from tests.settings import configure
from tests.waiting import wait_for

pytestmark = pytest.mark.usefixtures("clean_ending")

GERMAN = (
    "Baue die Anwendung und veröffentliche sie auf dem Testserver",
    "Der Import der Kundendaten bricht ab, finde die Ursache",
    "Schreibe die Anleitung für neue Mitarbeiter neu",
    "Ergänze die Suche um einen Filter nach Datum",
    "Entferne die alten Bilder aus dem Verzeichnis",
    "Die Rechnung hat ein falsches Datum, behebe das",
)


def work(number: int, prompt: str, command: str) -> Turn:
    return make_turn(
        prompt,
        make_action(parameters={"command": command}),
        context=Context(directory="/work", project="/work"),
        session_id=f"session-{number}",
        started_at=START + timedelta(minutes=number),
        is_ended=True,
    )


def models() -> dict[tuple[str, str], int]:
    """The vectors that are by another model than is wanted, by both."""
    left = Client().embed_anew(api.EmbedAnew(is_dry_run=True)).left
    return {(each.model, each.wanted): each.count for each in left}


def test_work_is_found_in_another_language(project: Path) -> None:
    """Reworded, as users do. The model for English finds nothing here, or the wrong work."""
    for number, prompt in enumerate(GERMAN):
        Session(project).work(prompt, f"make job-{number}").end()
    Client().drain(api.Drain())

    text = suggestion(Session(project), "Bring die Anwendung auf den Testserver, vorher bauen")
    unrelated = Session(project).ask("Schreibe ein Gedicht über den Herbst").stdout

    assert "make job-0" in text
    assert not unrelated


def test_a_killed_run_of_db_embed_is_continued(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It and the worker can be killed at any time. Each vector is saved by itself."""
    configure(embedder="offline")
    Client().save_turns(api.SaveTurns(turns=tuple(work(n, f"fix the test number {n}", "make") for n in range(250))))
    Client().drain(api.Drain())
    stop_worker()
    # Else the worker would do it by itself.
    Path(paths.in_data("embedders.json")).unlink(missing_ok=True)
    configure(embedder="multilingual")

    planned = output_of("db", "embed", "--dry-run")
    before = models()
    with subprocess.Popen([sys.executable, ROOT / "behavior_plugin", "db", "embed"], stdout=subprocess.DEVNULL) as run:
        left = wait_for(lambda: now if 0 < (now := models().get((MINILM, E5), 0)) < 250 else None, "a part")
        run.kill()
    worker = Client().ping().pid
    children = psutil.Process(worker).children(recursive=True)
    os.kill(worker, signal.SIGKILL)
    wait_for(lambda: not any(child.is_running() for child in children), "the end of the worker's processes")
    done = json_of("db", "embed")

    assert "250 vectors by all-MiniLM-L6-v2-int8 would be made by multilingual-e5-small-q4" in planned
    assert before == {(MINILM, E5): 250}
    assert 0 < done["embedded"] <= left
    assert done["left"] == []
    assert output_of("db", "embed") == "Nothing was due.\n"


def test_status_and_doctor_say_what_is_left(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody would know else why work is found by its words only."""
    configure(embedder="multilingual")
    Client().save_turns(api.SaveTurns(turns=tuple(work(n, f"fix the test number {n}", "make") for n in range(6))))
    Client().drain(api.Drain())
    stop_worker()
    Path(paths.in_data("embedders.json")).unlink(missing_ok=True)
    configure(embedder="offline")

    [embedder] = [check for check in json_of("doctor") if check["name"] == "embedder"]
    wait_for(lambda: json_of("status")["vectors_of_other_models"] == 6, "the survey")
    status = output_of("status")
    embedded = output_of("db", "embed")

    assert embedder["is_ok"]
    assert "6 vectors are by another model" in embedder["found"]
    assert "6 are by another model; `behavior db embed` makes them anew" in status
    assert embedded == "6 vectors were made anew.\n"
    assert models() == {}


def test_without_an_embedder_there_is_nothing_to_embed(project: Path, no_embedder: None) -> None:
    assert output_of("db", "embed") == "Nothing was due.\n"
    assert behavior("db", "embed", "--dry").returncode == 2
