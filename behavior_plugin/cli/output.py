"""What every command says in the same way."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import click


def json_option(command: Callable[..., None]) -> Callable[..., None]:
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")(command)


def print_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def report(found: dict[str, Any], as_json: bool) -> None:
    """Counts on one line: `3 learned, 0 dead letters`."""
    if as_json:
        return print_json(found)
    return click.echo(", ".join(f"{count} {name.replace('_', ' ')}" for name, count in found.items()))
