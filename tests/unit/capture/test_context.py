"""A directory is described from small files, never by running git, and safely in a hostile repository."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

import pytest

from behavior_plugin.capture import context


def git(folder: Path, *words: str) -> str:
    identity = ["-c", "user.name=Dev", "-c", "user.email=dev@example.invalid", "-c", "protocol.file.allow=always"]
    done = subprocess.run(["git", "-C", str(folder), *identity, *words], check=True, capture_output=True, text=True)
    return done.stdout.strip()


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
    """The directory is the session's own; the project is the repository around it."""
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
    git(repository, "remote", "add", "origin", "https://host.example/outer.git")
    source = tmp_path / "source"
    source.mkdir()
    git(source, "init", "-q", "-b", "main")
    git(source, "commit", "-q", "--allow-empty", "-m", "start")
    git(repository, "submodule", "add", "-q", str(source), "inner")

    found = context.describe(str(repository / "inner"))

    assert found["project"] == str(source)
    assert found["root"] == str(repository / "inner")
    assert found["branch"] == "main"
    git(repository / "inner", "remote", "remove", "origin")
    assert context.describe(str(repository / "inner"))["project"] == str(repository / "inner")


def test_a_clone_is_the_same_project_on_any_path(repository: Path, tmp_path: Path) -> None:
    """On another machine, or moved, clones still have the remote in common."""
    clone = tmp_path / "clone"
    for folder, address in ((repository, "git@host.example:a/b.git"), (clone, "https://u:p@host.example/a/b")):
        folder.mkdir(exist_ok=True)
        git(folder, "init", "-q")
        git(folder, "remote", "add", "origin", address)
    git(repository, "worktree", "add", "-q", str(tmp_path / "worktree"))

    folders = (repository, clone, tmp_path / "worktree")

    assert {context.describe(str(folder))["project"] for folder in folders} == {"host.example/a/b"}
    assert [context.describe(str(folder))["root"] for folder in folders] == [str(folder) for folder in folders]


def test_a_clone_of_a_local_folder_is_that_folders_project(repository: Path, tmp_path: Path) -> None:
    """Without a server, clones have the cloned folder in common."""
    git(tmp_path, "clone", "-q", str(repository), "clone")

    assert context.describe(str(tmp_path / "clone"))["project"] == str(repository)


def test_a_detached_head_has_a_commit_and_no_branch(repository: Path) -> None:
    """A commit's hash is no branch."""
    assert "commit" not in context.describe(str(repository))
    git(repository, "checkout", "-q", "--detach")

    found = context.describe(str(repository))

    assert "branch" not in found
    assert found["commit"] == git(repository, "rev-parse", "HEAD")[:12]


@pytest.mark.parametrize("backend", ["--merge", "--apply"])
def test_during_a_rebase_the_rebased_branch_is_reported(repository: Path, backend: str) -> None:
    """Its head is detached until the last conflict is solved, and that is when somebody asks for help."""
    for branch, text in (("main", "one"), ("fix", "two")):
        git(repository, "checkout", "-q", "-B", branch, "main~0" if branch == "main" else "main~1")
        (repository / "file").write_text(text)
        git(repository, "add", "file")
        git(repository, "commit", "-q", "-m", text)
    with pytest.raises(subprocess.CalledProcessError):
        git(repository, "rebase", backend, "main")

    found = context.describe(str(repository))

    assert found["branch"] == "fix"
    assert found["commit"] == git(repository, "rev-parse", "HEAD")[:12]


def test_a_repository_with_a_reftable_has_no_branch(repository: Path) -> None:
    """Its HEAD is a placeholder; only git can read the table."""
    (repository / ".git" / "HEAD").write_text("ref: refs/heads/.invalid\n")

    found = context.describe(str(repository))

    assert "branch" not in found
    assert found["project"] == str(repository)


@pytest.mark.parametrize("head", ["", "ref: refs/tags/x", "0" * 39, "g" * 40, "a" * 4096, "ref: refs/heads/\x00"[:16]])
def test_a_strange_head_is_neither_branch_nor_commit(repository: Path, head: str) -> None:
    """It may be half written, or somebody's joke."""
    (repository / ".git" / "HEAD").write_text(head)

    assert {"branch", "commit"} & set(context.describe(str(repository))) == set()


def test_a_folder_named_git_is_not_always_a_repository(repository: Path) -> None:
    """git passes by one without a HEAD, and a file that leads nowhere or to itself."""
    empty, itself, nowhere = (repository / name for name in ("empty", "itself", "nowhere"))
    (empty / ".git").mkdir(parents=True)
    for folder, pointer in ((itself, ".git"), (nowhere, "/no/such/folder")):
        folder.mkdir()
        (folder / ".git").write_text(f"gitdir: {pointer}\n")

    for folder in (empty, itself, nowhere):
        assert context.describe(str(folder))["root"] == str(repository)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
@pytest.mark.parametrize(("owner", "is_ours"), [(0, True), (65534, True), (65533, False)])
def test_another_users_repository_is_not_read(owner: int, is_ours: bool) -> None:
    """In a folder that everybody can write to, anybody could name the project."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        git(Path(folder), "init", "-q", "-b", "theirs")
        for path in (Path(folder, ".git"), *Path(folder, ".git").iterdir()):
            os.chown(path, owner, owner)
        assert context.describe(folder)["branch"] == "theirs"

        os.seteuid(65534)
        try:
            found = context.describe(folder)
        finally:
            os.seteuid(0)

        assert ("branch" in found) == is_ours


def test_without_a_repository_the_directory_is_the_project(tmp_path: Path) -> None:
    """Work outside git is remembered by its folder."""
    found = context.describe(str(tmp_path))

    assert found["project"] == str(tmp_path)
    assert "branch" not in found


@pytest.mark.parametrize(("marker", "expected"), context.PROJECT_TYPES)
def test_a_marker_file_sets_the_project_type(repository: Path, marker: str, expected: str) -> None:
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


@pytest.mark.parametrize(("end", "expected"), context.PROJECT_ENDS)
def test_without_a_marker_file_name_endings_count(repository: Path, end: str, expected: str) -> None:
    """Some trades name the file after the project; it lies in the top folder."""
    (repository / f"Project.Name{end}").touch()
    (repository / "src").mkdir()

    assert context.describe(str(repository / "src"))["project_type"] == expected


@pytest.mark.timeout(10)
@pytest.mark.parametrize("name", ["HEAD", "commondir", "config", "rebase-merge/head-name"])
@pytest.mark.parametrize("kind", ["pipe", "endless", "folder", "huge", "binary"])
def test_a_hostile_file_in_the_git_folder_is_harmless(repository: Path, name: str, kind: str) -> None:
    """Opening it could block, or read without end."""
    file = repository / ".git" / name
    file.unlink(missing_ok=True)
    file.parent.mkdir(exist_ok=True)
    if kind == "pipe":
        os.mkfifo(file)
    elif kind == "endless":
        file.symlink_to("/dev/zero")
    elif kind == "folder":
        file.mkdir()
    elif kind == "huge":
        file.touch()
        os.truncate(file, 100_000_000)
    else:
        file.write_bytes(bytes(range(256)) * 1000)

    assert context.describe(str(repository))["root"] == str(repository)


@pytest.mark.timeout(10)
@pytest.mark.parametrize("directory", ["//", "//no/such", "/" + "x/" * 3000, "/no\0where", "/gone", "/\ud800"])
def test_an_odd_directory_has_an_end(directory: str) -> None:
    """It comes from a payload."""
    assert context.describe(directory)["directory"] == directory


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


def test_a_relative_or_empty_directory_is_not_described() -> None:
    """It comes from a payload, and means nothing to us."""
    assert context.describe("") == context.describe("some/where") == {}
