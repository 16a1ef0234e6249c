"""The settings of a test: what is taken out of its environment, and its own config.toml."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

from behavior_plugin.capture import paths

# Prefixes of the variables that configure this plugin, its dependencies or an agent; tests remove them.
SETTINGS = ("BEHAVIOR_", "CLAUDE", "CODEX_", "COPILOT_", "GEMINI_", "OPENAI_", "OPENCODE_", "PG", "PI_", "XDG_")


def configure(**settings: str | float | bool | list[str] | dict[str, str] | None) -> None:
    """Write settings into the config.toml of this test's data folder; None removes one."""
    paths.make_private(paths.data_folder())
    file = Path(paths.in_data("config.toml"))
    known = tomllib.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    kept = {name: value for name, value in {**known, **settings}.items() if value is not None}
    lines = [f"{name} = {_toml(value)}\n" for name, value in kept.items()]
    file.write_text("".join(lines), encoding="utf-8")
    file.chmod(0o600)


def elsewhere(folder: Path) -> Path:
    """A directory to work in, beside the test's home: a data folder in the working directory is not used."""
    made = folder / "elsewhere"
    made.mkdir(exist_ok=True)
    return made


def _toml(value: object) -> str:
    """JSON's strings, numbers, booleans and lists of strings are TOML's too."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name} = {_toml(each)}" for name, each in value.items()) + "}"
    return json.dumps(value, ensure_ascii=False)
