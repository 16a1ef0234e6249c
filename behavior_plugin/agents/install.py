"""Install our hooks in an agent's own settings, for users who do not load the plugin, and remove them.

The settings belong to the user: their content stays, and while our hooks are installed a copy of the file lies beside
it. The steps are listed first, each with its description, so that a dry run reports exactly the steps of a real run.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path

from pydantic import BaseModel

from behavior_plugin.agents import AGENTS, Hooks
from behavior_plugin.agents.settings_file import AgentSettings, Json, are_hooks, read_settings, replace_file
from behavior_plugin.capture import paths, wake
from behavior_plugin.errors import BehaviorError, SetupError
from behavior_plugin.model import CLAUDE_CODE

# The agents that run hooks of ours, by name.
WITH_HOOKS: dict[str, Hooks] = {agent.name: agent.hooks for agent in AGENTS.values() if agent.hooks}
BACKUP_SUFFIX = ".behavior-backup"
PROBE_TIMEOUT_S = 60
_PROBE = """
import sys
sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed")
sys.path.insert(0, sys.argv[1])
import behavior_plugin.worker.main
from behavior_plugin.store.embedded import binaries
binaries.find()
"""
# Where a registered command names its event; the agent's name goes behind it.
_EVENT = re.compile(r"\bset -- (\w+);")
# Characters that UTF-8 cannot hold, or that would end the line of the record.
_UNWRITABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")

# The description of a step, and the function that does it.
_Step = tuple[str, Callable[[], object]]


class Change(BaseModel, frozen=True):
    """The steps that changed a settings file, or that would in a dry run."""

    file: Path
    changed: bool
    done: tuple[str, ...]
    notes: tuple[str, ...] = ()


def agent_settings_file(agent: str = CLAUDE_CODE) -> Path:
    """The file in which an agent registers this user's hooks."""
    return WITH_HOOKS[agent].settings_file()


def install(
    *, settings_file: Path, plugin_root: Path, interpreter: Path, agent: str = CLAUDE_CODE, dry_run: bool = False
) -> Change:
    """Add our hooks to the settings of an agent and record the interpreter that runs the worker.

    Raises:
        ConfigError: the agent would not accept the settings as they are; nothing was changed.
        SetupError: the plugin's folder or the interpreter is unusable, or a file could not be written.
    """
    settings = read_settings(settings_file.absolute())
    ours = _our_hooks(plugin_root, agent)
    check_interpreter(interpreter)
    # The settings come last, since the agent notices nothing before they are written.
    steps = [*_record_steps(interpreter), *_install_steps(settings, ours)]
    otherwise = f"{settings.file}: our hooks are there already."
    notes = tuple(WITH_HOOKS[agent].notes(settings.content))
    return _run_steps(settings, steps, otherwise, notes=notes, dry_run=dry_run)


def uninstall(*, settings_file: Path, dry_run: bool = False) -> Change:
    """Remove our hooks; the learned patterns stay.

    Raises:
        ConfigError: the agent would not accept the settings or their backup; nothing was changed.
        SetupError: a file could not be written.
    """
    settings = read_settings(settings_file.absolute())
    steps = [*_uninstall_steps(settings), *([] if _are_installed_elsewhere(settings.file) else _forget_steps())]
    data = Path(paths.data_folder())
    notes = (f"{data} holds what was learned; to forget it, delete that folder.",)
    otherwise = f"{settings.file}: no hooks of ours are there."
    return _run_steps(settings, steps, otherwise, notes=notes if _is_in_use(data) else (), dry_run=dry_run)


def is_ours(command: str) -> bool:
    """Whether a command is one of our hooks, wherever the plugin is or was, also one from an earlier version."""
    try:
        words = shlex.split(command)
    except ValueError:
        return False
    return any(_sources_our_script(words[at:]) or _runs_our_hook(words[at:]) for at in range(len(words)))


def plugin_hooks(plugin_root: Path) -> Json:
    """The hooks as the plugin registers them: event name to matcher groups."""
    file = plugin_root / "hooks" / "hooks.json"
    try:
        hooks = json.loads(file.read_text(encoding="utf-8"))["hooks"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SetupError(f"{file} cannot be read: {error}") from error
    if not are_hooks(hooks):
        raise SetupError(f"{file} does not hold hooks.")
    return dict(hooks)


def settings_hooks(settings_file: Path) -> Json:
    """All hooks of a settings file: event name to matcher groups."""
    return read_settings(settings_file).hooks


def check_interpreter(interpreter: Path) -> None:
    """Check that a Python exists, is new enough and can import the worker, by running it.

    Raises:
        SetupError: the check failed.
    """
    command = [_written(interpreter), "-I", "-B", "-c", _PROBE, wake.ROOT]
    try:
        probe = subprocess.run(
            command, capture_output=True, stdin=subprocess.DEVNULL, cwd="/", timeout=PROBE_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SetupError(f"{interpreter} cannot be run: {error}") from error
    if probe.returncode:
        reason = probe.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise SetupError(f"{interpreter} cannot run the worker: {reason}")


def _run_steps(
    settings: AgentSettings, steps: list[_Step], otherwise: str, *, notes: tuple[str, ...], dry_run: bool
) -> Change:
    try:
        for _, do in [] if dry_run else steps:
            do()
    except OSError as error:
        hint = "Make the file and its folder writable, then try again."
        raise SetupError(f"{settings.file} was not changed: {error}", hint=hint) from error
    done = tuple(description for description, _ in steps) or (otherwise,)
    return Change(file=settings.file, changed=bool(steps), done=done, notes=notes)


def _install_steps(settings: AgentSettings, ours: Json) -> Iterator[_Step]:
    there = _our_entries(settings.hooks)
    if there == _our_entries(ours):
        return
    if settings.raw is not None and not there:
        backup = partial(replace_file, _backup(settings), settings.raw, like=settings.target)
        yield f"{_backup(settings)}: the settings as they were.", backup
    verb = "brought up to date" if there else "added"
    wanted = {**settings.content, "hooks": _merged(settings.hooks, ours)}
    yield f"{settings.file}: hooks {verb} for {', '.join(ours)}.", partial(settings.write, wanted)


def _uninstall_steps(settings: AgentSettings) -> Iterator[_Step]:
    backup, rest = read_settings(_backup(settings)), _without_ours(settings)
    is_as_before = _as_json(rest) == _as_json(_without_ours(backup))
    is_in = bool(_our_entries(settings.hooks))
    if is_in and backup.raw is None and not rest:
        yield f"{settings.file}: removed, as there was none before.", settings.target.unlink
    elif is_in and backup.raw is not None and is_as_before:
        restore = partial(replace_file, settings.target, backup.raw, like=settings.target)
        yield f"{settings.file}: as it was before.", restore
    elif is_in:
        yield f"{settings.file}: our hooks removed, everything else kept.", partial(settings.write, rest)
    # If the settings are gone, the backup may be their last copy.
    if backup.raw is not None and settings.raw is not None and (is_in or is_as_before):
        yield f"{backup.file}: removed.", backup.file.unlink


def _are_installed_elsewhere(settings_file: Path) -> bool:
    """Whether another agent has hooks of ours; unreadable settings may hold some."""
    files = [file for file in map(agent_settings_file, WITH_HOOKS) if file != settings_file]
    try:
        return any(_our_entries(read_settings(file).hooks) for file in files)
    except BehaviorError:
        return True


def _backup(settings: AgentSettings) -> Path:
    return settings.file.with_name(settings.file.name + BACKUP_SUFFIX)


def _our_hooks(plugin_root: Path, agent: str) -> Json:
    """The plugin's hooks for an agent. In settings a command must set the folders that the client sets for a plugin."""
    root, data = shlex.quote(_written(plugin_root)), shlex.quote(_written(Path(paths.data_folder())))
    hooks = WITH_HOOKS[agent].adapt(plugin_hooks(plugin_root))
    for entry in [entry for groups in hooks.values() for group in groups for entry in group["hooks"]]:
        command = entry["command"] if agent == CLAUDE_CODE else _EVENT.sub(rf"set -- \1 {agent};", entry["command"])
        entry["command"] = f"CLAUDE_PLUGIN_ROOT={root}; CLAUDE_PLUGIN_DATA={data}; {command}"
    return hooks


def _sources_our_script(words: list[str]) -> bool:
    """Whether words begin with `set -- EVENT`, and `. …/hooks/run.sh` follows."""
    match words:
        case ["set", "--", event, *rest] if event.rstrip(";").isalpha():
            return any(dot == "." and file.rstrip(";").endswith("/hooks/run.sh") for dot, file in pairwise(rest))
    return False


def _runs_our_hook(words: list[str]) -> bool:
    """Whether words begin with `-I -S …/hooks/hook.py EVENT`, as earlier versions registered it."""
    match words:
        case ["-I", "-S", script, event, *_]:
            return script.endswith("/hooks/hook.py") and event.isalpha()
    return False


def _our_entries(hooks: Json) -> dict[str, list[Json]]:
    """Our entries, by event, each with the matcher of its group."""
    found = {
        event: [
            {"matcher": group.get("matcher"), **entry}
            for group in groups
            for entry in group["hooks"]
            if _is_our_entry(entry)
        ]
        for event, groups in hooks.items()
    }
    return {event: entries for event, entries in found.items() if entries}


def _is_our_entry(entry: Json) -> bool:
    return isinstance(entry.get("command"), str) and is_ours(entry["command"])


def _merged(hooks: Json, ours: Json) -> Json:
    """The user's other hooks with ours behind them; groups and events that are empty then are left out."""
    others = {event: [_others_in(group) for group in groups] for event, groups in hooks.items()}
    merged = {
        event: [group for group in others.get(event, []) if group["hooks"]] + ours.get(event, [])
        for event in dict.fromkeys([*hooks, *ours])
    }
    return {event: groups for event, groups in merged.items() if groups}


def _others_in(group: Json) -> Json:
    return {**group, "hooks": [entry for entry in group["hooks"] if not _is_our_entry(entry)]}


def _without_ours(settings: AgentSettings) -> Json:
    hooks = _merged(settings.hooks, {})
    rest = {**settings.content, "hooks": hooks}
    return rest if hooks else {name: value for name, value in rest.items() if name != "hooks"}


def _as_json(content: Json) -> str:
    """A text to compare by: in Python true equals 1, in JSON it does not."""
    return json.dumps(content, sort_keys=True)


def _record() -> Path:
    return Path(paths.in_data("interpreter"))


def _record_steps(interpreter: Path) -> Iterator[_Step]:
    python = _written(interpreter)
    if wake.recorded() != python:
        yield f"{_record()}: {interpreter} runs the worker.", partial(wake.record, python)


def _forget_steps() -> Iterator[_Step]:
    """The interpreter stays once the worker has run, since the plugin may still need it."""
    if _record().exists() and not _is_in_use(_record().parent):
        yield f"{_record()}: removed.", _forget


def _forget() -> None:
    _record().unlink()
    _record().parent.rmdir()


def _is_in_use(data: Path) -> bool:
    return data.is_dir() and any(path != _record() for path in data.iterdir())


def _written(path: Path) -> str:
    """An absolute path as text. Links are kept: a virtual environment's Python, resolved, is another Python."""
    text = str(path.absolute())
    if _UNWRITABLE.search(text):
        raise SetupError(f"{text!r} has characters that cannot be stored.", hint="Move it to a path without them.")
    return text
