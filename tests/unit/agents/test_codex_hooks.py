"""Our hooks in Codex's own file: the plugin's, adapted to the differences of Codex."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from behavior_plugin.agents.codex.hooks import EVENTS, MAX_SESSION_END_S, settings_file
from behavior_plugin.agents.install import Change, agent_settings_file, install, is_ours, plugin_hooks, uninstall
from behavior_plugin.capture import spool

PLUGIN = Path(__file__).parents[3]
OTHERS = b'{\n\t"hooks": {"Stop": [{"hooks": [{"type": "command", "command": "say done"}]}]},\n\t"x": 1\n}'


@pytest.fixture
def file(own_home: Path) -> Path:
    (own_home / ".codex").mkdir()
    return settings_file()


def put_in(file: Path, **changes: Any) -> Change:
    return install(settings_file=file, plugin_root=PLUGIN, interpreter=Path(sys.executable), agent="codex", **changes)


def entries(file: Path) -> dict[str, dict[str, Any]]:
    """Our entries, by event."""
    hooks = json.loads(file.read_bytes())["hooks"]
    found = [(event, entry) for event, groups in hooks.items() for group in groups for entry in group["hooks"]]
    return {event: entry for event, entry in found if is_ours(entry["command"])}


def run(command: str, payload: bytes = b'{"session_id": "s"}', **environment: str) -> None:
    """Run a hook as Codex does: in a shell that is its child."""
    done = subprocess.run(
        ["/bin/sh", "-c", command], input=payload, capture_output=True, env={**os.environ, **environment}
    )
    assert (done.returncode, done.stderr) == (0, b"")


def noted() -> list[dict[str, Any]]:
    """The envelopes in the spool."""
    return [spool.read(str(record))[0] for record in sorted(Path(spool.folder("new")).iterdir())]


def test_only_events_that_codex_knows_are_registered(file: Path) -> None:
    """It reports no failure as an event of its own, and warns of a longer wait at the end at every start."""
    put_in(file)

    found = entries(file)
    assert list(found) == list(EVENTS)
    assert set(EVENTS) == set(plugin_hooks(PLUGIN)) - {"PostToolUseFailure"}
    assert found["SessionEnd"]["timeout"] == MAX_SESSION_END_S


def test_a_hook_records_its_agent_and_the_agents_pid(file: Path) -> None:
    """The session of a killed agent ends with this pid; Codex sets no variable for it."""
    put_in(file)
    stop = entries(file)["Stop"]["command"]

    run(stop, CLAUDE_PID="1")

    [envelope] = noted()
    assert (envelope["event"], envelope["client"], envelope["host_pid"]) == ("Stop", "codex", os.getpid())


def test_the_second_try_records_the_same_agent(file: Path, tmp_path: Path) -> None:
    """A killed Python has read the event; the next one reports its loss, for every agent."""
    put_in(file)
    stop = entries(file)["Stop"]["command"]
    first = tmp_path / "home" / "behavior" / "python3"
    first.write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    first.chmod(0o755)

    run(stop)

    [envelope] = noted()
    assert (envelope["event"], envelope["client"]) == ("Stop", "codex")


def test_hooks_of_claude_code_name_no_agent(own_home: Path) -> None:
    """An agent's name in the record costs every call."""
    settings = own_home / "settings.json"
    install(settings_file=settings, plugin_root=PLUGIN, interpreter=Path(sys.executable))

    run(entries(settings)["Stop"]["command"], CLAUDE_PID="1")

    [envelope] = noted()
    assert envelope["host_pid"] == 1
    assert "client" not in envelope


def test_install_notes_that_hooks_must_be_trusted(file: Path) -> None:
    """Hooks that are not trusted are skipped without a word."""
    assert any("trust" in note for note in put_in(file, dry_run=True).notes)


# The command that versions before run.sh wrote for Codex.
AS_BEFORE = (
    "export CLAUDE_PID=$PPID; trap '' HUP INT TERM; trap 'exit 0' EXIT; "
    "if [ -x /data/python3 ] && [ -f /old/hooks/hook.py ]; "
    "then /data/python3 -I -S /old/hooks/hook.py Stop codex || python3 -I -S /old/hooks/hook.py Stop codex again; "
    "else python3 -I -S /old/hooks/hook.py Stop codex; fi || exit 0"
)


def test_hooks_of_an_earlier_version_are_replaced_and_removed(file: Path) -> None:
    """Otherwise an update would report each event twice, and uninstall would leave half of them."""
    before = {"hooks": {"Stop": [{"hooks": [{"type": "command", "command": AS_BEFORE}]}]}}
    file.write_text(json.dumps(before), encoding="utf-8")

    put_in(file)
    after = file.read_text(encoding="utf-8")
    uninstall(settings_file=file)

    assert "/old/hooks" not in after
    assert after.count("set -- Stop codex;") == 1
    assert not file.exists() or "command" not in file.read_text(encoding="utf-8")


@pytest.mark.parametrize("raw", [None, b"", OTHERS, b'{"hooks": {}}'])
def test_uninstall_restores_every_byte(file: Path, raw: bytes | None) -> None:
    """The file is the user's."""
    if raw is not None:
        file.write_bytes(raw)
    put_in(file)
    assert set(entries(file)) == set(EVENTS)

    uninstall(settings_file=file)

    assert (file.read_bytes() if file.exists() else None) == raw
    assert sorted(file.parent.iterdir()) == ([file] if raw is not None else [])


def test_uninstall_leaves_the_files_that_another_agents_hooks_need(own_home: Path, file: Path) -> None:
    """The interpreter is noted once for all; whose hooks go last takes it along."""
    settings, record = agent_settings_file("claude-code"), own_home / "behavior" / "interpreter"
    put_in(file)
    install(settings_file=settings, plugin_root=PLUGIN, interpreter=Path(sys.executable))

    uninstall(settings_file=file)
    is_there_then = record.exists()
    uninstall(settings_file=settings)

    assert is_there_then
    assert not record.exists()


def test_a_second_install_changes_nothing(file: Path) -> None:
    """It is also how one finds out whether hooks are there."""
    put_in(file)
    before = file.read_bytes()

    change = put_in(file)

    assert not change.changed
    assert file.read_bytes() == before


def test_each_agent_has_its_own_settings_file(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert agent_settings_file("codex") == own_home / ".codex" / "hooks.json"

    monkeypatch.setenv("CODEX_HOME", str(own_home / "elsewhere"))
    assert agent_settings_file("codex") == own_home / "elsewhere" / "hooks.json"
    assert agent_settings_file("claude-code") == own_home / ".claude" / "settings.json"
