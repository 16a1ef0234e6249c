"""Prefixes of the environment variables that configure this plugin, its dependencies or an agent; tests remove them."""

SETTINGS = ("BEHAVIOR_", "CLAUDE", "CODEX_", "COPILOT_", "GEMINI_", "OPENAI_", "OPENCODE_", "PG", "PI_", "XDG_")
