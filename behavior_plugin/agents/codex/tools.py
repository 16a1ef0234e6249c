"""Read the tool calls of Codex and their outputs, and give the tools our names.

Hooks and rollouts hold the same objects. The shell tool has had many names and takes its command as a text or a list;
its exit code is in the text of the output. The files that a patch names are kept, their contents are not.
"""

from __future__ import annotations

import posixpath
import re
import shlex
from dataclasses import dataclass
from typing import Any

from behavior_plugin.agents.fields import (
    MAX_LINE_BYTES,
    MAX_TEXT_CHARS,
    get_dict,
    get_id,
    get_ms,
    get_str,
    parse_json,
    parse_object,
)
from behavior_plugin.agents.tools import MAX_FILES, ToolNames, normalize_tool, patched_files
from behavior_plugin.model import Outcome

_SHELLS = frozenset({"Bash", "shell", "shell_command", "exec_command", "local_shell", "container.exec"})
_SHELL_NAMES = frozenset({"bash", "sh", "zsh"})
_PATCH = "*** Begin Patch"
# Its names for tools that have one of ours, and for their parameters; the shell's are above.
_TOOLS: ToolNames = {
    "view_image": ("Read", {"path": "file_path"}),
    "read_file": ("Read", {}),
    "list_dir": ("LS", {"dir_path": "path"}),
    "grep_files": ("Grep", {"include": "glob"}),
    "web_search": ("WebSearch", {}),
    "tool_search": ("ToolSearch", {}),
    "update_plan": ("TodoWrite", {"plan": "todos"}),
    "request_user_input": ("AskUserQuestion", {}),
    "spawn_agent": ("Agent", {"message": "prompt", "agent_type": "subagent_type"}),
}
# Calls in a script that the model wrote; only the beginning of the script is searched.
MAX_SCRIPT_CHARS = 100_000
_SCRIPTED = re.compile(r"\btools\.(\w{1,200})\(")
_SCRIPTED_COMMAND = re.compile(r'\btools\.exec_command\(\s{0,9}\{[^{}"]{0,99}"?cmd"?\s{0,9}:\s{0,9}("(?:[^"\\]|\\.)*")')
_SCRIPTED_INPUT = re.compile(r'\bchars"?\s{0,9}:\s{0,9}"[^"]')
_SCRIPTED_SESSION = re.compile(r'\bsession_id"?\s{0,9}:\s{0,9}(\d{1,9})')

# The lines before the output of a command begin with one of these.
_HEAD = ("Chunk ID: ", "Exit code: ", "Wall time", "Script ", "Process ", "Total output lines: ")
_EXIT_CODE = re.compile(r"^(?:Exit code:|Process exited with code) (-?\d{1,10})$", re.MULTILINE)
_WALL_TIME = re.compile(r"^Wall time:? (\d{1,9}(?:\.\d{1,12})?) seconds$", re.MULTILINE)
_RUNNING = re.compile(r"^(?:Process running with session|Script running with cell) ID (\S{1,100})$", re.MULTILINE)
# A script may print the whole result of a command.
_PRINTED_RESULT = re.compile(
    r'\s*\{"chunk_id":"[^"]{0,99}","wall_time_seconds":[0-9.e+-]{1,40},"(\w{1,40})":(-?\d{1,10})'
)
_WAITED = r"(?:Wall time: [0-9.]{1,20} seconds\n)?"
# An output of Codex itself begins with one of these: the call was refused, or could not start.
_REFUSED = re.compile(
    _WAITED + r"(?:unsupported (?:custom tool )?call|invalid |failed to |error:|err: |execution error|Script failed|"
    r"(?:apply_patch|exec_command|write_stdin)(?: verification)? failed)",
    re.IGNORECASE,
)
_STOPPED = re.compile(
    _WAITED + r"(?:aborted|.{0,60}\b(?:rejected|cancelled|interrupted)) by (?:the )?user", re.IGNORECASE
)


@dataclass(frozen=True)
class ToolCall:
    """A call: our name for the tool, its parameters, and the files that a patch names."""

    tool: str
    parameters: dict[str, Any]
    files: tuple[str, ...] = ()


@dataclass(frozen=True)
class ToolOutput:
    """The output of a call: with an `exit_code` if its process has ended, with the id in `running` if it still runs."""

    outcome: Outcome
    text: str
    exit_code: int | None = None
    duration_ms: int | None = None
    running: str | None = None


@dataclass(frozen=True)
class ToolEnd:
    """The end of a call, as a record of its own reports it. `is_users` marks a line of the user's own shell.

    `process` is the id that the process had while it ran in the background.
    """

    name: str
    call: ToolCall
    outcome: Outcome
    duration_ms: int | None
    output: str | None
    process: str | None
    is_users: bool


def normalize_call(tool: str, arguments: Any, *, directory: str) -> ToolCall:
    """A call with our name for its tool.

    `arguments` are an object, or a text if the tool takes one. Paths in a patch are relative to `directory`.
    """
    fields = arguments if isinstance(arguments, dict) else {"input": arguments} if isinstance(arguments, str) else {}
    if tool == "apply_patch":
        return _edit(next((value for value in fields.values() if isinstance(value, str)), ""), directory)
    if tool not in _SHELLS:
        return ToolCall(*normalize_tool(tool, fields, _TOOLS))
    line = command_line(fields.get("command", fields.get("cmd")))
    if "apply_patch" in line and _PATCH in line:
        return _edit(line, directory)
    return ToolCall("Bash", {"command": line})


def parse_item(item: dict[str, Any]) -> tuple[str, Any]:
    """The tool that an item of a rollout calls, under its own name, and the arguments."""
    if item.get("type") == "local_shell_call":
        return "local_shell", get_dict(item, "action")
    if item.get("type") == "custom_tool_call":
        return get_str(item, "name") or "", item.get("input")
    if item.get("type") == "tool_search_call":
        return "tool_search", item.get("arguments")
    namespace, name = get_str(item, "namespace") or "", get_str(item, "name") or ""
    arguments = item.get("arguments")
    arguments = parse_object(arguments) if isinstance(arguments, str) else arguments
    return f"{namespace.rstrip('_')}__{name}" if namespace.startswith("mcp__") else name, arguments


def awaited_process(tool: str, arguments: Any) -> str | None:
    """The id of the running process that a call waits for; None if the call starts something itself."""
    if tool == "exec" and isinstance(arguments, str):
        script = arguments[:MAX_SCRIPT_CHARS]
        is_wait = _SCRIPTED.findall(script) == ["write_stdin"] and not _SCRIPTED_INPUT.search(script)
        session = _SCRIPTED_SESSION.search(script) if is_wait else None
        return session[1] if session else None
    names = {"write_stdin": "session_id", "wait": "cell_id"}
    name = arguments.get(names.get(tool, "")) if isinstance(arguments, dict) else None
    return str(name) if isinstance(name, int | str) else None


def parse_script(script: str, *, directory: str) -> ToolCall:
    """The call that a script stands for; for a script with several tools, their names."""
    script = script[:MAX_SCRIPT_CHARS]
    names = list(dict.fromkeys(_SCRIPTED.findall(script)))
    if names == ["exec_command"] and (commands := _SCRIPTED_COMMAND.findall(script)):
        return normalize_call("Bash", {"command": "\n".join(map(_unquoted, commands))}, directory=directory)
    if names == ["apply_patch"]:
        return _edit(script.replace("\\n", "\n"), directory)
    return ToolCall("exec", {"tools": ", ".join(names)})


def command_line(command: Any) -> str:
    """A command as a person would type it, without the shell that only runs it."""
    if not isinstance(command, list):
        return command if isinstance(command, str) else ""
    words = [str(word) for word in command]
    if len(words) == 3 and posixpath.basename(words[0]) in _SHELL_NAMES and words[1] in ("-c", "-lc"):
        return words[2]
    return shlex.join(words)


def parse_output(output: Any) -> ToolOutput:
    """Read the output of a call, which is a text or a list of its parts."""
    text = _text(output)
    if text.startswith('{"output":'):
        return _parse_json_output(text)
    head, _, rest = text.partition("Output:\n") if text.startswith(_HEAD) else ("", "", text)
    head = head[:MAX_TEXT_CHARS]
    wall_time = _WALL_TIME.search(head)
    duration_ms = _ms_from_seconds(float(wall_time[1])) if wall_time else None
    exit_code, running = _process(head, rest)
    return ToolOutput(_outcome(exit_code, head or text), rest, exit_code, duration_ms, running)


def started_thread_id(output: str) -> str | None:
    """The thread of the subagent that a call started, if its output names one."""
    return get_str(parse_object(output), "agent_id") if output.startswith('{"agent_id":') else None


def parse_end(fields: dict[str, Any], *, directory: str) -> ToolEnd | None:
    """Read the record of the end of a command, a patch or a call to an MCP server; None for any other record."""
    if not (name := get_id(fields, "call_id") or get_id(fields, "id")):
        return None
    kind, exit_code = fields.get("type"), fields.get("exit_code")
    outcome = exit_outcome(exit_code) if isinstance(exit_code, int) else _reported_outcome(fields)
    if kind in ("CommandExecution", "exec_command_end"):
        call = normalize_call("Bash", {"command": command_line(fields.get("command"))}, directory=directory)
    elif kind in ("FileChange", "patch_apply_end"):
        files = tuple(get_dict(fields, "changes"))[:MAX_FILES]
        call = ToolCall("Edit", {"file_path": files[0]} if files else {}, files)
    elif kind in ("McpToolCall", "mcp_tool_call_end"):
        invocation = get_dict(fields, "invocation") or fields
        tool = f"mcp__{get_str(invocation, 'server')}__{get_str(invocation, 'tool')}"
        call = ToolCall(tool, get_dict(invocation, "arguments"))
    else:
        return None
    return ToolEnd(
        name=name,
        call=call,
        outcome=outcome,
        duration_ms=_milliseconds(fields.get("duration")),
        output=get_str(fields, "aggregated_output", MAX_LINE_BYTES) or get_str(fields, "stderr", MAX_LINE_BYTES),
        process=get_str(fields, "process_id"),
        is_users=fields.get("source") == "user_shell",
    )


def exit_outcome(exit_code: Any) -> Outcome:
    """The outcome of a process; a stopped one has a negative exit code, or none."""
    if not isinstance(exit_code, int) or exit_code < 0:
        return Outcome.PARTIAL
    return Outcome.FAILED if exit_code else Outcome.SUCCESS


def _milliseconds(duration: Any) -> int | None:
    """Milliseconds of a duration as Rust writes it, in seconds and nanoseconds."""
    fields = duration if isinstance(duration, dict) else {}
    seconds, nanos = fields.get("secs"), fields.get("nanos")
    if not isinstance(seconds, int) or not isinstance(nanos, int):
        return None
    return get_ms({"duration": seconds * 1000 + nanos // 1_000_000}, "duration")


def _edit(patch: str, directory: str) -> ToolCall:
    files = tuple(dict.fromkeys(posixpath.join(directory, file) for file in patched_files(patch)))
    return ToolCall("Edit", {"file_path": files[0]} if files else {}, files)


def _outcome(exit_code: int | None, text: str) -> Outcome:
    if exit_code is not None:
        return exit_outcome(exit_code)
    if _STOPPED.match(text):
        return Outcome.PARTIAL
    return Outcome.FAILED if _REFUSED.match(text) else Outcome.SUCCESS


def _reported_outcome(fields: dict[str, Any]) -> Outcome:
    result = get_dict(fields, "result")
    if "Err" in result or get_dict(result, "Ok").get("isError") is True or fields.get("success") is False:
        return Outcome.FAILED
    outcomes = {"failed": Outcome.FAILED, "declined": Outcome.PARTIAL, "in_progress": Outcome.PARTIAL}
    return outcomes.get(str(fields.get("status")), Outcome.SUCCESS)


def _parse_json_output(raw: str) -> ToolOutput:
    """Read the output of a shell of 2025, which was JSON."""
    fields = parse_object(raw)
    metadata = get_dict(fields, "metadata")
    exit_code = _integer(metadata, "exit_code")
    duration_ms = _ms_from_seconds(metadata.get("duration_seconds"))
    return ToolOutput(_outcome(exit_code, ""), str(fields.get("output") or ""), exit_code, duration_ms)


def _process(head: str, rest: str) -> tuple[int | None, str | None]:
    """The exit code of a process that has ended, and the id of one that still runs."""
    printed = _PRINTED_RESULT.match(rest) if head.startswith("Script ") else None
    if printed:
        name, number = printed.groups()
        return (int(number) if name == "exit_code" else None, number if name == "session_id" else None)
    code, running = _EXIT_CODE.search(head), _RUNNING.search(head)
    return (int(code[1]) if code else None, running[1] if running else None)


def _integer(fields: dict[str, Any], name: str) -> int | None:
    value = fields.get(name)
    return value if isinstance(value, int) else None


def _ms_from_seconds(seconds: Any) -> int | None:
    return get_ms({"duration": seconds * 1000}, "duration") if isinstance(seconds, int | float) else None


def _text(output: Any) -> str:
    if isinstance(output, dict):
        output = output.get("content")
    if isinstance(output, list):
        return "".join(part["text"] for part in output if isinstance(part, dict) and isinstance(part.get("text"), str))
    return output if isinstance(output, str) else ""


def _unquoted(literal: str) -> str:
    try:
        value = parse_json(literal.encode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return literal[1:-1]
    return str(value)
