"""A command fails in the real client as it did in an earlier session: the model reads what helped then, once."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from behavior_plugin.agents.install import install
from behavior_plugin.capture import paths, wake
from behavior_plugin.model import Outcome
from behavior_plugin.worker.lifecycle import stop_worker
from tests.acceptance.client import REPOSITORY, client_or_skip, run_client
from tests.acceptance.scripted_model import Play, ScriptedModel, Turn, call, pause, say
from tests.acceptance.sessions import turns
from tests.waiting import wait_for

LEARNING, AGAIN = "Run the tests of the shop", "See whether the shop still works"
LINE = "Here `make tests` failed like this once before; `make test` worked."
TOOL_LINE = "Here `mcp__memo__find(q)` failed like this once before; `mcp__memo__find(query)` worked."
MAKEFILE = "test:\n\t@echo all is well\n"
# A server with one tool, which takes one parameter.
SERVER = """
import json, sys

def answer(method, given):
    if method == "initialize":
        return {
            "protocolVersion": given["protocolVersion"], "capabilities": {"tools": {}},
            "serverInfo": {"name": "memo", "version": "1"},
        }
    if method == "tools/list":
        return {"tools": [{"name": "find", "description": "Find a memo", "inputSchema": {"type": "object"}}]}
    if method == "tools/call" and "query" in given["arguments"]:
        return {"content": [{"type": "text", "text": "a memo"}]}
    return {"isError": True, "content": [{"type": "text", "text": "Error: unknown parameter 'q'"}]}

for line in sys.stdin:
    asked = json.loads(line)
    if "id" in asked:
        result = answer(asked["method"], asked.get("params"))
        print(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": result}), flush=True)
"""


class Shop:
    """A scratch home and a project whose Makefile has one target, and the client."""

    def __init__(self, home: Path, folder: Path, client: Path) -> None:
        self.home, self.client, self.project = home, client, folder / "shop"
        self.project.mkdir()
        (self.project / "Makefile").write_text(MAKEFILE, encoding="utf-8")
        (folder / "server.py").write_text(SERVER, encoding="utf-8")
        server = {"command": sys.executable, "args": [str(folder / "server.py")]}
        self.servers = folder / "servers.json"
        self.servers.write_text(json.dumps({"mcpServers": {"memo": server}}), encoding="utf-8")

    def work(self, prompt: str, *calls: Turn, **options: Any) -> list[list[str]]:
        """Let the model make these calls, one after the other; returns the texts that are new in each request."""
        with ScriptedModel([Play(prompt, [*calls, [pause(delay_s=0.5), say("Done.")]])]) as model:
            arguments = ["--mcp-config", str(self.servers), *options.pop("arguments", [])]
            run = run_client(
                self.client,
                prompt,
                home=self.home,
                project=self.project,
                model_url=model.base_url,
                env_extra={"BEHAVIOR_HOME": paths.data_folder()},
                arguments=arguments,
                **{"plugin_dir": REPOSITORY, **options},
            )
            assert (run.exit_code, run.result.get("result")) == (0, "Done."), run.stderr
            assert {hook["exit_code"] for hook in run.hook_events} == {0}
            return [[text for text in texts_of(body) if "<past-workflow" in text] for body in model.requests]

    def learn(self, *calls: Turn) -> None:
        known = len(turns())
        self.work(LEARNING, *calls)
        wait_for(lambda: len(turns()) > known, "a turn")


def texts_of(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for item in value.values() if isinstance(value, dict) else value:
            yield from texts_of(item)


def bash(command: str) -> Turn:
    # The model of a real session takes seconds.
    return [pause(delay_s=0.3), call("Bash", command=command)]


def find(**parameters: str) -> Turn:
    return [pause(delay_s=0.3), call("mcp__memo__find", **parameters)]


@pytest.fixture
def shop(own_home: Path, tmp_path: Path) -> Iterator[Shop]:
    client = client_or_skip()
    wake.record(sys.executable)
    yield Shop(own_home, tmp_path, client)
    stop_worker()


def assert_told_once(shop_said: list[list[str]], line: str, *, before: int) -> None:
    """The line comes after so many requests, and not twice. A request repeats the conversation before it.

    On a busy machine the answer to a failure may rightly be missing: then the next one gets it.
    """
    found = [sum(line in text for text in texts) for texts in shop_said]
    assert found[: before + 1] == [0] * (before + 1)
    assert found == sorted(found)
    assert found[-1] == 1


def test_a_command_that_fails_again_comes_with_what_helped_once(shop: Shop) -> None:
    """The line is in the next request. Neither the next failure of this kind nor another one brings a line."""
    shop.learn(bash("make tests"), bash("make test"))

    received = shop.work(AGAIN, bash("exit 3"), *[bash("make tests")] * 3, bash("make deploy"))

    assert_told_once(received, LINE, before=1)
    assert not any("failed like this" in text for texts in received for text in texts if LINE not in text)
    [turn] = wait_for(lambda: [each for each in turns() if each.trigger == AGAIN], "the second session")
    assert [action.outcome for action in turn.actions] == [Outcome.FAILED] * 5


def test_a_tool_that_fails_again_comes_with_what_helped(shop: Shop) -> None:
    shop.learn(find(q="a"), find(query="a"), bash("make test"))

    received = shop.work(AGAIN, find(query="b"), *[find(q="c")] * 3)

    assert_told_once(received, TOOL_LINE, before=1)


def test_hooks_in_settings_answer_failed_calls_too(shop: Shop) -> None:
    """There are two for failed calls, and only one of them may run."""
    shop.learn(bash("make tests"), bash("make test"))
    settings = shop.home / "hooks.json"
    install(settings_file=settings, plugin_root=REPOSITORY, interpreter=Path(sys.executable))
    missing = [pause(delay_s=0.3), call("Read", file_path=str(shop.project / "missing"))]

    received = shop.work(
        AGAIN, missing, *[bash("make tests")] * 3, plugin_dir=None, arguments=["--settings", str(settings)]
    )

    assert_told_once(received, LINE, before=1)
    [turn] = wait_for(lambda: [each for each in turns() if each.trigger == AGAIN], "the second session")
    assert [action.tool for action in turn.actions] == ["Read", "Bash", "Bash", "Bash"]
    assert {action.outcome for action in turn.actions} == {Outcome.FAILED}
