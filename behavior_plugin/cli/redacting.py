"""`behavior redact-again`: apply the present rules for secrets to old rows."""

from __future__ import annotations

import sys
from collections import Counter

import click

from behavior_plugin import api
from behavior_plugin.cli.output import INTERRUPTED, json_option, print_result, progress
from behavior_plugin.worker.client import Client

_NOUNS = {
    "turns": "turn",
    "remarks": "remark",
    "decisions": "logged decision",
    "dead_letters": "dead letter",
}


@click.command("redact-again")
@click.option(
    "--apply", "is_applied", is_flag=True, help="Change what is stored. Without it, only count what would change."
)
@json_option
def redact_again(is_applied: bool, as_json: bool) -> None:
    """Apply newer rules for secrets to stored work; --apply changes it.

    Everything is redacted before it is stored, by the rules of that day. After an update with new rules, this command
    redacts stored turns, remarks, logged decisions and dead letters again. Patterns are computed again, and vectors of
    changed prompts made anew. Events that wait in the spool are redacted when they are learned from. Backups, and what
    an agent itself keeps, are not changed. An interruption loses nothing: run it again to continue.
    """
    found = _redacted(Client(), is_dry_run=not is_applied)
    print_result({"is_applied": is_applied, **found}, _text(found, is_applied=is_applied), as_json=as_json)


def _redacted(client: Client, *, is_dry_run: bool) -> dict[str, int]:
    """The counts over all calls; a bar shows the sessions."""
    total: Counter[str] = Counter()
    after = ""
    try:
        with progress() as bar:
            task = bar.add_task("sessions", total=None)
            while True:
                found = client.redact_again(api.RedactAgain(after=after, is_dry_run=is_dry_run))
                total.update(found.model_dump(exclude={"after", "left"}))
                # A dry run leaves all of them.
                bar.update(
                    task, completed=total["sessions"], total=found.left + (0 if is_dry_run else total["sessions"])
                )
                if not found.after:
                    return {**total, "left": found.left}
                after = found.after
    except KeyboardInterrupt:
        click.echo("behavior: interrupted. What was done so far stays; run it again to continue.", err=True)
        sys.exit(INTERRUPTED)


def _text(found: dict[str, int], *, is_applied: bool) -> str:
    from behavior_plugin.recall.wording import plural

    changed = [plural(found[name], noun) for name, noun in _NOUNS.items() if found[name]]
    looked = plural(found["sessions"], "session")
    lines = [f"Older rules have redacted {looked}." if found["sessions"] else "No session waits for newer rules."]
    if changed:
        lines.append(f"{'Redacted again' if is_applied else 'Would change'}: {', '.join(changed)}.")
    else:
        lines.append("Nothing has changed." if is_applied else "Nothing would change.")
    if found["refused"]:
        lines.append(f"{plural(found['refused'], 'session')} could not be read or saved; worker.log says why.")
    if not is_applied and (changed or found["sessions"]):
        lines.append("This was a dry run: --apply changes what is stored.")
    return "\n".join(lines)
