"""Opening the store: what goes wrong is told in our words, and never with a part of the database's URL."""

from __future__ import annotations

from pathlib import Path

import pytest

from behavior_plugin.capture import paths
from behavior_plugin.errors import BehaviorError, ConfigError
from behavior_plugin.store import local_user, open_own


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
        open_own(url)

    shown = f"{caught.value} {caught.value.hint}"
    assert "BEHAVIOR_DATABASE_URL" in shown
    assert not any(part in shown for part in ("Canary", "Secret", "arySecret"))


def test_the_local_user_stays_the_same() -> None:
    """Another id would hide all that has been learned."""
    assert local_user() == local_user()


@pytest.mark.parametrize("content", ["", "garbage", "\x00"])
def test_a_damaged_user_id_is_told_and_not_replaced(content: str) -> None:
    """A power cut may leave the file empty."""
    file = Path(paths.make_private(paths.data_folder()), "user_id")
    file.write_text(content)

    with pytest.raises(ConfigError, match="damaged"):
        local_user()

    assert file.read_text() == content
