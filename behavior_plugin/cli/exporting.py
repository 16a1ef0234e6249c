"""`behavior export`, and `behavior import --from-export`: take all that was learned along, as text."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from behavior_plugin import api
from behavior_plugin.cli.connections import exclusive_owner_connection
from behavior_plugin.cli.forgetting import counted_as
from behavior_plugin.cli.output import json_option, print_result, progress
from behavior_plugin.errors import BehaviorError
from behavior_plugin.worker.client import Client

if TYPE_CHECKING:
    # Only for types.
    from behavior_plugin.config import Settings

SETTING, DECISION = "setting", "decision"
# The settings that are left out.
SECRET = {"database_url", "environment"}
SHOWN = {"pattern": "pattern", "episode": "piece of work", "remark": "suggestion or remark", DECISION: "decision"}


@click.command("export")
@click.argument("file", type=click.Path(allow_dash=True, dir_okay=False))
@click.option("--force", is_flag=True, help="Overwrite FILE.")
@json_option
def export(file: str, force: bool, as_json: bool) -> None:
    """Write everything that is stored about you into FILE, as text.

    With - it goes to the output. It has a line of JSON for each record, with its kind: pattern, episode (the prompts
    with their calls, which patterns are computed from), remark (feedback, edits, suggestions, marks of forgotten work),
    decision (as in `behavior why`), and setting, without `database_url` and `environment`. Texts are
    redacted, as they are stored. Vectors are left out: they are made again. Ended sessions are learned from first; open
    ones are not in it.

    `behavior import --from-export FILE` brings it back, here, or into another data folder or storage. For a copy of the
    database, with vectors and of all users, use `behavior db backup`.
    """
    if as_json and file == "-":
        raise click.UsageError("--json: the output has the export itself.")
    waiting = Client().drain(api.Drain())
    counts: dict[str, int] = {}
    with _target(file, is_forced=force) as target:
        for kind, line in _exported():
            target.write(line.encode() + b"\n")
            counts[kind] = counts.get(kind, 0) + 1
    text = f"{', '.join(_counted(counts))} in {file}."
    if waiting.open_sessions:
        from behavior_plugin.recall.wording import plural

        text += f"\n{plural(waiting.open_sessions, 'open session')} not in it."
    if file == "-":
        click.echo(text, err=True)
    else:
        print_result({"file": file, "records": counts, "open_sessions": waiting.open_sessions}, text, as_json=as_json)


def import_export(file: Path) -> dict[str, Any]:
    """Save the records of an export that are not there yet; returns the numbers of those added, present and refused.

    Raises:
        BehaviorError: it is not an export, or is damaged: nothing is changed.
    """
    from behavior_plugin.store.maintenance import export as exports
    from behavior_plugin.store.maintenance.rows import as_owner, check_restorer, import_rows
    from behavior_plugin.store.migrate import migrate
    from behavior_plugin.store.opening import own_user
    from behavior_plugin.worker import decisions

    with file.open(encoding="utf-8") as source:
        # All of it is read before a server is started for nothing.
        kept = [
            json.dumps(json.loads(line)["row"]) for kind, line in exports.read(source, str(file)) if kind == DECISION
        ]
    with exclusive_owner_connection() as (owner, settings), progress() as bar, file.open("rb") as raw:
        watched = bar.wrap_file(raw, total=file.stat().st_size, description="Import")
        migrate(owner, settings.storage)
        user = own_user(owner, settings)
        check_restorer(owner, settings.storage, file, user)
        with as_owner(owner):
            found = exports.read((line.decode("utf-8") for line in watched), str(file))
            tally = import_rows(owner, settings.storage, exports.rows_of(owner, found), user_id=user)
        added = decisions.put_back(kept)
    return {"imported": tally.added + added, "already_there": tally.present, "refused": len(tally.skipped)}


def _exported() -> Iterator[tuple[str, str]]:
    """Every record with its kind."""
    from behavior_plugin.store.maintenance import export as exports
    from behavior_plugin.store.maintenance.rows import as_user, export_rows
    from behavior_plugin.store.opening import own_user
    from behavior_plugin.worker import decisions

    with exclusive_owner_connection() as (owner, settings), progress() as bar:
        user = own_user(owner, settings)
        yield exports.HEAD, exports.head()
        yield from ((SETTING, exports.record(SETTING, row)) for row in _settings(settings))
        with as_user(owner, user):
            rows = export_rows(owner, settings.storage, everyone=False)
            lines = bar.track(exports.records(owner, rows), description="Export")
            yield from ((_kind_of(line), line) for line in lines)
        yield from ((DECISION, f'{{"kind": "{DECISION}", "row": {line}}}') for line in decisions.lines())


def _settings(settings: Settings) -> Iterator[dict[str, Any]]:
    for name, value in settings.model_dump(mode="json", exclude=SECRET).items():
        yield {"name": name, "value": value}


def _kind_of(line: str) -> str:
    """The kind of a record, which is the first value of its line."""
    return line.split('"', 4)[3]


def _counted(counts: dict[str, int]) -> list[str]:
    return [counted_as(counts[kind], text) for kind, text in SHOWN.items() if kind in counts] or ["Nothing"]


@contextmanager
def _target(file: str, *, is_forced: bool) -> Iterator[IO[bytes]]:
    """The output, or a new file.

    Raises:
        BehaviorError: it exists, or cannot be written.
    """
    from behavior_plugin.store.maintenance.complete_file import complete_file

    if file == "-":
        yield sys.stdout.buffer
        return
    path = Path(file)
    if os.path.lexists(path) and not is_forced:
        raise BehaviorError(f"{path} exists already.", hint="Choose another file, or overwrite it with --force.")
    if os.path.lexists(path) and not path.is_file():  # renaming onto a device would replace it
        raise BehaviorError(f"{path} is not a file.", hint="Choose another file, or - for the output.")
    try:
        with complete_file(path) as fresh:
            yield fresh
    except OSError as error:
        raise BehaviorError(f"{path} cannot be written: {error.strerror}.", hint="Choose another file.") from error
