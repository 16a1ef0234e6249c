"""The settings in an export."""

from __future__ import annotations

from behavior_plugin.cli import exporting
from behavior_plugin.config import Settings


def test_exported_settings_are_plain_values_without_secrets() -> None:
    settings = Settings.model_validate(
        {
            "database_url": "postgresql://me:canary@db.example.org/x",
            "environment": {"OPENAI_API_KEY": "canary"},
            "exclude_projects": ["acme/*"],
        }
    )

    found = {row["name"]: row["value"] for row in exporting._settings(settings)}

    assert (found["exclude_projects"], found["show_notes"]) == (["acme/*"], True)
    assert found.keys().isdisjoint({"database_url", "environment"})
    assert "canary" not in str(found)
