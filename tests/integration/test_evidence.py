"""Evidence on a real database: episodes, the patterns that stand on them, and searches by their triggers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from behavior_plugin.config import Storage
from behavior_plugin.errors import StoreError
from behavior_plugin.model import Context, Outcome, Provenance
from behavior_plugin.patterns.evidence import DIGEST_VERSION, trigger_of
from behavior_plugin.store import Computed
from behavior_plugin.store.connection import value
from behavior_plugin.store.embedded.server import Server
from behavior_plugin.store.evidence import PostgresEvidence
from behavior_plugin.store.migrate import migrate
from behavior_plugin.store.postgres import MAX_SESSIONS, MAX_TAKEN, PostgresStore
from behavior_plugin.store.sql_files import STORAGES
from behavior_plugin.workflow import (
    Digest,
    Episode,
    Judgement,
    Pattern,
    Remark,
    RemarkKind,
    Saved,
    Step,
    StepKind,
    StoredPattern,
    Workflow,
)
from tests import search
from tests.database import (
    LOGIN,
    A,
    ask,
    at_angle,
    count_use,
    insert,
    make_memories,
    make_user,
    member,
    member_store,
    pointing,
    rows,
    save,
)
from tests.factories import START, make_action, make_episode, make_pattern, make_step, make_work, make_workflow
from tests.waiting import wait_for

MODEL = "offline"
CANARY = "canary-7f3a9c"
HIGHEST_COUNT = 2147483647
# Everything of a row, and the transaction that wrote it last.
WHOLE = "select xmin::text || to_jsonb(e)::text from behavior.episodes e where source_key = %s"
PATTERNS: dict[Storage, str] = {
    "behavior_patterns": "select xmin::text || to_jsonb(p)::text from public.behavior_patterns p order by id",
    "memories": "select xmin::text || to_jsonb(p)::text from public.memories p order by id",
}
SET_CONTEXT: dict[Storage, str] = {
    "behavior_patterns": "update public.behavior_patterns set context = %s where source_key = %s",
    "memories": """update public.memories set metadata = jsonb_set(metadata, '{context}', %s)
                    where metadata ->> 'source_key' = %s""",
}


@pytest.fixture(params=STORAGES)
def storage(request: pytest.FixtureRequest) -> Storage:
    """Both storages behave the same."""
    chosen: Storage = request.param
    return chosen


def waiting(store: PostgresStore, limit: int) -> dict[str, str]:
    """The triggers that no model has embedded yet, by their keys."""
    return {each.source_key: each.text for each in store.unembedded(limit)}


def in_project(name: str) -> Context:
    return Context(directory=f"/{name}", project=name)


def tell(store: PostgresStore, *episodes: Episode, sessions: Sequence[str] = ()) -> None:
    """Make these episodes all of their sessions."""
    with store.evidence() as evidence:
        evidence.replace_sessions({*sessions, *(each.session_id for each in episodes)}, episodes)


def told(store: PostgresStore, *sessions: str) -> list[Episode]:
    with store.evidence() as evidence:
        return evidence.episodes(sessions or ["session"])


def embed(store: PostgresStore, episode: Episode, degrees: float, *, model: str = MODEL) -> None:
    store.save_embedding(episode.source_key, episode.trigger, at_angle(degrees), model)


def computed(key: str, *episodes: Episode, **changes: Any) -> Computed:
    """A pattern that stands on these episodes; its trigger is that of the first."""
    of_pattern = {name: changes.pop(name) for name in Pattern.model_fields if name in changes}
    first = episodes[0]
    pattern = make_pattern(
        **{
            "source_key": key,
            "trigger": first.trigger,
            "context": first.context,
            "session_id": first.session_id,
            "workflow": Workflow(job="fix", times=len(episodes), last_at=START),
            **of_pattern,
        }
    )
    return Computed(pattern, **changes)


def fold(store: PostgresStore, project: str = "/home/dev/project", **members: Sequence[Episode]) -> None:
    """Make these all patterns of a project, each of some episodes."""
    patterns = [computed(key, *episodes) for key, episodes in members.items()]
    keys = {episode.source_key: key for key, episodes in members.items() for episode in episodes}
    with store.evidence() as evidence:
        known = {each.source_key: "" for each in evidence.occurrences(project)}
        evidence.replace_patterns(project, patterns, known | keys)


def patterns(store: PostgresStore) -> dict[str, StoredPattern]:
    return {each.source_key: each for each in store.newest(project=None, limit=50)}


def near(store: PostgresStore, *, limit: int = 10, project: str | None = None, least: float = -1) -> list[search.Match]:
    return search.nearest(store, pointing(1), MODEL, min_similarity=least, project=project, limit=limit)


def keys(matches: Sequence[search.Match]) -> list[str]:
    return [match.pattern.source_key for match in matches]


def marks(owner: psycopg.Connection) -> dict[str, tuple[str, bool]]:
    """The pattern of each episode, and whether it is up to date."""
    found = rows(owner, "select source_key, pattern_key, is_folded from behavior.episodes")
    return {key: (pattern, is_folded) for key, pattern, is_folded in found}


def make_unreadable(owner: psycopg.Connection, episode: Episode, version: int) -> None:
    """Change a row to the shape that a version might have, which this one does not know."""
    owner.execute(
        "update behavior.episodes set turns = jsonb_set(turns, '{0,novel}', '1'), schema_version = %s"
        " where source_key = %s",
        [version, episode.source_key],
    )


# Sessions


def test_episode_is_read_back_unchanged(store: PostgresStore) -> None:
    """Everything is computed from it, again and again."""
    turns = (
        make_work(
            prompt="Füge 'x' hinzu; -- $1 %s",
            context=Context(directory="/d", root="/r", project="p", branch="b", files_touched=("a.py",)),
            actions=(make_action(parameters={"edits": [1, None, 0.1, {"deep": True}]}, error="exit 1"),),
            provenance=Provenance(machine="laptop", version="1", follows="before"),
        ),
        make_work(is_ended=False, is_interjected=True, follows_clear=True, closing="Done.", has_follow_ups=True),
    )
    step = Step(kind=StepKind.CHECK, text="make test", times=2, took_ms=7)
    digest = Digest(version=2, job="fix", steps=(step,), commands=("make test",), took_ms=9, change="abc fix")
    whole = make_episode(*turns, digest=digest, outcome=Outcome.PARTIAL)
    part = make_episode(turns[1], part_of=whole.source_key)

    tell(store, whole, part)

    assert told(store) == [whole]
    fold(store, "p", one=[whole, part])
    assert store.episodes_of("one", limit=5) == [part, whole]
    assert store.newest_episodes(project=None, limit=5) == [whole]


def test_replacing_a_session_adds_changes_and_deletes(store: PostgresStore) -> None:
    """A longer account of a session may have other episodes."""
    stays, grows, goes, comes = (make_episode(source_key=f"e{number}") for number in range(4))
    elsewhere = make_episode(session_id="elsewhere")
    tell(store, stays, grows, goes)
    tell(store, elsewhere)
    grown = make_episode(*grows.turns, make_work(), source_key=grows.source_key)

    tell(store, stays, grown, comes)

    assert told(store) == [stays, grown, comes]
    assert told(store, "elsewhere") == [elsewhere]
    tell(store, sessions=["session"])
    assert told(store) == []


def test_unchanged_episode_is_left_alone(store: PostgresStore, owner: psycopg.Connection) -> None:
    """Sessions are delivered often, and an update of a row costs its vector and its pattern."""
    episode, other = make_episode(), make_episode()
    tell(store, episode)
    embed(store, episode, 0)
    fold(store, one=[episode])
    before = ask(owner, WHOLE, [episode.source_key])

    tell(store, episode, other)

    assert ask(owner, WHOLE, [episode.source_key]) == before
    assert marks(owner) == {episode.source_key: ("one", True), other.source_key: ("", False)}


def test_changed_episode_keeps_its_pattern_and_is_folded_again(store: PostgresStore, owner: psycopg.Connection) -> None:
    """Recall goes on with the pattern as it was."""
    episode = make_episode()
    tell(store, episode)
    embed(store, episode, 0)
    fold(store, one=[episode])
    before = ask(owner, "select updated_at from behavior.episodes")

    tell(store, episode.model_copy(update={"turns": (*episode.turns, make_work())}))

    assert marks(owner) == {episode.source_key: ("one", False)}
    assert store.unfolded_projects() == ["/home/dev/project"]
    assert keys(near(store)) == ["one"]
    assert ask(owner, "select updated_at from behavior.episodes") > before


@pytest.mark.parametrize(("prompt", "is_kept"), [("Fix the failing test", True), ("Fix the other test", False)])
def test_vector_stays_as_long_as_its_trigger(store: PostgresStore, prompt: str, is_kept: bool) -> None:
    """The vector of another text would mislead, and embedding the same text again costs money."""
    turn = make_work(prompt="Fix the failing test")
    tell(store, make_episode(turn))
    store.save_embedding(turn.source_key, turn.prompt, pointing(1), MODEL)

    tell(store, make_episode(turn.model_copy(update={"prompt": prompt, "closing": "Done."})))

    with store.evidence() as evidence:
        [run] = evidence.runs([turn.source_key])
    assert (run.embedding, run.model) == ((pointing(1), MODEL) if is_kept else (None, None))
    assert waiting(store, 5) == ({} if is_kept else {turn.source_key: prompt})


def test_episode_of_another_project_leaves_its_pattern(store: PostgresStore, owner: psycopg.Connection) -> None:
    """A project may be known better later, by its remote; its old patterns must not stay behind."""
    moves, stays, alone = make_episode(), make_episode(session_id="s2"), make_episode()
    tell(store, moves, alone)
    tell(store, stays)
    fold(store, both=[moves, stays], one=[alone])

    tell(store, *(_moved(each, "remote") for each in (moves, alone)))

    assert patterns(store).keys() == {"both"}
    assert marks(owner) == {
        moves.source_key: ("", False),
        alone.source_key: ("", False),
        stays.source_key: ("both", False),
    }
    assert sorted(store.unfolded_projects()) == ["/home/dev/project", "remote"]


def _moved(episode: Episode, project: str) -> Episode:
    [turn] = episode.turns
    return episode.model_copy(update={"turns": (turn.model_copy(update={"context": in_project(project)}),)})


def test_deleted_episode_has_its_project_folded_again(store: PostgresStore, owner: psycopg.Connection) -> None:
    """Even one without a pattern: its commands and lessons count for the others of the project."""
    loose, kept = make_episode(), make_episode(session_id="s2")
    elsewhere = make_episode(session_id="s3", context=in_project("elsewhere"))
    for each in (loose, kept, elsewhere):
        tell(store, each)
    fold(store, one=[kept])
    fold(store, "elsewhere", two=[elsewhere])
    assert store.unfolded_projects() == []

    tell(store, sessions=["session"])

    assert store.unfolded_projects() == ["/home/dev/project"]
    assert patterns(store).keys() == {"one", "two"}
    assert marks(owner) == {kept.source_key: ("one", False), elsewhere.source_key: ("two", True)}


def test_row_of_a_newer_version_stays(
    store: PostgresStore, owner: psycopg.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    """One machine of a user is updated first; the other must neither destroy its rows nor stop learning."""
    newer, readable = make_episode(prompt=CANARY), make_episode()
    tell(store, newer, readable)
    fold(store, one=[readable], two=[newer])
    make_unreadable(owner, newer, 99)
    before = ask(owner, WHOLE, [newer.source_key])
    grown = make_episode(*readable.turns, make_work(), source_key=readable.source_key)

    assert told(store) == [readable]
    tell(store, newer, grown)
    tell(store, grown)

    assert ask(owner, WHOLE, [newer.source_key]) == before
    assert told(store) == store.newest_episodes(project=None, limit=5) == store.episodes_of("one", limit=5) == [grown]
    with store.evidence() as evidence:
        assert [run.episode for run in evidence.runs([newer.source_key, grown.source_key])] == [grown]
    assert newer.source_key in caplog.text
    assert CANARY not in caplog.text


def test_digest_of_a_newer_version_does_not_hide_other_occurrences(
    store: PostgresStore, owner: psycopg.Connection
) -> None:
    """The patterns are computed from what can be read."""
    newer, readable = make_episode(), make_episode()
    tell(store, newer, readable)
    owner.execute("""update behavior.episodes set digest = '{"novel": 1}' where source_key = %s""", [newer.source_key])

    with store.evidence() as evidence:
        assert [each.source_key for each in evidence.occurrences("/home/dev/project")] == [readable.source_key]


def test_spoilt_row_is_replaced_when_its_session_is_told_again(store: PostgresStore, owner: psycopg.Connection) -> None:
    """No newer version will ever mend it."""
    episode = make_episode()
    tell(store, episode)
    make_unreadable(owner, episode, episode.digest.version)

    tell(store, episode)

    assert told(store) == [episode]


def test_sessions_with_the_same_moments_are_found(store: PostgresStore) -> None:
    """A fork repeats turns of another session, perhaps from the middle of an episode."""
    first, later, copied = (make_work(session_id="original", prompt=text) for text in "abc")
    original = make_episode(first, later, copied)
    part = make_episode(copied, part_of=original.source_key)
    other, last = make_episode(session_id="other"), make_episode(session_id="last")
    tell(store, original, part)
    tell(store, other)
    tell(store, last)

    with store.evidence() as evidence:
        assert evidence.episodes(["fork"], [copied]) == [original]
        assert evidence.episodes(["last"], [first, other.turns[0]]) == [original, other, last]
        assert (
            evidence.episodes(
                ["fork"], [copied.model_copy(update={"started_at": copied.started_at + timedelta(microseconds=1)})]
            )
            == []
        )
        assert evidence.episodes(["fork"], [copied.model_copy(update={"prompt": "Another prompt"})]) == []
        assert evidence.episodes(["fork"]) == evidence.episodes([], []) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"prompt": f"{CANARY} \x00"},
        {"prompt": f"{CANARY} \ud83d"},
        {"prompt": CANARY * 4000},
        {"closing": f"{CANARY} \x00"},
        {"session_id": CANARY * 20},
        {"actions": (make_action(error=f"{CANARY} \ud83d"),)},
    ],
    ids=range(6),
)
def test_refused_episode_undoes_all_and_is_not_logged(store: PostgresStore, changes: dict[str, Any]) -> None:
    """Postgres quotes the row in its details, and half a session would be learned from as if it were all."""
    refused = make_episode(**{"session_id": "session", **changes})

    with pytest.raises(StoreError) as caught:
        tell(store, make_episode(), refused)

    assert type(caught.value) is StoreError
    assert CANARY not in f"{caught.value} {caught.value.hint} {caught.value.__cause__}"
    assert told(store, "session", refused.session_id[:200]) == []


def test_error_within_evidence_undoes_everything(store: PostgresStore) -> None:
    """Evidence and patterns must never disagree."""
    before = make_episode()
    tell(store, before)
    fold(store, one=[before])

    def fail() -> None:
        with store.evidence() as evidence:
            evidence.replace_sessions(["session"], [make_episode()])
            evidence.replace_patterns("/home/dev/project", [], {})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()

    assert told(store) == [before]
    assert patterns(store).keys() == {"one"}


def test_second_worker_of_a_user_waits_for_the_first(server: Server, database: str, storage: Storage) -> None:
    """Both would compute patterns, each from what the other has not seen."""
    conninfo = server.conninfo(LOGIN, database)
    with (
        closing(PostgresStore(conninfo, storage)) as one,
        closing(PostgresStore(conninfo, storage)) as other,
        ThreadPoolExecutor(1) as thread,
    ):
        episode = make_episode()
        with one.evidence() as evidence:
            second = thread.submit(told, other)
            _until_somebody_waits(server)
            evidence.replace_sessions(["session"], [episode])
            assert not second.done()

        assert second.result(20) == [episode]


def _until_somebody_waits(server: Server) -> None:
    with psycopg.connect(server.conninfo(), autocommit=True) as admin:
        waiting = b"select 1 from pg_locks where locktype = 'advisory' and not granted"
        wait_for(lambda: admin.execute(waiting).fetchone(), "the second one waits")


def test_workers_of_different_users_do_not_wait(store: PostgresStore, other_store: PostgresStore) -> None:
    """A team shares one database."""
    with store.evidence() as evidence, other_store.evidence() as theirs:
        evidence.replace_sessions(["session"], [make_episode()])
        theirs.replace_sessions(["session"], [make_episode()])

    assert len(told(store)) == len(told(other_store)) == 1


# Patterns


def test_occurrences_are_the_episodes_of_a_project(store: PostgresStore) -> None:
    """Patterns are computed from them, parts included."""
    whole = make_episode(make_work(), make_work(prompt="commit"), outcome=Outcome.PARTIAL)
    part = make_episode(whole.turns[1], part_of=whole.source_key, job="commit")
    tell(store, whole, part, make_episode(context=in_project("elsewhere")))

    with store.evidence() as evidence:
        found = {each.source_key: each for each in evidence.occurrences("/home/dev/project")}

    assert found.keys() == {whole.source_key, part.source_key}
    occurrence = found[whole.source_key]
    assert (occurrence.trigger, occurrence.started_at) == (whole.trigger, whole.started_at)
    assert (occurrence.outcome, occurrence.digest) == (Outcome.PARTIAL, whole.digest)
    assert (occurrence.session_id, occurrence.project) == ("session", "/home/dev/project")
    assert (occurrence.use_count, occurrence.last_used_at) == (0, None)


def test_runs_are_whole_episodes_with_their_vectors(store: PostgresStore) -> None:
    """A pattern shows one of them."""
    bare, embedded, failed = make_episode(), make_episode(), make_episode()
    tell(store, bare, embedded, failed)
    embed(store, embedded, 0)
    store.save_embedding(failed.source_key, failed.trigger, None, MODEL)

    with store.evidence() as evidence:
        runs = {run.episode.source_key: run for run in evidence.runs([bare.source_key, embedded.source_key, "?"])}
        [unembeddable] = evidence.runs([failed.source_key])

    assert {key: run.episode for key, run in runs.items()} == {each.source_key: each for each in (bare, embedded)}
    assert (runs[bare.source_key].embedding, runs[bare.source_key].model) == (None, None)
    assert (runs[embedded.source_key].embedding, runs[embedded.source_key].model) == (pointing(1), MODEL)
    assert (unembeddable.embedding, unembeddable.model) == (None, None)


def test_projects_with_changed_evidence_are_unfolded(store: PostgresStore) -> None:
    """Only their patterns are computed again."""
    here = [make_episode(context=in_project("here")) for _ in range(2)]
    there = make_episode(context=in_project("there"), session_id="s2")
    tell(store, *here)
    tell(store, there)
    assert sorted(store.unfolded_projects()) == ["here", "there"]

    fold(store, "here", one=here[:1])
    assert store.unfolded_projects() == ["there"]

    fold(store, "there")
    assert store.unfolded_projects() == []


def test_pattern_is_read_back_unchanged_and_keeps_its_counters(store: PostgresStore) -> None:
    """The counters of a new row come from the evidence; later ones are the row's own."""
    episode = make_episode()
    tell(store, episode)
    used_at = START + timedelta(days=1)
    first = computed("one", episode, use_count=3, last_used_at=used_at)
    with store.evidence() as evidence:
        evidence.replace_patterns(first.pattern.context.project, [first], {episode.source_key: "one"})
    made = patterns(store)["one"]
    count_use(store, "one")

    with store.evidence() as evidence:
        again = computed("one", episode, use_count=3, last_used_at=used_at, confidence=0.9)
        evidence.replace_patterns(first.pattern.context.project, [again], {episode.source_key: "one"})

    assert made.model_copy(update={"confidence": 0.9}).workflow == first.pattern.workflow
    assert (made.use_count, made.last_used_at) == (3, used_at)
    kept = patterns(store)["one"]
    assert (kept.id, kept.created_at, kept.confidence, kept.use_count) == (made.id, made.created_at, 0.9, 4)


def test_unchanged_pattern_is_not_written(store: PostgresStore, owner: psycopg.Connection, storage: Storage) -> None:
    """Every session folds its whole project."""
    episode = make_episode()
    tell(store, episode)
    made = computed("one", episode, embedding=pointing(1), model=MODEL)
    for _ in range(2):
        with store.evidence() as evidence:
            evidence.replace_patterns(made.pattern.context.project, [made], {episode.source_key: "one"})
            before = rows(owner, PATTERNS[storage])

    assert rows(owner, PATTERNS[storage]) == before
    assert len(before) == 1


def test_pattern_whose_key_is_gone_is_deleted(store: PostgresStore, owner: psycopg.Connection) -> None:
    """Its episodes belong to another job now."""
    one, two = make_episode(), make_episode()
    tell(store, one, two)
    tell(store, elsewhere := make_episode(session_id="s2", context=in_project("elsewhere")))
    fold(store, first=[one], second=[two])
    fold(store, "elsewhere", third=[elsewhere])

    fold(store, second=[one, two])

    assert patterns(store).keys() == {"second", "third"}
    assert marks(owner)[one.source_key] == ("second", True)
    fold(store)
    assert patterns(store).keys() == {"third"}
    assert marks(owner)[one.source_key] == ("", True)


def test_rows_that_callers_wrote_are_never_touched(
    store: PostgresStore, owner: psycopg.Connection, storage: Storage
) -> None:
    """Not even one of the same project and key: nothing could bring it back."""
    written, same_key = make_pattern(), make_pattern(source_key="one", trigger="By hand")
    for each in (written, same_key):
        save(store, each, pointing(1), MODEL)
    before = rows(owner, PATTERNS[storage])
    episode = make_episode()
    tell(store, episode)

    with store.evidence() as evidence:
        assert evidence.save_pattern(computed("one", episode)) is Saved.UNCHANGED
    fold(store, one=[episode])
    fold(store)
    tell(store, sessions=["session"])

    assert rows(owner, PATTERNS[storage]) == before


# Vectors


def test_triggers_without_a_vector_are_listed_newest_first(store: PostgresStore) -> None:
    """An embedder that was down catches up; recent work is asked for most."""
    older, newer, jobless = make_episode(prompt="a"), make_episode(prompt="b"), make_episode(job="")
    part = make_episode(newer.turns[0], source_key="part", part_of=older.source_key)
    tell(store, older, newer, jobless, part)

    assert list(waiting(store, 5)) == [newer.source_key, "part", older.source_key]
    assert waiting(store, 1) == {newer.source_key: "b"}
    embed(store, newer, 0)
    store.save_embedding("part", "b", pointing(1), MODEL)
    assert waiting(store, 5) == {older.source_key: "a"}


def test_trigger_that_cannot_be_embedded_is_not_asked_for_again(store: PostgresStore) -> None:
    """A lone emoji would be sent to the embedder for ever."""
    episode = make_episode()
    tell(store, episode)

    store.save_embedding(episode.source_key, episode.trigger, None, MODEL)
    fold(store, one=[episode])

    assert waiting(store, 5) == {}
    assert near(store) == []


def test_vector_of_a_trigger_that_has_changed_is_not_saved(store: PostgresStore) -> None:
    """Embedding takes seconds, and the session goes on."""
    episode = make_episode(prompt="a")
    tell(store, episode)
    tell(store, _renamed(episode, "b"))

    embed(store, episode, 0)
    store.save_embedding("unknown", "a", pointing(1), MODEL)

    assert waiting(store, 5) == {episode.source_key: "b"}


def _renamed(episode: Episode, prompt: str) -> Episode:
    return episode.model_copy(update={"turns": (episode.turns[0].model_copy(update={"prompt": prompt}),)})


@pytest.mark.parametrize("embedding", [pointing(0), [1.0, 2.0], [], pointing(float("nan"))])
def test_unusable_vector_is_refused(store: PostgresStore, embedding: list[float]) -> None:
    """A broken embedder must be reported."""
    episode = make_episode()
    tell(store, episode)

    with pytest.raises(StoreError, match="refused"):
        store.save_embedding(episode.source_key, episode.trigger, embedding, MODEL)

    assert len(store.unembedded(5)) == 1


# Search


def test_trigger_that_cannot_be_embedded_does_not_spoil_a_search(store: PostgresStore) -> None:
    """It has no similarity, and the other triggers of its pattern have one."""
    embedded, emoji = make_episode(prompt="embedded"), make_episode(prompt="emoji")
    tell(store, embedded, emoji)
    embed(store, embedded, 10)
    store.save_embedding(emoji.source_key, emoji.trigger, None, MODEL)
    fold(store, one=[embedded, emoji])

    [found] = near(store)

    assert (found.trigger, len(found.similarities)) == ("embedded", 1)


def test_pattern_is_found_once_by_the_nearest_of_its_triggers(store: PostgresStore) -> None:
    """People ask for the same job in many ways; each is as good as the one that the pattern shows."""
    far, nearest, middle = (make_episode(prompt=text) for text in ("far", "nearest", "middle"))
    other = make_episode(prompt="other")
    tell(store, far, nearest, middle, other)
    for episode, degrees in ((far, 80), (nearest, 10), (middle, 40), (other, 20)):
        embed(store, episode, degrees)
    fold(store, one=[far, nearest, middle], two=[other])

    found = near(store)

    assert [(match.pattern.source_key, match.trigger) for match in found] == [("one", "nearest"), ("two", "other")]
    assert found[0].pattern == patterns(store)["one"]
    assert found[0].pattern.trigger == "far"
    assert [round(match.similarity, 4) for match in found] == [0.9848, 0.9397]


def test_search_respects_project_similarity_and_limit(store: PostgresStore) -> None:
    """The work for one customer must not appear in the repository of another."""
    for number, project in enumerate(["here", "there", "here", "here"]):
        episode = make_episode(session_id=project + str(number), context=in_project(project))
        tell(store, episode)
        embed(store, episode, 20 * number)
        with store.evidence() as evidence:
            evidence.save_pattern(computed(f"p{number}", episode))
            evidence.replace_patterns("no project", [], {episode.source_key: f"p{number}"})

    assert keys(near(store)) == ["p0", "p1", "p2", "p3"]
    assert keys(near(store, project="here")) == ["p0", "p2", "p3"]
    assert keys(near(store, project="nowhere")) == []
    assert [bool(match.pattern.actions) for match in near(store, least=0.7)] == [True, True, True]
    assert keys(near(store, limit=2)) == ["p0", "p1"]
    assert keys(near(store, limit=0)) == keys(near(store, limit=-1)) == []


def test_vectors_of_other_models_are_never_compared(store: PostgresStore) -> None:
    """They mean something else."""
    ours, theirs = make_episode(), make_episode()
    tell(store, ours, theirs)
    embed(store, ours, 60)
    embed(store, theirs, 0, model="another")
    fold(store, one=[ours], two=[theirs])

    assert keys(near(store)) == ["one"]
    assert keys(search.nearest(store, pointing(1), "another", min_similarity=-1, project=None, limit=5)) == ["two"]
    assert search.nearest(store, pointing(1), "none", min_similarity=-1, project=None, limit=5) == []


def test_pattern_of_several_models_is_found_by_the_vectors_of_one(store: PostgresStore) -> None:
    """After a change of the embedder a pattern has triggers of both."""
    old, new = make_episode(prompt="old"), make_episode(prompt="new")
    tell(store, old, new)
    embed(store, old, 0, model="another")
    embed(store, new, 60)
    fold(store, one=[old, new])

    [match] = near(store)

    assert (match.trigger, round(match.similarity, 4)) == ("new", 0.5)


def test_rows_that_callers_wrote_are_found_beside_patterns(store: PostgresStore) -> None:
    """Their only vector is their own."""
    episode, written = make_episode(prompt="told"), make_pattern(trigger="written")
    tell(store, episode)
    embed(store, episode, 10)
    fold(store, one=[episode])
    save(store, written, at_angle(5), MODEL)
    farther = make_pattern(trigger="farther")
    save(store, farther, at_angle(20), MODEL)

    found = near(store)

    assert keys(found) == [written.source_key, "one", farther.source_key]
    assert [match.trigger for match in found] == ["written", "told", "farther"]


def test_patterns_own_vector_counts_too(store: PostgresStore) -> None:
    """The vectors of its triggers may be of another model, or too many to compare."""
    episode = make_episode(prompt="told")
    tell(store, episode)
    with store.evidence() as evidence:
        made = computed("one", episode, embedding=at_angle(10), model=MODEL)
        evidence.replace_patterns(made.pattern.context.project, [made], {episode.source_key: "one"})

    [match] = near(store)

    assert (match.trigger, round(match.similarity, 4)) == ("told", 0.9848)


def test_job_that_is_done_very_often_does_not_hide_the_others(store: PostgresStore, owner: psycopg.Connection) -> None:
    """The triggers of one job can be more than a search compares."""
    commit, other = make_episode(prompt="commit"), make_episode(prompt="rename", session_id="s2")
    tell(store, commit)
    tell(store, other)
    for episode, degrees in ((commit, 0), (other, 30)):
        embed(store, episode, degrees)
    with store.evidence() as evidence:
        made = [
            computed("often", commit, embedding=at_angle(0), model=MODEL),
            computed("once", other, embedding=at_angle(30), model=MODEL),
        ]
        assigned = {commit.source_key: "often", other.source_key: "once"}
        evidence.replace_patterns("/home/dev/project", made, assigned)
    _repeat(owner, commit, 600)

    assert keys(near(store)) == ["often", "once"]
    assert len(store.triggers(models={MODEL: 2}, project=None)) == 602


def _repeat(owner: psycopg.Connection, episode: Episode, times: int) -> None:
    owner.execute(
        """insert into behavior.episodes (user_id, source_key, session_id, project, trigger, trigger_embedding,
                                          embedding_model, turns, outcome, digest, pattern_key, is_folded, started_at)
           select user_id, source_key || number, session_id, project, trigger, trigger_embedding, embedding_model,
                  turns, outcome, digest, pattern_key, is_folded, started_at
             from behavior.episodes, generate_series(1, %s) number
            where source_key = %s""",
        [times, episode.source_key],
    )


def test_episodes_without_a_pattern_are_not_found(store: PostgresStore) -> None:
    """There is nothing to show for them yet."""
    episode = make_episode(prompt="told")
    tell(store, episode)
    embed(store, episode, 0)

    assert near(store) == []
    assert store.triggers(models={MODEL: 2}, project=None) == []


def test_unreadable_pattern_takes_nobodys_place(
    store: PostgresStore, owner: psycopg.Connection, storage: Storage
) -> None:
    """A newer version may have written it."""
    spoilt, good = make_episode(prompt="fix it"), make_episode(prompt="fix that")
    tell(store, spoilt, good)
    embed(store, spoilt, 0)
    embed(store, good, 10)
    fold(store, one=[spoilt], two=[good])
    owner.execute(SET_CONTEXT[storage].encode(), [Jsonb({"novel": CANARY}), "one"])

    assert keys(near(store)) == ["two"]
    assert [each.source_key for each in store.patterns_with(["one", "two"])] == ["two"]


@pytest.mark.parametrize("part", ['{"names": 5}', '{"steps": 5}', '{"steps": [{"files": 5}]}'])
def test_work_of_another_shape_does_not_hide_the_rest(
    store: PostgresStore, owner: psycopg.Connection, part: str
) -> None:
    """A newer version on another machine may have written it."""
    spoilt, good = make_episode(prompt="fix it"), make_episode(prompt="ship it", session_id="s2")
    for each in (spoilt, good):
        tell(store, each)
    fold(store, one=[spoilt], two=[good])
    owner.execute(
        "update behavior.episodes set digest = digest || %s::jsonb where source_key = %s", (part, spoilt.source_key)
    )

    assert [each.text for each in store.triggers(models={MODEL: 3}, project=None)] == ["ship it"]


def test_triggers_have_what_recall_compares(store: PostgresStore) -> None:
    """The vector without its padding, and the work by its steps."""
    steps = (make_step("make all"), make_step("", StepKind.EDIT, files=("a.py",), until="make test"))
    digest = Digest(version=DIGEST_VERSION, job="fix", steps=steps, names=("make", "edit"))
    told, other = make_episode(prompt="fix it", digest=digest), make_episode(prompt="not embedded", session_id="s2")
    tell(store, told)
    tell(store, other)
    embed(store, told, 60)
    fold(store, one=[told], two=[other])
    save(store, make_pattern(source_key="written", trigger="as written", context=in_project("elsewhere")))

    found = {each.text: each for each in store.triggers(models={MODEL: 3}, project=None)}
    here = store.triggers(models={"another": 3}, project="/home/dev/project")

    assert list(found) == ["fix it", "not embedded", "as written"]
    first = found["fix it"]
    assert first == replace(trigger_of(told, pattern_key="one", embedding=None), embedding=first.embedding, model=MODEL)
    assert first.embedding is not None
    assert first.embedding.tolist() == pytest.approx(at_angle(60)[:3], abs=1e-6)
    assert found["as written"].pattern_key == "written"
    assert [(each.text, each.embedding) for each in here] == [("fix it", None), ("not embedded", None)]


def test_the_newest_and_the_nearest_triggers(store: PostgresStore, owner: psycopg.Connection) -> None:
    """The first prompt cannot wait for all triggers of a large project."""
    near, far, new = (
        make_episode(prompt=text, session_id=text, started_at=START + timedelta(days=day))
        for day, text in enumerate(("near", "far", "new"))
    )
    for episode, degrees in ((near, 20), (far, 135), (new, 200)):
        tell(store, episode)
        embed(store, episode, degrees)
    fold(store, one=[near], two=[far], three=[new])
    _repeat(owner, far, 300)
    for day in (3, 4):
        save(store, make_pattern(source_key=f"day {day}", trigger=f"written {day}", started_at=START + timedelta(day)))

    def found(**asked: Any) -> dict[str, int]:
        return Counter(each.text for each in store.triggers(models={MODEL: 2}, project=None, **asked))

    assert found(newest=1) == {"new": 1, "written 4": 1}
    assert found(newest=1, near=(MODEL, at_angle(10)[:2])) == {"near": 1, "far": 199, "new": 1, "written 4": 1}
    assert found(newest=1, near=("another", at_angle(10)[:2])) == {"new": 1, "written 4": 1}
    assert found() == {"near": 1, "far": 301, "new": 1, "written 3": 1, "written 4": 1}


@pytest.mark.parametrize("models", [[], [MODEL]])
def test_state_changes_with_whatever_recall_compares(store: PostgresStore, models: list[str]) -> None:
    """Another machine may write to the same database."""

    def state() -> tuple[object, ...]:
        return store.state(models=models, project="/home/dev/project")

    episode = make_episode(prompt="fix it")
    states = [state()]
    tell(store, episode)
    fold(store, one=[episode])
    states.append(state())
    if models:
        embed(store, episode, 0)
        states.append(state())
    fold(store, two=[episode])  # its session went on, and it became another job: there are as many patterns as before
    states.append(state())
    fold(store, one=[episode])
    states.append(state())
    tell(store, episode.model_copy(update={"judgement": Judgement(outcome=Outcome.FAILED, because="it was reverted")}))
    fold(store, one=[episode])
    states.append(state())
    save(store, make_pattern(source_key="written"))
    states.append(state())
    again = state()
    store.forget_session("session")
    states.append(state())

    assert all(before != after for before, after in pairwise(states))
    assert again == states[-2]
    assert store.state(models=[MODEL], project="/elsewhere")[:3] == ([0], None, 0)


def test_state_stays_when_only_numbers_of_a_pattern_change(store: PostgresStore) -> None:
    """Each suggestion is counted; a large project would be read again for each of them."""
    episode = make_episode(prompt="fix it")
    tell(store, episode)
    embed(store, episode, 0)
    fold(store, one=[episode])
    before = store.state(models=[MODEL], project=None)

    with store.evidence() as evidence:
        shown = computed("one", episode, workflow=make_workflow(shown=7), embedding=at_angle(0), model=MODEL)
        evidence.replace_patterns("/home/dev/project", [shown], {episode.source_key: "one"})

    [pattern] = store.newest(project=None, limit=2)
    assert pattern.workflow
    assert pattern.workflow.shown == 7
    assert store.state(models=[MODEL], project=None) == before


def test_the_server_is_patient_only_while_the_worker_computes(store: PostgresStore) -> None:
    """Reading a long session takes a while; but a worker that is gone must not hold its lock for long."""

    def patience(evidence: PostgresEvidence) -> str:
        row = evidence._connection.execute("show idle_in_transaction_session_timeout").fetchone()
        return str(row and row["idle_in_transaction_session_timeout"])

    with store.evidence() as evidence:
        found = [patience(evidence)]
        evidence.episodes(["session"])
        found.append(patience(evidence))
        evidence.replace_sessions([], [])
        found.append(patience(evidence))
        evidence.occurrences("project")
        found.append(patience(evidence))
        evidence.replace_patterns("project", [], {})
        found.append(patience(evidence))

    assert found == ["10s", "2min", "10s", "2min", "10s"]


# Listing


def test_episodes_are_listed_newest_first_without_parts(store: PostgresStore) -> None:
    """A part would show the same work twice."""
    older, newer = make_episode(context=in_project("here")), make_episode(context=in_project("here"))
    part = make_episode(newer.turns[0], source_key="part", part_of=older.source_key)
    elsewhere = make_episode(context=in_project("there"))
    tell(store, older, newer, part, elsewhere)

    assert store.newest_episodes(project=None, limit=5) == [elsewhere, newer, older]
    assert store.newest_episodes(project="here", limit=5) == [newer, older]
    assert store.newest_episodes(project="here", limit=1) == [newer]


def test_episodes_are_read_by_their_keys(store: PostgresStore) -> None:
    whole, other = make_episode(context=in_project("here")), make_episode(context=in_project("there"))
    part = make_episode(whole.turns[0], source_key="part", part_of=whole.source_key)
    tell(store, whole, part, other)

    assert store.episodes_with([whole.source_key, "part", "unknown"]) in ([whole, part], [part, whole])
    assert store.episodes_with([]) == []


def test_projects_with_patterns_are_listed_by_their_work(store: PostgresStore) -> None:
    """An error names them, and nobody looks for the rare ones first."""
    rare, frequent = make_episode(context=in_project("a")), [make_episode(context=in_project("b")) for _ in range(2)]
    without_pattern = make_episode(context=in_project("c"))
    tell(store, rare, *frequent, without_pattern)
    fold(store, "a", one=[rare])
    fold(store, "b", two=frequent)

    assert store.projects() == ["b", "a"]


def test_episodes_are_listed_by_their_newest_turn(store: PostgresStore) -> None:
    """A long session began early, and its last work is what a person looks for."""
    turns = [make_work(started_at=START + timedelta(hours=hours), session_id="long") for hours in (0, 2)]
    long = make_episode(*turns)
    short = make_episode(started_at=START + timedelta(hours=1), session_id="short")
    tell(store, long)
    tell(store, short)

    assert store.newest_episodes(project=None, limit=1) == [long]


def test_episodes_of_a_pattern_are_listed_newest_first(store: PostgresStore) -> None:
    """`show` explains what a pattern stands on; a part is such a piece of work."""
    older, newer, other = make_episode(), make_episode(), make_episode()
    part = make_episode(make_work(), part_of=older.source_key)
    tell(store, older, newer, part, other)
    fold(store, one=[older, newer, part])

    assert store.episodes_of("one", limit=5) == [part, newer, older]
    assert store.episodes_of("one", limit=1) == [part]
    assert store.episodes_of("two", limit=5) == store.episodes_of("", limit=5) == []


# Forgetting


def test_forgetting_a_session_deletes_its_evidence_and_what_stands_on_it_alone(
    store: PostgresStore, owner: psycopg.Connection
) -> None:
    """Its words must be gone from every table."""
    whole, kept = make_episode(make_work(), make_work(prompt=CANARY)), make_episode(session_id="kept")
    part = make_episode(whole.turns[1], part_of=whole.source_key)
    tell(store, whole, part)
    tell(store, kept)
    fold(store, both=[kept, whole], alone=[part])
    save(store, make_pattern(source_key="written", session_id="session"))
    save(store, make_pattern(source_key="written, kept", session_id="kept"))

    assert store.forget_session("session") == 2

    assert told(store) == []
    assert told(store, "kept") == [kept]
    assert patterns(store).keys() == {"both", "written, kept"}
    assert marks(owner) == {kept.source_key: ("both", False)}
    assert store.unfolded_projects() == ["/home/dev/project"]
    assert store.forget_session("session") == 0


def test_forgetting_deletes_unreadable_rows_too(store: PostgresStore, owner: psycopg.Connection) -> None:
    """The user asked for it, whichever version stored them."""
    episode = make_episode()
    tell(store, episode)
    make_unreadable(owner, episode, 99)

    assert store.forget_session("session") == 1
    assert marks(owner) == {}


def test_forgetting_deletes_patterns_whose_evidence_is_missing(store: PostgresStore) -> None:
    """A backup may have been restored without it."""
    with store.evidence() as evidence:
        evidence.save_pattern(computed("orphan", make_episode()))

    assert store.forget_session("session") == 1
    assert patterns(store) == {}


# Earlier versions


OLD = {"provenance": Provenance(machine="laptop", version="0.2.0")}


def test_patterns_of_version_0_2_become_evidence(store: PostgresStore, owner: psycopg.Connection) -> None:
    """Nothing that was learned may be lost."""
    old = make_pattern(
        **OLD,
        trigger="Fix 'it'; ü",
        context=Context(directory="/d", root="/r", project="p", project_type="go", branch="b", files_touched=("a",)),
        actions=(make_action(id="t1", actor="agent-1", error="exit 1", duration_ms=None), make_action("Edit")),
        final_outcome=Outcome.PARTIAL,
    )
    save(store, old, at_angle(30), MODEL)
    [stored] = store.newest(project=None, limit=5)
    count_use(store, stored.source_key)
    [used] = store.newest(project=None, limit=5)

    assert store.take_old_patterns() == 1

    assert patterns(store) == {}
    [episode] = told(store)
    [turn] = episode.turns
    assert (episode.source_key, episode.session_id, episode.trigger) == (old.source_key, "session", old.trigger)
    assert (episode.context, episode.actions) == (old.context, old.actions)
    assert (episode.started_at, episode.judgement.outcome) == (old.started_at, Outcome.PARTIAL)
    assert (turn.is_ended, turn.has_follow_ups, turn.provenance) == (False, True, old.provenance)
    with store.evidence() as evidence:
        [run] = evidence.runs([old.source_key])
        [occurrence] = evidence.occurrences("p")
        assert [
            each.source_key
            for each in evidence.episodes([], [make_work(prompt=old.trigger, started_at=old.started_at)])
        ] == [old.source_key]
    assert run.embedding == pytest.approx(at_angle(30))
    assert run.model == MODEL
    assert (occurrence.use_count, occurrence.last_used_at) == (1, used.last_used_at)
    assert ask(owner, "select created_at from behavior.episodes") == stored.created_at


@pytest.mark.parametrize(("outcome", "is_ended"), [(Outcome.SUCCESS, True), (Outcome.FAILED, True)])
def test_finished_work_of_version_0_2_was_ended(store: PostgresStore, outcome: Outcome, is_ended: bool) -> None:
    """It called work partial that was broken off."""
    save(store, make_pattern(**OLD, final_outcome=outcome))

    store.take_old_patterns()

    assert [turn.is_ended for turn in told(store)[0].turns] == [is_ended]


def test_old_evidence_is_stale_until_it_is_computed_again(store: PostgresStore) -> None:
    """Its digest is computed by the rules of this version."""
    old = make_pattern(**OLD)
    save(store, old)
    store.take_old_patterns()
    assert store.stale_sessions(2) == ["session"]
    assert store.stale_sessions(1) == []

    [episode] = told(store)
    tell(store, episode.model_copy(update={"digest": Digest(version=2, job="fix")}))

    assert store.stale_sessions(2) == []
    assert waiting(store, 5) == {old.source_key: old.trigger}
    assert store.unfolded_projects() == [old.context.project]


def test_feedback_is_in_no_session(store: PostgresStore, owner: psycopg.Connection) -> None:
    """It has no session id, and a request may have an empty one."""
    store.add_remark(Remark(pattern_key="key", kind=RemarkKind.GOOD, made_at=START))

    store.forget_session("")

    assert value(owner, "select count(*) from behavior.remarks") == 1


def test_stale_sessions_come_in_portions(store: PostgresStore) -> None:
    """After an update there may be thousands."""
    for number in range(MAX_SESSIONS + 2):
        save(store, make_pattern(**OLD, session_id=f"s{number:02}"))
    store.take_old_patterns()

    first = [f"s{number:02}" for number in range(MAX_SESSIONS)]
    assert store.stale_sessions(2) == first
    assert store.stale_sessions(2, after=first[-1]) == [f"s{MAX_SESSIONS}", f"s{MAX_SESSIONS + 1}"]


def test_all_old_patterns_are_taken_however_many(store: PostgresStore) -> None:
    """One statement for all of them would take longer than the store waits."""
    for _ in range(MAX_TAKEN + 1):
        save(store, make_pattern(**OLD))

    assert store.take_old_patterns() == MAX_TAKEN + 1
    assert store.count() == 0
    assert len(told(store)) == MAX_TAKEN + 1


def test_taking_old_patterns_twice_changes_nothing(store: PostgresStore, owner: psycopg.Connection) -> None:
    """Every worker does it at its start."""
    old = make_pattern(**OLD)
    save(store, old)
    store.take_old_patterns()
    before = ask(owner, WHOLE, [old.source_key])

    assert store.take_old_patterns() == 0
    assert ask(owner, WHOLE, [old.source_key]) == before


def test_rows_of_callers_and_computed_patterns_are_not_taken(
    store: PostgresStore, owner: psycopg.Connection, storage: Storage
) -> None:
    """There is no session to compute them from."""
    user = ask(owner, "select user_id from behavior.members where login = %s", [LOGIN])
    insert(owner, user, "written", storage)
    save(store, make_pattern(**OLD, session_id=""))
    episode = make_episode(session_id="s2")
    tell(store, episode)
    with store.evidence() as evidence:
        made = computed("one", episode, **OLD)
        evidence.replace_patterns(made.pattern.context.project, [made], {episode.source_key: "one"})
    before = rows(owner, PATTERNS[storage])

    assert store.take_old_patterns() == 0
    assert rows(owner, PATTERNS[storage]) == before
    assert len(before) == 3


def test_old_pattern_of_known_work_adds_only_its_counters(store: PostgresStore, owner: psycopg.Connection) -> None:
    """Another machine of the user, not yet updated, may store what is evidence already."""
    episode = make_episode(make_work(), make_work())
    tell(store, episode)
    fold(store, one=[episode])
    owner.execute("update behavior.episodes set use_count = 5")
    save(store, make_pattern(**OLD, source_key=episode.source_key, trigger="Shorter"))
    count_use(store, episode.source_key)

    assert store.take_old_patterns() == 1

    assert told(store) == [episode]
    with store.evidence() as evidence:
        [occurrence] = evidence.occurrences("/home/dev/project")
    assert occurrence.use_count == 6
    assert occurrence.last_used_at is not None
    assert patterns(store).keys() == {"one"}
    assert store.unfolded_projects() == ["/home/dev/project"]


def test_counters_at_their_maximum_are_taken(store: PostgresStore, owner: psycopg.Connection) -> None:
    """A single full counter must not stop the update."""
    episode = make_episode()
    tell(store, episode)
    owner.execute("update behavior.episodes set use_count = %s", [HIGHEST_COUNT])
    save(store, make_pattern(**OLD, source_key=episode.source_key))
    count_use(store, episode.source_key)

    assert store.take_old_patterns() == 1
    assert ask(owner, "select use_count from behavior.episodes") == HIGHEST_COUNT


def test_most_deeply_nested_old_pattern_is_taken(store: PostgresStore) -> None:
    """A single one that the new table refused would stop all learning."""
    old = next(pattern for depth in range(70, 50, -1) if _is_saved(store, pattern := _nested(depth)))

    assert store.take_old_patterns() == 1
    assert told(store)[0].actions == old.actions


def _nested(depth: int) -> Pattern:
    deep: Any = 1
    for _ in range(depth):
        deep = [deep]
    return make_pattern(**OLD, actions=(make_action(parameters={"deep": deep}),))


def _is_saved(store: PostgresStore, pattern: Pattern) -> bool:
    try:
        save(store, pattern)
    except StoreError:
        return False
    return True


# Earlier versions, in memories


ANNOTATIONS = [
    """metadata = metadata || '{"liked": true}'""",
    """metadata = metadata || '{"workflow": "another program''s"}'""",
    """content = (content::jsonb || '{"note": [1]}')::text""",
]


@pytest.mark.parametrize("storage", ["memories"])
@pytest.mark.parametrize("change", ANNOTATIONS)
def test_memory_with_an_annotation_stays(store: PostgresStore, owner: psycopg.Connection, change: str) -> None:
    """Somebody has added something of their own, which evidence has no place for."""
    annotated, plain = make_pattern(**OLD), make_pattern(**OLD)
    save(store, annotated)
    owner.execute(f"update public.memories set {change}".encode())
    save(store, plain)
    before = rows(owner, "select to_jsonb(m) from public.memories m where metadata ->> 'source_key' <> 'x' order by id")

    assert store.take_old_patterns() == 1

    assert patterns(store).keys() == {annotated.source_key}
    [(kept,)] = rows(owner, "select to_jsonb(m) from public.memories m")
    assert (kept,) in before
    assert [each.source_key for each in told(store)] == [plain.source_key]


@pytest.mark.parametrize("storage", ["behavior_patterns"])
def test_moved_memory_with_an_annotation_stays(store: PostgresStore, owner: psycopg.Connection) -> None:
    """It can be moved back to memories, with what was added there."""
    old = make_pattern(**OLD)
    save(store, old)
    owner.execute("""update public.behavior_patterns set provenance = provenance || '{"memory": {"tags": ["x"]}}'""")

    assert store.take_old_patterns() == 0
    assert patterns(store).keys() == {old.source_key}


@pytest.fixture
def foreign(server: Server, database: str, owner: psycopg.Connection) -> Iterator[PostgresStore]:
    """The store on another program's table of memories, which has columns of its own."""
    owner.execute("drop table public.memories cascade")
    owner.execute("delete from behavior.migrations where version between 201 and 599")
    owner.execute("set search_path = public, extensions")
    make_memories(owner)
    owner.execute(
        """alter table public.memories
                 add column rank integer not null default 0,
                 add column number bigint generated always as identity,
                 add column size integer generated always as (length(content)) stored"""
    )
    migrate(owner, "memories")
    with closing(PostgresStore(server.conninfo(LOGIN, database), "memories")) as opened:
        yield opened


@pytest.mark.parametrize("storage", ["memories"])
@pytest.mark.parametrize("change", ["note = 'mine'", "tags = '{mine}'", "rank = 2"])
def test_blank_columns_of_another_programs_table_are_no_annotation(
    foreign: PostgresStore, owner: psycopg.Connection, change: str
) -> None:
    """Otherwise no old pattern of such a table would ever become evidence."""
    annotated, plain = make_pattern(**OLD), make_pattern(**OLD)
    save(foreign, annotated)
    owner.execute(f"update public.memories set {change}".encode())
    save(foreign, plain)
    owner.execute(
        "update public.memories set created_at = 'infinity' where metadata ->> 'source_key' = %s", [plain.source_key]
    )

    assert foreign.take_old_patterns() == 1

    assert patterns(foreign).keys() == {annotated.source_key}
    assert [each.source_key for each in told(foreign)] == [plain.source_key]


@pytest.mark.parametrize("storage", ["memories"])
def test_key_workflow_of_another_program_is_its_own(store: PostgresStore, owner: psycopg.Connection) -> None:
    """It is a likely name, and must neither hide the row nor mark it as computed."""
    user = ask(owner, "select user_id from behavior.members where login = %s", [LOGIN])
    insert(owner, user, "theirs", "memories")
    owner.execute("""update public.memories set metadata = metadata || '{"workflow": "deploy"}'""")
    fold(store, "project")

    [stored] = store.newest(project=None, limit=5)
    assert stored.workflow is None
    assert keys(search.nearest(store, [1.0] * 1536, "model", min_similarity=0.9, project=None, limit=5)) == ["theirs"]
    assert [each.source_key for each in store.triggers(models={MODEL: 2}, project=None)] == ["theirs"]
    row = "select behavior.pattern_row(m) -> %s from public.memories m"
    assert ask(owner, row, ["workflow"]) is None
    assert ask(owner, row, ["provenance"]) == {"memory": {"metadata": {"workflow": "deploy"}}}


# Several users


@pytest.mark.parametrize("storage", ["behavior_patterns"])
def test_no_query_reads_everybodys_rows(
    server: Server, database: str, owner: psycopg.Connection, storage: Storage
) -> None:
    """A small user next to a large one would wait for it, on every prompt."""
    with member_store(owner, server, "behavior_other", storage) as others:
        theirs = make_episode()
        tell(others, theirs)
        embed(others, theirs, 0)
        fold(others, one=[theirs])
        _repeat(owner, theirs, 5000)
    owner.execute(
        """insert into public.behavior_patterns (user_id, trigger, trigger_embedding, embedding_model, final_outcome)
           select user_id, trigger, trigger_embedding, embedding_model, 'success'
             from behavior.episodes"""
    )
    before = _scans(owner)

    with closing(PostgresStore(server.conninfo(LOGIN, database), storage)) as small:
        _use_every_query(small)

    wait_for(lambda: not _sessions(owner), "its statistics are written")
    after = _scans(owner)
    for table, (sequential, by_index) in before.items():
        assert after[table][0] == sequential
        assert after[table][1] > by_index


def _use_every_query(store: PostgresStore) -> None:
    episode = make_episode()
    for _ in range(3):
        save(store, make_pattern(**OLD, session_id="old"))
        store.take_old_patterns()
        tell(store, episode)
        store.unembedded(5)
        embed(store, episode, 0)
        store.unfolded_projects()
        with store.evidence() as evidence:
            evidence.episodes(["session"], episode.turns)
            evidence.runs([episode.source_key])
        fold(store, one=[episode])
        near(store)
        near(store, project="/home/dev/project")
        store.triggers(models={MODEL: 2}, project=None)
        store.triggers(models={MODEL: 2}, project="/home/dev/project")
        store.state(models=[MODEL], project=None)
        store.state(models=[MODEL], project="/home/dev/project")
        store.patterns_with(["one"])
        store.embedded()
        store.embedded_by(MODEL, project="/home/dev/project", limit=5)
        store.newest_triggers("/home/dev/project", limit=5)
        store.refold("/home/dev/project")
        store.newest_episodes(project=None, limit=5)
        store.newest_episodes(project="/home/dev/project", limit=5)
        store.episodes_of("one", limit=5)
        store.newest(project=None, limit=5)
        store.stale_sessions(2)
        store.count()
        store.starting_with("a")
        store.forget_session("session")


def _scans(owner: psycopg.Connection) -> dict[str, tuple[int, int]]:
    """The number of sequential and of index scans of each table so far."""
    owner.execute("select pg_stat_force_next_flush()")
    found = rows(
        owner,
        """select relname, seq_scan, idx_scan from pg_stat_user_tables
            where relname in ('episodes', 'behavior_patterns')""",
    )
    return {table: (sequential, by_index) for table, sequential, by_index in found}


def _sessions(owner: psycopg.Connection) -> int:
    return int(ask(owner, "select count(*) from pg_stat_activity where usename = %s", [LOGIN]))


def test_no_method_reaches_evidence_of_another_user(
    store: PostgresStore, other_store: PostgresStore, owner: psycopg.Connection
) -> None:
    """Two people trust one database with their prompts."""
    theirs = make_episode(source_key="shared", prompt="theirs")
    tell(other_store, theirs)
    embed(other_store, theirs, 0)
    fold(other_store, one=[theirs])
    save(other_store, make_pattern(**OLD, source_key="old"))
    before = rows(owner, "select xmin::text || to_jsonb(e)::text from behavior.episodes e")
    ours = make_episode(source_key="shared", prompt="ours")

    assert near(store) == []
    assert store.triggers(models={MODEL: 2}, project=None) == []
    assert store.patterns_with(["one"]) == []
    assert store.state(models=[MODEL], project=None)[:3] == ([0], None, 0)
    assert store.unfolded_projects() == store.stale_sessions(99) == []
    assert waiting(store, 5) == {}
    assert store.embedded() == []
    assert store.newest_triggers("/home/dev/project", limit=5) == []
    assert store.embedded_by(MODEL, project="/home/dev/project", limit=5) == []
    store.refold("/home/dev/project")
    assert store.newest_episodes(project=None, limit=5) == store.episodes_of("one", limit=5) == []
    assert store.take_old_patterns() == store.forget_session("session") == 0
    store.save_embedding("shared", "theirs", at_angle(50), MODEL)
    with store.evidence() as evidence:
        assert evidence.episodes(["session"], theirs.turns) == []
        assert evidence.runs(["shared"]) == []
        assert evidence.occurrences("/home/dev/project") == []
        evidence.replace_patterns("/home/dev/project", [], {"shared": "stolen"})
    tell(store, ours)
    tell(store, sessions=["session"])

    assert rows(owner, "select xmin::text || to_jsonb(e)::text from behavior.episodes e") == before
    assert told(other_store) == [theirs]
    assert patterns(other_store).keys() == {"one", "old"}


def test_same_key_of_two_users_is_two_episodes(store: PostgresStore, other_store: PostgresStore) -> None:
    """One user's delivery must not overwrite another's."""
    ours, theirs = (make_episode(source_key="shared", prompt=text) for text in ("ours", "theirs"))

    tell(store, ours)
    tell(other_store, theirs)

    assert (told(store), told(other_store)) == ([ours], [theirs])


def test_nobody_else_reaches_the_table(store: PostgresStore, owner: psycopg.Connection, server: Server) -> None:
    """An API for anonymous callers, or another member, may be connected to the same database."""
    tell(store, make_episode())
    make_user(owner, A)
    member(owner, server, "behavior_other")

    for statement in ("select from behavior.episodes", "delete from behavior.episodes", "truncate behavior.episodes"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            owner.execute(f"set local role anon; {statement}".encode())
    with psycopg.connect(server.conninfo("behavior_other", owner.info.dbname)) as other:
        other.execute("set role authenticated")
        assert other.execute("select count(*) from behavior.episodes").fetchone() == (0,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            other.execute(
                "insert into behavior.episodes (user_id, source_key, trigger, turns, outcome, started_at)"
                " values (%s, 'x', 'x', '[]', 'success', now())",
                [A],
            )
