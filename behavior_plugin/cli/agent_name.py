"""The option type of `--agent`: the names in the registry, which is loaded only when one is needed."""

from __future__ import annotations

from typing import Any

import click


class AgentName(click.ParamType[str]):
    """The name of an agent, or one of the words in `also`."""

    name = "agent"

    def __init__(self, *, with_hooks: bool = False, also: tuple[str, ...] = ()) -> None:
        self._with_hooks = with_hooks
        self._also = also

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str | None:
        return self._choice().get_metavar(param, ctx)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        return self._choice().convert(value, param, ctx)

    def _choice(self) -> click.Choice[str]:
        # Reading the registry loads every agent's module.
        from behavior_plugin.agents import AGENTS

        names = [agent.name for agent in AGENTS.values() if agent.hooks or not self._with_hooks]
        return click.Choice([*names, *self._also])
