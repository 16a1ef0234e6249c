"""Find commands that failed and the ones that helped, and keep the lessons that will hold."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from behavior_plugin.model import USER, Action, Context, Outcome, Turn, Verdict
from behavior_plugin.patterns.lessons import MAX_CALLS, FoundLesson, find_lessons, merge_lessons
from behavior_plugin.workflow import Lesson, Remedy

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
UNKNOWN_WORD = "Exit code 2\nerror: unrecognized subcommand 'npm'\n\nUsage: wrap [OPTIONS]"
UNFORMATTED = "Exit code 1\n2 files would be reformatted\nerror: lint failed"
_ids = count()


def call(command: str, error: str | None = None, **fields: Any) -> Action:
    """A shell call; one with an error failed."""
    outcome = Outcome.SUCCESS if error is None else Outcome.FAILED
    values = {"tool": "Bash", "parameters": {"command": command}, "outcome": outcome, "error": error, **fields}
    return Action(id=f"call {next(_ids)}", timestamp=NOW, **values)


def edit(**fields: Any) -> Action:
    return call("", tool="Edit", parameters={"file_path": "src/app.py"}, **fields)


def named(tool: str, name: str, error: str | None = None) -> Action:
    return call("", error, tool=tool, parameters={"skill" if tool == "Skill" else "subagent_type": name})


def turn(*actions: Action) -> Turn:
    context = Context(directory="/repo", root="/repo")
    return Turn(source_key="k", session_id="s", prompt="do it", started_at=NOW, context=context, actions=actions)


def found_in(*actions: Action) -> list[FoundLesson]:
    return find_lessons([turn(*actions)])


def texts(found: Sequence[FoundLesson]) -> list[tuple[str, Remedy, str]]:
    return [(each.lesson.failed, each.lesson.remedy, each.lesson.worked) for each in found]


def test_a_command_that_does_the_same_job_is_to_be_used_instead() -> None:
    failed, worked = call("cd /repo && wrap npm test 2>&1 | tail -5", UNKNOWN_WORD), call("npm test")

    [found] = found_in(call("git status"), failed, call("cat package.json"), worked)

    assert (found.failed_id, found.fix_id) == (failed.id, worked.id)
    assert found.lesson == Lesson(
        failed="wrap npm test",
        worked="npm test",
        remedy=Remedy.INSTEAD,
        error="error: unrecognized subcommand 'npm'",
        is_plain=True,
    )


@pytest.mark.parametrize(
    ("failed", "error", "worked"),
    [
        ("python tools/load.py", "zsh: command not found: python", "python3 tools/load.py"),
        ("pytest -q", "bash: pytest: command not found", "uv run pytest -q"),
        ("docker-compose up -d", "docker-compose: not found", "docker compose up -d"),
        ("npm run tests", 'npm error Missing script: "tests"', "npm run test:unit"),
        ("cargo test --fast", "error: unexpected argument '--fast' found", "cargo test"),
        ("./gradlew check", "bash: ./gradlew: Permission denied", "sh gradlew check"),
        ("make tests", "make: *** No rule to make target 'tests'.  Stop.", "make test"),
        ("pip install rich", "error: externally-managed-environment", "uv pip install rich"),
        ("npm ci", "PreToolUse hook: BLOCKED: use pnpm", "pnpm install"),
    ],
)
def test_a_plain_error_is_mended_by_other_words(failed: str, error: str, worked: str) -> None:
    [found] = found_in(call(failed, error), call(worked))

    assert found.lesson.remedy is Remedy.INSTEAD
    assert found.lesson.is_plain


def test_a_check_that_failed_because_of_the_code_asks_for_no_other_command() -> None:
    """Half of the tests pass where all of them do not."""
    assert found_in(call("npm test", "1 test failed"), call("npm run test:unit")) == []


def test_words_of_an_error_in_the_output_of_tests_are_not_about_the_command() -> None:
    verdict = Verdict(passed=3, failed=1)

    assert found_in(call("pytest", "E  permission denied", verdict=verdict), call("pytest tests/unit")) == []


def test_a_command_with_another_job_is_no_remedy() -> None:
    assert found_in(call("wrap npm test", UNKNOWN_WORD), call("npm run lint")) == []


def test_commands_without_a_known_job_are_compared_by_their_words() -> None:
    error = "error: unknown option '--all'"

    assert texts(found_in(call("tool sync alpha --all", error), call("tool sync alpha")))
    assert not found_in(call("tool sync alpha --all", error), call("tool drop beta"))


def test_the_command_is_named_that_the_error_is_about() -> None:
    line = "npm run lint && wrap npm test && npm run build"

    [found] = found_in(call(line, UNKNOWN_WORD), call("npm run lint && npm test"))

    assert found.lesson.failed == "wrap npm test"


def test_an_error_about_the_part_that_looks_teaches_nothing() -> None:
    failed = call("git add a.py && git status --cached", "error: unknown option `cached'")

    assert found_in(failed, call("git add b.py && git diff --cached")) == []


def test_an_ignored_file_is_named() -> None:
    error = "The following paths are ignored by one of your .gitignore files:\ndist\nhint: use -f"

    [found] = found_in(call("git add src/a.ts dist/a.js", error), call("git add src/a.ts"))

    assert texts([found]) == [("git add dist/a.js", Remedy.INSTEAD, "git add {files}")]
    assert found.lesson.error == "The following paths are ignored by one of your .gitignore files: dist"


def test_a_path_in_a_slot_is_named_only_if_the_error_is_about_it() -> None:
    """Otherwise both commands read the same, and there is nothing to do in another way."""
    error = "error: unexpected argument found: dist"

    assert found_in(call("git add src/a.ts dist/a.js", error), call("git add src/a.ts")) == []


@pytest.mark.parametrize("wrapper", ["", "rtk "])
def test_a_folder_flag_is_shown_with_its_folder(wrapper: str) -> None:
    """The portable form has none, and without its value the command would be another one."""
    failed = call("git -C frontend add a.css", "error: unexpected argument '-C' found")

    [found] = found_in(failed, call(f"cd frontend && {wrapper}git add a.css"))

    assert texts([found]) == [("git -C {files} add {files}", Remedy.INSTEAD, f"{wrapper}git add {{files}}")]


def test_a_folder_flag_that_the_error_is_not_about_is_left_out() -> None:
    """A Windows path has a C, too."""
    failed = call("git -C web commit -m x", "error: hook declined in C:\\dev\\shop")

    assert texts(found_in(failed, call("rtk git commit -m x"))) == [
        ("git commit -m {message}", Remedy.INSTEAD, "rtk git commit -m {message}")
    ]


@pytest.mark.parametrize("flag", ["--no-verify", "--force", "--admin", "--skip-checks"])
def test_getting_round_a_rule_is_no_lesson(flag: str) -> None:
    assert found_in(call("git commit -m 'Add it'", "blocked by hook"), call(f"git commit {flag} -m 'Add it'")) == []


@pytest.mark.parametrize(
    ("command", "evading"),
    [
        ("git commit -m 'Add it'", "git commit -n -m 'Add it'"),
        ("git commit -m 'Add it'", "git commit -anm 'Add it'"),
        ("git commit -m 'Add it'", "HUSKY=0 git commit -m 'Add it'"),
        ("git commit -m 'Add it'", "SKIP=mypy git commit -m 'Add it'"),
        ("git commit -m 'Add it'", "git -c core.hooksPath=/dev/null commit -m 'Add it'"),
        ("git commit -m 'Add it'", "git commit --no-gpg-sign -m 'Add it'"),
        ("git commit -m 'Add it'", "git config commit.gpgsign false && git commit -m 'Add it'"),
        ("git commit -m 'Add it'", "chmod -R 777 . && git commit -m 'Add it'"),
        ("git push origin main", "git push -f origin main"),
        ("git push origin main", "git push --force-with-lease origin main"),
        ("npm install left-pad", "sudo npm install left-pad"),
        ("npm install left-pad", "npm install -f left-pad"),
        ("pip install flask", "pip install --break-system-packages flask"),
    ],
)
def test_getting_round_a_rule_has_many_forms(command: str, evading: str) -> None:
    """The lesson would be told at the very moment when the rule holds."""
    assert found_in(call(command, "permission denied: blocked by hook"), call(evading)) == []


@pytest.mark.parametrize(
    ("command", "other"),
    [("docker compose up", "docker compose -f dev.yml up"), ("git commit -m 'x'", "rtk git commit -am 'x'")],
)
def test_like_flags_of_other_meaning_are_lessons(command: str, other: str) -> None:
    assert len(found_in(call(command, "no configuration file: blocked by hook"), call(other))) == 1


def test_the_fixing_twin_has_to_come_first() -> None:
    failed, fixing, worked = call("npm run lint", UNFORMATTED), call("npm run lint:fix"), call("npm run lint")

    [found] = found_in(failed, fixing, call("npm test"), worked)

    assert texts([found]) == [("npm run lint", Remedy.FIRST, "npm run lint:fix")]
    assert (found.failed_id, found.fix_id) == (failed.id, worked.id)


@pytest.mark.parametrize(
    ("check", "fixing"),
    [
        ("ruff check .", "ruff check --fix ."),
        ("cargo fmt --check", "cargo fmt"),
        ("black --check .", "black ."),
        ("npx prettier --check .", "npx prettier --write ."),
        ("mvn spotless:check", "mvn spotless:apply"),
        ("rubocop", "rubocop -A"),
        ("gofmt -l .", "gofmt -w ."),
        ("pnpm check", "pnpm format"),
    ],
)
def test_fixing_twins_of_other_tools(check: str, fixing: str) -> None:
    [found] = found_in(call(check, "error: would reformat"), call(fixing), call(check))

    assert texts([found]) == [(check, Remedy.FIRST, fixing)]
    assert found.lesson.is_plain


def test_a_linter_mends_no_tests() -> None:
    """In a line with several checks the one about style is meant."""
    fixing, both = call("npm run lint:fix"), "npm test && npm run lint"

    assert texts(found_in(call(both, "error: x"), fixing, call(both))) == [
        ("npm run lint", Remedy.FIRST, "npm run lint:fix")
    ]
    assert not found_in(call("npm test", "error: x"), fixing, call("npm test"))


def test_a_refused_commit_names_what_the_hook_wants() -> None:
    error = "generated files are not staged\nhusky - pre-commit script failed (code 1)"
    commit = "git add a.py && git commit -m 'Add it'"

    [found] = found_in(call(commit, error), call("npm run generate"), call(commit))

    assert texts([found]) == [("git commit -m {message}", Remedy.FIRST, "npm run generate")]
    assert found.lesson.is_plain


def test_a_refused_commit_wants_the_linter_to_mend_the_code() -> None:
    commit = "git commit -m 'Add it'"

    [found] = found_in(call(commit, "error: lint"), call("npm run lint:fix"), call("git add a.py && " + commit))

    assert texts([found]) == [("git commit -m {message}", Remedy.FIRST, "npm run lint:fix")]


def test_a_failure_to_stage_is_no_lesson_about_another_command() -> None:
    assert found_in(call("git add a.py", "error: x"), call("npm run generate"), call("git add a.py")) == []


def test_staging_is_not_the_remedy_and_the_delivery_is_what_failed() -> None:
    line = "npm test && git commit -m 'Add it'"
    between = [call("npm run generate"), call("git add generated.ts")]

    [found] = found_in(call(line, "error: husky failed"), *between, call(line))

    assert texts([found]) == [("git commit -m {message}", Remedy.FIRST, "npm run generate")]


def test_the_command_that_has_to_come_first_may_stand_in_the_same_line() -> None:
    [found] = found_in(call("npm run e2e", "Error: no server"), call("docker compose up -d db && npm run e2e"))

    assert texts([found]) == [("npm run e2e", Remedy.FIRST, "docker compose up -d db")]
    assert not found.lesson.is_plain


def test_the_same_command_at_once_was_passing_trouble() -> None:
    assert found_in(call("npm test", "Error: flaky"), call("git status"), call("npm test")) == []


def test_of_several_commands_between_none_is_known_to_have_helped() -> None:
    between = [call("docker compose up -d db"), call("npm run migrate")]

    assert found_in(call("npm run e2e", "Error: no server"), *between, call("npm run e2e")) == []


def test_a_check_between_changes_nothing() -> None:
    assert found_in(call("npm run e2e", "Error: no server"), call("npm run lint"), call("npm run e2e")) == []


def test_a_wrong_word_that_is_right_later_was_said_in_the_wrong_folder() -> None:
    error = 'error: Script not found "lint"'

    assert found_in(call("bun run lint", error), call("bun run lint:fix"), call("bun run lint")) == []


def test_another_folder_is_no_remedy() -> None:
    between = call("docker compose up -d db")

    assert found_in(call("go test ./...", "error: x"), between, call("cd src && go test ./...")) == []


def test_an_install_is_told_only_when_it_was_needed_twice() -> None:
    """What was installed is there from now on, except in a fresh clone."""
    [found] = found_in(call("npm test", "sh: vitest: command not found"), call("npm install"), call("npm test"))

    assert found.lesson.remedy is Remedy.FIRST
    assert not found.lesson.is_plain


def test_files_of_one_occasion_are_no_remedy() -> None:
    assert found_in(call("npm test", "Error: stale"), call("rm -rf tmp/old.txt"), call("npm test")) == []


@pytest.mark.parametrize(
    "between", [edit(), call("sed -i s/a/b/ a.py"), call("echo x > a.txt"), named("Task", "coder")]
)
def test_a_failure_that_an_edit_mended_is_no_lesson(between: Action) -> None:
    assert found_in(call("wrap npm test", UNKNOWN_WORD), between, call("npm test")) == []


@pytest.mark.parametrize("between", ["npm run lint > $null", "npm run lint *> lint.txt"])
def test_output_that_powershell_leaves_out_is_no_edit(between: str) -> None:
    assert found_in(call("wrap npm test", UNKNOWN_WORD), call(between), call("npm test"))


def test_an_edit_that_failed_mended_nothing() -> None:
    assert found_in(call("wrap npm test", UNKNOWN_WORD), edit(outcome=Outcome.FAILED), call("npm test"))


@pytest.mark.parametrize(
    ("command", "error"),
    [
        ("grep -A npm test", "grep: unknown option -A"),
        ("wrap npm test", f"{UNKNOWN_WORD}\nbash: cd: src: No such file or directory"),
        ("wrap npm test", f"{UNKNOWN_WORD}\nSibling tool call errored"),
        ("git merge main", "CONFLICT (content): command not found"),
        ("git push", "! [rejected] main -> main: permission denied"),
    ],
)
def test_looks_and_passing_trouble_teach_nothing(command: str, error: str) -> None:
    assert found_in(call(command, error), call("npm test"), call("git push -u origin main")) == []


def test_a_failure_that_the_work_of_others_mended_is_no_lesson() -> None:
    push = "git push origin main"

    assert found_in(call(push, "error: hook declined"), call("git pull --rebase"), call(push)) == []
    assert found_in(call(push, "error: hook declined"), call("npm run build"), call(push))


def test_the_remedy_is_of_this_turn_or_the_next() -> None:
    failed, worked = turn(call("wrap npm test", UNKNOWN_WORD)), turn(call("npm test"))

    assert find_lessons([failed, worked])
    assert not find_lessons([failed, turn(), worked])


def test_the_remedy_is_near() -> None:
    failed, look, worked = call("wrap npm test", UNKNOWN_WORD), call("git status"), call("npm test")

    assert found_in(failed, *[look] * (MAX_CALLS - 1), worked)
    assert not found_in(failed, *[look] * MAX_CALLS, worked)
    assert MAX_CALLS == 25


def test_a_remedy_is_of_the_same_actor() -> None:
    failed = call("wrap npm test", UNKNOWN_WORD)

    assert not found_in(failed, call("npm test", actor="subagent"))
    assert not found_in(call("wrap npm test", UNKNOWN_WORD, actor=USER), call("npm test", actor=USER))


def test_a_check_that_says_that_it_failed_did_fail() -> None:
    """`| tail` hides the exit code."""
    hidden = call("npm run lint | tail -3", verdict=Verdict(failed=2))

    [found] = found_in(hidden, call("npm run lint:fix"), hidden, call("npm run lint"))[:1]

    assert found.failed_id == hidden.id
    assert not found_in(call("wrap npm test", UNKNOWN_WORD), call("npm test | tail", verdict=Verdict(ran_nothing=True)))
    assert found_in(call("wrap npm test", UNKNOWN_WORD), call("npm test | tail", verdict=Verdict(passed=2)))


def test_a_skill_that_does_not_exist_has_another_name_or_a_command() -> None:
    failed = named("Skill", "commit", "Unknown skill: commit")

    by_name = found_in(failed, named("Skill", "review"), named("Skill", "git:commit"))
    by_command = found_in(failed, edit(), call("git commit -m 'Add it'"))

    assert texts(by_name) == [("Skill(commit)", Remedy.INSTEAD, "Skill(git:commit)")]
    assert texts(by_command) == [("Skill(commit)", Remedy.INSTEAD, "git commit -m {message}")]
    assert by_name[0].lesson.is_plain


def test_a_subagent_that_does_not_exist_has_another_name() -> None:
    failed = named("Task", "tester", "Agent type 'tester' not found. Available agents: coder")

    assert texts(found_in(failed, named("Task", "coder"))) == [("Agent(tester)", Remedy.INSTEAD, "Agent(coder)")]
    assert not found_in(named("Task", "tester", "The tester failed"), named("Task", "coder"))
    assert not found_in(failed, named("Task", "tester"))


def test_slips_of_other_tools_teach_nothing() -> None:
    assert found_in(edit(outcome=Outcome.FAILED, error="String not found"), edit()) == []


def test_lessons_are_equal_in_two_sessions() -> None:
    one = found_in(call("wrap npm test -- tests/a.test.ts", UNKNOWN_WORD), call("npm test -- tests/a.test.ts"))
    other = found_in(call("wrap npm test -- tests/b.test.ts", UNKNOWN_WORD), call("npm test -- tests/b.test.ts"))

    [merged] = merge_lessons([("a", one[0].lesson), ("b", other[0].lesson)])

    assert (merged.failed, merged.failures, merged.sessions) == ("wrap npm test -- {test}", 2, 2)


def test_a_lesson_without_a_plain_error_is_kept_when_two_sessions_had_it() -> None:
    lesson, plain = Lesson(failed="a", worked="b"), Lesson(failed="c", worked="d", is_plain=True)

    assert merge_lessons([("s1", lesson), ("s1", lesson), ("s1", plain)]) == (plain,)
    assert len(merge_lessons([("s1", lesson), ("s2", lesson), ("s1", plain)])) == 2


def test_the_lesson_with_most_failures_comes_first() -> None:
    often, seldom = Lesson(failed="b", worked="x", is_plain=True), Lesson(failed="a", worked="x", is_plain=True)

    merged = merge_lessons([("s1", seldom), ("s1", often), ("s1", often)])

    assert [(each.failed, each.failures, each.sessions) for each in merged] == [("b", 2, 1), ("a", 1, 1)]


def test_the_words_of_a_plain_error_are_kept() -> None:
    vague, plain = (Lesson(failed="a", worked="b", error=text, is_plain=text != "no") for text in ("no", "not found"))

    [merged] = merge_lessons([("s1", vague), ("s2", plain)])

    assert (merged.error, merged.is_plain) == ("not found", True)


LESSONS = st.builds(
    Lesson,
    failed=st.sampled_from("ab"),
    worked=st.sampled_from("cd"),
    remedy=st.sampled_from(Remedy),
    error=st.sampled_from(["", "no", "not found"]),
    is_plain=st.booleans(),
    failures=st.integers(1, 5),
)
FOUND = st.lists(st.tuples(st.sampled_from(["s1", "s2", "s3"]), LESSONS), max_size=12)


@given(FOUND, st.randoms(use_true_random=False))
def test_any_order_gives_the_same_lessons(found: list[tuple[str, Lesson]], random: Any) -> None:
    shuffled = random.sample(found, len(found))

    assert merge_lessons(shuffled) == merge_lessons(found)


@given(FOUND)
def test_no_failure_of_a_kept_lesson_is_lost(found: list[tuple[str, Lesson]]) -> None:
    def is_of(each: Lesson, kept: Lesson) -> bool:
        return (each.failed, each.worked, each.remedy) == (kept.failed, kept.worked, kept.remedy)

    for kept in merge_lessons(found):
        same = [(session, each) for session, each in found if is_of(each, kept)]
        assert kept.failures == sum(each.failures for _, each in same)
        assert kept.sessions == len({session for session, _ in same})
        assert kept.is_plain or kept.sessions >= 2


# The tools of MCP servers

NO_PAGE = "### Error\nError: no page is open"


def tool(name: str, error: str | None = None, **parameters: Any) -> Action:
    return call("", error, tool=f"mcp__{name}", parameters=parameters)


def test_a_tool_takes_other_parameters() -> None:
    failed = tool("docs__resolve", "MCP error -32602: Invalid arguments for tool resolve: [", library="rich")

    [found] = found_in(failed, worked := tool("docs__resolve", library="rich", query="tables"))

    assert (found.failed_id, found.fix_id) == (failed.id, worked.id)
    assert texts([found]) == [("mcp__docs__resolve(library)", Remedy.INSTEAD, "mcp__docs__resolve(library, query)")]
    assert found.lesson.is_plain


def test_another_tool_of_the_server_has_to_come_first() -> None:
    [found] = found_in(tool("web__click", NO_PAGE, ref="e1"), tool("web__open", url="x"), tool("web__click", ref="e1"))

    assert texts([found]) == [("mcp__web__click(ref)", Remedy.FIRST, "mcp__web__open(url)")]
    assert not found.lesson.is_plain


@pytest.mark.parametrize(
    "following",
    [
        [tool("web__click", ref="e1")],
        [tool("web__open", url="x"), tool("web__click", ref="e2")],
        [tool("web__open", url="x"), tool("web__resize", width=1), tool("web__click", ref="e1")],
        [tool("memo__open", url="x"), tool("web__click", ref="e1")],
        [tool("web__open", url="x"), call("npm start"), tool("web__click", ref="e1")],
        [tool("web__open", url="x"), edit(), tool("web__click", ref="e1")],
        [tool("web__open", "it failed too", url="x"), tool("web__click", ref="e1")],
        [tool("web__open", url="x"), tool("web__press", ref="e1")],
        [tool("web__open", url="x"), tool("web__click", element="a", ref="e1")],
    ],
    ids=range(9),
)
def test_a_failed_tool_teaches_nothing_where_something_else_may_have_helped(following: list[Action]) -> None:
    """Other values, other calls, an edit, time."""
    assert found_in(tool("web__click", NO_PAGE, ref="e1"), *following) == []


def test_a_tool_whose_parameters_are_too_many_to_be_shown_teaches_nothing() -> None:
    """A name that was cut names another call."""
    many = {f"parameter_{number}": 1 for number in range(20)}

    assert found_in(tool("docs__find", "Error: invalid parameter", **many), tool("docs__find", query="a")) == []
