"""Check that everything works, by trying it: "it does nothing" must have an answer.

The last check goes the whole way: a probe session passes through the registered hook commands into the spool, the
worker learns a pattern from it in the real tables, a prompt finds it there, and it is deleted.
"""

from __future__ import annotations

import os
import stat
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from behavior_plugin import api, config, exclude, simulator
from behavior_plugin.agents.install import WITH_HOOKS, agent_settings_file, check_interpreter
from behavior_plugin.agents.settings_file import read_settings
from behavior_plugin.capture import paths, spool, wake
from behavior_plugin.embed.extra import offer
from behavior_plugin.embed.remote import NO_KEY
from behavior_plugin.errors import BehaviorError, ConfigError, SetupError, StoreError
from behavior_plugin.model import Context
from behavior_plugin.worker import NOT_OPEN
from behavior_plugin.worker import PROBE as PROBE_ID
from behavior_plugin.worker.client import Client, start_worker
from behavior_plugin.worker.links import refuse_links

PLUGIN = Path(wake.ROOT)
SWITCH_ON = "Unset it in the environment that the agent is started from."
FOLDER_ITSELF = "Set BEHAVIOR_HOME to the folder itself."
TO_FILE = "Write the settings into that file, without BEHAVIOR_ and in lower case, and unset the variables."
MAKE_PRIVATE = "Run `chmod 600` on it."
KEY = "OPENAI_API_KEY"
BY_LETTERS = "Until then prompts are compared by their letters."
REPAIR = "Delete that file, or run `behavior install` again."
LEFT_HINT = "They stay there until they can be read; records of a newer version, until that version is back."
LEFT_VECTORS = "{:,} vectors are by another model than is wanted now: `behavior db embed` makes them anew at once"
OLDER_RULES = (
    "older rules for secrets have redacted {:,} sessions or remarks; `behavior redact-again` applies newer ones"
)
# The parts that a part needs, and the message if one of them fails.
NEEDS = {
    "store": ["worker"],
    "embedder": ["worker"],
    "events": ["worker"],
    "probe": ["exclusions", "hooks", "worker", "store"],
}
BROKEN = {
    "exclusions": "hooks record nothing",
    "hooks": "the hooks do not work",
    "worker": "the check of the worker failed",
    "store": "the store does not work",
}
PROBE = "Probe of the behavior plugin: carry one event from the hook to the table and back."


@dataclass(frozen=True)
class Check:
    """The result of one check: the finding, or the failure and the next step."""

    name: str
    is_ok: bool
    found: str
    hint: str = ""


def examine() -> Iterator[Check]:
    """Check one part after the other, also after a failure."""
    parts: dict[str, Callable[[], str]] = {
        "settings": _settings,
        "data folder": _data_folder,
        "interpreter": _interpreter,
        "exclusions": _exclusions,
        "hooks": _hooks,
        "worker": _worker,
        "store": _store,
        "embedder": _embedder,
        "events": _events,
        "probe": _probe,
    }
    failed: list[str] = []
    for name, part in parts.items():
        missing = next((needed for needed in NEEDS.get(name, ()) if needed in failed), "")
        check = Check(name, False, f"Skipped: {BROKEN[missing]}.") if missing else _tried(name, part)
        failed += [] if check.is_ok else [name]
        yield check


def why_no_folder() -> str:
    """The reason why hooks cannot use the data folder, as they judge it; empty if they can, or may create it."""
    folder = paths.data_folder()
    try:
        found = os.lstat(folder)
    except FileNotFoundError:
        return ""
    except OSError as error:
        return f"{folder}: {error.strerror}"
    if stat.S_ISLNK(found.st_mode):
        return f"{folder} is a link"
    if not stat.S_ISDIR(found.st_mode):
        return f"{folder} is not a folder"
    return "" if found.st_uid == os.geteuid() else f"{folder} belongs to another user"


def _tried(name: str, part: Callable[[], str]) -> Check:
    try:
        return Check(name, True, part())
    except BehaviorError as error:
        return Check(name, False, str(error), _remedy(error))
    except OSError as error:
        return Check(name, False, f"{error.strerror}: {error.filename}", "Look at the folder's owner and rights.")


def _remedy(error: BehaviorError) -> str:
    """The next step; never to run the doctor."""
    return f"{paths.in_data('worker.log')} may say more." if "behavior doctor" in error.hint else error.hint


def _settings() -> str:
    settings = config.load()
    changed = ", ".join(settings.model_dump(exclude_defaults=True)) or "all defaults"
    if unused := config.unused_variables():
        raise ConfigError(f"{unused}.", hint=TO_FILE)
    if settings.has_secrets and config.readable_by_others():
        raise ConfigError(f"Others can read {config.config_file()}, which holds a secret.", hint=MAKE_PRIVATE)
    if settings.embedder == "openai" and KEY in os.environ and KEY not in settings.environment:
        raise ConfigError(f"{KEY} is set in this environment and not used.", hint=NO_KEY)
    return f"{config.config_file()}: {changed}"


def _data_folder() -> str:
    if why := why_no_folder():
        is_link = os.path.islink(paths.data_folder())  # noqa: PTH114 - as hooks ask
        hint = FOLDER_ITSELF if is_link else "Look at its owner, or set BEHAVIOR_HOME to a folder of yours."
        raise BehaviorError(f"Hooks cannot save events: {why}.", hint=hint)
    refuse_links()
    spool.make()
    paths.make_run_folder()
    return f"{paths.data_folder()}, private"


def _exclusions() -> str:
    """A pause everywhere is a fault here: nothing works until it ends, and it may have been forgotten."""
    found, now = exclude.sync(), datetime.now(UTC)
    running = [each for each in found.pauses if each.is_running(now)]
    if any(each.scope == "everywhere" for each in running):
        raise BehaviorError("Everything is paused.", hint="`behavior resume --everywhere` ends it.")
    paused = [f"paused: {each.name}" for each in running]
    paths_ = [f"files {glob}" for glob in found.exclude_paths]
    return "; ".join([*paused, *(f"projects {glob}" for glob in found.exclude_projects), *paths_]) or "none"


def _interpreter() -> str:
    python = wake.interpreter()
    if python is None:
        raise SetupError
    record = paths.in_data("interpreter")
    if os.path.lexists(record) and (recorded := wake.recorded()) != python:
        why = f"names {recorded}, which cannot be run" if recorded else "was not written for this folder"
        raise SetupError(f"{record} {why}; {python} is used instead.", hint=REPAIR)
    check_interpreter(Path(python))
    return str(python)


def _hooks() -> str:
    """Registration in settings is not required: the plugin may be loaded as a plugin."""
    if config.are_hooks_off():
        raise BehaviorError("The hooks are switched off by BEHAVIOR_DISABLE.", hint=SWITCH_ON)
    events = ", ".join(simulator.registered_hooks(PLUGIN))
    return f"{PLUGIN / 'hooks' / 'hooks.json'} registers {events}{''.join(map(_also_in, WITH_HOOKS))}"


def _also_in(agent: str) -> str:
    """The settings of an agent, if they register our hooks too, with notes on them; else empty."""
    file = agent_settings_file(agent)
    if not file.is_file() or not simulator.registered_in_settings(file):
        return ""
    notes = WITH_HOOKS[agent].notes(read_settings(file).content)
    return "".join([f"; also in {file}", *(f". {note.removesuffix('.')}" for note in notes)])


def _worker() -> str:
    how = "had to be started" if start_worker() else "was running"
    return f"answers, pid {Client().status().pid}; {how}"


def _store() -> str:
    client = Client()
    client.list_patterns(api.ListPatterns(limit=1))  # waits until the store is open, or raises the reason
    status = client.status()
    older = f"; {OLDER_RULES.format(status.to_redact_again)}" if status.to_redact_again else ""
    return f"{status.store}, {status.patterns} patterns{older}"


def _embedder() -> str:
    client = Client()
    status = client.status()
    if status.embedder_problem:
        remedy = "" if "behavior doctor" in status.embedder_hint else status.embedder_hint
        raise BehaviorError(status.embedder_problem, hint=f"{BY_LETTERS} {remedy}".rstrip())
    facts = [status.embedder]
    with suppress(StoreError):  # the store's own check has reported it
        found = client.embed_anew(api.EmbedAnew(is_dry_run=True))
        left = sum(each.count for each in found.left)
        facts += [LEFT_VECTORS.format(left) if left else "", offer(len(found.unreadable_projects))]
    return "; ".join(filter(None, facts))


def _events() -> str:
    status = Client().status()
    if status.last_error and status.store != NOT_OPEN:  # else the store's own check has reported it
        raise BehaviorError(f"The worker's last error: {status.last_error}")
    if why := spool.why_full():
        raise BehaviorError(
            f"The spool is full, and hooks save nothing more: {why}.",
            hint="The worker makes room as soon as its store takes patterns.",
        )
    if status.left_in_spool:
        raise BehaviorError(f"Some records wait in the spool: {status.left_in_spool}.", hint=LEFT_HINT)
    if lost := spool.lost():
        why = paths.in_data("lost")
        raise BehaviorError(
            f"{lost} events could not be saved; {why} has the reasons.",
            hint="Delete that file when the cause is fixed.",
        )
    return f"{status.new_events} new, {status.open_sessions} open sessions, {status.dead_letters} dead letters"


def _probe() -> str:
    with tempfile.TemporaryDirectory(prefix="behavior-doctor-") as folder:
        session_id = f"{PROBE_ID}{uuid.uuid4()}"
        try:
            found = _send_probe(session_id, folder)
        except BaseException:
            with suppress(BehaviorError):  # the failure of the probe is the one to report
                Client().forget_session(api.ForgetSession(session_id=session_id))
            raise
        Client().forget_session(api.ForgetSession(session_id=session_id))
        return found


def _send_probe(session_id: str, folder: str) -> str:
    if exclude.current().why_silent(session_id, Context(directory=folder)):
        hint = f"The probe works in a folder below {tempfile.gettempdir()}; leave that out of exclude_projects for it."
        raise BehaviorError("The probe's folder is excluded.", hint=hint)
    hooks = simulator.registered_hooks(PLUGIN)
    for event, payload in _probe_session(session_id, folder):
        simulator.run_checked(hooks[event], payload, environment=os.environ)
    client = Client()
    client.drain(api.Drain(probe=session_id))
    stored = client.list_patterns(api.ListPatterns(limit=20, directory=folder))
    if not any(pattern.session_id == session_id for pattern in stored):
        raise BehaviorError("The probe passed the hook and did not arrive in the table.")
    if not client.recall(api.Recall(text=PROBE, directory=folder)):
        raise BehaviorError("The probe is in the table, but recall does not find it.")
    return "one event passed from the hook to the table and was found again"


def _probe_session(session_id: str, folder: str) -> Iterator[tuple[str, dict[str, Any]]]:
    common = {"session_id": session_id, "cwd": folder, "transcript_path": ""}
    yield "SessionStart", common | {"source": "startup"}
    yield "UserPromptSubmit", common | {"prompt": PROBE}
    action = {"tool_name": "Bash", "tool_input": {"command": "make test"}, "tool_use_id": "probe", "duration_ms": 1}
    yield "PostToolUse", common | action | {"tool_response": {}}
    yield "Stop", common
    yield "SessionEnd", common | {"reason": "other"}
