"""The designs to compare: the migration guide's, alternatives, and ours."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from behavior_plugin.store.connection import value
from behavior_plugin.store.maintenance import tune
from behavior_plugin.store.migrate import migrate
from behavior_plugin.store.sql_files import Migration, migrations, script

Change = Callable[[psycopg.Connection], None]

MEMORY = 2 << 30
OWN_BITS = "behavior_patterns_user_bits_idx"
VECTORS = "vectors_idx"
# The function's body with a single plain search, for which the planner chooses between b-tree and index.
PLAIN = """
begin atomic
    select found.id, found.trigger, found.context, found.actions, found.final_outcome, found.confidence,
           found.use_count, 1 - found.distance, found.last_used_at, found.created_at, found.started_at,
           found.session_id, found.source_key, found.provenance, found.workflow, found.trigger
      from (select bp.*, bp.trigger_embedding <=> query_embedding as distance
              from public.behavior_patterns bp
             where bp.user_id = (select behavior.caller())
               and bp.embedding_model = query_model
               and (in_project is null or bp.project = in_project)
             order by {order}
             limit least(greatest(coalesce(match_count, 5), 0), 50)) found
     where found.distance <= 1 - match_threshold
     order by found.distance, found.started_at desc, found.id;
end;"""
# Our table with inline vectors, where an exact scan is 3 to 12 times faster; and with statistics, without which the
# planner would use none of these indexes.
PLAINLY = """
alter table public.behavior_patterns
    alter trigger_embedding set storage plain,
    alter user_id set statistics -1,
    alter embedding_model set statistics -1,
    alter project set statistics -1"""
DISTANCE = "bp.trigger_embedding <=> query_embedding"
HALF_DISTANCE = "(bp.trigger_embedding::halfvec(1536)) <=> (query_embedding::halfvec(1536))"
GRAPH = "set hnsw.ef_search = 200 set hnsw.iterative_scan = strict_order"


def nothing(owner: psycopg.Connection) -> None:
    pass


@dataclass(frozen=True)
class Design:
    """A way to search a table: the objects to create after its rows, and to remove afterwards."""

    name: str
    build: Change
    index: str
    clear: Change = nothing


@dataclass(frozen=True)
class Layout:
    """A table; its designs are measured one after the other on the same rows.

    `is_guide` marks the guide's own columns and functions; a partitioned table is meant for several users. `is_old` has
    the function of version 0.2. With `is_folded` the rows are evidence, and patterns are made of them.
    """

    name: str
    make: Change
    designs: tuple[Design, ...]
    is_guide: bool = False
    is_split: bool = False
    is_old: bool = False
    is_folded: bool = False


def layouts() -> list[Layout]:
    """All layouts: the guide's first, whose first design is the baseline, and ours last."""
    old = Design("0.2: a pattern for each prompt", nothing, OWN_BITS)
    folded = Design("ours: prompts as evidence of patterns", nothing, "behavior.episodes_user_bits_idx")
    return [
        Layout("guide", _make_guide, _guide_designs(), is_guide=True),
        Layout("vectors in the row", _make_plain, _plain_designs()),
        Layout("16 partitions by user", _make_partitions, (_vector_hnsw("16 partitions, HNSW"),), is_split=True),
        Layout("0.2", _make_old, (old,), is_old=True),
        Layout("evidence", migrate_all, (folded,), is_folded=True),
        Layout("ours", migrate_all, _our_designs()),
    ]


def _guide_designs() -> tuple[Design, ...]:
    index = "behavior_patterns_embedding_idx"
    return (
        Design("guide: ivfflat made on the empty table", nothing, index),
        Design("guide, its ivfflat rebuilt after the load", _fit_guide, index),
    )


def _plain_designs() -> tuple[Design, ...]:
    halves = _hnsw("(trigger_embedding::halfvec(1536)) halfvec_cosine_ops", HALF_DISTANCE)
    return (
        Design("exact: b-tree, all own vectors", _search_plainly, "plain_idx", _drop("plain_idx")),
        _vector_hnsw("HNSW", _drop(VECTORS)),
        Design("HNSW on halfvec", halves, VECTORS, _drop(VECTORS)),
    )


def _vector_hnsw(name: str, clear: Change = nothing) -> Design:
    return Design(name, _hnsw("trigger_embedding vector_cosine_ops", DISTANCE), VECTORS, clear)


def _our_designs() -> tuple[Design, ...]:
    return (
        Design("ours: own bits by b-tree, then vectors", _remake_bits, OWN_BITS),
        Design("ours, tuned: HNSW on bits", tuned("hnsw"), tune.INDEX, tuned("none")),
        Design("ours, ivfflat on bits", tuned("ivfflat"), tune.INDEX, tuned("none")),
    )


def migrate_all(owner: psycopg.Connection) -> None:
    migrate(owner)


def tuned(kind: tune.Kind) -> Change:
    def build(owner: psycopg.Connection) -> None:
        tune.apply(owner, tune.check(owner, "behavior_patterns", kind), memory=MEMORY)

    return build


def size(owner: psycopg.Connection, index: str) -> int:
    """The size of an index in bytes, with all its partitions."""
    named = index if "." in index else f"public.{index}"
    parts = "select sum(pg_relation_size(relid)) from pg_partition_tree(to_regclass(%s)) where isleaf"
    whole = "select pg_relation_size(to_regclass(%s))"
    return int(value(owner, parts, [named]) or value(owner, whole, [named]))


def _make_guide(owner: psycopg.Connection) -> None:
    for migration in migrations():
        owner.execute(migration.file.read_bytes())
    _run(owner, Path(__file__).with_name("guide.sql").read_text(encoding="utf-8"))


def _fit_guide(owner: psycopg.Connection) -> None:
    wanted = tune.plan_index(value(owner, "select count(*) from public.behavior_patterns"), "ivfflat")
    _run(
        owner,
        f"""drop index public.behavior_patterns_embedding_idx;
            create index behavior_patterns_embedding_idx on public.behavior_patterns
             using ivfflat (trigger_embedding vector_cosine_ops) with (lists = {wanted.lists});
            alter function public.find_similar_patterns set ivfflat.probes = {math.isqrt(wanted.lists or 1)}""",
    )


def _make_old(owner: psycopg.Connection) -> None:
    for migration in migrations("behavior_patterns"):
        if migration.version < 300:
            owner.execute(migration.file.read_bytes())


def _make_plain(owner: psycopg.Connection) -> None:
    migrate(owner)
    _run(owner, PLAINLY)


def _make_partitions(owner: psycopg.Connection) -> None:
    migrate(owner)
    _run(owner, script("partition", "behavior_patterns").decode())
    migrate(owner)
    _run(owner, PLAINLY)


def _search_plainly(owner: psycopg.Connection) -> None:
    _define(owner, DISTANCE, "")
    _run(owner, "create index plain_idx on public.behavior_patterns (user_id, embedding_model, project)")


def _remake_bits(owner: psycopg.Connection) -> None:
    """The index exists already; this measures building it."""
    owner.execute(_functions().file.read_bytes())
    _run(owner, "reindex index public.behavior_patterns_user_bits_idx")


def _hnsw(column: str, order: str) -> Change:
    def build(owner: psycopg.Connection) -> None:
        _run(owner, f"create index {VECTORS} on public.behavior_patterns using hnsw ({column})")
        _define(owner, order, GRAPH)

    return build


def _drop(index: str) -> Change:
    return lambda owner: _run(owner, f"drop index public.{index}")


def _define(owner: psycopg.Connection, order: str, settings: str) -> None:
    """The function with a single plain search: the same rights, arguments and results."""
    text = _functions().file.read_text(encoding="utf-8")
    end_of_head = text.index("set search_path = ''") + len("set search_path = ''")
    end_of_body = text.index("\nend;") + len("\nend;")
    owner.execute((text[:end_of_head] + "\n" + settings + PLAIN.format(order=order) + text[end_of_body:]).encode())


def _functions() -> Migration:
    """The file that creates the function as it is now."""
    [found] = [each for each in migrations("behavior_patterns") if each.name == "workflows"]
    return found


def _run(owner: psycopg.Connection, text: str) -> None:
    owner.execute("set search_path = public, extensions")
    owner.execute(sql.SQL("set maintenance_work_mem = {}").format(sql.Literal(f"{MEMORY >> 10}kB")))
    owner.execute("select '[1]'::vector")
    owner.execute(text.encode())
    owner.execute("reset search_path")
