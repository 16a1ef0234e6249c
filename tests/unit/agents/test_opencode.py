"""Sessions of OpenCode become events: exported, in files, and in its database."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from behavior_plugin.agents import agent_of_log, opencode
from behavior_plugin.agents.log_file import LogReader
from behavior_plugin.model import Event, Outcome
from tests.factories import TRANSCRIPTS
from tests.logs import Log, episodes, read, summary

INFO = {"id": "ses_1", "slug": "x", "projectID": "p1", "directory": "/home/dev/shop", "time": {"created": 0}}
CHILD = {**INFO, "id": "ses_2", "parentID": "ses_1"}


def at(second: int) -> int:
    return 1_772_442_000_000 + second * 1000


def message(second: int, role: str, *parts: dict[str, Any], session: str = "ses_1", **info: Any) -> dict[str, Any]:
    name = f"msg_{second:02}{session[-1]}"
    told = {"id": name, "sessionID": session, "role": role, "time": {"created": at(second)}, **info}
    return {
        "info": told,
        "parts": [{**part, "id": f"prt_{second:02}{place}"} for place, part in enumerate(parts)],
    }


def said(second: int, words: str, **more: Any) -> dict[str, Any]:
    return message(second, "user", {"type": "text", "text": words, **more})


def step(second: int, *calls: dict[str, Any], finish: str | None = "tool-calls", **info: Any) -> dict[str, Any]:
    return message(second, "assistant", {"type": "step-start"}, *calls, finish=finish, **info)


def call(
    second: int, name: str, tool: str, status: str = "completed", metadata: Any = None, **given: Any
) -> dict[str, Any]:
    took = {"start": at(second), "end": at(second) + 300}
    state = {"status": status, "input": given, "output": "", "metadata": metadata or {}, "time": took}
    return {"type": "tool", "tool": tool, "callID": name, "state": state}


EDIT = {"filePath": "/home/dev/shop/tax.py", "oldString": "CONTENTS", "newString": "CONTENTS"}
MESSAGES = [
    said(1, "Round the tax once"),
    step(2, call(3, "c1", "bash", metadata={"exit": 2}, command="make test"), call(3, "c2", "edit", **EDIT)),
    step(4, call(5, "c3", "task", metadata={"sessionId": "ses_2"}, prompt="look", subagent_type="explore")),
    step(6, finish="stop"),
]
INNER = [
    message(5, "user", {"type": "text", "text": "look"}, session="ses_2"),
    message(6, "assistant", call(6, "c4", "grep", pattern="tax"), session="ses_2", finish="stop"),
]
SAMPLE = Log("session.json", {"info": INFO, "messages": MESSAGES})
TOLD = [
    "Round the tax once",
    "Bash make test failed 300",
    "Edit /home/dev/shop/tax.py success 300",
    "Agent look success 300",
    "turn_end",
]


def stored(folder: Path) -> Path:
    """The sessions in files, as older versions keep them; the name of the main one."""
    for session, messages in [(INFO, MESSAGES), (CHILD, INNER)]:
        _file(folder / "storage/session/p1" / f"{session['id']}.json", session)
        for each in messages:
            _file(folder / "storage/message" / str(session["id"]) / f"{each['info']['id']}.json", each["info"])
            for part in each["parts"]:
                _file(folder / "storage/part" / each["info"]["id"] / f"{part['id']}.json", part)
    return folder / "storage/session/p1/ses_1.json"


def database(folder: Path) -> Path:
    """The same in a database, as newer versions keep them; the columns that nobody reads are left out."""
    file = folder / "opencode.db"
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.executescript(
            """
            pragma journal_mode = wal;
            create table session (id text, parent_id text, directory text, time_created integer);
            create table message (id text, session_id text, time_created integer, data text);
            create table part (id text, message_id text, session_id text, time_created integer, data text);
            """
        )
        for session, messages in [(INFO, MESSAGES), (CHILD, INNER), ({**INFO, "id": "ses_3"}, [said(9, "Other")])]:
            name, parent = session["id"], session.get("parentID")
            connection.execute("insert into session values (?, ?, ?, 0)", (name, parent, session["directory"]))
            for each in messages:
                data = {key: value for key, value in each["info"].items() if key not in ("id", "sessionID")}
                connection.execute(
                    "insert into message values (?, ?, 0, ?)", (each["info"]["id"], name, json.dumps(data))
                )
                rows = [(part["id"], each["info"]["id"], name, json.dumps(part)) for part in each["parts"]]
                connection.executemany("insert into part values (?, ?, ?, 0, ?)", rows)
    return file


def _file(file: Path, content: dict[str, Any]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content), encoding="utf-8")


def exported(folder: Path, *messages: dict[str, Any]) -> list[Event]:
    return read(opencode.AGENT, Log("a.json", {"info": INFO, "messages": list(messages)}).write(folder))


def test_a_turn_becomes_its_events(tmp_path: Path) -> None:
    """A command that failed has completed too; its exit code says how."""
    events = read(opencode.AGENT, SAMPLE.write(tmp_path))

    assert summary(events) == TOLD
    assert events[0].prompt_id == "msg_011"
    assert events[0].session_id == "ses_1"
    [episode] = episodes(events)
    assert (episode.judgement.outcome, episode.judgement.because) == (Outcome.PARTIAL, "`make test` failed last")
    assert episode.context.directory == "/home/dev/shop"
    assert episode.context.files_touched == ("tax.py",)


def test_a_log_of_the_real_client_is_read() -> None:
    """Version 1.18: a command that failed, a subagent, and an edit that did not fit."""
    [file] = (TRANSCRIPTS / "opencode").iterdir()
    reader = LogReader()

    events = read(opencode.AGENT, file, reader)

    assert agent_of_log(file) is opencode.AGENT
    assert reader.problems == []
    assert summary(events) == [
        "Fix the greeting",
        "Bash ls nothing-here failed 72",
        "Write /home/dev/shop/a.txt success 12",
        "Glob *.txt failed 27",
        "Read /home/dev/shop/a.txt success 46",
        "Edit /home/dev/shop/a.txt success 16",
        "Edit /home/dev/shop/a.txt failed 14",
        "Agent look around success 299",
        "Bash sleep 1; cat a.txt success 1027",
        "turn_end",
    ]


@pytest.mark.parametrize("kept", [stored, database])
def test_stored_sessions_include_their_subagents(kept: Any, tmp_path: Path) -> None:
    """Their calls belong to the session that started them, and nobody typed their tasks."""
    file = kept(tmp_path)
    reader = LogReader()

    events = [event for event in read(opencode.AGENT, file, reader) if event.session_id == "ses_1"]

    assert agent_of_log(file) is opencode.AGENT
    assert summary(events) == [*TOLD[:-1], "ses_2: Grep tax success 300", "turn_end"]
    assert reader.problems == []
    [episode] = episodes(events)
    assert [action.id for action in episode.actions] == ["c1", "c2", "c3", "c4"]
    assert (episode.judgement.outcome, episode.judgement.because) == (Outcome.PARTIAL, "`make test` failed last")


def test_each_session_of_a_database_is_separate(tmp_path: Path) -> None:
    """Each part holds the events of one session only."""
    parts = list(opencode.AGENT.logs.read(database(tmp_path), LogReader()))

    assert [{event.session_id for event in part} for part in parts] == [{"ses_1"}, {"ses_3"}]


def test_reading_a_database_changes_nothing(tmp_path: Path) -> None:
    """It is the user's, and may be in use."""
    file = database(tmp_path)
    before = file.read_bytes()

    assert summary(read(opencode.AGENT, file))[:1] == TOLD[:1]
    assert list(tmp_path.glob("opencode*")) == [file]
    with closing(sqlite3.connect(file)) as writer:
        writer.execute("begin immediate")
        writer.execute("delete from session")
        assert summary(read(opencode.AGENT, file))[:1] == TOLD[:1]
        writer.rollback()

    assert file.read_bytes() == before


def test_recent_writes_to_an_open_database_are_read(tmp_path: Path) -> None:
    """While it is in use, that stands in a file beside it."""
    file = database(tmp_path)
    sizes: list[int] = []
    with closing(sqlite3.connect(file)) as writer:
        writer.execute("""update part set data = '{"type": "text", "text": "Now"}' where message_id = 'msg_011'""")
        writer.commit()

        assert summary(read(opencode.AGENT, file, LogReader(sizes.append)))[:1] == ["Now"]

    assert sum(sizes) > 1_000


@pytest.mark.parametrize("content", [b"SQLite format 3\x00" + b"x" * 5_000, b"SQLite format 3\x00"])
def test_an_unreadable_database_is_reported(content: bytes, tmp_path: Path) -> None:
    """A new version may have other tables, and disks break."""
    broken, empty = tmp_path / "opencode.db", tmp_path / "opencode-dev.db"
    broken.write_bytes(content)
    sqlite3.connect(empty).close()

    for file in (broken, empty):
        reader = LogReader()
        assert read(opencode.AGENT, file, reader) == []
        assert reader.skipped == 1


def test_odd_rows_of_a_database_are_counted(tmp_path: Path) -> None:
    """Its columns hold whatever somebody put there."""
    file = database(tmp_path)
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("update message set data = x'ff00' where id = 'msg_021'")
        connection.execute("update message set data = '{\"role\": \"oracle\"}' where id = 'msg_041'")
        connection.execute("update part set data = 7 where message_id = 'msg_011'")
        connection.execute("insert into session values (null, null, null, null)")
    reader = LogReader()

    read(opencode.AGENT, file, reader)

    assert {problem.reason for problem in reader.problems} >= {"the message's role is unknown (oracle)"}
    assert not [problem for problem in reader.problems if "cannot be read" in problem.reason]


def test_a_subagents_own_session_is_skipped(tmp_path: Path) -> None:
    """Its calls are read with the session that started it."""
    stored(tmp_path)
    reader = LogReader()
    alone = Log("b.json", {"info": CHILD, "messages": INNER}).write(tmp_path)

    assert agent_of_log(tmp_path / "storage/session/p1/ses_2.json") is None
    assert read(opencode.AGENT, alone, reader) == []
    assert reader.skipped == 1


def test_a_subagents_id_with_a_path_is_not_followed(tmp_path: Path) -> None:
    """It stands in the log, and names a folder; the session's own is its file's."""
    file = stored(tmp_path)
    _file(file, {**INFO, "id": "../other"})
    _file(tmp_path / "storage/other/msg.json", INNER[1]["info"])
    _file(tmp_path / "storage/part/msg/prt.json", INNER[1]["parts"][0])
    task = call(5, "c3", "task", metadata={"sessionId": "../other"}, prompt="look")
    _file(tmp_path / "storage/part/msg_041/prt_041.json", task)

    events = read(opencode.AGENT, file)

    assert summary(events) == TOLD


def test_synthetic_text_is_not_part_of_the_prompt(tmp_path: Path) -> None:
    """Files that a prompt names come with it, and a whole turn may be the client's own."""
    text = {"type": "text", "text": "Fix @tax.py"}
    added = {"type": "text", "text": "Called the Read tool", "synthetic": True}
    own = said(2, "Continue if you have next steps", synthetic=True)

    events = exported(tmp_path, message(1, "user", text, added, {"type": "file"}), own)

    assert summary(events) == ["Fix @tax.py\n"[:-1]]


@pytest.mark.parametrize(
    ("stored", "typed"),
    [('"Fix it"', "Fix it"), (r'"Say \"hi\" to it"', 'Say "hi" to it'), ('"a" and "b"', '"a" and "b"'), ('"', '"')],
)
def test_quotes_added_by_the_client_are_removed(stored: str, typed: str, tmp_path: Path) -> None:
    """A prompt from the command line comes in quotes, and should resemble the same one from the screen."""
    assert summary(exported(tmp_path, said(1, stored))) == [typed]


def test_a_user_shell_line_is_an_action_of_the_user(tmp_path: Path) -> None:
    """The client writes it down as if the agent had been asked."""
    asked = said(1, "The following tool was executed by the user", synthetic=True)
    answer = step(2, call(2, "c1", "bash", command="git pull"), finish=None, parentID="msg_011")

    events = exported(tmp_path, asked, answer)

    assert summary(events) == ["user: Bash git pull success 300"]


def test_a_stopped_turn_has_no_end(tmp_path: Path) -> None:
    """Nor has a call that was stopped, or that was not allowed, failed."""
    calls = [call(2, name, "bash", "error", command=name) for name in ("a", "b", "c")]
    for each, error in zip(calls, ["Tool execution aborted", "The user rejected permission to", "No"], strict=True):
        each["state"]["error"] = error
    calls += [call(2, "d", "bash", metadata={"exit": None}, command="d"), call(2, "e", "bash", "running", command="e")]
    stopped = step(2, *calls, finish=None, error={"name": "MessageAbortedError"})

    events = exported(tmp_path, said(1, "Build it"), stopped, said(3, "Clean it"))

    assert [event.action.outcome.value for event in events if event.action] == [
        "partial",
        "partial",
        "failed",
        "partial",
        "partial",
    ]
    assert [event.prompt_id for event in events if event.prompt] == ["msg_011", "msg_031"]
    assert "turn_end" not in summary(events)


def test_a_prompt_typed_while_the_agent_works_steers(tmp_path: Path) -> None:
    """It belongs to the task at hand, and is none of its own."""
    working = step(2, call(2, "c1", "bash", command="make"))

    events = exported(tmp_path, said(1, "Build it"), working, said(3, "and test it"), step(4, finish="stop"))

    assert [event.prompt_id for event in events if event.prompt] == ["msg_011", "msg_011"]


def test_a_step_with_calls_ends_no_turn(tmp_path: Path) -> None:
    """Some models say that they stop, and call all the same."""
    events = exported(tmp_path, said(1, "Build it"), step(2, call(2, "c1", "bash", command="make"), finish="stop"))

    assert summary(events) == ["Build it", "Bash make success 300"]


def test_a_patch_is_an_edit_of_its_files(tmp_path: Path) -> None:
    """It reads like the edits of other agents, and none of it is kept."""
    patch = "*** Begin Patch\n*** Update File: a.py\n*** Move to: c.py\n+CONTENTS\n*** Add File: b.py\n*** End Patch"

    [edit] = exported(tmp_path, step(1, call(1, "c1", "apply_patch", patchText=patch)))

    assert edit.action
    assert (edit.action.tool, edit.action.parameters) == ("Edit", {"file_path": "a.py"})
    assert edit.files == ("a.py", "c.py", "b.py")


def test_unknown_messages_and_parts_are_counted(tmp_path: Path) -> None:
    """A new version may hold something that we miss."""
    reader = LogReader()
    messages = [message(1, "oracle"), message(2, "assistant", {"type": "hologram"})]

    read(opencode.AGENT, Log("a.json", {"info": INFO, "messages": messages}).write(tmp_path), reader)

    assert [problem.reason for problem in reader.problems] == [
        "the message's role is unknown (oracle)",
        "the part's type is unknown (hologram)",
    ]


def test_a_database_with_a_view_for_a_table_is_refused(tmp_path: Path) -> None:
    """A view can be anything, and of that name it would be read for ever."""
    file = tmp_path / "opencode.db"
    endless = "with recursive n(i) as (select 1 union all select i + 1 from n) select i as id from n"
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(f"create view session as {endless}")
    reader = LogReader()

    assert [*opencode.AGENT.logs.read(file, reader)] == []
    assert [problem.reason for problem in reader.problems] == ["it has not the tables of OpenCode"]
