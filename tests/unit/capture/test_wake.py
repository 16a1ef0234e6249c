"""Hooks start a worker where none answers, and replace one that is silent or older, but not every time."""

from __future__ import annotations

import os
import select
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from behavior_plugin import __version__
from behavior_plugin.capture import ask, paths, wake
from tests.waiting import wait_for


@pytest.fixture(autouse=True)
def starts(own_home: Path) -> Iterator[Path]:
    """A file with a line for each start of the worker: the interpreter does nothing else."""
    script, told = own_home / "python", own_home / "starts"
    script.write_text(f"#!/bin/sh\ngrep SigIgn /proc/self/status >>{told}\n")
    script.chmod(0o755)
    wake.record(str(script))
    yield told
    if Path(paths.in_data("run")).is_symlink():  # the path of a test's folder is long
        shutil.rmtree(paths.run_folder(), ignore_errors=True)


def http(status: int) -> Callable[[bytes], bytes]:
    """A worker's way to answer everything with this status."""
    return lambda _: b"HTTP/1.1 %d Whatever\r\nContent-Length: 2\r\n\r\n{}" % status


def older_version(request: bytes) -> bytes:
    """The way of the version before this one: it hangs up on HTTP, and answers a request to stop in its own words."""
    return b'16\n{"result": null}' if request == b"stop 2\n{}" else b""


@contextmanager
def worker(answer: Callable[[bytes], bytes] | None) -> Iterator[list[bytes]]:
    """Something that listens where the worker does; yields the requests that it gets. Without `answer` it is frozen."""
    paths.make_run_folder()
    asked: list[bytes] = []
    over = threading.Event()

    def serve(listener: socket.socket) -> None:
        while not over.is_set():
            line, _ = listener.accept()
            with line, suppress(OSError):
                asked.append(line.recv(65536))
                if answer is None:
                    over.wait(10)
                else:
                    line.sendall(answer(asked[-1]))

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(paths.worker_socket())
        listener.listen()
        thread = threading.Thread(target=serve, args=[listener])
        thread.start()
        try:
            yield asked
        finally:
            over.set()
            with socket.socket(socket.AF_UNIX) as last:
                last.connect(paths.worker_socket())
                last.sendall(b"\n")
            thread.join()
    Path(paths.worker_socket()).unlink()


def age(name: str, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(paths.in_data(name), (then, then))


def wait_for_starts(starts: Path, number: int) -> None:
    wait_for(lambda: starts.exists() and len(starts.read_text().splitlines()) >= number, f"{number} starts")
    assert len(starts.read_text().splitlines()) == number


def test_a_worker_learns_the_version_and_folder_of_its_caller() -> None:
    """It leaves if the caller's plugin has replaced its own."""
    with worker(http(ask.OK)) as asked:
        assert wake.ensure_worker() == wake.RUNNING

    request, *headers = asked[0].decode().split("\r\n")
    assert request == "GET /v1/ping HTTP/1.1"
    assert f"behavior-version: {__version__}" in headers
    assert f'behavior-plugin: "{wake.ROOT}"' in headers


def test_a_missing_worker_is_started_once(starts: Path) -> None:
    """Fifty hooks may notice it at the same time."""
    assert wake.ensure_worker() == wake.STARTING
    assert wake.ensure_worker() == wake.STARTING
    wait_for_starts(starts, 1)

    age("run/starting", wake.START_S + 1)
    assert wake.ensure_worker() == wake.STARTING
    wait_for_starts(starts, 2)


def test_a_worker_that_leaves_has_a_successor_at_once(starts: Path) -> None:
    """The new one waits for the lock by itself, so no prompt need come in between."""
    with worker(http(ask.UNAVAILABLE)):
        assert wake.ensure_worker() == wake.STARTING

    wait_for_starts(starts, 1)


def test_a_worker_of_the_version_before_is_asked_to_stop_and_succeeded(starts: Path) -> None:
    """It does not speak HTTP; to wait until it counts as frozen would take 15 seconds."""
    with worker(older_version) as asked:
        assert wake.ensure_worker() == wake.STARTING

    assert asked[1] == b"stop 2\n{}"
    wait_for_starts(starts, 1)


def test_a_silent_worker_is_replaced_once_a_minute(starts: Path) -> None:
    """It may be frozen, or only busy: the new one finds out."""
    with worker(None):
        assert wake.ensure_worker() == wake.SILENT
        wake.replace()
        assert not wake.is_starting(), "a prompt would wait longer for it"
        wake.replace()
        assert wake.ensure_worker() == wake.SILENT
        wake.replace()
        wait_for_starts(starts, 1)

        age("run/replacing", wake.REPLACE_S + 1)
        assert wake.ensure_worker() == wake.SILENT
        wake.replace()
        wait_for_starts(starts, 2)


def test_a_worker_that_is_just_starting_is_not_replaced() -> None:
    """It cannot answer yet."""
    wake.ensure_worker()

    wake.replace()

    assert not Path(paths.run_folder(), "replacing").exists()


def test_without_an_environment_nothing_is_started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The hook says so to the user."""
    Path(paths.in_data("interpreter")).unlink()
    monkeypatch.setattr(wake, "ROOT", str(tmp_path))

    assert wake.ensure_worker() == wake.NOT_SET_UP
    wake.replace()

    assert not Path(paths.run_folder(), "replacing").exists()


def forged_number(record: Path) -> None:
    record.write_text(f"{record.read_text().splitlines()[0]}\n1\n")


def without_number(record: Path) -> None:
    record.write_text(record.read_text().splitlines()[0])


def readable_by_all(record: Path) -> None:
    record.chmod(0o644)


def linked(record: Path) -> None:
    record.rename(record.with_name("other"))
    record.symlink_to(record.with_name("other"))


def in_another_folder(record: Path) -> None:
    data = Path(paths.data_folder())
    data.rename(data.with_name("moved"))
    shutil.copytree(data.with_name("moved"), data)


@pytest.mark.parametrize(
    "change",
    [forged_number, without_number, readable_by_all, linked, in_another_folder],
    ids=lambda each: each.__name__,
)
def test_a_record_that_a_repository_could_contain_is_not_used(change: Callable[[Path], None], own_home: Path) -> None:
    """The file is a program to run, and a project may come with a whole data folder."""
    assert wake.recorded() == str(own_home / "python")

    change(Path(paths.in_data("interpreter")))

    assert wake.recorded() is None
    assert wake.interpreter() != str(own_home / "python")


def test_an_interpreter_in_the_project_is_not_used(
    tmp_path: Path, own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless the project is this plugin: its developers work in it."""
    project = tmp_path / "project"
    (project / ".git").mkdir(parents=True)
    python, link = project / "python", own_home / "link"
    shutil.copy(own_home / "python", python)
    link.symlink_to(python)
    monkeypatch.setattr(wake, "ROOT", str(tmp_path / "plugin"))
    for each in (python, link):
        wake.record(str(each))
        monkeypatch.chdir("/")
        assert wake.interpreter() == str(each)
        monkeypatch.chdir(project)
        assert wake.interpreter() is None

    monkeypatch.setattr(wake, "ROOT", str(project))
    assert wake.interpreter() == str(link)


@pytest.mark.timeout(10)
@pytest.mark.parametrize("name", ["interpreter", "run/starting", "run/replacing"])
def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(name: str) -> None:
    """Hooks have no time for it."""
    paths.make_run_folder()
    Path(paths.in_data(name)).unlink(missing_ok=True)
    os.mkfifo(paths.in_data(name))
    age(name, 3600)

    for do in (wake.ensure_worker, wake.replace):
        try:
            do()
        except OSError:
            assert name != "interpreter"


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
def test_a_worker_heeds_the_signals_that_its_hook_ignores(starts: Path) -> None:
    """The registered commands ignore them, and what is ignored stays so over exec."""
    child = os.fork()
    if not child:
        import signal

        for sign in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
            signal.signal(sign, signal.SIG_IGN)
        wake.ensure_worker()
        os._exit(0)
    os.waitpid(child, 0)
    wait_for_starts(starts, 1)

    ignored = int(starts.read_text().split()[1], 16)
    assert [sign for sign in (1, 2, 15) if ignored & 1 << (sign - 1)] == []


@pytest.mark.parametrize("is_listed", [True, False])
def test_what_runs_beside_has_no_descriptor_of_ours(
    is_listed: bool, own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The host would wait for the end of a pipe that somebody still holds; a system may not list descriptors."""
    if not is_listed:
        monkeypatch.setattr("os.listdir", lambda _: os.scandir("/no/such/folder"))
    reading, writing = os.pipe()
    told, over = own_home / "told", own_home / "over"

    def stay() -> None:
        told.touch()
        wait_for(over.exists, "the end")

    wake.spawn_detached(stay)

    wait_for(told.exists, "what was to be done")
    os.close(writing)
    ready, _, _ = select.select([reading], [], [], 10)
    over.touch()
    assert ready, "somebody still holds the pipe"
    os.close(reading)
