"""What is learned from sessions, from the real hook to the real table and back: users' first complaints."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.sessions import Session, behavior, drain, json_of, output_of
from tests.acceptance.test_suggest import suggestion

pytestmark = pytest.mark.usefixtures("clean_ending")

RELEASE = "prepare the next release: version, changelog and tag"
AGAIN = "prepare the next release with version, changelog, tag"


def release(project: Path) -> Session:
    """A session that releases, from the edit to the tag."""
    session = Session(project)
    session.send("SessionStart")
    session.ask(RELEASE)
    session.send("PostToolUse", tool_name="Edit", tool_input={"file_path": str(project / "version.py")})
    for command in ("python3 tools/gate.py", "git commit -am 'Release 1.3.0'", "git tag v1.3.0"):
        session.call(command)
    session.send("Stop")
    return session.end()


def test_rejected_work_is_not_offered_and_the_complete_run_is(project: Path) -> None:
    """Half of the attempts that users turn down would otherwise win over the run that they kept."""
    release(project)
    rejected = Session(project).work(RELEASE, "python3 tools/gate.py")
    rejected.ask("no, that is wrong, do it differently")
    rejected.call("python3 tools/gate.py")
    rejected.send("Stop")
    rejected.end()
    drain()

    text = suggestion(Session(project), AGAIN)

    assert "git tag" in text
    assert "worked 1 of 1" in text


def test_objection_in_a_resumed_session_judges_the_work_before(project: Path) -> None:
    """The session had been learned from when the user came back to it."""
    session = Session(project).work("Make the total an integer", "make build").end()
    drain()
    [before] = json_of("list", "--turns")

    session.send("SessionStart", source="resume")
    session.ask("no, that is wrong, it must be an integer. Do it again")
    session.call("make build")
    session.send("Stop")
    session.end()
    drain()

    after = {turn["trigger"]: turn["final_outcome"] for turn in json_of("list", "--turns")}
    assert before["final_outcome"] == "success"
    assert after["Make the total an integer"] == "failed"
    [pattern] = json_of("list")
    assert pattern["workflow"]["times"] == 1


@pytest.mark.parametrize("reply", ["no, do it differently", "ok lets try it", "9", "folded in"])
def test_bare_reply_begins_no_pattern_and_recalls_none(project: Path, reply: str) -> None:
    """It says nothing about the work that it is a reply to."""
    Session(project).work(reply, "make test").end()

    assert drain() == []
    assert Session(project).ask(reply).stdout == ""
    assert [turn["trigger"] for turn in json_of("list", "--turns")] == [reply]


def test_same_job_is_one_line_of_the_list(project: Path) -> None:
    """Five times "commit" is one way of working."""
    for prompt in ("commit it", "please commit this now", "commit and write a good message"):
        Session(project).work(prompt, "git commit -am 'Change'").end()

    [pattern] = drain()

    assert pattern.workflow
    assert (pattern.workflow.job, pattern.workflow.times) == ("commit", 3)
    assert len(pattern.workflow.triggers) == 3
    assert output_of("list").count("commit") >= 2


def test_failed_work_is_told_as_tried_to_a_person_and_kept_from_prompts(project: Path) -> None:
    """ "This was tried and did not work" is worth knowing; as a way it would do harm."""
    prompt = "Make the order loading twice as fast"
    failed = Session(project).work(prompt, "make bench", event="PostToolUseFailure")
    failed.ask("that is not what I meant, revert it")
    failed.end()
    drain()

    asked = Session(project).ask(prompt)
    recalled = output_of("recall", "make loading of orders faster", cwd=project)

    assert asked.stdout == ""
    assert "make bench" in recalled
    assert "ried" in recalled


def test_followed_suggestion_counts_as_a_use(project: Path) -> None:
    """The count says how often a pattern helped, not how often it was shown."""
    release(project)
    drain()
    follower, other = Session(project), Session(project)
    for session in (follower, other):
        session.send("SessionStart")
        assert suggestion(session, AGAIN)
    for command in ("python3 tools/gate.py", "git commit -am 'Release 1.4.0'", "git tag v1.4.0"):
        follower.call(command)
    other.call("cargo doc")
    for session in (follower, other):
        session.send("Stop")
        session.end()

    [pattern] = [each for each in drain() if each.workflow and each.workflow.shown]

    assert pattern.workflow
    assert (pattern.workflow.shown, pattern.workflow.followed) == (2, 1)
    assert pattern.use_count == 1


def test_user_can_correct_hide_and_export_a_pattern(project: Path, tmp_path: Path) -> None:
    """A pattern is wrong sometimes, and then it must not stay wrong."""
    release(project)
    [pattern] = drain()
    short = str(pattern.id)[:8]

    output_of("feedback", short, "--good", "--note", "saves an hour")
    output_of("edit", short, "--hide")
    hidden = Session(project).ask(AGAIN)
    output_of("edit", short, "--show")
    draft = tmp_path / "SKILL.md"
    output_of("export-skill", short, "--output", str(draft))

    shown = json_of("show", short)
    assert hidden.stdout == ""
    assert shown["workflow"]["good"] == 1
    assert shown["episodes"][0]["judgement"]["because"]
    assert "git tag" in draft.read_text(encoding="utf-8")
    assert behavior("export-skill", short, "--output", str(draft)).returncode == 1


def test_forgotten_session_takes_its_pattern_along(project: Path) -> None:
    """Its evidence was all that the pattern stood on."""
    release(project)
    [pattern] = drain()

    from behavior_plugin import api
    from behavior_plugin.worker.client import Client

    deleted = Client().forget_session(api.ForgetSession(session_id=pattern.session_id))

    assert deleted.patterns == 1
    assert drain() == []
