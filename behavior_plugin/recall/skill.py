"""Draft a SKILL.md from a pattern, for a person to read, edit and install.

The texts in it are data from prompts and commands. A skill is more than a text: the client expands `!` before a code
span into a command that runs at once, so no quotation may form one.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator, Sequence

from behavior_plugin.errors import RequestError
from behavior_plugin.recall import wording
from behavior_plugin.recall.offer import dangers_against, offer_of, offered_text
from behavior_plugin.recall.quoting import code, said
from behavior_plugin.recall.wording import workflow_of
from behavior_plugin.workflow import Episode, StoredPattern, Workflow

# The limit of the format; that of a description is 1,024, and its words stay far below.
MAX_NAME_CHARS = 64
MAX_TRIGGERS, MAX_TRIGGER_CHARS = 8, 200
# The description is part of every session's context.
MAX_DESCRIBED_TRIGGERS = 3
MAX_EPISODES = 20
DEFAULT_NAME = "learned-workflow"

# The format reserves these words, and allows only these characters.
_NOT_IN_NAME = re.compile(r"(?:anthropic|claude|[^a-z0-9])+")
# A command that runs when the skill is loaded: !`...`, and a block fenced by ```!.
_RUNS_AT_ONCE = re.compile(r"!(?=`)|`(?=!)")


def skill_draft(pattern: StoredPattern, episodes: Sequence[Episode] = ()) -> str:
    """The text of a SKILL.md: front matter, when to use it, steps, lessons, and the evidence behind them.

    Raises:
        RequestError: the pattern is no way of doing anything, or a dangerous one.
    """
    _check(pattern, workflow_of(pattern))
    offer = offer_of(pattern)
    if offer is None:
        hint = f"`behavior show {pattern.id}` shows it. Write its steps anew with `behavior edit {pattern.id}`."
        dangers = ", ".join(dangers_against(workflow_of(pattern)))
        raise RequestError(f"Pattern {pattern.id} is never offered, since it {dangers}.", hint=hint)
    pattern, workflow = offer.pattern, workflow_of(offer.pattern)
    how = [*_how(pattern), *_left_out(offer.left_out)]
    body = "\n".join([*_introduction(pattern), *how, *_lessons(workflow), *_evidence(workflow, episodes)])
    return _RUNS_AT_ONCE.sub(r"\g<0> ", f"---\n{_front_matter(pattern)}\n---\n\n{body}\n")


def _check(pattern: StoredPattern, workflow: Workflow) -> None:
    """Raises RequestError for a pattern that never worked, or has no steps: its skill would teach nothing."""
    if not wording.is_way(pattern):
        hint = f"`behavior show {pattern.id}` shows it. Export it when it has worked once."
        raise RequestError(f"Pattern {pattern.id} has not worked yet, so it is not written as a skill.", hint=hint)
    if not workflow.steps:
        hint = f"Write them with `behavior edit {pattern.id}`, then export it."
        raise RequestError(f"Pattern {pattern.id} has no steps, so it is not written as a skill.", hint=hint)


def _front_matter(pattern: StoredPattern) -> str:
    """Two YAML fields. A JSON string without hidden characters is a YAML string."""
    workflow = workflow_of(pattern)
    work = said(workflow.job or wording.last_trigger(pattern), wording.MAX_MENTION_CHARS)
    prompts = ", ".join(said(text, wording.MAX_MENTION_CHARS) for text in _triggers(pattern)[:MAX_DESCRIBED_TRIGGERS])
    description = f"How {work} is done in {_project(pattern)}; it {wording.odds(workflow)}. For prompts like {prompts}"
    # The format allows no tags in it.
    fields = {"name": _name(pattern), "description": description.replace("<", "‹").replace(">", "›")}
    return "\n".join(f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in fields.items())


def _name(pattern: StoredPattern) -> str:
    words = workflow_of(pattern).job or wording.last_trigger(pattern)
    plain = unicodedata.normalize("NFKD", words).encode("ascii", "ignore").decode().lower()
    return _NOT_IN_NAME.sub("-", plain).strip("-")[:MAX_NAME_CHARS].strip("-") or DEFAULT_NAME


def _introduction(pattern: StoredPattern) -> Iterator[str]:
    workflow = workflow_of(pattern)
    yield f"# {code(workflow.job or wording.last_trigger(pattern), MAX_TRIGGER_CHARS)}"
    yield ""
    yield (
        f"A draft, made by the behavior plugin from recorded work in {_project(pattern)}. The prompts and commands are "
        "quoted from there: read and edit them before you install this file."
    )
    yield from ("", "## When to use it", "", "For prompts like these:", "")
    yield from (f"- {code(trigger, MAX_TRIGGER_CHARS)}" for trigger in _triggers(pattern))


def _how(pattern: StoredPattern) -> Iterator[str]:
    workflow = workflow_of(pattern)
    yield from ("", "## Steps", "")
    yield from wording.step_lines(workflow)
    if any("{" in step.text for step in workflow.steps):
        yield from ("", "A word in braces, such as `{message}`, stands for a value that differs each time.")
    if workflow.variants:
        yield from ("", "## Other ways", "")
    for way in workflow.variants:
        yield f"- worked {way.worked} of {wording.plural(way.times, 'time')}: {wording.steps_phrase(way.steps)}"


def _left_out(kinds: Sequence[str]) -> Iterator[str]:
    if kinds:
        yield from ("", f"{wording.left_out_line(kinds)}.")


def _lessons(workflow: Workflow) -> Iterator[str]:
    if workflow.lessons:
        yield from ("", "## Lessons", "")
    yield from (f"- {wording.lesson_line(lesson)}" for lesson in workflow.lessons)


def _evidence(workflow: Workflow, episodes: Sequence[Episode]) -> Iterator[str]:
    yield from ("", "## Evidence", "", f"It {wording.odds(workflow)}.")
    if episodes:
        yield ""
    for episode in episodes[:MAX_EPISODES]:
        judgement = episode.judgement
        prompt = code(episode.trigger, wording.MAX_MENTION_CHARS)
        because = code(offered_text(judgement.because), MAX_TRIGGER_CHARS)
        reason = f", because {because}" if because else ""
        yield f"- {wording.day(episode.started_at)}: {judgement.outcome}, for {prompt}{reason}"
    if len(episodes) > MAX_EPISODES:
        # Only the newest episodes come with a pattern.
        yield f"- and {max(workflow.times, len(episodes)) - MAX_EPISODES:,} more"


def _triggers(pattern: StoredPattern) -> list[str]:
    return [*dict.fromkeys([*workflow_of(pattern).triggers, pattern.trigger])][:MAX_TRIGGERS]


def _project(pattern: StoredPattern) -> str:
    name = pattern.context.project.rstrip("/").rpartition("/")[2]
    return code(name, wording.MAX_MENTION_CHARS) or "one project"
