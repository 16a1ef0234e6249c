"""Where a session is: project, its type, its branch. Reads a few small files and runs no program.

A repository may be hostile: its configuration can make git run anything, its HEAD may be a pipe. So git is never
asked, and only regular files are read, a few kilobytes of each.
"""

import os
import stat

SMALL = 4096
# Nearest folder first, and in each the first name that exists.
PROJECT_TYPES = (
    ("Cargo.toml", "rust"),
    ("go.mod", "go"),
    ("tsconfig.json", "typescript"),
    ("package.json", "javascript"),
    ("pyproject.toml", "python"),
    ("setup.py", "python"),
    ("requirements.txt", "python"),
    ("pom.xml", "java"),
    ("build.gradle", "java"),
    ("build.gradle.kts", "kotlin"),
    ("Gemfile", "ruby"),
    ("composer.json", "php"),
    ("mix.exs", "elixir"),
    ("Package.swift", "swift"),
    ("CMakeLists.txt", "cpp"),
)


def describe(directory):
    """`directory` with its `project`, `project_type` and `branch`; what cannot be told is left out."""
    if not os.path.isabs(directory):
        return {}
    root, git = _find_repository(directory)
    notes = {"directory": directory, "project": directory, "project_type": _project_type(directory, root)}
    if git:
        notes["project"] = _main_worktree(root, git)
        notes["branch"] = _branch(git)
    return {key: value for key, value in notes.items() if value}


def _find_repository(directory):
    """The nearest folder upwards that holds .git, and the git folder behind that."""
    for folder in _upwards(directory):
        mark = os.path.join(folder, ".git")
        if os.path.isdir(mark):
            return folder, mark
        pointer = _read_small(mark)
        if pointer.startswith("gitdir:"):
            return folder, os.path.normpath(os.path.join(folder, pointer[len("gitdir:") :].strip()))
    return directory, None


def _upwards(directory):
    while True:
        yield directory
        parent = os.path.dirname(directory)
        if parent == directory:
            return
        directory = parent


def _branch(git):
    """The branch's name; nothing where the head is detached."""
    head = _read_small(os.path.join(git, "HEAD")).strip()
    return head[len("ref: refs/heads/") :] if head.startswith("ref: refs/heads/") else None


def _main_worktree(root, git):
    """One name for all worktrees of a repository: the folder that its common .git lies in."""
    common = _read_small(os.path.join(git, "commondir")).strip()
    if not common:
        return root
    common = os.path.normpath(os.path.join(git, common))
    return os.path.dirname(common) if os.path.basename(common) == ".git" else common


def _project_type(directory, root):
    for folder in _upwards(directory):
        for name, project_type in PROJECT_TYPES:
            if os.path.isfile(os.path.join(folder, name)):
                return project_type
        if folder == root:
            return None
    return None


def _read_small(path):
    try:
        source = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        if not stat.S_ISREG(os.fstat(source).st_mode):
            return ""
        return os.fsdecode(os.read(source, SMALL))
    except OSError:
        return ""
    finally:
        os.close(source)
