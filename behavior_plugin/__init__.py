"""Remember how work was done in Claude Code, and bring the workflow back when it fits."""

__version__ = "0.3.0"
