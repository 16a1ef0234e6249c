"""Moving patterns from one table to the other, without any loss or change."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest

from behavior_plugin.config import Storage
from behavior_plugin.errors import BehaviorError
from behavior_plugin.store.embedded.server import Server
from behavior_plugin.store.maintenance import move as moving
from behavior_plugin.store.maintenance import rows as stored_rows
from tests.database import LOGIN, A, ask, member_store, rows, save
from tests.factories import make_action, make_pattern
from tests.integration.copying import (
    EPISODES,
    FOREIGN,
    MODEL,
    PATTERNS,
    Terminal,
    canonical,
    clear,
    fill,
    folded,
    found_memories,
    insert_foreign,
    make_workflow,
    table,
    told,
    user_of,
)


@pytest.fixture
def storage() -> Storage:
    return "memories"


@pytest.fixture
def both(server: Server, owner: psycopg.Connection) -> psycopg.Connection:
    """A database with memories of two users."""
    fill(server, owner, "memories")
    return owner


def move(terminal: Terminal, *words: str, status: int = 0) -> Any:
    return terminal.run_json("move", "--to", "behavior_patterns", *words, status=status, storage="memories")


def test_move_copies_all_patterns_and_leaves_the_memories(both: psycopg.Connection, terminal: Terminal) -> None:
    """The separate table is better, and moving there must not cost anything: neither a workflow nor its evidence."""
    before, evidence = table(both, "memories"), told(both)

    result = move(terminal)
    again = move(terminal)

    assert result == {"moved": len(before), "already_there": 0, "skipped": []}
    assert again == {"moved": 0, "already_there": len(before), "skipped": []}
    assert canonical(both, "behavior_patterns") == canonical(both, "memories")
    assert table(both, "memories") == before
    assert ask(both, "select count(*) from public.behavior_patterns where workflow ->> 'job' = 'check'") == PATTERNS
    assert told(both) == evidence


def test_moved_patterns_are_due_to_be_computed_again(
    both: psycopg.Connection, server: Server, terminal: Terminal
) -> None:
    """A worker may have gone on with the other table since an earlier move; one episode marks its project."""
    both.execute("update behavior.episodes set is_folded = true")

    move(terminal)

    assert folded(both) == 2 * (EPISODES - 1)
    with member_store(both, server, LOGIN, "behavior_patterns") as store:
        assert store.unfolded_projects() == ["project"]


def test_interrupted_move_continues(
    both: psycopg.Connection, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A laptop may be closed in the middle of it."""
    monkeypatch.setattr(moving, "BATCH", 3)
    moving.prepare(both)
    batches = moving.move(both)
    assert next(batches).total == 3
    del batches
    kept = table(both, "behavior_patterns")

    result = move(terminal)

    assert len(kept) == 3
    assert result == {"moved": 2 * PATTERNS - 3, "already_there": 3, "skipped": []}
    assert canonical(both, "behavior_patterns") == canonical(both, "memories")


def test_failed_batch_is_rolled_back(
    both: psycopg.Connection, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection can break at any moment, also within a batch."""
    moving.prepare(both)

    def lost(*_: Any, **__: Any) -> None:
        raise psycopg.OperationalError

    with monkeypatch.context() as broken:
        broken.setattr(stored_rows, "_count_rows", lost)
        with pytest.raises(BehaviorError):
            list(moving.move(both))

    assert table(both, "behavior_patterns") == []
    assert move(terminal)["moved"] == 2 * PATTERNS


def test_additions_of_other_programs_survive_a_round_trip(
    server: Server, both: psycopg.Connection, terminal: Terminal, tmp_path: Path
) -> None:
    """We must not drop another program's additions to a pattern, nor skip the pattern because of them."""
    file = str(tmp_path / "backup")
    mine = user_of(both, LOGIN)
    insert_foreign(both, mine)
    before = table(both, "memories")

    move(terminal)
    with member_store(both, server, LOGIN, "behavior_patterns") as store:
        [shown] = [each for each in store.newest(project=None, limit=50) if each.trigger == "Fix it"]
        save(store, shown_again(shown.source_key))
    terminal.run_json("backup", file, "--all-users")
    clear(both, "memories")
    terminal.run_json("restore", file, storage="memories")

    assert len(before) == 2 * PATTERNS + 1
    [(content, metadata)] = rows(
        both, "select content::jsonb, metadata from public.memories where content like '%notes%'"
    )
    assert content["notes"] == [1.50, None]
    assert (metadata["tags"], metadata["deep"]) == (["x"], {"a": None})
    assert len(content["actions"]) == 1


def shown_again(key: str) -> Any:
    return make_pattern(source_key=key, trigger="Fix it", actions=(make_action(),))


def test_delete_source_deletes_only_moved_memories(both: psycopg.Connection, terminal: Terminal) -> None:
    """Other memories are not ours, and a pattern that was updated since the move is not in the target table."""
    mine = user_of(both, LOGIN)
    insert_foreign(both, mine, type="note")
    move(terminal)
    written = "select id from public.memories where type = 'workflow' and metadata -> 'workflow' is null limit 1"
    changed = ask(both, written)
    both.execute(
        "update public.memories set content = jsonb_set(content::jsonb, '{outcome}', '\"failed\"')::text where id = %s",
        [changed],
    )
    both.execute("update public.behavior_patterns set use_count = 40, last_used_at = now() where id <> %s", [changed])

    result = move(terminal, "--delete-source", status=1)

    assert (result["moved"], result["already_there"], result["deleted"]) == (0, 2 * PATTERNS, 2 * PATTERNS - 1)
    assert [(each["id"], "another version" in each["reason"]) for each in result["skipped"]] == [(str(changed), True)]
    assert rows(both, "select type from public.memories order by type") == [("note",), ("workflow",)]
    assert ask(both, "select count(*) from public.behavior_patterns") == 2 * PATTERNS


def test_pattern_updated_in_the_target_counts_as_moved(
    server: Server, both: psycopg.Connection, terminal: Terminal
) -> None:
    """A user moves, works on for a week, and then deletes."""
    move(terminal)
    with member_store(both, server, LOGIN, "behavior_patterns") as store:
        [first, *_] = store.newest(project=None, limit=1)
        changed = {"actions": (make_action(),) * 5, "workflow": first.workflow}
        save(store, shown_again(first.source_key).model_copy(update=changed))

    result = move(terminal, "--delete-source")

    assert (result["deleted"], result["skipped"]) == (2 * PATTERNS, [])
    assert table(both, "memories") == []


def test_workflow_computed_in_both_tables_counts_as_moved(
    server: Server, both: psycopg.Connection, terminal: Terminal
) -> None:
    """Both are computed from the same evidence, whichever setting the worker had; what a caller wrote is not."""
    move(terminal)
    for storage in ("memories", "behavior_patterns"):
        with member_store(both, server, LOGIN, storage) as store:
            save(store, make_pattern(source_key="job", workflow=make_workflow()), [1.0] * 1536, MODEL)
            save(store, make_pattern(source_key="written"))

    result = move(terminal, "--delete-source", status=1)

    assert (result["moved"], result["deleted"]) == (0, 2 * PATTERNS + 1)
    assert len(result["skipped"]) == 1
    assert rows(both, "select metadata ->> 'source_key' from public.memories") == [("written",)]


def test_workflows_of_other_programs_are_moved_as_additions(
    both: psycopg.Connection, terminal: Terminal, tmp_path: Path
) -> None:
    """Only ours have a job; the word is a common one."""
    file = str(tmp_path / "backup")
    clear(both, "memories")
    for number, theirs in enumerate(["deploy", {"name": "deploy"}, ["deploy"]]):
        metadata = {**FOREIGN["metadata"], "workflow": theirs, "source_key": f"theirs-{number}"}
        insert_foreign(both, user_of(both, LOGIN), metadata=metadata)
    kept = "select metadata -> 'workflow' from public.memories order by metadata ->> 'source_key'"
    before = rows(both, kept)

    result = move(terminal)
    computed = ask(both, "select count(workflow) from public.behavior_patterns")
    terminal.run_json("backup", file, "--all-users")
    clear(both, "memories")
    terminal.run_json("restore", file, storage="memories")

    assert (result["moved"], computed) == (3, 0)
    assert rows(both, kept) == before


def test_move_reports_rows_it_cannot_move(
    server: Server, fresh: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Workflows in the guide's shape are patterns; other rows stay and are never quoted."""
    found_memories(fresh)
    insert_foreign(fresh, UUID(A))
    insert_foreign(fresh, UUID(A), content="canary: not JSON")
    insert_foreign(fresh, UUID(A), metadata={"confidence": "canary"})
    insert_foreign(fresh, UUID(A), metadata={**FOREIGN["metadata"], "big": "canary" * 20_000})
    insert_foreign(fresh, UUID(A), type="note")
    fresh.execute("update public.memories set tags = '{a,b}', embedding = array_fill(0.5, array[1536])::real[]")
    before = table(fresh, "memories")
    terminal = Terminal(server, fresh.info.dbname, monkeypatch)

    done = terminal.run("move", "--to", "behavior_patterns", "--delete-source")

    assert done.exit_code == 1
    assert "1 moved, 0 already there, 3 skipped, 1 deleted" in done.stdout
    assert "its content is not JSON" in done.stdout
    assert "its metadata has a value of the wrong type" in done.stdout
    assert "CheckViolation, behavior_patterns_provenance_check" in done.stdout
    assert "canary" not in done.output
    [row] = rows(fresh, "select to_jsonb(t) from public.behavior_patterns t")
    assert row[0]["provenance"]["memory"] == {
        "content": {"notes": [1.50, None]},
        "metadata": {"tags": ["x"], "deep": {"a": None}},
        "columns": {"tags": ["a", "b"]},
    }
    assert row[0]["embedding_model"] == "unknown"
    assert row[0]["updated_at"].startswith("2026-02-02")
    assert [each for each in before if each in table(fresh, "memories")] == table(fresh, "memories")
    assert len(table(fresh, "memories")) == 4


def test_move_explains_remaining_memories_and_empty_tables(both: psycopg.Connection, terminal: Terminal) -> None:
    """`0 moved` reads like a failure, and a copy in two tables like a mistake."""
    moved, deleted, empty = (
        terminal.run("move", *words, storage="memories").stdout for words in ((), ("--delete-source",), ())
    )

    assert "still in their table: `behavior db move --delete-source`" in moved
    assert "still there" not in deleted
    assert empty.endswith("There is nothing to move.\n")


@pytest.mark.parametrize("storage", ["behavior_patterns"])
def test_move_without_a_memories_table_fails(owner: psycopg.Connection, terminal: Terminal) -> None:
    """Creating an empty table for it would surprise the user."""
    assert "no table public.memories" in str(terminal.refused("move", "--to", "behavior_patterns"))
    assert ask(owner, "select to_regclass('public.memories')") is None
