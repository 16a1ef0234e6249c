"""Prompts go first, and learning is never kept from its turn for long."""

from __future__ import annotations

import sys
import threading

import pytest

from behavior_plugin import config
from behavior_plugin.worker import precedence
from behavior_plugin.worker.main import Worker
from behavior_plugin.worker.precedence import Precedence
from tests.waiting import wait_for


def waiting(first: Precedence) -> threading.Thread:
    thread = threading.Thread(target=first.wait, daemon=True)
    thread.start()
    return thread


@pytest.mark.timeout(10)
def test_other_work_waits_for_the_last_of_the_prompts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several may be answered at the same time."""
    monkeypatch.setattr(precedence, "PATIENCE_S", 60.0)
    first = Precedence()
    with first:
        with first:
            other = waiting(first)
        other.join(0.1)
        assert other.is_alive()

    wait_for(lambda: not other.is_alive(), "the other work")


@pytest.mark.timeout(10)
def test_a_prompt_that_fails_is_over_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else each of them would cost the worker a second in every round."""
    monkeypatch.setattr(precedence, "PATIENCE_S", 60.0)
    first = Precedence()

    with pytest.raises(KeyError), first:
        raise KeyError

    first.wait()


def test_prompts_without_end_do_not_stop_learning(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client may ask again and again."""
    monkeypatch.setattr(precedence, "PATIENCE_S", 0.01)
    first = Precedence()

    with first:
        other = waiting(first)
        wait_for(lambda: not other.is_alive(), "the other work")


@pytest.mark.timeout(10)
def test_a_prompt_that_waits_for_the_store_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker's main thread opens the store, so both would wait until the prompt has given up."""
    monkeypatch.setattr(precedence, "PATIENCE_S", 60.0)
    worker = Worker(config.load(), holds_lock=lambda: True, is_outdated=lambda: False)

    with worker.service.precedence:
        worker.let_prompts_go_first()


def test_a_prompt_goes_on_soon_after_each_wait() -> None:
    """Python lets a thread compute for 5 ms by itself, and a prompt waits a dozen times."""
    Precedence()

    assert sys.getswitchinterval() == pytest.approx(precedence.SWITCH_S)
