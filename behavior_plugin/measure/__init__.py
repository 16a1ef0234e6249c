"""Measure whether the plugin helps: `replay` asks the past, `stats` counts suggestions that were made and withheld."""
