"""Patterns on their way from one table into the other, without a loss or a change."""

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
from tests.database import LOGIN, A, ask, member_store, rows
from tests.factories import make_action, make_pattern
from tests.integration.carrying import (
    FOREIGN,
    TEXTS,
    Terminal,
    canonical,
    clear,
    fill,
    found_memories,
    keep_foreign,
    table,
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
    return terminal.told("move", "--to", "behavior_patterns", *words, status=status, storage="memories")


def test_patterns_move_without_a_loss_and_memories_stay(both: psycopg.Connection, terminal: Terminal) -> None:
    """The table of their own is better, and the way there must cost nothing."""
    before = table(both, "memories")

    told = move(terminal)
    again = move(terminal)

    assert told == {"moved": len(before), "already_there": 0, "skipped": []}
    assert again == {"moved": 0, "already_there": len(before), "skipped": []}
    assert canonical(both, "behavior_patterns") == canonical(both, "memories")
    assert table(both, "memories") == before


def test_an_interrupted_move_goes_on_where_it_was(
    both: psycopg.Connection, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A laptop is closed in the middle of it."""
    monkeypatch.setattr(moving, "BATCH", 3)
    moving.prepare(both)
    batches = moving.move(both)
    assert next(batches).total == 3
    del batches
    kept = canonical(both, "behavior_patterns")

    told = move(terminal)

    assert len(kept) == 3
    assert told == {"moved": 2 * len(TEXTS) - 3, "already_there": 3, "skipped": []}
    assert canonical(both, "behavior_patterns") == canonical(both, "memories")


def test_a_batch_that_fails_leaves_nothing_of_itself(
    both: psycopg.Connection, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection is lost at any moment, also in the middle of a batch."""
    moving.prepare(both)

    def lost(*_: Any, **__: Any) -> None:
        raise psycopg.OperationalError

    with monkeypatch.context() as broken:
        broken.setattr(stored_rows, "_count_rows", lost)
        with pytest.raises(BehaviorError):
            list(moving.move(both))

    assert table(both, "behavior_patterns") == []
    assert move(terminal)["moved"] == 2 * len(TEXTS)


def test_memories_of_others_are_carried_whole_and_come_back(
    server: Server, both: psycopg.Connection, terminal: Terminal, tmp_path: Path
) -> None:
    """What another program noted beside a pattern is not ours to drop, nor to hide the pattern for."""
    file = str(tmp_path / "backup")
    mine = user_of(both, LOGIN)
    keep_foreign(both, mine)
    before = canonical(both, "memories")

    move(terminal)
    with member_store(both, server, LOGIN, "behavior_patterns") as store:
        [shown] = [each for each in store.newest(project=None, limit=50) if each.trigger == "Fix it"]
        store.save(shown_again(shown.source_key), None, None)
    terminal.told("backup", file, "--all-users")
    clear(both, "memories")
    terminal.told("restore", file, storage="memories")

    assert len(before) == 2 * len(TEXTS) + 1
    [(content, metadata)] = rows(
        both, "select content::jsonb, metadata from public.memories where content like '%notes%'"
    )
    assert content["notes"] == [1.50, None]
    assert (metadata["tags"], metadata["deep"]) == (["x"], {"a": None})
    assert len(content["actions"]) == 1


def shown_again(key: str) -> Any:
    return make_pattern(source_key=key, trigger="Fix it", actions=(make_action(),))


def test_the_source_is_deleted_where_the_pattern_is_in_the_other_table(
    both: psycopg.Connection, terminal: Terminal
) -> None:
    """Other memories are not ours; and one that has been learned more of since the move is not in the other table."""
    mine = user_of(both, LOGIN)
    keep_foreign(both, mine, type="note")
    move(terminal)
    changed = ask(both, "select id from public.memories where type = 'workflow' limit 1")
    both.execute(
        "update public.memories set content = jsonb_set(content::jsonb, '{outcome}', '\"failed\"')::text where id = %s",
        [changed],
    )
    both.execute("update public.behavior_patterns set use_count = 40, last_used_at = now() where id <> %s", [changed])

    told = move(terminal, "--delete-source", status=1)

    assert (told["moved"], told["already_there"], told["deleted"]) == (0, 2 * len(TEXTS), 2 * len(TEXTS) - 1)
    assert [(each["id"], "another version" in each["reason"]) for each in told["skipped"]] == [(str(changed), True)]
    assert rows(both, "select type from public.memories order by type") == [("note",), ("workflow",)]
    assert ask(both, "select count(*) from public.behavior_patterns") == 2 * len(TEXTS)


def test_a_pattern_that_has_been_learned_more_of_since_counts_as_moved(
    server: Server, both: psycopg.Connection, terminal: Terminal
) -> None:
    """One moves, works on for a week, and then deletes."""
    move(terminal)
    with member_store(both, server, LOGIN, "behavior_patterns") as store:
        [first, *_] = store.newest(project=None, limit=1)
        store.save(shown_again(first.source_key).model_copy(update={"actions": (make_action(),) * 5}), None, None)

    told = move(terminal, "--delete-source")

    assert (told["deleted"], told["skipped"]) == (2 * len(TEXTS), [])
    assert table(both, "memories") == []


def test_a_table_of_another_program_is_moved_from_and_named_what_cannot(
    server: Server, fresh: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its workflows in the guide's shape are patterns; what is none stays, and is never quoted."""
    found_memories(fresh)
    keep_foreign(fresh, UUID(A))
    keep_foreign(fresh, UUID(A), content="canary: not JSON")
    keep_foreign(fresh, UUID(A), metadata={"confidence": "canary"})
    keep_foreign(fresh, UUID(A), metadata={**FOREIGN["metadata"], "big": "canary" * 20_000})
    keep_foreign(fresh, UUID(A), type="note")
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


def test_it_is_said_that_memories_are_still_there_and_when_nothing_is(
    both: psycopg.Connection, terminal: Terminal
) -> None:
    """`0 moved` reads like a failure, and a copy in two places like a mistake."""
    moved, deleted, empty = (
        terminal.run("move", *words, storage="memories").stdout for words in ((), ("--delete-source",), ())
    )

    assert "still there, too: `behavior db move --delete-source`" in moved
    assert "still there" not in deleted
    assert empty.endswith("There is nothing to move.\n")


@pytest.mark.parametrize("storage", ["behavior_patterns"])
def test_without_memories_there_is_nothing_to_move(owner: psycopg.Connection, terminal: Terminal) -> None:
    """To make an empty table for it would be a surprise."""
    assert "no table public.memories" in str(terminal.refused("move", "--to", "behavior_patterns"))
    assert ask(owner, "select to_regclass('public.memories')") is None
