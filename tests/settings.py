"""How the variables begin that set up us, what we use, or an agent: those of whoever runs a test take no part."""

SETTINGS = ("BEHAVIOR_", "CLAUDE", "CODEX_", "COPILOT_", "GEMINI_", "OPENAI_", "OPENCODE_", "PG", "PI_", "XDG_")
