"""A hook that dies, or is refused something, at any of its file operations: no half record, and no silent loss.

The hook's process is the real one, but for a counter in front of what it asks of the system.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from behavior_plugin.capture import paths, spool
from tests.acceptance.feeding import TOLD, data_folder, is_message, kept, surroundings
from tests.acceptance.sessions import ROOT, nothing_left

RAW = b'{"session_id": "s", "prompt": "p"}\n'
# More than any hook does. The last ones are not reached, which is how we know that all others were.
MAX_OPERATIONS = 150
COUNTER = """
import os, signal, sys
script, event, fault, at = sys.argv[1:5]
names = ("open", "close", "read", "write", "rename", "mkdir", "unlink", "symlink", "stat", "lstat", "fstat", "utime",
         "fork", "fchmod", "chmod")
count = 0
def counted(do):
    def call(*words, **options):
        global count
        count += 1
        is_told = do is write and words[0] == 2
        if count == int(at) or (fault == "for ever" and count > int(at)):
            if fault == "die":
                os.kill(os.getpid(), signal.SIGKILL)
            if fault == "die in mid-write":
                if do is write:
                    write(words[0], bytes(words[1])[: len(words[1]) // 2])
                os.kill(os.getpid(), signal.SIGKILL)
            if not is_told:
                raise OSError(5, "Input/output error")
        return do(*words, **options)
    return call
write, hook = os.write, os.getpid()
for name in names:
    setattr(os, name, counted(getattr(os, name)))
leave = os._exit
def tell(status):
    if os.getpid() == hook:
        write(int(os.environ["COUNTED"]), b"%d" % count)
    leave(status)
os._exit = tell
sys.argv[1:] = [event]
exec(compile(open(script).read(), script, "exec"), {"__file__": script})
"""


@pytest.fixture(autouse=True)
def data(own_home: Path) -> Iterator[Path]:
    """These tests look at the hooks alone. A hook that cannot read which interpreter is meant starts a worker still."""
    with nothing_left(own_home), data_folder(own_home) as folder:
        yield folder


def run(event: str, fault: str, at: int) -> tuple[subprocess.CompletedProcess[bytes], int]:
    """A hook with a fault at one of its operations; returns also how many operations it has made."""
    Path(paths.run_folder(), "starting").unlink(missing_ok=True)  # else a prompt waits for the worker
    reading, writing = os.pipe()
    try:
        words = [sys.executable, "-I", "-S", "-c", COUNTER, str(ROOT / "hooks" / "hook.py"), event, fault, str(at)]
        done = subprocess.run(
            words,
            input=RAW,
            capture_output=True,
            env=surroundings(COUNTED=str(writing)),
            pass_fds=[writing],
            cwd=Path(spool.folder()).parents[1],
            timeout=20,
            check=False,
        )
        os.close(writing)
        return done, int(os.read(reading, 100) or 0)
    finally:
        os.close(reading)


@pytest.mark.parametrize("event", ["PostToolUse", "UserPromptSubmit", "SessionStart"])
@pytest.mark.parametrize("fault", ["die", "die in mid-write"])
def test_a_hook_that_is_killed_leaves_no_half_record(event: str, fault: str) -> None:
    """The next hook works, and whoever reads the spool finds only whole events."""
    _, most = run(event, "none", 0)
    assert 5 < most < MAX_OPERATIONS

    for at in range(1, most + 1):
        before = len(kept())
        done, _ = run(event, fault, at)
        assert done.stdout == b""
        assert len(kept()) - before in (0, 1)
        assert run("Stop", "none", 0)[0].stderr == b""
    assert set(kept()) == {RAW}


@pytest.mark.parametrize("event", ["PostToolUse", "SessionStart"])
@pytest.mark.parametrize("fault", ["once", "for ever"])
@pytest.mark.parametrize("is_first", [True, False])
def test_a_hook_that_is_refused_something_keeps_the_event_or_says_that_it_is_lost(
    event: str, fault: str, is_first: bool
) -> None:
    """One of the two, and never both, whichever of its operations fails."""
    if not is_first:
        spool.make()
    for at in range(1, MAX_OPERATIONS):
        before = len(kept())
        done, count = run(event, fault, at)
        is_told = done.stderr.startswith(TOLD)
        assert done.returncode == 0
        assert not done.stdout or (is_told and is_message(done.stdout))
        assert done.stderr.count(b"\n") == int(is_told)
        assert len(kept()) - before == int(not is_told), f"operation {at}: {done.stderr!r}"
        if count < at:
            break
    else:
        pytest.fail("a hook does more than this test knows of")
    assert set(kept()) == {RAW}
    assert not any(Path(spool.folder("tmp")).iterdir()) or fault == "for ever"
