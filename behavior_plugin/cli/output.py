"""Options and output that the commands share."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from behavior_plugin.api import Message
from behavior_plugin.errors import BehaviorError

if TYPE_CHECKING:
    # Imported on use: rich costs a tenth of a second.
    from rich.progress import Progress, ProgressColumn

# The exit status that a shell gives to a command ended by Ctrl-C.
INTERRUPTED = 130
# Of a similarity or a confidence; more would only be noise.
FLOAT_DIGITS = 4
# Enough of an id to name a pattern, as git does with commits.
SHORT_ID = 8
OFF = "switched off by BEHAVIOR_DISABLE"


def current_folder() -> str:
    """The current folder, as the hooks record it.

    Raises:
        BehaviorError: it was deleted.
    """
    try:
        return os.getcwd()  # noqa: PTH109
    except FileNotFoundError:
        raise BehaviorError("The current folder was deleted.", hint="Go to another folder, then try again.") from None


def not_empty(_context: click.Context, _parameter: click.Parameter, value: Any) -> Any:
    """A callback for click.argument: an empty text is the beginning of every id, and names none."""
    if not all(each.strip() for each in ([value] if isinstance(value, str) else value)):
        raise click.BadParameter("The text is empty.")
    return value


def range_of(request: type[Message], name: str) -> dict[str, Any]:
    """The type and default of a `click.option`, as a field of a request has them."""
    field = request.model_fields[name]
    limits = {limit: getattr(each, limit) for each in field.metadata for limit in ("ge", "le") if hasattr(each, limit)}
    kind = click.IntRange if field.annotation is int else click.FloatRange
    return {
        "type": kind(limits.get("ge"), limits.get("le")),
        "default": field.default,
        "show_default": field.default is not None,
    }


def json_option(command: Callable[..., None]) -> Callable[..., None]:
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")(command)


def print_json(value: Any) -> None:
    """Print JSON with rounded numbers; a file name that is not text gets question marks."""
    click.echo(json.dumps(_rounded(value), indent=2, ensure_ascii=False).encode("utf-8", "replace").decode())


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, FLOAT_DIGITS)
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    return [_rounded(item) for item in value] if isinstance(value, list | tuple) else value


def print_result(value: Any, text: str, *, as_json: bool) -> None:
    """Print the value for scripts, or the text for people."""
    if as_json:
        print_json(value)
    else:
        click.echo(text)


def counted(found: dict[str, Any]) -> str:
    """Counts on one line: `3 learned, 0 dead letters`; and why the patterns are not up to date, if they are not."""
    counts = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in found.items() if name != "not_computed")
    why = found.get("not_computed")
    return f"{counts}\nThe patterns are not up to date, and the worker tries again: {why}" if why else counts


def progress(*columns: ProgressColumn) -> Progress:
    """A progress bar on stderr, if that is a terminal, with the usual columns or these; it disappears at the end."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
