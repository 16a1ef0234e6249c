"""Patterns in a memories table, our own or another program's."""

from __future__ import annotations

import hashlib
import json
from functools import reduce
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from behavior_plugin.config import Storage
from behavior_plugin.errors import SchemaError, StoreError
from behavior_plugin.store.embedded.server import Server
from behavior_plugin.store.migrate import migrate
from behavior_plugin.store.postgres import PostgresStore
from behavior_plugin.store.sql_files import migrations, script
from behavior_plugin.workflow import Saved
from tests.database import LOGIN, A, B, count_use, make_memories, make_user, member_store, rows, save
from tests.factories import make_action, make_pattern
from tests.search import nearest

MODEL = "offline"
ONES = [1.0] * 1536
# The shape in the guide: we require no more than this of other tables.
FOREIGN_CONTENT = '{"trigger": "Fix the failing test", "actions": [], "outcome": "success"}'
FOREIGN_METADATA = {"confidence": 0.8, "use_count": 3, "context": {"directory": "/work"}}
# Longer than an index entry may be, and not compressible.
NOISE = "".join(hashlib.sha256(bytes([number])).hexdigest() for number in range(200))
DEEP: dict[str, Any] = reduce(lambda inner, _: {"a": inner}, range(70), {})
# Workflows of another program, and the reasons why they are not patterns.
UNREADABLE: list[tuple[str | None, Any, str]] = [
    (None, {}, "its content is not a JSON object"),
    ("", {}, "its content is not JSON"),
    ("not json at all", {}, "its content is not JSON"),
    ('{"trigger": "x"', {}, "its content is not JSON"),
    ('{"trigger": "\\u0000"}', {}, "its content is not JSON"),
    ('{"trigger": "\\ud83d"}', {}, "its content is not JSON"),
    ('{"trigger": 1e999999}', {}, "its content is not JSON"),
    ('{"trigger":' + 50_000 * "[" + 50_000 * "]" + "}", {}, "its content is not JSON"),
    ("null", {}, "its content is not a JSON object"),
    ("[1, 2]", {}, "its content is not a JSON object"),
    ("{}", {}, "its trigger is not a string"),
    (FOREIGN_CONTENT.replace("Fix the failing test", " \\n "), {}, "its trigger is blank"),
    (FOREIGN_CONTENT.replace("Fix the failing test", 33_000 * "x"), {}, "its trigger is too long"),
    (FOREIGN_CONTENT.replace("[]", "{}"), {}, "its actions are not a list"),
    (FOREIGN_CONTENT.replace("success", "great"), {}, "its outcome is unknown"),
    (FOREIGN_CONTENT, None, "its metadata is not a JSON object"),
    (FOREIGN_CONTENT, [], "its metadata is not a JSON object"),
    (FOREIGN_CONTENT, {"confidence": "high"}, "its metadata has a value of the wrong type"),
    (FOREIGN_CONTENT, {"confidence": "NaN"}, "its confidence is not from 0 to 1"),
    (FOREIGN_CONTENT, {"use_count": 99999999999}, "its metadata has a value of the wrong type"),
    (FOREIGN_CONTENT, {"use_count": -1}, "its use_count is below 0"),
    (FOREIGN_CONTENT, {"context": "here"}, "its context is not an object"),
    (FOREIGN_CONTENT, {"started_at": "yesterday evening"}, "its metadata has a value of the wrong type"),
    (FOREIGN_CONTENT, {"started_at": "infinity"}, "it has a date out of range"),
    (FOREIGN_CONTENT, {"last_used_at": "0044-03-15 12:00 BC"}, "it has a date out of range"),
    (FOREIGN_CONTENT, {"source_key": ""}, "its source_key is empty or too long"),
    (FOREIGN_CONTENT, {"source_key": NOISE}, "its source_key is empty or too long"),
    (FOREIGN_CONTENT, {"confidence": NOISE}, "its metadata has a value of the wrong type"),
    (FOREIGN_CONTENT, {"context": DEEP}, "it is nested too deeply"),
    (FOREIGN_CONTENT.replace("[]", json.dumps([DEEP])), {}, "it is nested too deeply"),
]


@pytest.fixture
def storage() -> Storage:
    return "memories"


@pytest.fixture
def ground(template: str, fresh: psycopg.Connection) -> psycopg.Connection:
    """The owner's connection to a database with the shared migrations and no table of patterns."""
    assert template, "it brings the login, which all databases of a server share"
    for migration in migrations():
        fresh.execute(migration.file.read_bytes())
    fresh.execute("set search_path = public, extensions")
    return fresh


@pytest.fixture
def found(ground: psycopg.Connection) -> psycopg.Connection:
    """The owner's connection to a database with another program's table of memories."""
    make_memories(ground)
    for user in (A, B):
        make_user(ground, user)
    return ground


def keep(owner: psycopg.Connection, user: str, content: str | None, metadata: Any, **columns: Any) -> None:
    """Insert a memory as another program does."""
    values = {"type": "workflow", "embedding": str(ONES), **columns}
    owner.execute(
        "insert into public.memories (user_id, content, metadata, type, embedding) values (%s, %s, %s, %s, %s)",
        [user, content, None if metadata is None else Jsonb(metadata), values["type"], values["embedding"]],
    )


def me(owner: psycopg.Connection) -> str:
    return str(rows(owner, f"select user_id from behavior.members where login = '{LOGIN}'")[0][0])


def shape(owner: psycopg.Connection) -> list[tuple[Any, ...]]:
    """All properties of the table that its owner decides."""
    return rows(
        owner,
        """select 'table', relacl::text, concat_ws(' ', relrowsecurity, relforcerowsecurity), reloptions::text
             from pg_class where oid = 'public.memories'::regclass
           union all
           select 'column', attname, format_type(atttypid, atttypmod), concat_ws(' ', attnotnull, attstorage, attacl)
             from pg_attribute where attrelid = 'public.memories'::regclass and attnum > 0
           union all
           select 'policy', polname, pg_get_expr(polqual, polrelid), polcmd::text
             from pg_policy where polrelid = 'public.memories'::regclass
           union all
           select 'constraint', conname, pg_get_constraintdef(oid), '' from pg_constraint
            where conrelid = 'public.memories'::regclass
           union all
           select 'trigger', tgname, '', '' from pg_trigger where tgrelid = 'public.memories'::regclass
           union all
           select 'comment', obj_description('public.memories'::regclass), '', ''""",
    )


# Another program's table


def test_existing_memories_table_is_used_unchanged(server: Server, found: psycopg.Connection) -> None:
    """Another program relies on its columns, rights and policies."""
    keep(found, A, "a note", {"any": "thing"}, type="note")
    before = shape(found), rows(found, "select to_jsonb(m) from public.memories m")
    pattern = make_pattern()

    migrate(found, "memories")
    after = shape(found), rows(found, "select to_jsonb(m) from public.memories m")
    with member_store(found, server, storage="memories") as store:
        save(store, pattern, ONES, MODEL)
        [match] = nearest(store, ONES, MODEL, min_similarity=0.9, project=None, limit=5)

    assert after == before
    assert match.pattern.source_key == pattern.source_key
    assert rows(found, "select type, count(*) from public.memories group by type order by type") == [
        ("note", 1),
        ("workflow", 1),
    ]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("drop column metadata", "column metadata is missing"),
        ("alter column embedding type vector(768)", r"column embedding is vector\(768\), and must be vector\(1536\)"),
        ("alter column content type varchar(1000)", r"column content is character varying\(1000\), and must be text"),
        ("alter column metadata type text", "column metadata is text, and must be jsonb"),
        ("alter column created_at type timestamp", "column created_at is timestamp without time zone"),
        ("alter column id drop default", "column id has no default"),
        ("add column agent text not null", "column agent must be given and has no default"),
        ("disable row level security", "row level security is not enabled"),
    ],
)
def test_unsuitable_memories_table_is_refused_with_the_reason(
    found: psycopg.Connection, change: str, reason: str
) -> None:
    """The first pattern would be too late to find out, and only its owner may change the table."""
    found.execute(f"alter table public.memories {change}".encode())
    before = shape(found)

    with pytest.raises(SchemaError, match=rf"0201_memories\.sql: public\.memories .*{reason}"):
        migrate(found, "memories")

    assert shape(found) == before
    assert rows(found, "select version from behavior.migrations where version between 201 and 299") == []


@pytest.mark.parametrize(
    ("right", "reason"),
    [
        ("delete", "authenticated may not delete"),
        ("insert", "authenticated may not insert content"),
        ("update", "authenticated may not update metadata"),
        ("select", "authenticated may not select id"),
    ],
)
def test_memories_table_without_user_rights_is_refused(found: psycopg.Connection, right: str, reason: str) -> None:
    """Otherwise all work would become dead letters."""
    found.execute(f"revoke {right} on public.memories from authenticated".encode())

    with pytest.raises(SchemaError, match=reason):
        migrate(found, "memories")


def test_all_problems_of_a_memories_table_are_reported_at_once(found: psycopg.Connection) -> None:
    """Nobody wants to repair a table one error message at a time."""
    found.execute("alter table public.memories drop column content, disable row level security")

    with pytest.raises(SchemaError, match=r"column content is missing, .*; row level security is not enabled"):
        migrate(found, "memories")


def test_memories_view_is_refused(ground: psycopg.Connection) -> None:
    """A view has columns, but nothing else that we need."""
    ground.execute("create view public.memories as select 1 as id")

    with pytest.raises(SchemaError, match="it is not a table"):
        migrate(ground, "memories")


def test_existing_indexes_of_the_guide_stay(found: psycopg.Connection) -> None:
    """Users of the guide have an index of that name; replacing it is not worth it."""
    guide = "create index memories_type_workflow_idx on public.memories (type) where type = 'workflow'"
    found.execute(guide.encode())

    migrate(found, "memories")
    found.execute(script("rollback", "memories"))

    assert rows(found, "select indexname from pg_indexes where tablename = 'memories' order by 1") == [
        ("memories_pkey",),
        ("memories_type_workflow_idx",),
    ]


def test_other_programs_can_still_write_memories(found: psycopg.Connection) -> None:
    """Our indexes are on their table and must not refuse their rows or their logins."""
    migrate(found, "memories")
    found.execute("create role another_program nologin bypassrls")
    found.execute("grant insert, select, update on public.memories to another_program")
    found.execute("grant usage on schema public, extensions to another_program")

    with found.transaction():
        found.execute("set local role another_program")
        for content, metadata, _ in UNREADABLE:
            keep(found, A, content, metadata)
        keep(found, A, FOREIGN_CONTENT, FOREIGN_METADATA)
        found.execute("update public.memories set note = 'seen'")

    assert rows(found, "select count(*) from public.memories") == [(len(UNREADABLE) + 1,)]


def test_existing_rows_do_not_stop_the_migration(found: psycopg.Connection) -> None:
    """Their program did not know the limits of our indexes."""
    for content, metadata, _ in UNREADABLE:
        keep(found, A, content, metadata)

    migrate(found, "memories")

    assert rows(found, "select count(*) from public.memories") == [(len(UNREADABLE),)]


def test_workflows_of_another_shape_are_ignored(server: Server, found: psycopg.Connection) -> None:
    """A single row of another program must not hide patterns, nor take their place in an answer."""
    migrate(found, "memories")
    with member_store(found, server, storage="memories") as store:
        keep(found, me(found), FOREIGN_CONTENT, {"embedding_model": MODEL})
        found.execute("update public.memories set created_at = 'infinity'")
        for content, metadata, _ in UNREADABLE:
            marked = {**metadata, "embedding_model": MODEL} if isinstance(metadata, dict) else metadata
            keep(found, me(found), content, marked)
        keep(found, me(found), FOREIGN_CONTENT, {**FOREIGN_METADATA, "embedding_model": MODEL}, type="note")
        pattern = make_pattern(trigger="Fix the failing test")
        save(store, pattern, [1.0, *[0.0] * 1535], MODEL)

        [near] = nearest(store, ONES, MODEL, min_similarity=-1, project=None, limit=2)
        asked = store.triggers(models={MODEL: 2}, project=None)
        [keyed] = store.patterns_with([pattern.source_key])
        [listed] = store.newest(project=None, limit=5)
        [shown] = store.starting_with(str(listed.id))

        assert near.pattern == keyed == listed == shown
        assert listed.source_key == pattern.source_key
        assert pattern.source_key in [each.source_key for each in asked]
        assert store.count() == 2


@pytest.mark.parametrize(("content", "metadata", "problem"), UNREADABLE, ids=range(len(UNREADABLE)))
def test_move_reports_the_problem_of_each_unreadable_workflow(
    owner: psycopg.Connection, content: str | None, metadata: Any, problem: str
) -> None:
    """The user has to know what to repair; the content of the row stays private."""
    given = [content, None if metadata is None else Jsonb(metadata)]

    assert owner.execute("select behavior.workflow_problem(%s, %s)", given).fetchone() == (problem,)


def test_workflow_in_the_guides_shape_is_a_pattern(server: Server, found: psycopg.Connection) -> None:
    """Its vector has no model, so only word search finds it; everything else is complete."""
    migrate(found, "memories")
    with member_store(found, server, storage="memories") as store:
        keep(found, me(found), FOREIGN_CONTENT, FOREIGN_METADATA)
        [stored] = store.newest(project=None, limit=5)

        assert (stored.trigger, stored.final_outcome) == ("Fix the failing test", "success")
        assert (stored.confidence, stored.use_count, stored.context.directory) == (0.8, 3, "/work")
        assert stored.source_key == str(stored.id)
        assert stored.started_at == stored.created_at
        assert count_use(store, stored.source_key)
        assert store.newest(project=None, limit=5)[0].use_count == 4
        assert nearest(store, ONES, MODEL, min_similarity=0.5, project=None, limit=5) == []
        [trigger] = store.triggers(models={MODEL: 2}, project=None)
        assert trigger.embedding is None


def test_zero_vector_of_another_program_matches_nothing(server: Server, found: psycopg.Connection) -> None:
    """Another program's table has no check against it, and the distance to it is not a number."""
    migrate(found, "memories")
    with member_store(found, server, storage="memories") as store:
        keep(found, me(found), FOREIGN_CONTENT, {"embedding_model": MODEL}, embedding=str([0] * 1536))

        assert nearest(store, ONES, MODEL, min_similarity=-1, project=None, limit=5) == []


@pytest.mark.parametrize(
    ("pattern", "embedding"),
    [
        (make_pattern(trigger=" "), ONES),
        (make_pattern(trigger="x" * 33_000), ONES),
        (make_pattern(source_key=""), ONES),
        (make_pattern(session_id="s" * 201), ONES),
        (make_pattern(), [0.0] * 1536),
    ],
    ids=["blank", "long", "no key", "long session", "no length"],
)
def test_patterns_are_checked_in_tables_without_constraints(
    server: Server, found: psycopg.Connection, pattern: Any, embedding: list[float]
) -> None:
    """A row that behavior_patterns refuses could never be moved there."""
    migrate(found, "memories")
    with member_store(found, server, storage="memories") as store:
        with pytest.raises(StoreError, match="memories_workflow_check"):
            save(store, pattern, embedding, MODEL)

        assert rows(found, "select count(*) from public.memories") == [(0,)]


def test_additions_of_other_programs_survive_an_update(server: Server, found: psycopg.Connection) -> None:
    """Another program may tag memories."""
    migrate(found, "memories")
    pattern = make_pattern()
    with member_store(found, server, storage="memories") as store:
        save(store, pattern, ONES, MODEL)
        found.execute("""update public.memories set metadata = metadata || '{"liked": true}',
                         content = (content::jsonb || '{"note": [1]}')::text""")
        save(store, pattern.model_copy(update={"actions": (make_action(), make_action())}), ONES, MODEL)

        [stored] = store.newest(project=None, limit=5)
    assert len(stored.actions) == 2
    assert rows(found, "select metadata -> 'liked', content::jsonb -> 'note' from public.memories") == [(True, [1])]


def test_pattern_changed_by_another_program_is_not_overwritten(server: Server, found: psycopg.Connection) -> None:
    """Nor may each import try to."""
    migrate(found, "memories")
    pattern = make_pattern()
    longer = pattern.model_copy(update={"actions": (make_action(), make_action())})
    with member_store(found, server, storage="memories") as store:
        save(store, pattern, ONES, MODEL)
        found.execute("update public.memories set content = 'not json at all'")

        assert save(store, longer, ONES, MODEL) is Saved.UNCHANGED
        assert rows(found, "select content from public.memories") == [("not json at all",)]


# Our own table


@pytest.mark.parametrize(("content", "metadata", "_problem"), UNREADABLE, ids=range(len(UNREADABLE)))
def test_our_memories_table_refuses_malformed_workflows(
    owner: psycopg.Connection, content: str | None, metadata: Any, _problem: str
) -> None:
    """Our own table checks the workflows of other programs too."""
    owner.execute("insert into auth.users (id) values (%s)", [A])

    with pytest.raises(psycopg.IntegrityError):
        keep(owner, A, content, metadata)


def test_search_uses_an_index_and_parses_no_other_content(store: PostgresStore, owner: psycopg.Connection) -> None:
    """Parsing every memory for each prompt would take seconds in a large table."""
    for number in range(30):
        save(store, make_pattern(), [1.0, number / 10, *[0.0] * 1534], MODEL)
    owner.execute("analyze public.memories")
    owner.execute("set enable_seqscan = off")
    owner.execute("set search_path = public, extensions")

    plan = rows(
        owner,
        f"""explain select id from public.memories
             where user_id = '{me(owner)}' and type = 'workflow'
               and behavior.workflow_problem(content, metadata) is null
               and metadata ->> 'embedding_model' = '{MODEL}'
             order by embedding <=> '{ONES}' limit 5""",
    )

    text = "\n".join(line for (line,) in plan)
    assert "memories_workflow_model_idx" in text
    assert "workflow_problem" not in text
