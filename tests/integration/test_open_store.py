"""Opening the store: what goes wrong is told in our words, and never with a part of the database's URL."""

from __future__ import annotations

import pytest

from behavior_plugin.errors import BehaviorError
from behavior_plugin.config import Settings
from behavior_plugin.store import open_store


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:Canary/Secret@127.0.0.1:1/db",
        "postgresql://me:Can[arySecret@127.0.0.1:1/db",
        "postgresql://me:Canary?Secret@127.0.0.1:1/db",
        "postgresql://me:CanarySecret@127.0.0.1:1/db",
        "host=127.0.0.1 port=1 password=CanarySecret",
        "CanarySecret",
    ],
)
def test_no_part_of_the_url_is_shown(url: str) -> None:
    """Where a password is not escaped, any part of the URL may hold some of it."""
    with pytest.raises(BehaviorError) as caught:
        open_store(Settings(database_url=url))

    shown = f"{caught.value} {caught.value.hint}"
    assert "BEHAVIOR_DATABASE_URL" in shown
    assert not any(part in shown for part in ("Canary", "Secret", "arySecret"))
