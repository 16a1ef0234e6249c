"""Past work as the product would know it at the time of a query, learned and recalled by the product's own code.

Each entry becomes the events of a session of its own, and goes the way of learning into a temporary database, so the
code that serves users decides how it is stored, folded with others, and recalled. The data has no more of a session
than its entries, and its answers name entries: so none are joined into episodes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from behavior_plugin import config
from behavior_plugin.agents.calls import touched_files
from behavior_plugin.agents.prompts import read_prompt
from behavior_plugin.embed import E5, Embedder, Embedders, LazyEmbedder, embedder_of, open_embedder
from behavior_plugin.learn import compute_patterns, save_turns, session_turns
from behavior_plugin.model import Action, Context, DurationSource, Event, EventKind, EventSource, Outcome
from behavior_plugin.recall import Recaller, indexes, may_be_offered
from behavior_plugin.recall.next_steps import Begun, read_earlier_work
from behavior_plugin.recall.sequences import Call, EarlierWork, Sequences, calls_of
from behavior_plugin.store.opening import open_store
from behavior_plugin.store.postgres import PostgresStore
from behavior_plugin.workflow import StoredPattern
from benchmarks.scratch import scratch, shown
from evaluation.data import Case, Entry, Query, Step

# The parameter of each tool that holds the one argument in the data.
_ARGUMENT = {
    "Bash": "command",
    "PowerShell": "command",
    "Read": "file_path",
    "Edit": "file_path",
    "Write": "file_path",
    "Grep": "pattern",
    "Glob": "pattern",
    "Skill": "skill",
    "Agent": "subagent_type",
    "Task": "subagent_type",
}
_SHELLS = frozenset({"Bash", "PowerShell"})
_SUBAGENTS = frozenset({"Agent", "Task"})
_OUTCOME = {True: Outcome.SUCCESS, False: Outcome.FAILED, None: Outcome.PARTIAL}

AnyQuery = TypeVar("AnyQuery", bound=Query)


@dataclass(frozen=True)
class Found:
    """An entry that may fit, its score, and the pattern that it belongs to."""

    entry: Entry
    score: float
    pattern: StoredPattern


class CachedEmbedder:
    """An embedder that embeds each text once, to save time."""

    def __init__(self, embedder: Embedder) -> None:
        self.model, self.numbers, self.unrelated = embedder.model, embedder.numbers, embedder.unrelated
        self._embedder = embedder
        self._known: dict[str, list[float]] = {}

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        for text in texts:
            if text not in self._known:
                [self._known[text]] = self._embedder.embed([text])
        return [self._known[text] for text in texts]

    def can_read(self, text: str) -> bool:
        return self._embedder.can_read(text)


def cached_embedder(kind: str | None) -> Embedder:
    """The embedder of the default settings, or one model alone: `offline` or `multilingual`.

    Raises:
        EmbedError: it cannot run here.
    """
    opened = open_embedder("multilingual" if kind == "multilingual" else "offline")
    assert opened
    usual = CachedEmbedder(opened.usual)
    if kind:
        return usual

    def other() -> Embedder:
        found = embedder_of(opened, E5)
        assert found
        return CachedEmbedder(found)

    return Embedders(usual, {E5: LazyEmbedder(other, partial(opened.has, E5))}, fallback=E5)


@contextmanager
def remembering(entries: Iterable[Entry], embedder: Embedder) -> Iterator[Memory]:
    """A memory that learns these entries, in a temporary database."""
    # A large project is read again in the background, since the next prompt comes minutes later; here it comes at once.
    indexes.MAX_AT_ONCE = 1_000_000
    with scratch(), closing(open_store(config.load())) as opened:
        yield Memory(entries, embedder, opened.patterns)


class Memory:
    """Learns entries in the order of time, and answers queries from earlier entries of other sessions."""

    def __init__(self, entries: Iterable[Entry], embedder: Embedder, store: PostgresStore) -> None:
        self._entries = list(entries)
        self._embedder = embedder
        self._store = store
        self._learned: list[Entry] = []
        self._hidden: list[Entry] = []
        self._recaller = Recaller()
        # By the keys of their turns.
        self._sources: dict[str, Entry] = {}

    def answers(self, queries: Sequence[AnyQuery], title: str) -> Iterator[tuple[AnyQuery, list[Found]]]:
        """Each query with its suggestions, best first, as `at_times_of`."""
        for query in self.at_times_of(queries, title):
            yield query, self._found(query)

    def sequences(self, cases: Sequence[Case], title: str) -> Iterator[tuple[Case, Sequences]]:
        """Each case with the calls of the work that is known when its prompt is sent, as `at_times_of`."""
        before: tuple[object, ...] = ()
        for case in self.at_times_of(cases, title):
            asked = (case.ts, case.session, case.prompt)
            if asked != before:
                before, sequences = asked, Sequences(case.prompt, self._earlier_work(case))
            yield case, sequences

    def at_times_of(self, queries: Sequence[AnyQuery], title: str) -> Iterator[AnyQuery]:
        """Each query when the memory is as it was then; in the order of time, with a progress bar named `title`."""
        timeline: list[Entry | AnyQuery] = [*self._entries, *queries]
        # An entry at the exact time of a query is not earlier than it.
        timeline.sort(key=lambda each: (each.ts, isinstance(each, Entry)))
        for each in shown(timeline, title):
            if isinstance(each, Entry):
                self._learn(each)
            else:
                self._hide_session(each.session)
                yield each

    def _learn(self, entry: Entry) -> None:
        """Save an entry as evidence. The patterns are computed when somebody asks."""
        self._learned.append(entry)
        turns = session_turns(events_of(entry))
        save_turns(turns, self._store)
        self._sources |= {turn.source_key: entry for turn in turns}

    def _hide_session(self, session: str) -> None:
        """Forget the work of the querying session until another one asks: a session is learned only when it is over."""
        own, others = _split(self._learned, session)
        for entry in own:
            self._store.forget_session(_session_of(entry))
        still_hidden, over = _split(self._hidden, session)
        self._learned, self._hidden = others, [*still_hidden, *own]
        for entry in over:
            self._learn(entry)

    def _earlier_work(self, case: Case) -> list[EarlierWork]:
        compute_patterns(embedder=self._embedder, store=self._store)
        begun = Begun(case.prompt)
        return read_earlier_work(
            begun, _context(case).project, recaller=self._recaller, embedder=self._embedder, store=self._store
        )

    def _found(self, query: Query) -> list[Found]:
        """The entries that may fit, best first; those of patterns that are never suggested are left out."""
        compute_patterns(embedder=self._embedder, store=self._store)
        ranked = self._recaller.rank(query.prompt, _context(query).project, embedder=self._embedder, store=self._store)
        patterns = {
            pattern.source_key: pattern
            for pattern in self._store.patterns_with({each.trigger.pattern_key for each in ranked})
            if may_be_offered(pattern)
        }
        return [
            Found(self._sources[each.trigger.source_key], each.odds, patterns[each.trigger.pattern_key])
            for each in ranked
            if each.trigger.pattern_key in patterns
        ]


def _split(entries: Iterable[Entry], session: str) -> tuple[list[Entry], list[Entry]]:
    """The entries of a session, and the others."""
    own: list[Entry] = []
    others: list[Entry] = []
    for entry in entries:
        (own if entry.session == session else others).append(entry)
    return own, others


def events_of(entry: Entry) -> list[Event]:
    """An entry as the events of a session with only this work."""
    prompt = _event(entry, EventKind.PROMPT, **read_prompt(entry.prompt))
    turn_end = _event(entry, EventKind.TURN_END)
    calls = [_call(entry, step) for step in entry.steps]
    if calls:  # the data has at most sixty steps of an entry, but all of its files
        calls[-1] = calls[-1].model_copy(update={"files": (*calls[-1].files, *entry.edited, *entry.read)})
    return [event.model_copy(update={"order": order}) for order, event in enumerate([prompt, *calls, turn_end])]


def calls_done(case: Case) -> tuple[Call, ...]:
    """The calls that were made in a case, as the product knows those of an open session."""
    steps = [
        Step(tool=tool, act=done.act, arg=name if done.arg is None else done.arg, ok=done.ok)
        for done in case.prefix
        for tool, _, name in [done.act.partition(":")]
    ]
    entry = Entry.model_validate({**case.model_dump(exclude={"prefix"}), "steps": steps})
    [turn] = session_turns(events_of(entry))
    return calls_of(turn)


def _call(entry: Entry, step: Step) -> Event:
    argument = _argument(step)
    parameters = {_ARGUMENT.get(step.tool, "input"): argument} if argument else {}
    outcome = _OUTCOME[step.ok]
    action = Action(
        tool=step.tool,
        parameters=parameters,
        outcome=outcome,
        timestamp=entry.at,
        duration_ms=None if step.ms is None else int(step.ms),
        duration_source=None if step.ms is None else DurationSource.TRANSCRIPT,
    )
    return _event(entry, EventKind.ACTION, action=action, files=touched_files(parameters, {}, outcome))


def _argument(step: Step) -> str:
    """The argument as the tool received it; the data has a command's line breaks as escapes, and names subagents."""
    if step.tool in _SUBAGENTS:
        return step.act.partition(":")[2]
    argument = step.arg or ""
    return argument.replace("\\n", "\n") if step.tool in _SHELLS else argument


def _event(entry: Entry, kind: EventKind, **more: object) -> Event:
    basics = {"kind": kind, "name": kind, "session_id": _session_of(entry), "machine": "", "at": entry.at, "order": 0}
    origin = {"source": EventSource.TRANSCRIPT, "context": _context(entry), "prompt_id": entry.id}
    return Event.model_validate({**basics, **origin, **more})


def _session_of(entry: Entry) -> str:
    return f"{entry.session} {entry.id}"


def _context(line: Entry | Query) -> Context:
    folder = line.cwd or ""
    return Context(directory=folder, root=folder, project=line.pool, branch=line.branch)
