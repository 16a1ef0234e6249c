"""Shell lines are read: their commands, what each is for, and whether it only looks."""

from __future__ import annotations

import time

import pytest

from behavior_plugin.patterns.commands import CommandKind, command_kind, command_of, split_command
from tests.factories import make_action

LOOK, CHECK, DELIVER, RUN = CommandKind.LOOK, CommandKind.CHECK, CommandKind.DELIVER, CommandKind.RUN


@pytest.mark.parametrize(
    ("command", "texts"),
    [
        ("cd app && rtk npm test 2>&1 | tail -5", ["cd app", "rtk npm test", "tail -5"]),
        ("make > log.txt 2>&1; ls &> /dev/null", ["make", "ls"]),
        ("npm start & sleep 5\nnpm test", ["npm start", "sleep 5", "npm test"]),
        ("git commit -m 'one; two && three' # four", ["git commit -m 'one; two && three'"]),
        ("cat <<'END' > x.py\nrm -rf /\nEND\nmake", ["cat <<END", "make"]),
        (
            "git commit -m \"$(cat <<'EOF'\nit's (one)\nEOF\n)\" && git push",
            ['git commit -m "$(cat <<EOF\n)"', "git push"],
        ),
        ("git commit -m \"$(cat <<'EOF'\nit's cut", ['git commit -m "$(cat <<EOF']),
        ("(cd web && yarn) || exit 1", ["cd web", "yarn", "exit 1"]),
        ("go test \\\n  ./...", ["go test ./..."]),
        ("bash -lc 'cargo fmt && cargo test'", ["cargo fmt", "cargo test"]),
        ('echo "$(git log | head -1)"', ['echo "$(git log | head -1)"']),
        ("echo 'never closed", ["echo 'never closed"]),
        ("", []),
    ],
)
def test_a_line_is_split_into_its_commands(command: str, texts: list[str]) -> None:
    """Quotes, here-documents and substitutions belong to one command; redirections go."""
    assert [part.text for part in split_command(command)] == texts


@pytest.mark.parametrize(
    ("command", "label", "kind", "job"),
    [
        ("npm test", "npm test", CHECK, "test"),
        ("rtk bun run test", "bun run test", CHECK, "test"),
        ("rtk proxy pytest -q", "pytest", CHECK, "test"),
        ("pipx run black .", "black", CHECK, "format"),
        ("rtk summary pytest", "pytest", CHECK, "test"),
        ("env CI=1 timeout -k 5 30s bundle exec rspec spec/a_spec.rb", "rspec", CHECK, "test"),
        ("uv run --with x pytest -q", "pytest", CHECK, "test"),
        (".venv/bin/python3.12 -m pytest", "pytest", CHECK, "test"),
        ("pnpm --filter web exec vitest run", "vitest", CHECK, "test"),
        ("sudo -E make -j4 test", "make test", CHECK, "test"),
        ("./gradlew clean check", "gradlew clean", CHECK, "check"),
        ("mvn -q verify", "mvn verify", CHECK, "check"),
        ("python scripts/run_tests.py", "run_tests.py", CHECK, "test"),
        ("./tools/check-licences.sh", "check-licences.sh", CHECK, "check"),
        ("mix credo --strict", "mix credo", CHECK, "lint"),
        ("ruff check .", "ruff check", CHECK, "lint"),
        ("ruff format .", "ruff format", CHECK, "format"),
        ("cargo +nightly fmt", "cargo fmt", CHECK, "format"),
        ("npx tsc --noEmit", "tsc", CHECK, "typecheck"),
        ("yarn check-types", "yarn check-types", CHECK, "typecheck"),
        ("just release-check", "just release-check", CHECK, "check"),
        ("go build -o test .", "go build", CHECK, "build"),
        ("terraform plan", "terraform plan", CHECK, "check"),
        ("make", "make", CHECK, "build"),
        ("git -C app commit -qm x", "git commit", DELIVER, "commit"),
        ("git cherry-pick abc", "git cherry-pick", DELIVER, "cherry-pick"),
        ("git rebase --abort", "git rebase", RUN, "rebase"),
        ("git tag v1", "git tag", DELIVER, "tag"),
        ("gh pr create --fill", "gh pr create", DELIVER, "pr"),
        ("gh pr merge 3", "gh pr merge", DELIVER, "merge"),
        ("gh pr comment 3 -b x", "gh pr comment", DELIVER, "comment"),
        ("gh api repos/a/b/pulls -X POST", "gh api", DELIVER, "gh api"),
        ("cargo publish", "cargo publish", DELIVER, "publish"),
        ("npm publish --dry-run", "npm publish", RUN, "publish"),
        ("twine upload dist/*", "twine", DELIVER, "publish"),
        ("docker push a/b", "docker push", DELIVER, "publish"),
        ("tofu apply", "tofu apply", DELIVER, "deploy"),
        ("kubectl apply -f x.yml", "kubectl apply", DELIVER, "deploy"),
        ("scripts/build-and-deploy.sh", "build-and-deploy.sh", DELIVER, "deploy"),
        ("npm ci", "npm ci", RUN, "install"),
        ("rails db:migrate", "rails db:migrate", RUN, "migrate"),
        ("pnpm api:generate", "pnpm api:generate", RUN, "generate"),
        ("docker compose -f a.yml up -d", "docker compose up", RUN, "run"),
        ("docker exec web npm test", "docker exec web", CHECK, "test"),
        ("mkdir test", "mkdir", RUN, "mkdir"),
        ("python -c 'print(1)'", "python", RUN, "python"),
        ("sed -i s/a/b/ x", "sed", RUN, "sed"),
        ("git branch backup", "git branch", RUN, "git branch"),
        ("git stash pop", "git stash", RUN, "git stash"),
    ],
)
def test_a_command_has_a_label_a_kind_and_a_job(command: str, label: str, kind: CommandKind, job: str) -> None:
    """The job is the same behind wrappers and package managers, and is recognized in the names of scripts."""
    [part] = split_command(command)

    assert (part.label, part.kind, part.job) == (label, kind, job)


@pytest.mark.parametrize(
    "command",
    [
        "git status",
        "rtk git diff --stat",
        "git branch --contains abc",
        "git stash list",
        "git tag",
        "gh pr view 3",
        "gh run watch 3",
        "gh api repos/a/b/pulls/3/comments",
        "curl -s http://localhost",
        "cargo --version",
        "npm run --help",
        "docker compose logs -f web",
        "kubectl get pods",
        "sed -n 1,5p x",
        "find . -name x | xargs grep y",
        "rtk proxy cat a.py",
        "rtk proxy git log -3",
        "unknown-wrapper cat a.py",
        "Get-Content x | Select-String y",
        "ls | Tee-Object -Variable o | Out-Null",
        "ls | where-object Name | out-string",
        "X=1",
        "# nothing",
        "[ -f x ]",
    ],
)
def test_a_look_only_command_has_no_job(command: str) -> None:
    """Looking around is no part of a workflow."""
    assert {(part.kind, part.job) for part in split_command(command)} <= {(LOOK, "")}
    assert command_kind(command) is LOOK


@pytest.mark.parametrize("command", ["find . -name x -delete", "find . -name x -exec rm {} +"])
def test_find_looks_only_where_it_leaves_the_files_alone(command: str) -> None:
    """It can delete files, or run a program on each."""
    assert command_kind(command) is CommandKind.RUN


@pytest.mark.parametrize(
    ("command", "kind"),
    [
        ("npm ci && npm test && git push", DELIVER),
        ("npm ci && npm test | tail", CHECK),
        ("cd app && npm ci", RUN),
        ("cd app; ls", LOOK),
    ],
)
def test_a_line_counts_as_its_weightiest_command(command: str, kind: CommandKind) -> None:
    """A line that tests and pushes delivers."""
    assert command_kind(command) is kind


@pytest.mark.parametrize(
    ("tool", "parameters", "expected"),
    [
        ("Bash", {"command": "make"}, "make"),
        ("PowerShell", {"command": "make"}, "make"),
        ("exec_command", {"cmd": "make"}, "make"),
        ("Bash", {}, ""),
        ("Grep", {"command": "make"}, ""),
    ],
)
def test_only_shell_calls_have_a_command(tool: str, parameters: dict[str, str], expected: str) -> None:
    """Other tools may have a parameter of that name."""
    assert command_of(make_action(tool, parameters=parameters)) == expected


@pytest.mark.parametrize("piece", ['"', "'", "$(", '"$(', "`", "<<E", "<<E\n", "\\", "bash -c '", "(", ">", "2>&"])
def test_a_line_of_open_quotes_takes_little_time(piece: str) -> None:
    """The expressions have no exponential case."""
    started_at = time.process_time()

    split_command(piece * 2_000)
    split_command((piece + " ") * 2_000)

    assert time.process_time() - started_at < 1
