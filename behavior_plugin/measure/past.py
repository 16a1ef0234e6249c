"""A past piece of work with everything that a replay compares, small enough to be sent by the thousand."""

from __future__ import annotations

from pydantic import AwareDatetime, ConfigDict

from behavior_plugin.model import Action, Frozen, Outcome
from behavior_plugin.workflow import Lesson


class PastWork(Frozen):
    """An episode without its turns. Its session is over at the latest `ended_at` of all its episodes.

    `is_task`: the prompt is of a kind that is answered with a suggestion. `pattern_key` is empty where there was
    nothing to learn. `vector` has the numbers of the prompt's vector, 4 bytes each, made by `model`, which gives
    texts with nothing in common the cosine `unrelated`; None stands for a prompt that is compared by its letters.
    `is_readable` says whether the model can read it. `failed` are the failed calls that a lesson may fit, and `root` is
    the folder that their paths are seen from; those of a part are those of the whole.
    """

    model_config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")

    source_key: str
    pattern_key: str
    session_id: str
    project: str
    prompt: str
    is_task: bool
    outcome: Outcome
    started_at: AwareDatetime
    ended_at: AwareDatetime
    names: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    lessons: tuple[Lesson, ...] = ()
    failed: tuple[Action, ...] = ()
    root: str = ""
    vector: bytes | None = None
    model: str = ""
    unrelated: float = 0.0
    is_readable: bool = True
