"""Answer a person who asks for past work: only the wanted work, and with its factors."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from behavior_plugin.model import Outcome
from behavior_plugin.recall.explain import candidate_phrase, odds_phrase
from behavior_plugin.recall.index import Candidates
from behavior_plugin.recall.rank import explain
from behavior_plugin.workflow import Suggestion, Trigger


@dataclass(frozen=True)
class Wanted:
    """The pieces of work that a person wants to see: those with this outcome that began at `since` or later."""

    outcome: Outcome | None = None
    since: datetime | None = None

    def __bool__(self) -> bool:
        """Whether it leaves anything out."""
        return self.outcome is not None or self.since is not None

    def includes(self, trigger: Trigger) -> bool:
        return self.outcome in (None, trigger.outcome) and (self.since is None or trigger.started_at >= self.since)


def projects_named(name: str, projects: Iterable[str]) -> list[str]:
    """The project with this name; else those whose names end with it, as github.com/acme/shop ends with `acme/shop`."""
    known = list(projects)
    wanted = _parts(name)
    if name in known:
        return [name]
    return [project for project in known if wanted and _parts(project)[-len(wanted) :] == wanted]


def with_explanations(found: Sequence[Suggestion], candidates: Candidates) -> list[Suggestion]:
    """The suggestions, each with the factors of its candidate; the best candidate's also with those of its odds."""
    ranking = explain(candidates, limit=len(candidates.triggers))
    lines: dict[str, tuple[str, ...]] = {}
    for number, candidate in enumerate(ranking.candidates):
        odds = [odds_phrase(ranking)] if not number else []
        lines.setdefault(candidate.pattern_key, (candidate_phrase(candidate), *odds))
    return [each.model_copy(update={"explanation": lines[each.pattern.source_key]}) for each in found]


def _parts(name: str) -> list[str]:
    return [part for part in name.casefold().replace("\\", "/").split("/") if part]
