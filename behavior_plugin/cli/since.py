"""The option `--since`."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

_AGO = re.compile(r"(\d{1,5})\s?(?:(d(?:ays?)?)|w(?:eeks?)?)")


class Since(click.ParamType[datetime]):
    """A day, or a number of days or weeks ago."""

    name = "day"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        if ago := _AGO.fullmatch(value):
            return datetime.now().astimezone() - timedelta(days=int(ago[1]) * (1 if ago[2] else 7))
        try:
            return datetime.fromisoformat(value).astimezone()
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is neither a day such as 2026-01-31 nor a time ago such as 30d or 2w.", param, ctx)


def since_option(wanted: str) -> Callable[[F], F]:
    """The option; its help begins with the `wanted` things, such as "Only work begun on or after"."""
    return click.option("--since", type=Since(), metavar="DAY", help=f"{wanted} DAY: 2026-01-31, 30d, or 2w.")
