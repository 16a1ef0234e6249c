"""Forgetting on a real database: the rows that go and stay, and that a log does not bring them back."""

from __future__ import annotations

from datetime import timedelta

import psycopg
import pytest

from behavior_plugin.config import Storage
from behavior_plugin.forget import forget
from behavior_plugin.learn import compute_patterns, save_turns
from behavior_plugin.model import Context, Turn
from behavior_plugin.store import Forgotten, Selection, ToRedact
from behavior_plugin.store.postgres import PostgresStore
from behavior_plugin.store.sql_files import STORAGES
from behavior_plugin.workflow import Remark, RemarkKind, Saved
from tests.database import ask, rows, save
from tests.factories import START, make_action, make_pattern, make_turn

CANARY = "Canary-7f3a9c"
EVERYTHING = Selection(is_everything=True)


@pytest.fixture(params=STORAGES)
def storage(request: pytest.FixtureRequest) -> Storage:
    """Both storages behave the same."""
    chosen: Storage = request.param
    return chosen


def work(session: str, prompt: str = "Fix the failing test", *, days: int = 0, project: str = "shop") -> Turn:
    """A turn with an edit and a check, which has a job."""
    at = START + timedelta(days=days, milliseconds=sum(map(ord, session)))
    return make_turn(
        prompt,
        make_action("Edit", parameters={"file_path": "src/cart.py"}, timestamp=at),
        make_action(parameters={"command": "make test"}, timestamp=at),
        session_id=session,
        source_key=f"{session} {prompt}"[:100],
        started_at=at,
        context=Context(directory=f"/{project}", root=f"/{project}", project=project),
    )


def fix_and_commit() -> tuple[Turn, Turn]:
    """A session with work, and a prompt that delivers it, which is a part of the work and one of its own."""
    fix = work("a")
    later = fix.started_at + timedelta(minutes=5)
    commit = make_turn(
        "/commit",
        make_action(parameters={"command": "git commit -m x"}, timestamp=later),
        session_id="a",
        source_key="commit",
        started_at=later,
        context=fix.context,
    )
    return fix, commit


def learn(store: PostgresStore, *turns: Turn) -> None:
    save_turns(turns, store)
    compute_patterns(embedder=None, store=store)


def told(owner: psycopg.Connection) -> list[str]:
    return [session for (session,) in rows(owner, "select session_id from behavior.episodes order by session_id")]


def do(store: PostgresStore, selection: Selection, *, is_marked: bool = True) -> Forgotten:
    _, done = forget(selection, store, is_marked=is_marked)
    compute_patterns(embedder=None, store=store)
    return done


def dumped(owner: psycopg.Connection, storage: Storage) -> str:
    """Everything of every table that we have rows in."""
    tables = (f"public.{storage}", "behavior.episodes", "behavior.remarks")
    return "\n".join(str(row) for table in tables for row in rows(owner, f"select to_jsonb(t) from {table} t"))


def test_forgetting_one_session_of_three_leaves_the_pattern_with_two(store: PostgresStore) -> None:
    learn(store, work("a"), work("b"), work("c"))

    done = do(store, Selection(session_id="b"))

    [pattern] = store.newest(project=None, limit=5)
    assert pattern.workflow
    assert pattern.workflow.times == 2
    assert (done.episodes, done.turns, done.gone_patterns) == (1, 1, set())


def test_marks_are_nothing_to_redact_again(store: PostgresStore) -> None:
    """They have no text; status would ask for it after each forgetting."""
    learn(store, work("a"))
    do(store, Selection(session_id="a"))

    with store.evidence() as evidence:
        assert evidence.remarks_to_redact() == []
    assert store.to_redact() == ToRedact(sessions=0, remarks=0)


def test_turns_that_wait_are_marked_with_what_is_stored(store: PostgresStore) -> None:
    """They are in the agent's log, too."""
    forget(Selection(session_id="a"), store, waiting=[work("a")], is_dry_run=True)
    assert save_turns([work("a")], store) == [Saved.ADDED]

    forget(Selection(session_id="a"), store, waiting=[work("b")])

    assert save_turns([work("a"), work("b"), work("c")], store) == [Saved.UNCHANGED, Saved.UNCHANGED, Saved.ADDED]


@pytest.mark.parametrize(
    ("selection", "left"),
    [
        (Selection(session_id="b"), ["a", "c", "d"]),
        (Selection(project="shop"), ["d"]),
        (Selection(since=START + timedelta(days=2)), ["a", "b"]),
        (Selection(until=START + timedelta(days=2)), ["c", "d"]),
        (Selection(text=CANARY.upper()), ["a", "b", "c"]),
        (Selection(text="SRC/CART.PY"), []),
        (Selection(text="make TEST", project="docs"), ["a", "b", "c"]),
        (Selection(text="%"), ["a", "b", "c", "d"]),
        (Selection(text='say "hi"\\'), ["a", "b", "d"]),
        (Selection(project="shop", since=START + timedelta(days=2)), ["a", "b", "d"]),
        (Selection(session_id="b", project="docs"), ["a", "b", "c", "d"]),
        (EVERYTHING, []),
    ],
)
def test_what_fits_all_criteria_goes(
    store: PostgresStore, owner: psycopg.Connection, selection: Selection, left: list[str]
) -> None:
    learn(
        store,
        work("a"),
        work("b", days=1),
        work("c", 'say "hi"\\', days=3),
        work("d", f"remove {CANARY} from it", days=4, project="docs"),
    )

    do(store, selection)

    assert told(owner) == left


def test_a_dry_run_reports_the_same_and_deletes_nothing(
    store: PostgresStore, owner: psycopg.Connection, storage: Storage
) -> None:
    learn(store, work("a"), work("b"))
    save(store, make_pattern(source_key="written", session_id="a"))
    before = dumped(owner, storage)

    expected = forget(Selection(session_id="a"), store, is_dry_run=True)

    assert dumped(owner, storage) == before
    assert forget(Selection(session_id="a"), store) == expected
    assert (expected[1].episodes, expected[1].written_keys) == (1, {"written"})


def test_a_forgotten_pattern_does_not_come_back_from_the_log_but_from_new_work(
    store: PostgresStore, owner: psycopg.Connection
) -> None:
    past = [work("a"), work("b")]
    learn(store, *past, work("other", project="docs"))
    [pattern] = store.newest(project="shop", limit=5)

    do(store, Selection(pattern_key=pattern.source_key))
    learn(store, *past)

    assert told(owner) == ["other"]
    learn(store, work("new"))
    [again] = store.newest(project="shop", limit=5)
    assert again.workflow
    assert again.workflow.times == 1


def test_a_fork_does_not_bring_forgotten_work_back(store: PostgresStore, owner: psycopg.Connection) -> None:
    """It repeats the turn with its time under a key of its own."""
    learn(store, original := work("a"))
    do(store, Selection(session_id="a"))

    learn(store, original.model_copy(update={"session_id": "fork", "source_key": "of the fork"}))

    assert told(owner) == []


def test_marks_have_no_text_and_are_salted(store: PostgresStore, owner: psycopg.Connection) -> None:
    learn(store, work("a", CANARY), work("b"))

    do(store, Selection(session_id="a"))
    do(store, Selection(session_id="b"))

    marks = rows(owner, "select pattern_key, details, note, session_id from behavior.remarks")
    assert len(marks) == 4
    assert {(len(mark), tuple(details), note, session) for mark, details, note, session in marks} == {
        (40, ("salt",), "", "")
    }
    assert len({details["salt"] for _, details, _, _ in marks}) == 1


def test_nothing_is_left_of_everything(store: PostgresStore, owner: psycopg.Connection, storage: Storage) -> None:
    """Not even the marks: whoever starts over may import the logs again."""
    learn(store, work("a"), work("b"))
    do(store, Selection(session_id="a"))
    save(store, make_pattern(source_key="written"))
    [pattern] = store.newest(project="shop", limit=5)
    store.add_remark(Remark(pattern_key=pattern.source_key, kind=RemarkKind.BAD, made_at=START, note=CANARY))

    done = do(store, EVERYTHING)

    assert dumped(owner, storage) == ""
    assert (done.episodes, done.remarks, len(done.written_keys)) == (1, 1, 2)
    learn(store, work("a"))
    assert told(owner) == ["a"]


def test_what_was_said_of_a_pattern_goes_with_it(store: PostgresStore, owner: psycopg.Connection) -> None:
    learn(store, work("a"), work("b"))
    [pattern] = store.newest(project="shop", limit=5)
    store.add_remark(Remark(pattern_key=pattern.source_key, kind=RemarkKind.EDIT, made_at=START, steps=(CANARY,)))
    store.add_remark(Remark(pattern_key=pattern.source_key, kind=RemarkKind.SHOWN, made_at=START, session_id="a"))

    do(store, Selection(session_id="a"))

    kinds = "select kind from behavior.remarks where kind <> 'forgotten' order by kind"
    assert rows(owner, kinds) == [("edit",)]
    do(store, Selection(session_id="b"))
    assert rows(owner, kinds) == []


def test_text_is_found_in_remarks_too(store: PostgresStore, owner: psycopg.Connection) -> None:
    learn(store, work("a"))
    [pattern] = store.newest(project="shop", limit=5)
    for note in (f"as {CANARY} says", "kept"):
        store.add_remark(Remark(pattern_key=pattern.source_key, kind=RemarkKind.GOOD, made_at=START, note=note))

    assert do(store, Selection(text=CANARY)).remarks == 1

    assert rows(owner, "select note from behavior.remarks") == [("kept",)]
    assert told(owner) == ["a"]


def test_a_pattern_that_stands_on_parts_takes_only_these_turns(store: PostgresStore, owner: psycopg.Connection) -> None:
    """The work around them belongs to another pattern."""
    fix, commit = fix_and_commit()
    learn(store, fix, commit)
    [(key,)] = rows(owner, "select pattern_key from behavior.episodes where part_of <> ''")

    do(store, Selection(pattern_key=key))

    assert rows(owner, "select source_key, jsonb_array_length(turns) from behavior.episodes") == [(fix.source_key, 1)]
    learn(store, fix, commit)
    assert rows(owner, "select source_key, jsonb_array_length(turns) from behavior.episodes") == [(fix.source_key, 1)]


def test_work_goes_with_its_parts(store: PostgresStore, owner: psycopg.Connection) -> None:
    learn(store, *fix_and_commit())

    done = do(store, Selection(session_id="a"))

    assert (told(owner), store.count()) == ([], 0)
    assert (done.episodes, done.turns, len(done.gone_patterns)) == (1, 2, 2)


def test_rows_of_a_newer_version_go_too(store: PostgresStore, owner: psycopg.Connection) -> None:
    learn(store, work("a", CANARY))
    owner.execute('update behavior.episodes set schema_version = 99, turns = \'[{"new": "canary-7F3A9C"}]\'')

    do(store, Selection(text=CANARY))

    assert told(owner) == []


def test_other_users_keep_their_work(
    store: PostgresStore, other_store: PostgresStore, owner: psycopg.Connection
) -> None:
    learn(store, work("a"))
    learn(other_store, work("a"))

    do(store, EVERYTHING)

    assert ask(owner, "select count(*) from behavior.episodes") == 1
    assert len(other_store.newest(project=None, limit=5)) == 1


def test_size_names_the_work_beyond_a_limit(store: PostgresStore) -> None:
    turns = [work(name, days=day) for day, name in enumerate("abc")]
    learn(store, *turns)

    total = store.size().bytes

    assert total > 3 * 500
    assert store.size(total).beyond is None
    assert store.size(total - 1).beyond == turns[0].started_at
    assert store.size(0).beyond == turns[2].started_at


def test_work_before_a_moment_is_found(store: PostgresStore) -> None:
    """The worker asks this before it forgets by itself."""
    turn = work("a")
    learn(store, turn)

    assert not store.has_work_before(turn.started_at)
    assert store.has_work_before(turn.started_at + timedelta(microseconds=1))
