"""What is noted of a directory: read from small files, never by running git, and safe in a hostile repository."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from behavior_plugin.capture import context


def git(folder: Path, *words: str) -> None:
    identity = ["-c", "user.name=Dev", "-c", "user.email=dev@example.invalid", "-c", "protocol.file.allow=always"]
    subprocess.run(["git", "-C", str(folder), *identity, *words], check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    git(folder, "commit", "-q", "--allow-empty", "-m", "start")
    return folder


def test_a_repository_has_its_branch(repository: Path) -> None:
    """Also one with slashes, and before its first commit."""
    git(repository, "checkout", "-q", "--orphan", "feature/new-start")

    found = context.describe(str(repository))

    assert found["branch"] == "feature/new-start"
    assert found["project"] == str(repository)


def test_a_subfolder_belongs_to_its_repository(repository: Path) -> None:
    """The directory is where the session is, the project is what it works on."""
    deep = repository / "packages" / "api"
    deep.mkdir(parents=True)

    found = context.describe(str(deep))

    assert found["directory"] == str(deep)
    assert found["project"] == str(repository)


def test_a_worktree_is_the_same_project_on_another_branch(repository: Path, tmp_path: Path) -> None:
    """Otherwise each worktree would start to learn from nothing."""
    git(repository, "worktree", "add", "-q", "-b", "fix", str(tmp_path / "worktree"))

    found = context.describe(str(tmp_path / "worktree"))

    assert found["branch"] == "fix"
    assert found["project"] == str(repository)


def test_a_submodule_is_a_project_of_its_own(repository: Path, tmp_path: Path) -> None:
    """It has a history, branches and workflows of its own."""
    outer = tmp_path / "outer"
    outer.mkdir()
    git(outer, "init", "-q")
    git(outer, "submodule", "add", "-q", str(repository), "inner")

    found = context.describe(str(outer / "inner"))

    assert found["project"] == str(outer / "inner")
    assert found["branch"] == "main"


def test_a_detached_head_has_no_branch(repository: Path) -> None:
    """A commit's hash is no branch."""
    git(repository, "checkout", "-q", "--detach")

    assert "branch" not in context.describe(str(repository))


def test_without_a_repository_the_directory_is_the_project(tmp_path: Path) -> None:
    """Work outside git is remembered by its folder."""
    found = context.describe(str(tmp_path))

    assert found["project"] == str(tmp_path)
    assert "branch" not in found


@pytest.mark.parametrize(("marker", "expected"), context.PROJECT_TYPES)
def test_the_project_type_is_told_by_its_marker(repository: Path, marker: str, expected: str) -> None:
    """The file that a tool of the trade looks for."""
    (repository / marker).touch()

    assert context.describe(str(repository))["project_type"] == expected


def test_the_nearest_marker_counts(repository: Path) -> None:
    """In a monorepo each part has its own type, and one outside of the repository has none to say."""
    (repository.parent / "Cargo.toml").touch()
    (repository / "package.json").touch()
    api = repository / "api"
    api.mkdir()
    (api / "pyproject.toml").touch()

    assert context.describe(str(api))["project_type"] == "python"
    assert context.describe(str(repository))["project_type"] == "javascript"
    (repository / "package.json").unlink()
    assert "project_type" not in context.describe(str(repository))


@pytest.mark.timeout(10)
@pytest.mark.parametrize("name", ["HEAD", "commondir"])
def test_a_pipe_in_the_git_folder_does_not_hang(repository: Path, name: str) -> None:
    """Whoever opens it would wait for ever."""
    (repository / ".git" / name).unlink(missing_ok=True)
    os.mkfifo(repository / ".git" / name)

    assert context.describe(str(repository))["project"] == str(repository)


@pytest.mark.timeout(10)
def test_a_huge_or_strange_git_file_is_harmless(tmp_path: Path) -> None:
    """A file where a folder is expected, of any size and content."""
    (tmp_path / ".git").write_bytes(b"gitdir: " + b"\xff../" * 1_000_000)

    assert context.describe(str(tmp_path))["project"]


def test_no_program_is_run(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A repository's configuration can make git run anything, so git is not asked."""
    mark = tmp_path / "mark"
    script = tmp_path / "bin" / "git"
    script.parent.mkdir()
    script.write_text(f"#!/bin/sh\ntouch {mark}\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{script.parent}:{os.environ['PATH']}")
    (repository / ".git" / "config").write_text(f"[core]\n\tfsmonitor = touch {mark}\n")

    context.describe(str(repository))

    assert not mark.exists()


def test_a_relative_or_empty_directory_tells_nothing() -> None:
    """It comes from a payload, and means nothing to us."""
    assert context.describe("") == context.describe("some/where") == {}
