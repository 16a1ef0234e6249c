"""Rules for the logs and hooks of every agent, each checked with the SAMPLE of its own test."""

from __future__ import annotations

import importlib
import json
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import pytest

from behavior_plugin.agents import AGENTS, Agent, agent_of_log
from behavior_plugin.agents.codex import tools
from behavior_plugin.agents.install import WITH_HOOKS, install, plugin_hooks
from behavior_plugin.agents.log_file import LogReader
from behavior_plugin.agents.payload import read_event
from behavior_plugin.capture.handlers import HANDLERS
from behavior_plugin.model import CLAUDE_CODE, EventKind
from behavior_plugin.patterns.reconcile import reconcile
from behavior_plugin.simulator import registered_in_settings
from tests.logs import Log, episodes, read, summary

PLUGIN = Path(__file__).parents[3]
FOREIGN = {
    "empty.jsonl": "",
    "settings.json": '{"hooks": {}, "sessionId": "no"}',
    "package.json": '{"name": "shop", "version": "1.0.0", "id": "ses_1"}',
    "data.jsonl": '{"id": 1, "type": "message"}\n{"id": 2, "type": "session"}\n',
    "broken.jsonl": '{"type": "session.start", "data": {"sessionId"',
    "list.json": '[{"sessionId": "a", "messageId": 0, "type": "user", "message": "hello"}]',
    "storage/message/ses_1/msg_1.json": '{"id": "msg_1", "sessionID": "ses_1", "role": "user"}',
    "storage/part/msg_1/prt_1.json": '{"id": "prt_1", "messageID": "msg_1", "sessionID": "ses_1", "type": "text"}',
    "other.db": "SQLite format 3\x00",
    "opencode.db": "not a database",
}


def module_of(agent: Agent) -> str:
    return agent.name.removesuffix("-cli").replace("-", "_")


def sample_of(agent: Agent) -> Log:
    module = importlib.import_module(f"tests.unit.agents.test_{module_of(agent)}")
    sample: Log = module.SAMPLE
    return sample


EXAMPLE: list[dict[str, Any]] = [
    {"producer": "example", "kind": "start", "folder": "/home/dev/shop"},
    {"kind": "said", "id": "p1", "words": "Build it", "time": 1_772_442_000_000},
    {"kind": "call", "id": "c1", "tool": "shell", "input": {"command": "make"}, "time": 1_772_442_001_000},
    {"kind": "result", "id": "c1", "failed": True, "time": 1_772_442_003_000},
    {"kind": "idle", "time": 1_772_442_004_000},
    {"kind": "hologram"},
]


each_agent = pytest.mark.parametrize("agent", AGENTS.values(), ids=lambda agent: agent.name)


@each_agent
def test_only_its_own_agent_claims_a_log(agent: Agent, tmp_path: Path) -> None:
    """Two that read the same file would learn it twice, and one of them wrongly."""
    file = sample_of(agent).write(tmp_path)

    head = file.read_bytes()

    assert [other.name for other in AGENTS.values() if other.logs.is_log(file, head)] == [agent.name]
    assert agent_of_log(file) is agent


@pytest.mark.parametrize("name", FOREIGN)
def test_other_files_are_claimed_by_no_agent(name: str, tmp_path: Path) -> None:
    """An import walks through folders in which agents keep other files too."""
    file = tmp_path / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(FOREIGN[name], encoding="utf-8")

    assert agent_of_log(file) is None


@each_agent
def test_events_name_their_agent_and_are_in_order(agent: Agent, tmp_path: Path) -> None:
    """Stored patterns name the agent, and the order of calls is the workflow."""
    file = sample_of(agent).write(tmp_path)

    events = read(agent, file)

    assert {event.agent for event in events} == {agent.name}
    assert [event.order for event in events] == sorted({event.order for event in events})
    assert {EventKind.PROMPT, EventKind.ACTION, EventKind.TURN_END} <= {event.kind for event in events}
    assert episodes(reconcile([], events))


@each_agent
def test_a_healthy_log_is_read_without_a_problem(agent: Agent, tmp_path: Path) -> None:
    """A count of skipped parts is a warning only if a healthy log has none."""
    file = sample_of(agent).write(tmp_path)
    reader = LogReader()

    read(agent, file, reader)

    assert reader.problems == []


@each_agent
def test_reading_twice_gives_the_same_events(agent: Agent, tmp_path: Path) -> None:
    """An import that is run again must find the same names, or all is stored twice."""
    file = sample_of(agent).write(tmp_path)

    assert read(agent, file) == read(agent, file)


@each_agent
def test_a_damaged_log_is_read_as_far_as_possible(agent: Agent, tmp_path: Path) -> None:
    """One odd field of one session must not end the import of all."""
    sample = sample_of(agent)
    most = 2 * len(read(agent, sample.write(tmp_path)))

    for damaged in sample.damaged():
        file = damaged.write(tmp_path)
        reader = LogReader()
        agent_of_log(file)
        events = read(agent, file, reader)

        assert len(events) <= most
        assert len(repr(events)) < 200_000
        assert not [problem for problem in reader.problems if "cannot be read" in problem.reason]
        episodes(reconcile([], events))


@each_agent
def test_a_truncated_log_is_read_as_far_as_possible(agent: Agent, tmp_path: Path) -> None:
    """The agent may be writing, or may have been killed while it was."""
    file = sample_of(agent).write(tmp_path)
    whole = file.read_bytes()

    for length in range(0, len(whole), max(1, len(whole) // 40)):
        file.write_bytes(whole[:length])
        read(agent, file)


@each_agent
def test_file_contents_are_not_kept(agent: Agent, tmp_path: Path) -> None:
    """They are not the workflow, and often hold secrets. Each SAMPLE writes and edits a text with that word."""
    file = sample_of(agent).write(tmp_path)
    assert "CONTENTS" in file.read_text(encoding="utf-8")

    events = read(agent, file)

    assert "CONTENTS" not in json.dumps([event.model_dump(mode="json") for event in events])


def test_the_example_in_the_docs_reads_a_log(tmp_path: Path) -> None:
    """The author of a new agent begins with it."""
    page = (Path(__file__).parents[3] / "docs" / "agents.md").read_text(encoding="utf-8")
    example: Any = ModuleType("example")
    exec(page.partition("```python")[2].partition("```")[0], vars(example))
    file = Log("a.jsonl", EXAMPLE).write(tmp_path)
    reader = LogReader()

    assert agent_of_log(file, [*AGENTS.values(), example.AGENT]) is example.AGENT
    events = read(cast("Agent", example.AGENT), file, reader)
    assert summary(events) == ["Build it", "Bash make failed 2000", "turn_end"]
    assert reader.skipped == 1


def test_the_example_in_the_docs_has_hooks() -> None:
    """A hook reports the prompt and the call; how the call ended stays open."""
    page = (Path(__file__).parents[3] / "docs" / "agents.md").read_text(encoding="utf-8")
    example: Any = ModuleType("example")
    exec(page.partition("```python")[2].partition("```")[0], vars(example))
    hooks = example.AGENT.hooks
    envelope = {"event": "PostToolUse", "client": "example"}
    called = {"session_id": "s", "tool_name": "Bash", "tool_input": {"command": "make"}, "tool_use_id": "t1"}

    event = read_event(envelope, json.dumps(called).encode(), hooks)

    assert list(hooks.adapt(plugin_hooks(PLUGIN))) == ["Start", "BeforePrompt", "AfterTool"]
    assert (event.agent, event.is_provisional, event.action and event.action.tool) == ("example", True, "Bash")


@pytest.mark.parametrize("agent", WITH_HOOKS)
def test_installed_hooks_name_one_of_our_events_and_their_agent(agent: str, own_home: Path) -> None:
    """The events of a session are read by these two words, whatever the agent calls them."""
    settings = own_home / "settings.json"
    named = "" if agent == CLAUDE_CODE else f" {agent}"

    install(settings_file=settings, plugin_root=PLUGIN, interpreter=Path(sys.executable), agent=agent)

    commands = [hook.command for hook in registered_in_settings(settings).values()]
    events = [re.findall(rf"; set -- (\w+){named}; ", command) for command in commands]
    assert [event for [event] in events if event not in HANDLERS] == []
    assert {"SessionStart", "UserPromptSubmit", "PostToolUse"} <= {event for [event] in events}


def test_the_docs_list_our_names_for_tools() -> None:
    """The author of a new agent looks there for our names."""
    page = (Path(__file__).parents[3] / "docs" / "agents.md").read_text(encoding="utf-8")
    _, _, listed = page.partition("**Our names for tools**")

    modules = [importlib.import_module(f"behavior_plugin.agents.{module_of(agent)}") for agent in AGENTS.values()]
    modules.append(tools)
    ours = {name for module in modules for name, _ in vars(module).get("_TOOLS", {}).values()}

    assert len(ours) > 9
    assert [name for name in sorted(ours) if f"`{name}`" not in listed.partition("\n* ")[0]] == []


def test_the_docs_list_every_agent() -> None:
    """Users look there for the facts that a log lacks."""
    page = (Path(__file__).parents[3] / "docs" / "agents.md").read_text(encoding="utf-8")

    assert [name for name in AGENTS if f"`{name}`" not in page] == []
