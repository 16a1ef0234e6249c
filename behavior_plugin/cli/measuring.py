"""The commands that measure whether the plugin helps: `behavior replay` and `behavior stats`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial

import click

from behavior_plugin import api
from behavior_plugin.cli.output import current_folder, json_option, print_json, progress
from behavior_plugin.cli.since import since_option
from behavior_plugin.measure.past import PastWork
from behavior_plugin.worker.client import Client

# Pieces of work that the worker sends at a time.
PAGE = 100
# How much less than others a long computation may have of the processor.
NICE = 10


@click.command()
@click.option("--project", metavar="FOLDER", help="The history of FOLDER's project. Default: of this directory's.")
@click.option("--all", "everywhere", is_flag=True, help="The histories of all projects.")
@since_option("Only prompts since")
@json_option
def replay(project: str | None, everywhere: bool, since: datetime | None, as_json: bool) -> None:
    """Replay past prompts, and measure the suggestions for them.

    Each is answered from the sessions that were over by then, and the suggestion is compared with the work that
    followed. That needs no labels. The rules and the setting `suggestions` are those of today. With --since older
    prompts are not replayed, but their work is known.

    \b
    answered     the share of the prompts that began work, for which there
                 would have been a suggestion
    bits told    how much better the suggested workflow predicts the steps in
                 fact done than a random one of the project, in bits a step
    kinds named  the share of the kinds of steps in fact done that it names
    lessons      failed calls that would have got what helped before, each
                 lesson once in a session
    """
    if project and everywhere:
        raise click.UsageError("Give either --project or --all.")
    from behavior_plugin import config
    from behavior_plugin.measure.lessons import lessons_met
    from behavior_plugin.measure.replay import replay as replay_history
    from behavior_plugin.measure.report import report_of
    from behavior_plugin.recall.gate import MIN_ODDS, Policy, is_worth_a_line

    settings = config.load()
    directory = None if everywhere else os.path.abspath(project or current_folder())  # noqa: PTH100 - as hooks do
    with _bar() as (on_read, on_replayed):
        history = _read(directory, on_read)
        # Only now, since reading may start a worker, which would inherit it.
        os.nice(NICE)
        replayed = replay_history(
            history,
            min_odds=MIN_ODDS[settings.suggestions],
            everywhere=settings.recall_scope == "all",
            since=since,
            on_progress=on_replayed(sum(work.is_task for work in history)),
        )
    is_told = partial(is_worth_a_line, policy=Policy(settings.suggestions))
    report = report_of(replayed, lessons_met(history, since=since, is_told=is_told))
    if as_json:
        return print_json({"suggestions": settings.suggestions, **report.model_dump(mode="json")})
    from behavior_plugin.cli import figures

    return figures.show_replay(report, settings.suggestions, everywhere=everywhere, folder=project)


@click.command()
@since_option("Only suggestions since")
@json_option
def stats(since: datetime | None, as_json: bool) -> None:
    """Count followed suggestions, and compare the work with and without one.

    A suggestion is *followed* if the work after it has half of its steps, in their order; it *worked* if that work
    ended in success. Work that follows may have gone that way anyhow: the setting `holdout` withholds a share of the
    suggestions at random, and the two arms are compared once there are enough of each.
    """
    summary = Client().summarize(api.Summarize(since=since))
    if as_json:
        return print_json(summary.model_dump(mode="json"))
    from behavior_plugin.cli import figures

    return figures.show_stats(summary)


COMMANDS = (replay, stats)


def _read(directory: str | None, on_read: Callable[[int], object]) -> list[PastWork]:
    """The history of a directory's project, or of all."""
    client, history = Client(), list[PastWork]()
    while True:
        after = history[-1].source_key if history else ""
        page = client.list_work(api.ListWork(directory=directory, after=after, limit=PAGE))
        history += page
        on_read(len(history))
        if not page:
            return history


@contextmanager
def _bar() -> Iterator[tuple[Callable[[int], object], Callable[[int], Callable[[int], object]]]]:
    """Two progress bars on stderr: one for reading, without a known end, and one for replaying."""
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with progress(*columns) as bar:
        reading = bar.add_task("reading", total=None)

        def on_read(done: int) -> None:
            bar.update(reading, completed=done)

        def on_replayed(total: int) -> Callable[[int], object]:
            bar.update(reading, visible=False)
            task = bar.add_task("replaying", total=total)
            return lambda done: bar.update(task, completed=done)

        yield on_read, on_replayed
