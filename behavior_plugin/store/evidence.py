"""Read and change the evidence and the computed patterns of one user, within one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import psycopg
from psycopg.rows import DictRow

from behavior_plugin.config import Storage
from behavior_plugin.model import REDACTION_VERSION, Turn
from behavior_plugin.store import Computed, Forgotten, Run, Selection, Work
from behavior_plugin.store.forgetting import Forgetting, Marks
from behavior_plugin.store.rows import (
    episode_or_none,
    episode_values,
    is_newer,
    pattern_values,
    read_episode,
    read_occurrence,
    read_remark,
    read_rows,
    read_run,
    remark_texts,
    remark_values,
)
from behavior_plugin.store.sql_files import query
from behavior_plugin.workflow import SUGGESTED, Episode, Occurrence, Remark, Saved

# How long the client may be silent while it computes from what it has read, and while it writes. Beyond that it is
# taken for gone, and its lock is released.
COMPUTING, WRITING = "120s", "10s"


class PostgresEvidence:
    """The user's episodes, within an open transaction. `Evidence` documents the methods."""

    def __init__(self, connection: psycopg.Connection[DictRow], storage: Storage) -> None:
        self._connection = connection
        self._storage = storage

    def episodes(self, session_ids: Iterable[str], like: Sequence[Turn] = ()) -> list[Episode]:
        starts = sorted(turn.started_at for turn in like)
        values = {
            "session_ids": list(session_ids),
            "prompts": [turn.prompt for turn in like],
            "starts": starts,
            "first": min(starts, default=None),
            "last": max(starts, default=None),
        }
        self._execute("set_silence", {"time": COMPUTING})
        return read_rows(read_episode, self._fetch("find_episodes", values))

    def replace_sessions(self, session_ids: Iterable[str], episodes: Sequence[Episode]) -> None:
        self._execute("set_silence", {"time": WRITING})
        rows = self._fetch("find_sessions", {"session_ids": list(session_ids)})
        wanted = {episode.source_key: episode for episode in episodes}
        before = {row["source_key"]: episode_or_none(row) for row in rows}
        # A row that this version cannot read stays: a newer one stored it, and will bring it up to date.
        newer = {row["source_key"] for row in rows if before[row["source_key"]] is None and is_newer(row, wanted)}
        # A row of an older redaction may pass its turns on to any other of its session.
        redacted_by = min([REDACTION_VERSION, *(row["redaction_version"] for row in rows)])
        changed = {key for key, episode in wanted.items() if key not in newer and before.get(key) != episode}
        for key, episode in wanted.items():
            if key in changed:
                self._execute("save_episode", episode_values(episode, redacted_by))
        self._delete([key for key, episode in before.items() if episode and key not in wanted])
        self._recompute([row for row in rows if row["source_key"] in changed])

    def mark_redacted(self, source_keys: Iterable[str]) -> None:
        self._execute("mark_redacted", {"source_keys": list(source_keys), "version": REDACTION_VERSION})

    def remarks_to_redact(self) -> list[Remark]:
        return read_rows(read_remark, self._fetch("find_remarks_to_redact", {"version": REDACTION_VERSION}))

    def mark_remarks_redacted(self, remarks: Iterable[Remark]) -> None:
        ids = [remark.id for remark in remarks]
        self._execute("mark_remarks_redacted", {"ids": ids, "version": REDACTION_VERSION})

    def save_redacted(self, remark: Remark) -> None:
        self._execute("redact_remark", {"id": remark.id, **remark_texts(remark), "version": REDACTION_VERSION})
        self._execute("mark_unfolded", {"projects": [], "pattern_keys": [remark.pattern_key]})

    def refold(self, project: str) -> None:
        self._execute("mark_unfolded", {"projects": [project], "pattern_keys": []})

    def forget(self, session_id: str) -> int:
        rows = self._fetch("find_sessions", {"session_ids": [session_id]})
        self._delete([row["source_key"] for row in rows])
        keys = {row["pattern_key"] for row in self._fetch("delete_remarks", {"session_id": session_id})}
        self._execute("mark_unfolded", {"projects": [], "pattern_keys": list(keys)})
        written = self._execute("delete_session", {"session_id": session_id}, self._storage).rowcount
        return written + sum(not row["part_of"] for row in rows)

    def forgotten(self, turns: Sequence[Turn]) -> set[str]:
        return Marks(self._fetch_of).forgotten(turns)

    def mark_forgotten(self, turns: Sequence[Turn]) -> None:
        Marks(self._fetch_of).add((turn.source_key, turn.started_at, turn.prompt) for turn in turns)

    def chosen(self, selection: Selection) -> list[Work]:
        self._execute("set_silence", {"time": COMPUTING})
        return Forgetting(self._fetch_of, selection).work()

    def forget_work(
        self, selection: Selection, work: Sequence[Work], *, native_key: Callable[[str, str], str], is_marked: bool
    ) -> Forgotten:
        self._execute("set_silence", {"time": COMPUTING})
        done = Forgetting(self._fetch_of, selection).run(work, native_key=native_key, is_marked=is_marked)
        self._execute("mark_unfolded", {"projects": list(done.projects), "pattern_keys": list(done.pattern_keys)})
        self._delete_patterns(done.pattern_keys | done.gone_patterns)
        return done

    def occurrences(self, project: str) -> list[Occurrence]:
        self._execute("set_silence", {"time": COMPUTING})
        # Row by row: a project may have thousands.
        return read_rows(read_occurrence, self._execute("find_digests", {"project": project}))

    def add_remark(self, remark: Remark) -> None:
        self._execute("add_remark", remark_values(remark))
        # A suggestion changes no more than a count before it is judged, and each would fold its whole project.
        if remark.kind not in SUGGESTED:
            self._execute("mark_unfolded", {"projects": [], "pattern_keys": [remark.pattern_key]})

    def remarks(self, pattern_keys: Iterable[str]) -> list[Remark]:
        return read_rows(read_remark, self._fetch("find_remarks", {"pattern_keys": list(pattern_keys)}))

    def suggested(self, session_ids: Iterable[str]) -> list[Remark]:
        return read_rows(read_remark, self._fetch("find_suggested", {"session_ids": list(session_ids)}))

    def judge(self, remark: Remark) -> None:
        values = {"id": remark.id, "is_followed": remark.is_followed, "outcome": remark.outcome}
        changed = self._fetch("judge_remark", values)
        if changed:
            self._execute("mark_unfolded", {"projects": [], "pattern_keys": [remark.pattern_key]})
        if changed and changed[0]["is_new_use"]:
            self.count_use(remark.pattern_key)

    def count_use(self, pattern_key: str) -> bool:
        """Count that work followed a pattern; false if there is no such pattern."""
        return bool(self._fetch("count_use", {"source_key": pattern_key}, self._storage))

    def runs(self, source_keys: Iterable[str]) -> list[Run]:
        return read_rows(read_run, self._fetch("find_runs", {"source_keys": list(source_keys)}))

    def replace_patterns(self, project: str, patterns: Sequence[Computed], pattern_keys: Mapping[str, str]) -> None:
        self._execute("set_silence", {"time": WRITING})
        rows = self._fetch("find_pattern_keys", {"project": project}, self._storage)
        assigned = {"source_keys": list(pattern_keys), "pattern_keys": list(pattern_keys.values())}
        self._execute("assign_patterns", assigned)
        for computed in patterns:
            self.save_pattern(computed)
        self._delete_patterns({row["source_key"] for row in rows} - {each.pattern.source_key for each in patterns})

    def take_patterns(self, limit: int) -> int:
        """Make evidence of some patterns of an earlier version; returns their number."""
        return int(self._fetch("take_patterns", {"limit": limit}, self._storage)[0]["taken"])

    def save_pattern(self, computed: Computed) -> Saved:
        """Save one pattern; the same work updates the same row."""
        changed = self._fetch("save_pattern", pattern_values(computed), self._storage)
        if not changed:
            return Saved.UNCHANGED
        return Saved.ADDED if changed[0]["is_new"] else Saved.UPDATED

    def _delete(self, source_keys: Sequence[str]) -> None:
        """Delete episodes; their patterns are computed again from the others."""
        if source_keys:
            self._recompute(self._fetch("delete_episodes", {"source_keys": source_keys}))

    def _recompute(self, rows: Sequence[DictRow]) -> None:
        """Have the patterns and projects computed again that these episodes belonged to."""
        projects, keys = {row["project"] for row in rows}, {row["pattern_key"] for row in rows} - {""}
        if projects:
            self._execute("mark_unfolded", {"projects": list(projects), "pattern_keys": list(keys)})
            self._delete_patterns(keys)

    def _delete_patterns(self, source_keys: Iterable[str]) -> None:
        """Delete those of these patterns that no episode belongs to."""
        if keys := list(source_keys):
            self._execute("delete_patterns", {"source_keys": keys}, self._storage)

    def _fetch_of(self, name: str, values: dict[str, Any], *, is_of_storage: bool = False) -> list[DictRow]:
        return self._fetch(name, values, self._storage if is_of_storage else None)

    def _fetch(self, name: str, values: dict[str, Any], storage: Storage | None = None) -> list[DictRow]:
        return self._execute(name, values, storage).fetchall()

    def _execute(self, name: str, values: dict[str, Any], storage: Storage | None = None) -> psycopg.Cursor[DictRow]:
        return self._connection.execute(query(name, storage), values)
