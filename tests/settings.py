"""The settings of a test: what is taken out of its environment, and its own config.toml."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

from behavior_plugin.capture import paths

# Prefixes of the variables that configure this plugin, its dependencies or an agent; tests remove them.
SETTINGS = ("BEHAVIOR_", "CLAUDE", "CODEX_", "COPILOT_", "GEMINI_", "OPENAI_", "OPENCODE_", "PG", "PI_", "XDG_")


def configure(**settings: str | float | bool | list[str] | None) -> None:
    """Write settings into the config.toml of this test's data folder; None removes one."""
    paths.make_private(paths.data_folder())
    file = Path(paths.in_data("config.toml"))
    known = tomllib.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    kept = {name: value for name, value in {**known, **settings}.items() if value is not None}
    # JSON's strings, numbers, booleans and lists of strings are TOML's too.
    lines = [f"{name} = {json.dumps(value, ensure_ascii=False)}\n" for name, value in kept.items()]
    file.write_text("".join(lines), encoding="utf-8")
    file.chmod(0o600)
