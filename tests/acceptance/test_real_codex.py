"""Run the real Codex CLI with our hooks and a scripted model, if CODEX_BIN names its executable.

It is too large to be downloaded for a test run. Its recorded payloads and transcripts are in payloads/codex and
transcripts/codex, and the other tests replay them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from behavior_plugin.model import Outcome
from tests.acceptance.client import OUTER_ENV, run_quietly
from tests.acceptance.sessions import PYTHONS, drain, output_of

CODEX = OUTER_ENV.get("CODEX_BIN", "")
TASK = "The invoice total is off by some cents, find out why and fix it"
SAME_TASK = "The sum on an invoice is sometimes some cents off. Find the cause and repair it."
PATCH = "*** Begin Patch\n*** Update File: total.txt\n@@\n-one\n+two\n*** End Patch"

pytestmark = pytest.mark.skipif(not CODEX, reason="CODEX_BIN names no Codex CLI")


class _Model(ThreadingHTTPServer):
    """Answers each request with the next items of the script, and then with a text."""

    def __init__(self, script: Sequence[dict[str, Any]]) -> None:
        super().__init__(("127.0.0.1", 0), _Answering)
        self.script = list(script)
        self.heard = ""


class _Answering(BaseHTTPRequestHandler):
    server: _Model

    def do_GET(self) -> None:
        self._send(b"{}", "application/json")

    def do_POST(self) -> None:
        self.server.heard += self.rfile.read(int(self.headers["content-length"])).decode()
        item = self.server.script.pop(0) if self.server.script else say("Done.")
        events: list[dict[str, Any]] = [
            {"type": "response.created", "response": {"id": "response"}},
            {"type": "response.output_item.done", "output_index": 0, "item": item},
            {"type": "response.completed", "response": {"id": "response", "usage": None}},
        ]
        lines = [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events]
        self._send("".join(lines).encode(), "text/event-stream")

    def _send(self, body: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Keep the tests' output clean."""


def say(text: str) -> dict[str, Any]:
    return {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": text}]}


def shell(command: str, name: str) -> dict[str, Any]:
    arguments = json.dumps({"cmd": command})
    return {"type": "function_call", "name": "exec_command", "arguments": arguments, "call_id": name}


@contextmanager
def scripted(*items: dict[str, Any]) -> Iterator[_Model]:
    with _Model(items) as model:
        thread = threading.Thread(target=model.serve_forever)
        thread.start()
        try:
            yield model
        finally:
            model.shutdown()
            thread.join()


def ask(prompt: str, model: _Model, directory: Path) -> None:
    """One headless run of Codex, in a home of its own."""
    home = Path(os.environ["HOME"]) / ".codex"
    provider = f'name = "script"\nbase_url = "http://127.0.0.1:{model.server_port}/v1"\nwire_api = "responses"\n'
    settings = f'model = "gpt-5.5"\nmodel_provider = "script"\n[model_providers.script]\n{provider}'
    (home / "config.toml").write_text(settings, encoding="utf-8")
    options = ["--dangerously-bypass-hook-trust", "--dangerously-bypass-approvals-and-sandbox"]
    done = run_quietly(
        [CODEX, "exec", *options, "--skip-git-repo-check", prompt],
        cwd=directory,
        env={**os.environ, "PATH": f"{PYTHONS}:{os.environ['PATH']}"},
        timeout_s=60,
    )
    assert done.returncode == 0, done.stderr


def test_the_real_codex_gets_a_pattern_of_its_own_work(own_home: Path, clean_ending: None, project: Path) -> None:
    """A new version may differ from the recordings, so this test runs the whole way."""
    project.mkdir()
    (project / "total.txt").write_text("one\n", encoding="utf-8")
    subprocess.run(["git", "init", "-q", "-b", "main", str(project)], check=True)
    output_of("install", "--agent", "codex")
    check = f"{sys.executable} -c \"assert open('total.txt').read() == 'two\\n'\""
    patch = {"type": "custom_tool_call", "name": "apply_patch", "input": PATCH, "call_id": "call_2"}

    with scripted(shell(check, "call_1"), patch, shell(check, "call_3"), say("Fixed.")) as model:
        ask(TASK, model, project)
    [pattern] = drain()
    with scripted(say("I see.")) as model:
        ask(SAME_TASK, model, project)

    assert [(action.tool, action.outcome.value) for action in pattern.actions] == [
        ("Bash", "failed"),
        ("Edit", "success"),
        ("Bash", "success"),
    ]
    assert (pattern.final_outcome, pattern.context.branch) == (Outcome.SUCCESS, "main")
    assert pattern.context.files_touched == ("total.txt",)
    assert "<past-workflow" in model.heard
