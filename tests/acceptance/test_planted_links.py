"""A link that somebody planted in the data folder is reported, and nothing is written or deleted through it.

A repository can hold such a folder: git keeps links.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from behavior_plugin.capture import paths, spool, trouble
from behavior_plugin.errors import LinkError
from behavior_plugin.worker import dead_letters
from behavior_plugin.worker.client import start_worker
from behavior_plugin.worker.inbox import Inbox
from behavior_plugin.worker.lifecycle import stop_worker
from tests.acceptance.sessions import TASK, Session, behavior, in_spool, patterns, worker_pid
from tests.waiting import wait_for

pytestmark = pytest.mark.usefixtures("clean_ending", "no_embedder")
# One of each kind: deleted from, filed into, the server's, the sockets'; locked, read. Each takes ten seconds.
FOLDERS = ("spool/tries", "spool/open", "postgres", "run")
FILES = ("worker.lock", "config.toml")


@pytest.fixture
def victim(own_home: Path) -> Path:
    """Somebody's folder, with files of all kinds of names that we delete or write."""
    folder = own_home / "victim"
    folder.mkdir()
    for name in (".bashrc", "letter", "letter.reason", "starting", "worker.sock", "init-1", "full"):
        (folder / name).write_text("precious")
    (folder / "folder").mkdir()
    (folder / "folder" / "file").write_text("precious")
    return folder


def content(folder: Path) -> dict[str, str]:
    return {str(file.relative_to(folder)): file.read_text() for file in folder.rglob("*") if file.is_file()}


def plant(name: str, target: Path) -> Path:
    link = Path(paths.in_data(name))
    if link.is_dir() and not link.is_symlink():
        shutil.rmtree(link)
    link.unlink(missing_ok=True)
    link.parent.mkdir(mode=0o700, exist_ok=True)
    link.symlink_to(target)
    return link


@pytest.mark.parametrize("name", [*FOLDERS, *FILES])
def test_a_planted_link_is_named_and_not_followed(name: str, project: Path, victim: Path) -> None:
    """Hooks go on keeping events, and all is learned once the link is gone."""
    before = content(victim)
    target = victim if name in FOLDERS else victim / "letter"
    link = plant(name, target)

    Session(project).work(TASK).end()
    for words in (["worker", "start"], ["drain"], ["list"], ["dead", "list"], ["db", "upgrade"]):
        done = behavior(*words)
        assert (words, done.returncode) == (words, 1)
        assert f"{link} is a link" in done.stderr
        assert "Delete the link" in done.stderr
    assert f"{link} is a link" in behavior("status").stdout
    assert f"{link} is a link" in behavior("doctor").stdout

    assert len(in_spool("new")) == 5
    assert content(victim) == before

    link.unlink()
    if not name.startswith("postgres"):  # its data was taken away to plant the link
        assert behavior("drain").returncode == 0
        assert [pattern.trigger for pattern in patterns()] == [TASK]
    assert content(victim) == before


def test_the_next_session_is_told_of_a_planted_link(project: Path, victim: Path) -> None:
    """The worker that a hook starts has nobody to report to."""
    link = plant("spool/tries", victim)

    Session(project).send("SessionStart")
    wait_for(lambda: "is a link" in trouble.read(), "the worker's line")

    assert str(link) in json.loads(Session(project).send("SessionStart").stdout)["systemMessage"]


def test_a_link_planted_under_a_running_worker_stops_its_work(project: Path, victim: Path) -> None:
    """It has checked the folder at its start."""
    before = content(victim)
    start_worker()
    worker_pid()
    link = plant("spool/dead", victim)

    Session(project).work(TASK).end()
    wait_for(lambda: "is a link" in trouble.read(), "the worker's line")

    assert f"{link} is a link" in behavior("drain").stderr
    assert content(victim) == before
    link.unlink()
    wait_for(lambda: len(patterns()) == 1, "the pattern")
    stop_worker()


def test_links_beside_records_are_not_followed(own_home: Path, victim: Path) -> None:
    """Each of these names can be known before: those of a shipped record and its session."""
    before = content(victim)
    spool.make()
    spool.put("PostToolUse", b"not json")
    [record] = Path(spool.folder("new")).iterdir()
    for ending in dead_letters.ENDINGS:
        Path(spool.folder("dead"), f"{record.name}{ending}").symlink_to(victim / "letter")
    spool.put("SessionStart", b'{"session_id": "a"}')

    inbox = Inbox()
    while inbox.file_new():
        pass
    [session] = inbox.sessions.values()
    Path(spool.folder("tries", session.key)).symlink_to(victim / "letter")
    inbox.attempt(session)
    dead_letters.clean_up()

    assert content(victim) == before
    assert "precious" not in "".join(letter.reason for letter in dead_letters.letters())


def test_a_session_is_not_filed_through_a_link(own_home: Path, victim: Path) -> None:
    """Its records would be moved to another place, and the files there become records."""
    before = content(victim)
    spool.make()
    spool.put("SessionStart", b'{"session_id": "a"}')
    inbox = Inbox()
    inbox.file_new()
    [session] = inbox.sessions.values()
    folder = Path(spool.folder("open", session.key))
    folder.rename(own_home / "elsewhere")
    folder.symlink_to(victim)

    spool.put("SessionEnd", b'{"session_id": "a"}')
    inbox.file_new()
    inbox.events(session)
    inbox.done(session)

    assert content(victim) == before
    assert in_spool("new") == []


def test_an_inbox_refuses_a_link(own_home: Path, victim: Path) -> None:
    """Whoever opens it."""
    spool.make()
    plant("spool/tries", victim)

    with pytest.raises(LinkError, match="tries is a link"):
        Inbox()
