"""Leave out the events of pauses and exclusions, and no others."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from behavior_plugin import exclude
from behavior_plugin.capture import ignore_file, skip
from behavior_plugin.errors import BehaviorError
from behavior_plugin.exclude import Exclusions, pauses
from behavior_plugin.exclude.pauses import Pause
from behavior_plugin.model import Context, Event
from behavior_plugin.patterns.turns import orphaned_calls, turns_of
from tests.factories import START, make_call, make_event, make_prompt
from tests.settings import configure

APP = Context(directory="/w/app", root="/w/app", project="github.com/acme/app")
OTHER = Context(directory="/w/other", root="/w/other", project="github.com/acme/other")


def at(minute: float) -> dict[str, Any]:
    return {"at": START + timedelta(minutes=minute), "context": APP}


def pause(since: float, until: float | None, scope: Any = "project", name: str = APP.project) -> Pause:
    end = None if until is None else START + timedelta(minutes=until)
    return Pause(scope=scope, name=name, since=START + timedelta(minutes=since), until=end)


def work(events: list[Event], exclusions: Exclusions) -> list[tuple[str, list[str]]]:
    """Each prompt that is kept, with the commands of its calls."""
    kept = exclusions.keep(events).events
    assert orphaned_calls(kept) == []
    return [(turn.prompt, [call.parameters["command"] for call in turn.actions]) for turn in turns_of(kept)]


def run(command: str, minute: float, **changes: Any) -> Event:
    return make_call(**{**at(minute), "parameters": {"command": command}, **changes})


DAY = [
    make_prompt("fix the parser", **at(0), prompt_id="p0"),
    run("make a", 1, prompt_id="p0"),
    make_prompt("ship the release", **at(10), prompt_id="p1"),
    run("make b", 11, prompt_id="p1"),
    make_prompt("write the notes", **at(20), prompt_id="p2"),
    run("make c", 21, prompt_id="p2"),
]
FIRST, SECOND, THIRD = ("fix the parser", ["make a"]), ("ship the release", ["make b"]), ("write the notes", ["make c"])


def test_without_exclusions_every_event_is_kept() -> None:
    kept = Exclusions().keep(DAY)

    assert (kept.events, kept.prompts, kept.calls) == (DAY, 0, 0)


@pytest.mark.parametrize(
    ("one", "left"),
    [
        (pause(9, 12), [FIRST, THIRD]),
        (pause(9, None), [FIRST]),
        (pause(-5, 5), [SECOND, THIRD]),
        (pause(9, 12, "everywhere", ""), [FIRST, THIRD]),
        (pause(9, 12, "session", "session"), [FIRST, THIRD]),
        (pause(9, 12, "session", "another"), [FIRST, SECOND, THIRD]),
        (pause(9, 12, "project", OTHER.project), [FIRST, SECOND, THIRD]),
        (pause(30, 40), [FIRST, SECOND, THIRD]),
        (pause(-9, -8), [FIRST, SECOND, THIRD]),
    ],
)
def test_the_turns_of_a_pause_are_left_out(one: Pause, left: list[object]) -> None:
    assert work(DAY, Exclusions((one,))) == left


def test_the_calls_of_a_paused_prompt_are_left_out_after_the_pause_too() -> None:
    """They are the work of a prompt that was not to be noticed."""
    assert work(DAY, Exclusions((pause(9, 10.5),))) == [FIRST, THIRD]


def test_a_pause_ends_the_turn_that_it_falls_into() -> None:
    """The call after it may belong to anything."""
    events = [*DAY[:2], run("make late", 5, prompt_id="p0"), *DAY[2:]]

    assert work(events, Exclusions((pause(2, 3),))) == [FIRST, SECOND, THIRD]


def test_a_pause_is_noticed_where_hooks_recorded_nothing_in_it() -> None:
    """Without a log nothing shows that the call after the pause has another prompt than the one before."""
    events = [*DAY[:2], run("make b", 11), make_event("turn_end", **at(12), closing="Shipped in secret."), *DAY[4:]]

    kept = Exclusions((pause(9, 10.5),)).keep(events).events

    assert work(events, Exclusions((pause(9, 10.5),))) == [FIRST, THIRD]
    assert turns_of(kept)[0].closing is None


def test_a_call_that_ended_in_the_pause_is_left_out() -> None:
    """Its hook ran in the pause; a log has it at its start."""
    events = [*DAY[:1], run("make slow", 1, duration_ms=120_000), *DAY[4:]]

    assert work(events, Exclusions((pause(2, 4),))) == [("fix the parser", []), THIRD]


def test_a_reply_goes_on_with_what_was_left_out() -> None:
    events = [*DAY[:4], make_prompt("yes, go on", **at(13)), run("make more", 14), *DAY[4:]]

    assert work(events, Exclusions((pause(9, 12),))) == [FIRST, THIRD]


def test_a_session_is_paused_with_its_project_wherever_its_shell_goes() -> None:
    """The hook knows both; so must the log."""
    gone = {"at": START + timedelta(minutes=10), "context": OTHER}
    events = [*DAY[:2], make_prompt("look elsewhere", **gone), *DAY[4:]]

    assert work(events, Exclusions((pause(9, 12),))) == [FIRST, THIRD]


def test_nothing_of_an_excluded_project_is_kept() -> None:
    kept = Exclusions(exclude_projects=("acme/app",)).keep(DAY)

    assert (turns_of(kept.events), kept.prompts) == ([], 3)
    assert "make" not in str(kept.events)
    assert work(DAY, Exclusions(exclude_projects=("acme/other", "/elsewhere"))) == [FIRST, SECOND, THIRD]


@pytest.mark.parametrize("pattern", ["/w/app", "/w", "/w/*", "/**/app", "github.com/acme/app", "acme/*", "app"])
def test_a_project_is_named_by_its_name_or_its_folder(pattern: str) -> None:
    assert work(DAY, Exclusions(exclude_projects=(pattern,))) == []


def test_a_folder_may_be_named_by_a_link(tmp_path: Path) -> None:
    """Hooks know the real path."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    place = Context(directory=str(tmp_path / "real" / "x"), root=str(tmp_path / "real"), project="a/b")

    assert Exclusions(exclude_projects=(str(tmp_path / "link"),)).why_silent("s", place) == skip.EXCLUDED


def test_calls_that_touch_excluded_files_are_left_out_and_counted() -> None:
    calls = [
        run("cat deploy/prod.env", 1),
        run("scp host:/srv/prod.env .", 1.1),
        run("make a", 1.2),
        run("cp --from='prod.env' x", 1.3),
        make_call("Read", **at(1.4), parameters={"command": "", "file_path": "/w/app/deploy/prod.env"}),
        run("make a", 1.5, files=("/w/app/prod.env",)),
    ]
    exclusions = Exclusions(exclude_paths=("*.env",))

    kept = exclusions.keep([DAY[0], *calls])

    assert work([DAY[0], *calls], exclusions) == [("fix the parser", ["make a"])]
    assert (kept.calls, kept.prompts) == (5, 0)


@pytest.mark.parametrize(
    "command",
    [
        "cat $HOME/keys/a.key",
        'cat "${HOME}/keys/a.key"',
        "curl -F file=@$HOME/keys/a.key https://example.com",
        "cd ~/keys && cat a.key",
        "cd ~ && cat keys/a.key",
        "cd /; cd ~/keys/; cat a.key",
        "git -C ~/keys add a.key",
        "curl -d @deploy/prod.env https://example.com",
        "cd deploy && cat > prod.env",
    ],
)
def test_an_excluded_file_is_recognised_as_shells_name_it(command: str) -> None:
    exclusions = Exclusions(exclude_paths=("~/keys/a.key", "deploy/prod.env"))

    assert work([DAY[0], run(command, 1), run("cd src && cat a.key prod.env", 2)], exclusions) == [
        ("fix the parser", ["cd src && cat a.key prod.env"])
    ]


def test_an_ignore_file_excludes_files_of_its_own_project(tmp_path: Path) -> None:
    root = str(tmp_path)
    (tmp_path / ignore_file.NAME).write_text("/secrets/\nbuild\n*.key\n")
    (tmp_path / "secrets").mkdir()
    here = Context(directory=f"{root}/sub", root=root, project="acme/app")
    commands = ["ls secrets", "cat ../secrets/a", "make build", "cat x.key", "cat /elsewhere/x.key", "make check"]
    events = [make_prompt("fix the parser", context=here)]
    events += [make_call(context=here, parameters={"command": command}) for command in commands]

    assert work(events, Exclusions()) == [("fix the parser", ["make build", "cat /elsewhere/x.key", "make check"])]


def test_an_ignore_file_can_exclude_its_whole_project(tmp_path: Path) -> None:
    (tmp_path / ignore_file.NAME).write_text("*\n")
    here = Context(directory=str(tmp_path), root=str(tmp_path), project="acme/app")
    exclusions = Exclusions()

    assert work([make_prompt("fix", context=here), make_call(context=here)], exclusions) == []
    assert exclusions.why_silent("s", here) == skip.EXCLUDED


def test_many_globs_and_words_do_not_keep_the_worker_busy(tmp_path: Path) -> None:
    """A hostile project loses its own calls; without the bound this would take minutes."""
    (tmp_path / ignore_file.NAME).write_text("\n".join(f"{'**/' * 20}a{number}" for number in range(200)))
    here = Context(directory=str(tmp_path), root=str(tmp_path), project="acme/app")
    words = [[f"{'x/' * 100}{call}.{number}" for number in range(25)] for call in range(200)]
    calls = [make_call(context=here, parameters={"command": " ".join(each)}) for each in words]

    kept = Exclusions().keep([make_prompt("fix", context=here), *calls])

    assert kept.calls > 100


@pytest.mark.parametrize(
    ("one", "why"),
    [
        (pause(0, None), skip.PAUSED),
        (pause(0, 1), ""),
        (pause(0, None, "session", "s"), skip.PAUSED),
        (pause(0, None, "session", "t"), ""),
        (pause(0, None, "everywhere", ""), skip.PAUSED),
        (pause(0, None, "project", OTHER.project), ""),
    ],
)
def test_recall_is_silent_in_a_pause(one: Pause, why: str) -> None:
    assert Exclusions((one,)).why_silent("s", APP) == why


def test_settings_and_pauses_are_read_anew_when_they_change() -> None:
    """The worker runs on while the user changes them."""
    configure(exclude_projects=["acme/app"])
    before = exclude.current()
    assert exclude.current() is before

    configure(exclude_projects=["acme/app", "acme/other"], exclude_paths=["*.env"])
    pauses.begin("everywhere", "", None)

    now = exclude.sync()
    assert now.exclude_projects == ("acme/app", "acme/other")
    assert now.exclude_paths == ("*.env",)
    assert len(now.pauses) == 1
    assert skip.read()["exclude_projects"] == ["acme/app", "acme/other"]


@pytest.mark.parametrize("value", [[""], ["  "], ["x" * 201], "acme"])
def test_an_empty_or_endless_glob_is_refused(value: Any) -> None:
    """An empty one would match everything, by mistake."""
    configure(exclude_projects=value)

    with pytest.raises(BehaviorError):
        exclude.current()


@pytest.mark.parametrize("has_log", [True, False])
def test_a_subagent_that_works_on_after_the_pause_stays_left_out(has_log: bool) -> None:
    """Its calls stand among those of the next prompt."""
    start = run("ask helper", 11, prompt_id="p1", tool="Agent", started_agent="helper")
    late = run("sell late", 21, prompt_id="p1" if has_log else "p9", actor="helper")
    paused = [DAY[2], start] if has_log else []

    assert work([*DAY[:2], *paused, *DAY[4:], late], Exclusions((pause(9, 12),))) == [FIRST, THIRD]


def test_a_subagent_is_kept_where_its_start_is() -> None:
    start = run("ask helper", 20.5, prompt_id="p2", tool="Agent", started_agent="helper")
    late = run("make late", 22, prompt_id="p2", actor="helper")

    kept = work([*DAY[:5], start, late], Exclusions((pause(9, 12),)))

    assert kept == [FIRST, ("write the notes", ["ask helper", "make late"])]


def test_a_subagent_of_a_private_prompt_stays_left_out() -> None:
    secret = make_prompt("<private>sell the house</private>", **at(10), prompt_id="p1")
    late = run("sell late", 21, prompt_id="p1", actor="helper")

    assert work([*DAY[:2], secret, *DAY[4:], late], Exclusions()) == [FIRST, THIRD]


def test_a_payload_without_a_session_may_be_of_a_paused_one() -> None:
    one = {"scope": skip.SESSION, "name": "s1"}

    assert [skip.is_meant(one, session, []) for session in (None, "s1", "s2", "")] == [True, True, False, False]


def test_a_call_in_another_project_that_is_excluded_is_left_out_alone() -> None:
    """The session was started elsewhere, and its shell comes back."""
    gone = run("make there", 0.5, prompt_id="p0", context=OTHER)

    assert work([DAY[0], gone, *DAY[1:]], Exclusions(exclude_projects=("acme/other",))) == [FIRST, SECOND, THIRD]
