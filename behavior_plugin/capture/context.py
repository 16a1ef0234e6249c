"""Describe a session's directory: project, project type, branch. Reads a few small files and runs no program.

A repository may be hostile: its configuration can make git run anything, its HEAD may be a pipe. So git is never run,
and only regular files are read, a few kilobytes of each.

A project is identified by the address of its remote: all its worktrees and clones, on any path, are one project. So a
repository can claim to be another project, by naming its remote, and then gets suggestions from that project's work; it
cannot change stored patterns. Without a remote, a project is identified by the folder of its main worktree, else by the
directory.
"""

import os
import stat

from behavior_plugin.capture import remote

MAX_FILE_BYTES = 4096
MAX_LEVELS = 100
MAX_ENTRIES = 500
# The nearest folder wins, and in a folder the first name that exists. A Makefile is in projects of every type, so it is
# not listed.
PROJECT_TYPES = (
    ("Cargo.toml", "rust"),
    ("go.mod", "go"),
    ("deno.json", "typescript"),
    ("deno.jsonc", "typescript"),
    ("tsconfig.json", "typescript"),
    ("package.json", "javascript"),
    ("bun.lock", "javascript"),
    ("bun.lockb", "javascript"),
    ("pyproject.toml", "python"),
    ("setup.py", "python"),
    ("setup.cfg", "python"),
    ("Pipfile", "python"),
    ("requirements.txt", "python"),
    ("pom.xml", "java"),
    ("build.sbt", "scala"),
    ("build.gradle", "java"),
    ("build.gradle.kts", "kotlin"),
    ("Gemfile", "ruby"),
    ("composer.json", "php"),
    ("mix.exs", "elixir"),
    ("pubspec.yaml", "dart"),
    ("Package.swift", "swift"),
    ("stack.yaml", "haskell"),
    ("build.zig", "zig"),
    ("CMakeLists.txt", "cpp"),
    ("meson.build", "cpp"),
)
# If no name matches: the endings of names in the project's top folder.
PROJECT_ENDS = (
    (".sln", "dotnet"),
    (".slnx", "dotnet"),
    (".csproj", "dotnet"),
    (".fsproj", "dotnet"),
    (".cabal", "haskell"),
    (".gemspec", "ruby"),
)


def describe(directory):
    """`directory` with `root`, `project`, `project_type`, `branch` and `commit`; unknown facts are left out."""
    if not os.path.isabs(directory):
        return {}
    folder = os.path.normpath(directory)
    root, git = _find_repository(folder)
    notes = {"directory": directory, "root": root, "project": root, "project_type": _project_type(folder, root)}
    if git:
        common = _common_folder(git)
        main = _main_worktree(root, git, common)
        head = _head(git)
        notes["project"] = _remote(common, main) or main
        notes["branch"] = _branch(head) or _rebased_branch(git)
        notes["commit"] = _commit(head)
    return {key: value for key, value in notes.items() if value}


def _find_repository(directory):
    """The nearest folder upwards that holds .git, and the git folder behind that."""
    for folder in _upwards(directory):
        mark = os.path.join(folder, ".git")
        git = mark if os.path.isdir(mark) else _linked_git_folder(mark, folder)
        if git and os.path.lexists(os.path.join(git, "HEAD")):
            return (folder, git) if _is_trusted(mark) and _is_trusted(git) else (directory, None)
    return directory, None


def _linked_git_folder(mark, folder):
    """The git folder of a worktree or submodule, whose .git is a file that names it."""
    pointer = _read_small(mark)
    if not pointer.startswith("gitdir:"):
        return None
    return os.path.normpath(os.path.join(folder, pointer[len("gitdir:") :].strip()))


def _is_trusted(path):
    """Whether a repository is ours, by git's own rule: files of other users are not trusted, except by root."""
    try:
        return os.geteuid() == 0 or os.stat(path).st_uid in (0, os.geteuid())
    except (OSError, ValueError):
        return False


def _upwards(directory):
    for _ in range(MAX_LEVELS):
        yield directory
        parent = os.path.dirname(directory)
        if parent == directory:
            return
        directory = parent


def _head(git):
    return _read_small(os.path.join(git, "HEAD")).partition("\n")[0].strip()


def _branch(head):
    """The branch's name; empty or None if the head is detached, or in a reftable, which only git can read."""
    name = head[len("ref: refs/heads/") :] if head.startswith("ref: refs/heads/") else ""
    return None if name == ".invalid" else name


def _rebased_branch(git):
    """The branch that is being rebased: its head is detached meanwhile."""
    for folder in ("rebase-merge", "rebase-apply"):
        name = _read_small(os.path.join(git, folder, "head-name")).strip()
        if name.startswith("refs/heads/"):
            return name[len("refs/heads/") :]
    return None


def _commit(head):
    """The first digits of the commit of a detached head."""
    return head[:12] if len(head) in (40, 64) and not head.strip("0123456789abcdef") else None


def _common_folder(git):
    """The git folder that all worktrees of a repository share."""
    common = _read_small(os.path.join(git, "commondir")).strip()
    return os.path.normpath(os.path.join(git, common)) if common else git


def _main_worktree(root, git, common):
    """One name for all worktrees of a repository: the folder of its common .git."""
    return root if common == git else remote.without_git(common)


def _remote(common, main):
    config = _read(os.path.join(common, "config"), remote.CONFIG_LIMIT)
    return remote.identity(remote.address(config), main)


def _project_type(directory, root):
    for folder in _upwards(directory):
        for name, project_type in PROJECT_TYPES:
            if os.path.isfile(os.path.join(folder, name)):
                return project_type
        if folder == root:
            break
    return _type_by_ends(root)


def _type_by_ends(folder):
    ends = {name[name.rfind(".") :] for name in _some_names(folder)}
    return next((project_type for end, project_type in PROJECT_ENDS if end in ends), None)


def _some_names(folder):
    """The names in a folder, at most as many as a hook has time for."""
    try:
        with os.scandir(folder) as entries:
            return [entry.name for entry, _ in zip(entries, range(MAX_ENTRIES))]
    except (OSError, ValueError):
        return []


def _read_small(path):
    return os.fsdecode(_read(path, MAX_FILE_BYTES))


def _read(path, limit):
    """The beginning of a regular file; empty for anything else."""
    try:
        source = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except (OSError, ValueError):
        return b""
    try:
        return os.read(source, limit) if stat.S_ISREG(os.fstat(source).st_mode) else b""
    except OSError:
        return b""
    finally:
        os.close(source)
