"""Measure the recall and speed of searches: our design, alternatives, and the migration guide's, in one table.

`python -m benchmarks.store` starts its own embedded server in a temporary folder. Each search runs as in the product:
with a member's login, under row level security, through PostgresStore (the guide's: through its own function).
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, ParamSpec

import numpy as np
import psutil
import psycopg
from pgvector import Vector

from behavior_plugin.capture import paths
from behavior_plugin.store.embedded.server import Server
from behavior_plugin.store.members import add_member, make_login
from behavior_plugin.store.postgres import PostgresStore
from behavior_plugin.store.sql_files import query
from benchmarks import vectors
from benchmarks.designs import Design, Layout, layouts, size
from benchmarks.rows import MODEL, grouped, load, padded, user
from benchmarks.vectors import Numbers, Vectors
from tests import search as callers

DATABASE = "benchmark"
# all-MiniLM-L6-v2's, which the product pads with zeros.
OFFLINE = 384
ASKED = 200
WARMING = 10
FOUND = 5
# Slower designs run fewer searches.
SLOW_MS, ASKED_OF_SLOW = 50, 60
SMALL = 100

Search = Callable[[Vectors], list[int]]
P = ParamSpec("P")


@dataclass(frozen=True)
class Asker:
    """A user whose searches are measured, and the number of this user's rows."""

    name: str
    number: int
    rows: int


@dataclass(frozen=True)
class Population:
    """The owners of a table's rows: each asker's, and `SMALL` rows each of other users."""

    rows: int
    askers: tuple[Asker, ...]

    def owners(self) -> Numbers:
        """The number of each row's user, in random order as in practice."""
        mine = [np.full(asker.rows, asker.number) for asker in self.askers]
        rest = self.rows - sum(asker.rows for asker in self.askers)
        others = len(self.askers) + np.arange(rest) // SMALL
        return np.asarray(np.random.default_rng(9).permutation(np.concatenate([*mine, others])), np.int64)


@dataclass(frozen=True)
class Result:
    """One line of the table; `slower` is the ratio to the p50 of the first design, the guide's unless chosen."""

    population: str
    design: str
    recall: float
    min_ms: float
    p50_ms: float
    p99_ms: float
    index_mb: float
    build_s: float
    slower: float | None = None


def main() -> None:
    options = _options()
    with _server() as server:
        if options.million:
            return _million(server, options.dimensions)
        results: list[Result] = []
        chosen = [each for each in layouts() if not options.layouts or each.name in options.layouts.split(",")]
        for population in _populations([int(rows) for rows in options.rows.split(",")]):
            results += _compared(server, population, chosen, options.dimensions)
        if options.json:
            return _say(json.dumps([asdict(result) for result in results], indent=2))
        return _say(_table(results))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Compare ways to store and search patterns.")
    parser.add_argument("--rows", default="1000,10000,100000", help="sizes of a table of one user; the last also mixed")
    parser.add_argument(
        "--dimensions", type=int, default=OFFLINE, help="of 1536, the rest zeros (default: %(default)s)"
    )
    parser.add_argument("--layouts", help="only these, such as 0.2,evidence; ratios are to the first")
    parser.add_argument("--million", action="store_true", help="only ours, with a million rows and the memory it takes")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def _populations(sizes: list[int]) -> list[Population]:
    alone = [Population(rows, (Asker(f"one user, {rows:,}", 0, rows),)) for rows in sizes]
    most = max(sizes)
    tenth = Asker(f"{most // 10:,} of {most:,}", 0, most // 10)
    return [*alone, Population(most, (tenth, Asker(f"{SMALL} of {most:,}", 1, SMALL)))]


def _compared(server: Server, population: Population, chosen: list[Layout], dimensions: int) -> list[Result]:
    stored = vectors.stored(population.rows, dimensions)
    fitting = [layout for layout in chosen if len(population.askers) > 1 or not layout.is_split]
    found = [result for layout in fitting for result in _of_layout(server, layout, population, stored)]
    baseline = fitting[0].designs[0].name
    baselines = {result.population: result.p50_ms for result in found if result.design == baseline}
    found = [replace(result, slower=result.p50_ms / baselines[result.population]) for result in found]
    order = [asker.name for asker in population.askers]
    return sorted(found, key=lambda result: order.index(result.population))


def _of_layout(server: Server, layout: Layout, population: Population, stored: Vectors) -> Iterator[Result]:
    with _database(server, layout, population, stored) as owner:
        for design in layout.designs:
            build_s = _timed(design.build, owner)
            for asker in population.askers:
                yield _measured(server, layout, design, population, asker, stored, size(owner, design.index), build_s)
            design.clear(owner)


def _measured(
    server: Server,
    layout: Layout,
    design: Design,
    population: Population,
    asker: Asker,
    stored: Vectors,
    index_bytes: int,
    build_s: float,
) -> Result:
    own = np.flatnonzero(population.owners() == asker.number)
    asked = vectors.asked(stored[own], ASKED)
    groups = grouped(population.owners()) if layout.is_folded else np.arange(population.rows)
    truth = _nearest(stored[own], groups[own], asked)
    with _search(server, layout, asker) as search:
        recall, times = _tried(search, padded(asked), truth)
    fastest, p50, p99 = (float(each) for each in np.percentile(times, [0, 50, 99]))
    result = Result(asker.name, design.name, recall, fastest, p50, p99, index_bytes / 1e6, build_s)
    _note(_row(result))
    return result


def _tried(search: Search, asked: Vectors, truth: list[list[int]]) -> tuple[float, list[float]]:
    """The share of the true nearest that is found, and the milliseconds of each search."""
    warming = [_timed(search, question) for question in asked[:WARMING]]
    count = ASKED_OF_SLOW if min(warming) * 1000 > SLOW_MS else len(asked)
    times, hits = [], 0
    for question, nearest in zip(asked[:count], truth, strict=False):
        began = time.perf_counter()
        found = search(question)
        times.append((time.perf_counter() - began) * 1000)
        hits += len(set(found) & set(nearest))
    return hits / sum(map(len, truth[:count])), times


@contextmanager
def _search(server: Server, layout: Layout, asker: Asker) -> Iterator[Search]:
    """Search as a member; returns the numbers of the rows found."""
    login = f"member_{asker.number}"
    with _owner(server) as owner:
        make_login(owner, login, server.password)
        add_member(owner, login, user(asker.number))
    if layout.is_guide or layout.is_old:
        ask = _as_guide if layout.is_guide else _as_old
        with psycopg.connect(server.conninfo(login, DATABASE), autocommit=True, prepare_threshold=None) as member:
            member.execute("set search_path = public, extensions")
            yield lambda asked: ask(member, asked, asker)
    else:
        with closing(PostgresStore(server.conninfo(login, DATABASE))) as store:
            yield lambda asked: [
                int(match.pattern.trigger) for match in callers.nearest(store, asked.tolist(), MODEL, limit=FOUND)
            ]


def _as_guide(member: psycopg.Connection, asked: Vectors, asker: Asker) -> list[int]:
    with member.transaction():
        member.execute("set local role authenticated")
        rows = member.execute(
            "select * from public.find_similar_patterns(%s, -1, %s::integer, %s)",
            [Vector(asked.tolist()).to_text(), FOUND, user(asker.number)],
        ).fetchall()
    return [int(row[1]) for row in rows]


def _as_old(member: psycopg.Connection, asked: Vectors, _asker: Asker) -> list[int]:
    """As PostgresStore did in version 0.2."""
    with member.transaction():
        member.execute(query("become_user"))
        rows = member.execute(
            """select id, trigger, context, actions, final_outcome, confidence, use_count, last_used_at, created_at,
                      started_at, session_id, source_key, provenance - 'memory' as provenance, similarity
                 from public.find_similar_patterns(%s, %s, -1, %s::integer, null)""",
            [Vector(asked.tolist()).to_text(), MODEL, FOUND],
        ).fetchall()
    return [int(row[1]) for row in rows]


@contextmanager
def _database(server: Server, layout: Layout, population: Population, stored: Vectors) -> Iterator[psycopg.Connection]:
    """A database with a layout and the rows of a population."""
    with _owner(server, "postgres") as owner:
        owner.execute(f"create database {DATABASE}".encode())
    try:
        with _owner(server) as owner:
            layout.make(owner)
            load(owner, layout, population.owners(), stored)
            yield owner
    finally:
        with _owner(server, "postgres") as owner:
            owner.execute(f"drop database {DATABASE} with (force)".encode())


def _nearest(own: Vectors, groups: Numbers, asked: Vectors) -> list[list[int]]:
    """The groups that are truly nearest to each question, by the nearest of their rows."""
    order = np.argsort(-(asked @ own.T), axis=1)
    return [list(dict.fromkeys(groups[ranks].tolist()))[:FOUND] for ranks in order]


def _million(server: Server, dimensions: int) -> None:
    """Measure a million rows: one user with half of them, one with 20,000, and very many with 100 each."""
    rows = 1_000_000
    askers = (
        Asker(f"{rows // 2:,} of {rows:,}", 0, rows // 2),
        Asker(f"20,000 of {rows:,}", 1, 20_000),
        Asker(f"{SMALL} of {rows:,}", 2, SMALL),
    )
    population = Population(rows, askers)
    stored = vectors.stored(rows, dimensions)
    layout = layouts()[-1]
    began = time.perf_counter()
    with _database(server, layout, population, stored) as owner:
        _say(f"loaded in {time.perf_counter() - began:.0f} s")
        results = []
        for design in layout.designs[:2]:  # without ivfflat, which finds less with more rows
            build_s = _timed(design.build, owner)
            taken = size(owner, design.index)
            results += [
                _measured(server, layout, design, population, asker, stored, taken, build_s) for asker in askers
            ]
        _say(_table(results))
        _say("\n".join(_taken(server, owner)))


def _taken(server: Server, owner: psycopg.Connection) -> Iterator[str]:
    """The used disk and memory, as lines of text."""
    [(heap, beside, indexes)] = owner.execute(
        """select pg_relation_size(oid), pg_table_size(oid) - pg_relation_size(oid), pg_indexes_size(oid)
             from pg_class where oid = 'public.behavior_patterns'::regclass"""
    ).fetchall()
    rows_mb, vectors_mb, indexes_mb = heap / 1e6, beside / 1e6, indexes / 1e6
    yield f"disk: rows {rows_mb:,.0f} MB, vectors beside them {vectors_mb:,.0f} MB, indexes {indexes_mb:,.0f} MB"
    assert server.pid
    first = psutil.Process(server.pid)
    found = [taken for process in [first, *first.children(recursive=True)] if (taken := _memory(process))]
    pss, rss = sum(each.pss for each in found), max(each.rss for each in found)
    yield f"memory: {pss / 1e6:,.0f} MB PSS in {len(found)} processes, the largest {rss / 1e6:,.0f} MB RSS"


def _memory(process: psutil.Process) -> Any:
    """The memory of a process; None if it has ended since it was listed, as connections do."""
    with suppress(psutil.NoSuchProcess):
        return process.memory_full_info()
    return None


@contextmanager
def _server() -> Iterator[Server]:
    with tempfile.TemporaryDirectory(prefix="b-") as folder:
        server = Server(Path(folder, "postgres"), Path(paths.make_private(str(Path(folder, "run")))))
        server.start()
        try:
            yield server
        finally:
            server.stop()


def _owner(server: Server, dbname: str = DATABASE) -> psycopg.Connection:
    return psycopg.connect(server.conninfo(dbname=dbname), autocommit=True)


def _timed(work: Callable[P, object], *arguments: P.args, **options: P.kwargs) -> float:
    """The duration in seconds."""
    began = time.perf_counter()
    work(*arguments, **options)
    return time.perf_counter() - began


def _table(results: list[Result]) -> str:
    """The results in Markdown."""
    rows = ["| rows | design | recall@5 | min ms | p50 ms | p99 ms | p50 / first's | index MB | build s |"]
    rows.append("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    return "\n".join([*rows, *map(_row, results)])


def _row(result: Result) -> str:
    slower = "" if result.slower is None else f"{result.slower:.1f}"
    return (
        f"| {result.population} | {result.design} | {result.recall:.3f} "
        f"| {result.min_ms:.1f} | {result.p50_ms:.1f} | {result.p99_ms:.1f} "
        f"| {slower} | {result.index_mb:,.1f} | {result.build_s:.1f} |"
    )


def _note(text: str) -> None:
    sys.stderr.write(text + "\n")


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
