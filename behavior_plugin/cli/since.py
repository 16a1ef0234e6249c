"""The option type of `--since`."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

import click

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
