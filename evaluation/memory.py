"""Past work as this product would know it at the moment of a question: learned by its own route, asked by its own.

Each entry is told as the events of a session and goes through `learn` into a database of its own, so that what becomes
of it, and what is found again, is decided by the code that serves users.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from behavior_plugin import config
from behavior_plugin.agents.calls import touched_files
from behavior_plugin.agents.prompts import read_prompt
from behavior_plugin.embed import Embedder
from behavior_plugin.errors import EmbedError
from behavior_plugin.learn import learn
from behavior_plugin.model import Action, Context, DurationSource, Event, EventKind, EventSource, Outcome
from behavior_plugin.recall import MAX_CANDIDATES, recall
from behavior_plugin.redact import redact_model
from behavior_plugin.store.opening import open_store
from behavior_plugin.store.postgres import PostgresStore
from benchmarks.scratch import scratch, shown
from evaluation.data import Entry, Query, Step

# What a tool calls the one argument that is kept of its input.
_ARGUMENT = {
    "Bash": "command",
    "PowerShell": "command",
    "Read": "file_path",
    "Edit": "file_path",
    "Write": "file_path",
    "Grep": "pattern",
    "Glob": "pattern",
    "Skill": "skill",
}
_OUTCOME = {True: Outcome.SUCCESS, False: Outcome.FAILED, None: Outcome.PARTIAL}
# A year that says only "later than all else".
_LATER = 9999

Asked = TypeVar("Asked", bound=Query)


@dataclass(frozen=True)
class Found:
    """A suggestion: the entry that its pattern was learned from, and the score that it was ordered by."""

    entry: Entry
    score: float


class OnceEach:
    """An embedder that is asked once for each text. This saves time, and nothing else."""

    def __init__(self, embedder: Embedder) -> None:
        self.model = embedder.model
        self.min_similarity = embedder.min_similarity
        self._embedder = embedder
        self._known: dict[str, list[float]] = {}

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        for text in texts:
            if text not in self._known:
                [self._known[text]] = self._embedder.embed([text])
        return [self._known[text] for text in texts]


@contextmanager
def remembering(entries: Iterable[Entry], embedder: Embedder) -> Iterator[Memory]:
    """A memory that will know these entries, in a database that is gone afterwards."""
    with scratch(), closing(open_store(config.load())) as opened:
        yield Memory(entries, embedder, opened.patterns)


class Memory:
    """What is known by then: entries in the order of time, but for those of the session that asks."""

    def __init__(self, entries: Iterable[Entry], embedder: Embedder, store: PostgresStore) -> None:
        self._entries = list(entries)
        self._embedder = embedder
        self._store = store
        self._learned: list[Entry] = []
        self._set_aside: list[Entry] = []
        self._sources: dict[str, Entry] = {}

    def answers(self, asked: Sequence[Asked], what: str) -> Iterator[tuple[Asked, list[Found]]]:
        """Each question with what is found for it, best first; in the order of time, with a bar called `what`."""
        story: list[Entry | Asked] = [*self._entries, *asked]
        # What happened at the very time of a question is not earlier than it.
        story.sort(key=lambda each: (each.ts, isinstance(each, Entry)))
        for each in shown(story, what):
            if isinstance(each, Entry):
                self._learn(each)
            else:
                self._set_own_aside(each.session)
                yield each, self._found(each)

    def _learn(self, entry: Entry) -> None:
        self._learned.append(entry)
        for pattern in learn(_events(entry), embedder=self._embedder, store=self._store):
            self._sources[pattern.source_key] = entry

    def _set_own_aside(self, session: str) -> None:
        """A session is learned when it is over, so it does not know its own work."""
        own, others = _split(self._learned, session)
        if own:
            self._store.forget_session(session)
        waiting, over = _split(self._set_aside, session)
        self._learned, self._set_aside = others, [*waiting, *own]
        for entry in over:
            self._learn(entry)

    def _found(self, asked: Query) -> list[Found]:
        try:
            suggestions = recall(
                asked.prompt,
                redact_model(_context(asked)),
                embedder=self._embedder,
                store=self._store,
                now=self._moment(asked),
                floor=0.0,
                limit=MAX_CANDIDATES,
            )
        except EmbedError:  # a prompt without words
            return []
        # The score orders. What decides is the similarity, without age and confidence: a cut of the scores is stricter
        # on old work than the product is.
        found = [Found(self._sources[each.pattern.source_key], each.score) for each in suggestions]
        # Of one score, and thus of one time, the order is by chance.
        return sorted(found, key=lambda each: (-each.score, each.entry.id))

    def _moment(self, asked: Query) -> datetime:
        """When it was asked; nothing ages by a year that was made up."""
        if asked.at.year < _LATER:
            return asked.at
        return max((entry.at for entry in self._learned), default=asked.at)


def _split(entries: Iterable[Entry], session: str) -> tuple[list[Entry], list[Entry]]:
    """Those of a session, and the others."""
    own: list[Entry] = []
    others: list[Entry] = []
    for entry in entries:
        (own if entry.session == session else others).append(entry)
    return own, others


def _events(entry: Entry) -> list[Event]:
    """An entry as a session that did this one thing."""
    prompt = _event(entry, EventKind.PROMPT, **read_prompt(entry.prompt))
    ended = _event(entry, EventKind.TURN_END)
    done = [_call(entry, step) for step in entry.steps]
    if done:  # an entry names more files than its steps, of which there are at most sixty
        done[-1] = done[-1].model_copy(update={"files": (*done[-1].files, *entry.edited, *entry.read)})
    return [event.model_copy(update={"order": place}) for place, event in enumerate([prompt, *done, ended])]


def _call(entry: Entry, step: Step) -> Event:
    parameters = {_ARGUMENT.get(step.tool, "input"): step.arg} if step.arg else {}
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


def _event(entry: Entry, kind: EventKind, **more: object) -> Event:
    told = {"kind": kind, "name": kind, "session_id": entry.session, "machine": "", "at": entry.at, "order": 0}
    place = {"source": EventSource.TRANSCRIPT, "context": _context(entry), "prompt_id": entry.id}
    return Event.model_validate({**told, **place, **more})


def _context(asked: Entry | Query) -> Context:
    folder = asked.cwd or ""
    return Context(directory=folder, root=folder, project=asked.pool, branch=asked.branch)
