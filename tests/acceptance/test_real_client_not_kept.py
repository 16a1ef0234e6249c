"""The real client works on in a pause, and on a private prompt: no file of the data folder shows any of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from behavior_plugin.capture import paths
from behavior_plugin.worker.lifecycle import stop_worker
from tests.acceptance.scripted_model import Play, Turn, call, pause, say
from tests.acceptance.sessions import json_of, output_of, patterns, turns
from tests.acceptance.test_real_client import Workspace, workspace
from tests.waiting import wait_for

__all__ = ["workspace"]

CANARY = "kestrel-4711"
FIRST, LAST = "Count the lines of the project's code", "Show the first line of the code of the project"


def run(command: str) -> list[Turn]:
    return [[call("Bash", command=command)], [pause(delay_s=0.5), say("Done.")]]


def files_with(text: str) -> list[Path]:
    """The files of the data folder that hold a text, the database's among them."""
    found = [file for file in Path(paths.data_folder()).rglob("*") if file.is_file()]
    return [file for file in found if text.encode() in file.read_bytes()]


def test_neither_a_pause_nor_private_text_leaves_a_trace(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """One session: work, a private prompt, a pause, work again. Its transcript has it all, and is imported too."""
    begun, _ = workspace.work(FIRST, [Play(FIRST, run("wc -l app.py"))])
    session = begun.session_id
    secret = f"<private>Sell {CANARY} to the highest bidder</private>"
    workspace.work(secret, [Play("highest bidder", run(f"echo sell {CANARY}"))], resume=session)
    output_of("pause", cwd=workspace.project)
    paused, texts = workspace.work(
        f"Hide {CANARY} from everybody", [Play("from everybody", run(f"echo hide {CANARY}"))], resume=session
    )
    output_of("resume", cwd=workspace.project)
    partly = f"{LAST} <private>, {CANARY} is its owner</private>"
    workspace.work(partly, [Play(LAST, run("head -1 app.py"))], resume=session)

    assert any(CANARY in text for text in texts)
    assert "paused until `behavior resume`" in "".join(each["stdout"] for each in paused.hook_events)
    wait_for(lambda: len(turns()) == 2, "two turns")
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(workspace.home / ".claude"))
    report = json_of("import", cwd=workspace.project)

    assert [each.trigger.strip() for each in turns()] == [LAST, FIRST]
    assert (report["left_out"], report["prompts"]) == (1, 2)
    assert CANARY not in output_of("why", "-n", "100", "--all", cwd=workspace.project)
    # A database may compress a row.
    assert CANARY not in str([*turns(), *patterns()])
    stop_worker()
    assert files_with(CANARY) == []
    assert files_with(LAST)
