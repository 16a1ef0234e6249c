"""The registered hook commands, run as the client runs them: they keep what they are fed and never harm their host."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from behavior_plugin import simulator
from behavior_plugin.capture import spool
from behavior_plugin.capture.handlers import HANDLERS, PAYLOAD_LIMIT
from tests.acceptance.feeding import TOLD, data_folder, feed, kept, plugin_copy, surroundings
from tests.acceptance.sessions import ROOT
from tests.factories import payload


@pytest.fixture(autouse=True)
def data(own_home: Path) -> Iterator[Path]:
    """These tests look at the hooks alone."""
    with data_folder(own_home) as folder:
        yield folder


@pytest.mark.parametrize("event", HANDLERS)
def test_a_real_payload_is_kept_without_a_word(event: str) -> None:
    """The everyday case: exit 0, nothing said, the event in the spool."""
    raw = json.dumps(payload(event)).encode() + b"\n"

    done = feed(event, raw)

    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert kept() == [raw]


@pytest.mark.parametrize("event", HANDLERS)
@pytest.mark.parametrize("raw", [b"", b" \n\t", b"\n"])
def test_an_empty_payload_is_nothing_to_keep(event: str, raw: bytes) -> None:
    """There is no event in it."""
    done = feed(event, raw)

    assert (done.returncode, done.stdout) == (0, b"")
    assert not Path(spool.folder("new")).exists()


@pytest.mark.parametrize("event", HANDLERS)
@pytest.mark.parametrize("raw", [b"not JSON", b'{"half": ', b"\x00\xff\xfe\x80" * 1000, b"[" * 100_000, b"{}{}"])
def test_what_is_no_event_is_kept_for_the_worker_to_judge(event: str, raw: bytes) -> None:
    """A hook does not understand payloads, so it cannot stumble over one."""
    done = feed(event, raw)

    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert kept() == [raw]


@pytest.mark.parametrize("event", ["PostToolUse", "UserPromptSubmit"])
def test_twenty_megabytes_are_cut_and_marked(event: str) -> None:
    """What a hook reads is bounded; that something is missing is written down."""
    raw = b'{"session_id": "s", "prompt": "' + b"x" * 20_000_000 + b'"}'

    done = feed(event, raw)

    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    [record] = Path(spool.folder("new")).iterdir()
    envelope, head = spool.read(record)
    assert envelope["is_cut"]
    assert raw.startswith(head)
    assert len(head) == PAYLOAD_LIMIT


@pytest.mark.parametrize("event", HANDLERS)
def test_a_payload_that_never_ends_is_not_waited_for(event: str) -> None:
    """The host may forget to close the pipe."""
    reading, writing = os.pipe()
    os.write(writing, b'{"session_id": "s"')
    began = time.monotonic()

    done = feed(event, b"", input=None, stdin=reading)

    os.close(writing)
    os.close(reading)
    assert done.returncode == 0
    assert time.monotonic() - began < 5
    assert kept() == [b'{"session_id": "s"']


def test_an_unknown_event_is_kept_under_a_name_of_ours() -> None:
    """A file's name is never made of what comes from outside."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(ROOT / "hooks" / "hook.py"), "../../Evil"], input=b"{}", check=False
    )

    assert done.returncode == 0
    [record] = Path(spool.folder("new")).iterdir()
    assert record.name.endswith("-Other")


ODD_NAMES = [
    "with space",
    "John's",
    'a "quote"',
    "$HOME",
    "$(touch pwn)",
    "; touch pwn;",
    "`touch pwn`",
    "größer",
    "-n",
]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_any_plugin_path_works(name: str, tmp_path: Path) -> None:
    """Every "John Doe" has a space in his home; the rest must at least do no harm."""
    root = plugin_copy(tmp_path / name)

    done = feed("PostToolUse", b'{"session_id": "s"}', root=root, cwd=tmp_path)

    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert kept() == [b'{"session_id": "s"}']
    assert not list(tmp_path.rglob("pwn"))


@pytest.mark.parametrize("event", HANDLERS)
@pytest.mark.parametrize("gone", [".", "hooks/hook.py", "behavior_plugin", "behavior_plugin/capture/spool.py"])
def test_a_plugin_that_is_gone_or_half_deleted_harms_nobody(event: str, gone: str, tmp_path: Path) -> None:
    """Updates and uninstalls happen under a running session; exit code 2 would erase the prompt."""
    root = plugin_copy(tmp_path / "plugin")
    missing = root / gone
    shutil.rmtree(missing) if missing.is_dir() else missing.unlink()

    done = feed(event, b'{"session_id": "s"}', root=root)

    assert (done.returncode, done.stdout) == (0, b"")
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("event", HANDLERS)
@pytest.mark.parametrize("search", ["", "/nonexistent"])
def test_without_an_interpreter_nothing_happens(event: str, search: str) -> None:
    """A PATH without python3 must not stop a session."""
    done = feed(event, b"{}", env={"PATH": search, "CLAUDE_PLUGIN_ROOT": str(ROOT)})

    assert (done.returncode, done.stdout) == (0, b"")


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-", ">/dev/full 2>/dev/full"])
def test_closed_or_full_standard_streams_do_no_harm(closed: str) -> None:
    """Flushing a closed stream at the interpreter's end would give 120."""
    command = simulator.registered_hooks(ROOT)["SessionStart"].command
    wrapped = ["/bin/sh", "-c", f"{{ {command}; }} {closed}"]

    done = subprocess.run(wrapped, env=surroundings(), input=b"{}", check=False)

    assert done.returncode == 0


def test_records_are_readable_by_their_user_alone() -> None:
    """They hold prompts and file contents, not yet redacted."""
    feed("PostToolUse", b"{}", before="umask 0; ")

    [record] = Path(spool.folder("new")).iterdir()
    assert stat.S_IMODE(record.stat().st_mode) == 0o600


def test_one_variable_switches_everything_off() -> None:
    """In an emergency nobody wants to look for a setting."""
    done = feed("UserPromptSubmit", b"{}", env=surroundings(BEHAVIOR_DISABLE="1"))

    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert not Path(spool.folder()).exists()


def test_fifty_hooks_at_once_lose_nothing() -> None:
    """Parallel calls end together, and their hooks run together."""
    payloads = [b'{"n": %d}' % number for number in range(50)]

    with ThreadPoolExecutor(max_workers=50) as at_once:
        ended = list(at_once.map(lambda raw: feed("PostToolUse", raw), payloads))

    assert {done.returncode for done in ended} == {0}
    told = sum(done.stderr != b"" for done in ended)
    assert len(kept()) + told == 50, "an event that is not there, and nobody said so"
    assert set(kept()) <= set(payloads)
    assert told == 0


def test_a_payload_that_does_not_come_is_told() -> None:
    """The host may be held up for longer than a hook can wait; then the event is lost, and that is said."""
    reading, writing = os.pipe()

    done = feed("PostToolUse", b"", input=None, stdin=reading)

    os.close(writing)
    os.close(reading)
    assert (done.returncode, done.stdout) == (0, b"")
    assert done.stderr.startswith(TOLD + b"TimeoutError")


def test_a_plugin_that_is_not_set_up_says_so_to_the_user(data: Path, tmp_path: Path) -> None:
    """A plugin that does nothing and says nothing is the worst there is."""
    (data / "interpreter").unlink()
    root = plugin_copy(tmp_path / "plugin")

    done = feed("SessionStart", json.dumps(payload("SessionStart")).encode(), root=root)

    answer = json.loads(done.stdout)
    assert list(answer) == ["systemMessage"]
    assert "make setup" in answer["systemMessage"]
    assert len(kept()) == 1
