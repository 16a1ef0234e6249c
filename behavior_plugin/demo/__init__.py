"""Run the main job on a recorded session and show each stage; for `behavior demo` and `make demo`.

The session is real: payloads of Claude Code, recorded while it repaired the small shop in project/. They pass through
the registered hook commands into a data folder of the demo's own, which is removed afterwards.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager
from pathlib import Path
from typing import Any

from behavior_plugin import api, simulator
from behavior_plugin.capture import paths, spool
from behavior_plugin.errors import BehaviorError, ConfigError
from behavior_plugin.recall import wording
from behavior_plugin.worker.client import Client
from behavior_plugin.worker.lifecycle import stop_worker
from behavior_plugin.workflow import StoredPattern

HERE = Path(__file__).resolve().parent
PLUGIN = HERE.parents[1]
RECORDED_IN = "/home/dev/project"

SIMILAR = "Customers complain that the sum on the invoice is sometimes a cent too high. Find the cause and repair it."
UNRELATED = "Write a short introduction for the project's web page, for readers who do not program."
ATTEMPTS = 3
# A hook waits longer than this only for a worker that is just starting.
COLD_S = 0.35

Show = Callable[[str], None]


def demo(show: Show, *, keep: bool = False) -> None:
    """Replay a session, learn from it, and send two new prompts: a similar one and an unrelated one.

    `show` gets one line at a time, in rich's markup.

    Raises:
        BehaviorError: a stage failed.
    """
    with _scratch(keep) as folder, _own_environment(folder / "data"):
        project = _make_project(folder / "project")
        began = time.monotonic()
        show("[bold]1. A recorded session passes through the registered hooks[/]")
        _play_session(project, show)
        show("[bold]2. The worker has learned a pattern from it[/]")
        _show_pattern(_learned(), show)
        show("[bold]3. In a new session, a prompt in other words[/]")
        _show_answer(SIMILAR, _answer_in_time(SIMILAR, project), show)
        show("[bold]4. A prompt about something else[/]")
        _show_silence(UNRELATED, _answer(UNRELATED, project), show)
        show(f"Done in {time.monotonic() - began:.1f} s; nothing left this machine.")
        if keep:
            show(f"The data is in {folder}: try [bold]BEHAVIOR_HOME={folder}/data behavior list[/].")


def _play_session(project: Path, show: Show) -> None:
    """Calls take as long as they did, since the worker orders them by their start."""
    hooks = simulator.registered_hooks(PLUGIN)
    for event, payload in _recording(project):
        time.sleep(payload.get("duration_ms", 0) / 1000)
        run = simulator.run_checked(hooks[event], payload, environment=os.environ)
        start = "  (the worker starts)" if run.seconds > COLD_S else ""
        show(f"   {event:<19}{run.seconds * 1000:4.0f} ms  {_in_brief(payload)}{start}")


def _recording(project: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for line in (HERE / "session.jsonl").read_text(encoding="utf-8").splitlines():
        record = json.loads(line.replace(RECORDED_IN, str(project)))
        yield record["event"], record["payload"]


def _learned() -> StoredPattern:
    Client().drain(api.Drain())
    found = Client().list_patterns(api.ListPatterns(limit=1))
    if not found:
        raise BehaviorError(f"No pattern was stored. The events are in {spool.folder()}.")
    return found[0]


def _answer_in_time(prompt: str, project: Path) -> str | None:
    """A prompt waits 0.3 s at most, and on a busy machine goes on without an answer; so it is sent again."""
    answers = (_answer(prompt, project) for _ in range(ATTEMPTS))
    return next((answer for answer in answers if answer), None)


def _answer(prompt: str, project: Path) -> str | None:
    """The text that the assistant would get with a prompt in a new session."""
    hooks = simulator.registered_hooks(PLUGIN)
    payload = {"session_id": str(uuid.uuid4()), "cwd": str(project), "transcript_path": ""}
    start = payload | {"hook_event_name": "SessionStart", "source": "startup"}
    simulator.run_checked(hooks["SessionStart"], start, environment=os.environ)
    asked = payload | {"hook_event_name": "UserPromptSubmit", "prompt": prompt}
    return simulator.run_checked(hooks["UserPromptSubmit"], asked, environment=os.environ).additional_context


def _show_pattern(pattern: StoredPattern, show: Show) -> None:
    context, workflow = pattern.context, wording.workflow_of(pattern)
    show(f"   trigger     {pattern.trigger}")
    show(f"   context     {context.project_type} project, branch {context.branch}, {', '.join(context.files_touched)}")
    show(f"   job         {workflow.job}, from {len(pattern.actions)} calls")
    for line in wording.step_lines(workflow):
        show(f"   step        {line}")
    for lesson in workflow.lessons:
        show(f"   lesson      {wording.lesson_line(lesson)}")
    show(f"   outcome     {wording.odds(workflow)}; confidence {wording.confidence(pattern)}")


def _show_answer(prompt: str, answer: str | None, show: Show) -> None:
    show(f"   > {prompt}")
    if answer is None:
        raise BehaviorError("The similar prompt got no answer.")
    show("   the assistant gets:")
    for line in answer.splitlines():
        show(f"   [green]{line}[/]")


def _show_silence(prompt: str, answer: str | None, show: Show) -> None:
    show(f"   > {prompt}")
    if answer is not None:
        raise BehaviorError("The unrelated prompt got an answer.")
    show("   nothing: if no earlier work fits, the assistant gets nothing")


def _in_brief(payload: dict[str, Any]) -> str:
    if "tool_name" not in payload:
        return str(payload.get("prompt") or payload.get("source") or payload.get("reason") or "")[:80]
    asked = payload["tool_input"]
    what = asked.get("command") or Path(asked.get("file_path", "")).name
    return f"{payload['tool_name']} {what}, {payload['duration_ms']} ms{', failed' if 'error' in payload else ''}"[:80]


@contextmanager
def _scratch(keep: bool) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="behavior-demo-"))
    try:
        yield folder
    finally:
        if not keep:
            shutil.rmtree(folder)


@contextmanager
def _own_environment(folder: Path) -> Iterator[None]:
    """Keep the demo away from the user's own data, with hooks on, and stop its worker at the end."""
    before = {name: os.environ.pop(name, None) for name in ("BEHAVIOR_HOME", "BEHAVIOR_DISABLE")}
    os.environ["BEHAVIOR_HOME"] = str(folder)
    try:
        # The working directory may be that of all temporary folders, and a data folder inside it is not used.
        with chdir("/"):
            if misplaced := paths.misplaced():
                raise ConfigError(f"{misplaced}.", hint="Set TMPDIR to a folder outside your projects.")
            try:
                yield
            finally:
                stop_worker()
    finally:
        del os.environ["BEHAVIOR_HOME"]
        os.environ.update({name: value for name, value in before.items() if value is not None})


def _make_project(folder: Path) -> Path:
    shutil.copytree(HERE / "project", folder)
    git = ["git", "-c", "init.defaultBranch=main", "init", "--quiet", str(folder)]
    subprocess.run(git, check=True)
    return folder.resolve()
