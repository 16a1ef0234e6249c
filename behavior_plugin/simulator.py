"""Run the registered hooks as Claude Code does, for the doctor, the demo and the tests.

Only shell commands are run, since we register no others. As observed in the client, a hook gets the payload and a
newline on standard input, the session's directory, a few variables, and a deadline with SIGTERM and then SIGKILL. Its
answer counts only if it is empty or one JSON object.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from behavior_plugin.agents.install import is_ours, plugin_hooks, settings_hooks
from behavior_plugin.capture import paths
from behavior_plugin.errors import BehaviorError

DEFAULT_TIMEOUT_S = 600.0
DEFAULT_TIMEOUTS_S = {"UserPromptSubmit": 30.0, "SessionEnd": 1.5}
# The time between SIGTERM and SIGKILL.
GRACE_S = 1.5


@dataclass(frozen=True)
class HookCommand:
    """One registered command; `plugin_root` is None for one in settings."""

    event: str
    command: str
    timeout_s: float
    is_async: bool = False
    plugin_root: Path | None = None


@dataclass(frozen=True)
class HookRun:
    """The result of one run; `exit_code` is None if the hook was stopped at its timeout."""

    event: str
    exit_code: int | None
    stdout: str
    stderr: str
    seconds: float

    @property
    def additional_context(self) -> str | None:
        """The text that reaches the model.

        Raises:
            BehaviorError: the output is neither empty nor one well-formed answer, so that the client
                would show it to the model raw, or refuse it.
        """
        answer = _parsed(self.stdout) if self.stdout else {}
        specific = answer.get("hookSpecificOutput", {})
        text = specific.get("additionalContext") if isinstance(specific, dict) else 0
        if text is not None and not isinstance(text, str):
            raise _bad_answer(self.stdout)
        if specific and specific.get("hookEventName") != self.event:
            raise _bad_answer(self.stdout)
        return text


def registered_hooks(plugin_root: Path) -> dict[str, HookCommand]:
    """The commands in the plugin's hooks.json, by event; of several for one event, which differ by tool, the first."""
    root = plugin_root.absolute()
    return _by_event(plugin_hooks(root), plugin_root=root)


def registered_in_settings(settings_file: Path) -> dict[str, HookCommand]:
    """Our own commands in a settings file, by event."""
    return _by_event(settings_hooks(settings_file), plugin_root=None)


def run(
    hook: HookCommand,
    payload: Mapping[str, Any],
    *,
    environment: Mapping[str, str],
    client_pid: int | None = None,
) -> HookRun:
    """Run a hook on a payload, in the payload's `cwd`, and wait for it, even for an async one."""
    started = time.monotonic()
    variables = {**environment, **_variables(hook, payload, client_pid or os.getpid())}
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = _start(hook, payload["cwd"], variables, out, err)
        in_time = _wait_for_end(process, hook, payload)
        return HookRun(
            event=hook.event,
            exit_code=process.returncode if in_time else None,
            stdout=_text(out) if in_time else "",
            stderr=_text(err),
            seconds=time.monotonic() - started,
        )


def run_checked(hook: HookCommand, payload: Mapping[str, Any], *, environment: Mapping[str, str]) -> HookRun:
    """Run a hook that must succeed.

    Raises:
        BehaviorError: the hook was stopped, failed, or wrote to standard error.
    """
    done = run(hook, payload, environment=environment)
    if done.exit_code != 0 or done.stderr:
        raise BehaviorError(f"The {hook.event} hook ended with {done.exit_code}: {done.stderr.strip()}")
    return done


def _by_event(hooks: Mapping[str, Any], *, plugin_root: Path | None) -> dict[str, HookCommand]:
    found: dict[str, HookCommand] = {}
    for event, groups in hooks.items():
        for entry in [entry for group in groups for entry in group["hooks"]]:
            if plugin_root or is_ours(str(entry.get("command", ""))):
                found.setdefault(event, _command(event, entry, plugin_root))
    return found


def _command(event: str, entry: Mapping[str, Any], plugin_root: Path | None) -> HookCommand:
    is_async = entry.get("async") is True
    timeout_s = float(entry.get("timeout", DEFAULT_TIMEOUTS_S.get(event, DEFAULT_TIMEOUT_S)))
    if event == "SessionEnd" and plugin_root and not is_async:  # the client ignores a plugin's timeout here
        timeout_s = DEFAULT_TIMEOUTS_S[event]
    return HookCommand(event, entry["command"], timeout_s, is_async, plugin_root)


def _variables(hook: HookCommand, payload: Mapping[str, Any], client_pid: int) -> dict[str, str]:
    variables = {
        "CLAUDECODE": "1",
        "CLAUDE_CODE_SESSION_ID": str(payload["session_id"]),
        "CLAUDE_PID": str(client_pid),
        "CLAUDE_PROJECT_DIR": str(payload["cwd"]),
        "PWD": str(payload["cwd"]),
    }
    # Only the client knows the plugin's own data folder; ours serves as well.
    of_plugin = {"CLAUDE_PLUGIN_ROOT": str(hook.plugin_root), "CLAUDE_PLUGIN_DATA": paths.data_folder()}
    return variables | (of_plugin if hook.plugin_root else {})


def _start(
    hook: HookCommand, folder: str, variables: Mapping[str, str], out: IO[bytes], err: IO[bytes]
) -> subprocess.Popen[bytes]:
    """Output goes to files, so that a worker which keeps them open by mistake cannot hold us up."""
    return subprocess.Popen(
        ["/bin/sh", "-c", hook.command],
        cwd=folder,
        env=dict(variables),
        stdin=subprocess.PIPE,
        stdout=out,
        stderr=err,
        start_new_session=True,
    )


def _wait_for_end(process: subprocess.Popen[bytes], hook: HookCommand, payload: Mapping[str, Any]) -> bool:
    """Send the payload and wait for the end, or stop the hook at its timeout. Returns whether it ended by itself."""
    with process:
        try:
            process.communicate(_line(payload), timeout=hook.timeout_s)
        except subprocess.TimeoutExpired:
            _stop(process)
            return False
    return True


def _stop(process: subprocess.Popen[bytes]) -> None:
    for number, wait_s in ((signal.SIGTERM, GRACE_S), (signal.SIGKILL, None)):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(wait_s)


def _line(payload: Mapping[str, Any]) -> bytes:
    """One line of JSON as JavaScript writes it: compact, in UTF-8, half a surrogate pair escaped."""
    text = json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "backslashreplace") + b"\n"


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode("utf-8", "replace")


def _parsed(stdout: str) -> dict[str, Any]:
    try:
        answer = json.loads(stdout)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise _bad_answer(stdout)
    return answer


def _bad_answer(stdout: str) -> BehaviorError:
    return BehaviorError(f"A hook must print nothing or one JSON answer, not {stdout[:200]!r}.")
