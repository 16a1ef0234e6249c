"""Commands that only look, and those that do something."""

from __future__ import annotations

import time

import pytest

from behavior_plugin.agents.looking import is_looking


@pytest.mark.parametrize(
    "command",
    [
        "cat a.txt",
        "/usr/bin/grep -n x a.py",
        "grep -rn 'a;b|c' src | head -5",
        'rg "npm test|fail" && ls',
        "cd shop && git log --oneline -3",
        "git -C shop diff",
        "git --no-pager show HEAD",
        "git stash list",
        "git branch --show-current",
        "sed -n '1,20p' a.py; echo ---; wc -l a.py",
        "find . \\( -name a -o -name b \\) -exec grep x {} \\;",
        "find . -name '*.py' | xargs -n 1 grep -l x",
        "for f in *.py; do cat $f; done",
        "if [ -f x ]; then cat x; fi",
        "FOO=1 sudo -u app cat y",
        "timeout 10 curl -s https://example.com | jq .",
        "docker compose -f dev.yml logs api",
        "kubectl -n shop get pods",
        "gh run view 7 --log-failed",
        "gh api repos/a/b/pulls",
        "npm view left-pad",
        "cargo tree",
        "node --version",
        "cat > a.py <<'EOF'\nnpm test\nEOF",
        "cat <<EOF",
        "Get-Content a.log | Select-String error",
        "$lines = Get-Content a.log; $lines | Group-Object | Format-Table",
        "# the state\ngit status",
        "cat a.txt 2>/dev/null; ls",
        "ls \\\n  -la",
    ],
)
def test_a_command_that_only_looks_is_recognised(command: str) -> None:
    """Whatever it prints is not its own."""
    assert is_looking(command)


@pytest.mark.parametrize(
    "command",
    [
        "",
        "make",
        "./test-all.sh",
        "pytest -k search | tail -3",
        "npm test 2>&1 | grep fail | head",
        "git commit -m 'log'",
        "git stash pop",
        "cat a.txt; python3 b.py",
        "ls b 2>/dev/null; make",
        'cat > a.py <<EOF\nx "y\nEOF\nnpm test',
        "x=$(npm test); echo $x",
        'echo hi; "$BIN" --check',
        "$PYTHON -m pytest | tail -3",
        "find . | xargs -n1 pytest",
        "timeout 60 npm test",
        "FOO=1 BAR=2 pytest",
        "pnpm --filter view test",
        "cargo test log",
        "bun run list",
        "rm -rf build",
        "cd build && rm -rf x",
        "python3 -c 'print(1)'",
        "docker exec api pytest",
        "while true; do npm test; done",
    ],
)
def test_a_command_that_does_something_is_not_one(command: str) -> None:
    """An unknown program counts as one that does."""
    assert not is_looking(command)


@pytest.mark.parametrize(
    "unit", ["'", '"', '\\"', "<<A\n", "a;", "a=1 ", "\n", "|", "`", "$(", "> ", "xargs -n ", "\\\n"]
)
def test_hostile_commands_take_milliseconds(unit: str) -> None:
    """Time is linear in the length."""
    began = time.process_time()

    is_looking(unit * (1_000_000 // len(unit)))

    assert time.process_time() - began < 0.2
