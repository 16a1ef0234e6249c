"""Kill or fail a hook at each of its file operations: no partial record, and no unreported loss.

The process is a real hook with a counter in front of its system calls.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from behavior_plugin.capture import paths, spool
from tests.acceptance.feeding import LOSS_NOTICE, data_folder, hook_environment, is_user_message, spooled_payloads
from tests.acceptance.sessions import ROOT, nothing_left

RAW = b'{"session_id": "s", "prompt": "p"}\n'
# More than any hook makes. The tests stop at the last one, so all operations are covered.
MAX_OPERATIONS = 200
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
        is_loss_notice = do is write and words[0] == 2
        if count == int(at) or (fault == "for ever" and count > int(at)):
            if fault == "die":
                os.kill(os.getpid(), signal.SIGKILL)
            if fault == "die in mid-write":
                if do is write:
                    write(words[0], bytes(words[1])[: len(words[1]) // 2])
                os.kill(os.getpid(), signal.SIGKILL)
            if not is_loss_notice:
                raise OSError(5, "Input/output error")
        return do(*words, **options)
    return call
write, hook = os.write, os.getpid()
for name in names:
    setattr(os, name, counted(getattr(os, name)))
leave = os._exit
def report(status):
    if os.getpid() == hook:
        write(int(os.environ["COUNTED"]), b"%d" % count)
    leave(status)
os._exit = report
sys.argv[1:] = [event]
exec(compile(open(script).read(), script, "exec"), {"__file__": script})
"""


@pytest.fixture(autouse=True)
def data(own_home: Path) -> Iterator[Path]:
    """Tests of the hooks alone. A hook that cannot read the interpreter's path still starts a worker."""
    with nothing_left(own_home), data_folder(own_home) as folder:
        yield folder


def project() -> Path:
    """A folder that is no part of the data folder's own path."""
    folder = Path(spool.folder()).parents[2] / "project"
    folder.mkdir(exist_ok=True)
    return folder


def run(event: str, fault: str, at: int) -> tuple[subprocess.CompletedProcess[bytes], int]:
    """Run a hook with a fault at one of its operations; returns also the number of its operations."""
    Path(paths.run_folder(), "starting").unlink(missing_ok=True)  # otherwise a prompt waits for the worker
    reading, writing = os.pipe()
    try:
        words = [sys.executable, "-I", "-S", "-c", COUNTER, str(ROOT / "hooks" / "hook.py"), event, fault, str(at)]
        done = subprocess.run(
            words,
            input=RAW,
            capture_output=True,
            env=hook_environment(COUNTED=str(writing)),
            pass_fds=[writing],
            cwd=project(),
            timeout=20,
            check=False,
        )
        os.close(writing)
        return done, int(os.read(reading, 100) or 0)
    finally:
        os.close(reading)


@pytest.mark.parametrize("event", ["PostToolUse", "UserPromptSubmit", "SessionStart"])
@pytest.mark.parametrize("fault", ["die", "die in mid-write"])
def test_a_killed_hook_leaves_no_partial_record(event: str, fault: str) -> None:
    """The next hook works, and readers of the spool find only whole events."""
    _, last = run(event, "none", 0)
    assert 5 < last < MAX_OPERATIONS

    for at in range(1, last + 1):
        before = len(spooled_payloads())
        done, _ = run(event, fault, at)
        assert done.stdout == b""
        assert len(spooled_payloads()) - before in (0, 1)
        assert run("Stop", "none", 0)[0].stderr == b""
    assert set(spooled_payloads()) == {RAW}


@pytest.mark.parametrize("event", ["PostToolUse", "SessionStart"])
@pytest.mark.parametrize("fault", ["once", "for ever"])
@pytest.mark.parametrize("is_first", [True, False])
def test_a_failing_hook_saves_the_event_or_reports_its_loss(event: str, fault: str, is_first: bool) -> None:
    """It does exactly one of the two, whichever operation fails."""
    if not is_first:
        spool.make()
    for at in range(1, MAX_OPERATIONS):
        before = len(spooled_payloads())
        done, count = run(event, fault, at)
        is_reported = done.stderr.startswith(LOSS_NOTICE)
        assert done.returncode == 0
        assert not done.stdout or (is_reported and is_user_message(done.stdout))
        assert done.stderr.count(b"\n") == int(is_reported)
        assert len(spooled_payloads()) - before == int(not is_reported), f"operation {at}: {done.stderr!r}"
        if count < at:
            break
    else:
        pytest.fail("a hook makes more than MAX_OPERATIONS operations")
    assert set(spooled_payloads()) == {RAW}
    assert not any(Path(spool.folder("tmp")).iterdir()) or fault == "for ever"
