"""`behavior uninstall --data` leaves the home as it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from behavior_plugin.capture import paths
from behavior_plugin.worker.lifecycle import stop_worker
from tests.acceptance.sessions import Session, behavior, drain, json_of, output_of, turns
from tests.settings import configure

pytestmark = pytest.mark.usefixtures("clean_ending")


def tree(home: Path) -> dict[str, bytes | str]:
    """Every path of a home with its content."""
    found: dict[str, bytes | str] = {}
    for path in sorted(home.rglob("*")):
        is_file = path.is_file() and not path.is_symlink()
        found[str(path.relative_to(home))] = path.read_bytes() if is_file else "link" if path.is_symlink() else "folder"
    return found


@pytest.fixture
def before(own_home: Path) -> dict[str, bytes | str]:
    """A home with an agent's settings, and nothing of ours: `clean_ending` has made a data folder already."""
    (own_home / ".claude").mkdir()
    (own_home / ".claude" / "settings.json").write_text('{"model":   "opus"}\n', encoding="utf-8")
    return {name: content for name, content in tree(own_home).items() if name.startswith(".claude")}


def test_nothing_is_left(before: dict[str, bytes | str], project: Path, own_home: Path) -> None:
    """Also with a backup, dead letters and settings; the agent's own are as they were, byte for byte."""
    output_of("install")
    configure(embedder="none", settle_s=0, suggestions="eager")
    Session(project).work().end()
    drain()
    Session(project).ask("What is left?")
    output_of("db", "rollback", "--with-rows")

    shown = output_of("uninstall", "--data", "--dry-run")
    unchanged = tree(own_home)
    output_of("uninstall", "--data")

    assert str(Path(paths.in_data("postgres"))) in shown
    assert len(unchanged) > len(before) + 10
    assert tree(own_home) == before


def test_without_data_the_patterns_stay(project: Path) -> None:
    configure(embedder="none", settle_s=0)
    Session(project).work().end()
    drain()

    output_of("uninstall")

    assert len(turns()) == 1


def test_files_of_others_stay(project: Path) -> None:
    """Somebody may have named a folder that is used for other things too."""
    configure(embedder="none", settle_s=0)
    Session(project).work().end()
    mine = Path(paths.in_data("thesis.txt"))
    mine.write_text("mine", encoding="utf-8")

    shown = output_of("uninstall", "--data")

    assert list(Path(paths.data_folder()).iterdir()) == [mine]
    assert f"{mine} is not ours, and stays." in shown
    assert behavior("uninstall", "--data").returncode == 0


def test_status_names_the_room_that_the_data_takes(project: Path) -> None:
    configure(embedder="none", settle_s=0)
    Session(project).work("x" * 50_000)
    turns()
    stop_worker()  # its files do not change any more

    sizes = json_of("status")["size"]

    assert sizes["database"] > 20_000_000
    assert sizes["spool"] > 50_000
    assert f"{sum(sizes.values()) / 1e6:.1f} MB: database" in output_of("status")


def test_the_copy_that_the_client_leaves_goes(project: Path, own_home: Path) -> None:
    """Only once the plugin is uninstalled there: until then it may be in use."""
    plugins = own_home / ".claude" / "plugins"
    copy = plugins / "cache" / "behavior-plugin" / "behavior" / "0.3.0"
    copy.mkdir(parents=True)
    record = plugins / "installed_plugins.json"
    record.write_text('{"plugins": {"behavior@behavior-plugin": []}}', encoding="utf-8")

    output_of("uninstall", "--data")
    assert copy.exists()
    record.write_text('{"plugins": {}}', encoding="utf-8")
    output_of("uninstall", "--data")

    assert list((plugins / "cache").iterdir()) == []
    assert not Path(paths.data_folder()).exists()
