"""The environment names no settings: an agent applies the `env` of a project to its hooks and to the user's commands.

Only BEHAVIOR_HOME and BEHAVIOR_DISABLE are read. A variable that names a setting is reported, and not used.
"""

import os

from behavior_plugin.capture import paths

PREFIX = "BEHAVIOR_"
# The fields of config.Settings, which costs too much to import here, and their former names.
SETTINGS = (
    "database_url",
    "storage",
    "user_id",
    "embedder",
    "recall_scope",
    "suggestions",
    "holdout",
    "show_notes",
    "exclude_projects",
    "exclude_paths",
    "keep_days",
    "keep_megabytes",
    "idle_timeout_s",
    "settle_s",
    "environment",
    "linger_s",
)
# The folders of the system's own programs. A process of ours finds no program by its caller's PATH.
SYSTEM_PATH = (
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/homebrew/bin:/run/current-system/sw/bin"
)
_PASSED_ON = ("USER", "LOGNAME", "LANG", "TZ")


def of_settings():
    """The BEHAVIOR_* variables that name a setting."""
    return sorted([name for name in os.environ if name.startswith(PREFIX) and name[9:].lower() in SETTINGS])


def not_used(names, file):
    """A sentence about variables that name settings, without its full stop."""
    verb = "is" if len(names) == 1 else "are"
    return f"{', '.join(names)} {verb} set in this environment and not used; settings are read from {file} alone"


def trouble():
    """What a session's start reports about its environment; empty if there is nothing."""
    names = of_settings()
    return paths.misplaced() or (not_used(names, paths.in_data("config.toml")) if names else "")


def for_worker():
    """The environment of the worker, whoever starts it: nothing in it steers a library or chooses a program."""
    passed_on = {name: value for name, value in os.environ.items() if name in _PASSED_ON or name.startswith("LC_")}
    return {**passed_on, "PATH": SYSTEM_PATH, "HOME": paths.home(), "BEHAVIOR_HOME": paths.data_folder()}
