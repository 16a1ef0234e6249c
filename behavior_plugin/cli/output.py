"""What every command says in the same way."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from behavior_plugin.api import Message

if TYPE_CHECKING:
    # Imported where it is used: rich costs a tenth of a second.
    from rich.progress import Progress, ProgressColumn


def not_empty(_context: click.Context, _parameter: click.Parameter, value: Any) -> Any:
    """For click.argument(callback=...). Nothing at all begins every id, and names none."""
    if not all(each.strip() for each in ([value] if isinstance(value, str) else value)):
        raise click.BadParameter("It is empty.")
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
    """A name of a file need not be text; half a character is written as a question mark."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False).encode("utf-8", "replace").decode())


def print_result(value: Any, text: str, *, as_json: bool) -> None:
    """What a command found: the value for scripts, or the text for people."""
    if as_json:
        print_json(value)
    else:
        click.echo(text)


def counted(found: dict[str, Any]) -> str:
    """Counts on one line: `3 learned, 0 dead letters`."""
    return ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in found.items())


def progress(*columns: ProgressColumn) -> Progress:
    """A bar on stderr, where that is a terminal, with the usual columns or these; it disappears at the end."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
