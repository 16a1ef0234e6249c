"""Our hooks in the client's settings: everything that is there stays, and uninstall leaves no trace."""

from __future__ import annotations

import codecs
import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from behavior_plugin.agents.install import Change, agent_settings_file, install, is_ours, uninstall
from behavior_plugin.capture import paths, wake
from behavior_plugin.errors import ConfigError, SetupError
from behavior_plugin.simulator import registered_hooks
from tests.settings import elsewhere

PLUGIN = Path(__file__).parents[3]
EVENTS = ["SessionStart", "UserPromptSubmit", "PostToolUse", "PostToolUseFailure", "Stop", "SessionEnd"]
# Failed calls have two: one that the agent waits for, and one that it does not.
ENTRIES = len(EVENTS) + 1
OTHERS: dict[str, Any] = {
    "model": "opus",
    "hooks": {
        "Stop": [{"matcher": "", "hooks": [{"type": "command", "command": "say done", "timeout": 3}]}],
        "PreToolUse": [{"matcher": "Bash", "hooks": [{"type": "http", "url": "http://127.0.0.1:1/"}]}],
        "PostToolUse": [{"matcher": "Edit|Write", "hooks": [{"type": "command", "command": "black $FILE"}]}],
    },
    "someday": {"unknown": [1, 2.5, None, True]},
}
# The command that versions before run.sh wrote into settings, with the plugin in /old and its data in /data.
AS_BEFORE = (
    "trap '' HUP INT TERM; trap 'exit 0' EXIT; if [ -x /data/python3 ] && [ -f /old/hooks/hook.py ]; then "
    "/data/python3 -I -S /old/hooks/hook.py EVENT || python3 -I -S /old/hooks/hook.py EVENT again; "
    "else python3 -I -S /old/hooks/hook.py EVENT; fi || exit 0"
)
Install = Callable[..., Change]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's home with something in it, and nothing but HOME to say where things go."""
    folder = tmp_path / "user"
    (folder / ".local" / "share").mkdir(parents=True)
    (folder / ".profile").write_text("umask 022\n", encoding="utf-8")
    for name in ("BEHAVIOR_HOME", "CLAUDE_CONFIG_DIR", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(folder))
    return folder


@pytest.fixture
def settings(home: Path) -> Path:
    """Where the settings belong; the folder is there, the file is not."""
    (home / ".claude").mkdir()
    return home / ".claude" / "settings.json"


@pytest.fixture
def backup(settings: Path) -> Path:
    """Where the settings are kept as they were before us."""
    return settings.with_name("settings.json.behavior-backup")


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """A stand-in interpreter which has every library, and is quick about it."""
    return make_script(tmp_path / "venv" / "bin" / "python", "exit 0")


@pytest.fixture
def put_in(settings: Path, python: Path) -> Install:
    def call(**changes: Any) -> Change:
        return install(**{"settings_file": settings, "plugin_root": PLUGIN, "interpreter": python, **changes})

    return call


def make_script(file: Path, body: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    file.chmod(0o755)
    return file


def make_plugin(root: Path) -> Path:
    """A plugin whose hook.py writes the event and the payload into a file beside itself."""
    (root / "hooks").mkdir(parents=True)
    for name in ("hooks.json", "run.sh", "find_python.sh"):
        shutil.copy(PLUGIN / "hooks" / name, root / "hooks")
    (root / "hooks" / "hook.py").write_text(
        "import sys\nwith open(__file__ + '.mark', 'w') as mark:\n    mark.write(sys.argv[1] + sys.stdin.read())\n",
        encoding="utf-8",
    )
    return root


def read(file: Path) -> Any:
    return json.loads(file.read_bytes().decode("utf-8-sig"))


def commands(file: Path) -> dict[str, list[str]]:
    """Our commands, by event."""
    found = {
        event: [e["command"] for group in groups for e in group["hooks"] if is_ours(e.get("command", ""))]
        for event, groups in read(file)["hooks"].items()
    }
    return {event: ours for event, ours in found.items() if ours}


def tree(folder: Path) -> dict[str, tuple[int, bytes | str | None]]:
    """Everything in a folder: modes, contents, and where links lead."""
    found: dict[str, tuple[int, bytes | str | None]] = {}
    for path in sorted(folder.rglob("*")):
        content = str(path.readlink()) if path.is_symlink() else path.read_bytes() if path.is_file() else None
        found[str(path.relative_to(folder))] = (stat.S_IMODE(path.lstat().st_mode), content)
    return found


def test_absent_settings_are_created_with_the_hooks_of_the_plugin(
    put_in: Install, settings: Path, backup: Path
) -> None:
    """A user without changed settings has no file yet."""
    change = put_in()

    assert change.changed
    assert not backup.exists()
    assert list(read(settings)) == ["hooks"]
    assert list(commands(settings)) == EVENTS
    assert stat.S_IMODE(settings.stat().st_mode) == 0o600


def test_entries_are_those_of_the_plugin_and_set_its_folders_first(put_in: Install, settings: Path) -> None:
    """The agent sets these variables for a plugin only."""
    put_in()

    text = settings.read_text(encoding="utf-8")
    folders = f"CLAUDE_PLUGIN_ROOT={PLUGIN}; CLAUDE_PLUGIN_DATA={paths.data_folder()}; "
    assert text.count(folders) == ENTRIES
    assert json.loads(text.replace(folders, ""))["hooks"] == read(PLUGIN / "hooks" / "hooks.json")["hooks"]


def test_install_keeps_other_hooks_keys_and_order(put_in: Install, settings: Path) -> None:
    """The file is the user's, and the next tool's too."""
    settings.write_text(json.dumps(OTHERS), encoding="utf-8")

    put_in()

    new = read(settings)
    assert list(new) == list(OTHERS)
    assert list(new["hooks"])[:3] == list(OTHERS["hooks"])
    assert new["hooks"]["PreToolUse"] == OTHERS["hooks"]["PreToolUse"]
    assert new["hooks"]["Stop"][0] == OTHERS["hooks"]["Stop"][0]
    assert {key: new[key] for key in ("model", "someday")} == {key: OTHERS[key] for key in ("model", "someday")}
    assert set(commands(settings)) == set(EVENTS)


def test_second_install_changes_nothing_and_says_so(put_in: Install, settings: Path, home: Path) -> None:
    """A setup script runs more than once."""
    settings.write_text(json.dumps(OTHERS), encoding="utf-8")
    put_in()
    before, moment = tree(home), settings.stat().st_mtime_ns

    change = put_in()

    assert not change.changed
    assert "already" in change.done[0]
    assert tree(home) == before
    assert settings.stat().st_mtime_ns == moment


def test_a_moved_plugin_replaces_its_entries_and_keeps_the_first_backup(
    put_in: Install, settings: Path, backup: Path, tmp_path: Path
) -> None:
    """Each update may come with a folder of its own; the backup is of the time before us."""
    settings.write_text(json.dumps(OTHERS), encoding="utf-8")
    put_in(plugin_root=make_plugin(tmp_path / "old"))
    keys = list(read(settings)["hooks"])

    change = put_in(plugin_root=make_plugin(tmp_path / "new"))

    assert change.changed
    assert "up to date" in change.done[0]
    assert str(tmp_path / "old") not in settings.read_text(encoding="utf-8")
    assert sum(len(ours) for ours in commands(settings).values()) == ENTRIES
    assert list(read(settings)["hooks"]) == keys
    assert backup.read_text(encoding="utf-8") == json.dumps(OTHERS)


def test_hooks_for_other_tools_than_the_plugins_are_brought_up_to_date(put_in: Install, settings: Path) -> None:
    """With another matcher a failed call would be saved twice, or not at all."""
    put_in()
    before = read(settings)
    changed = read(settings)
    changed["hooks"]["PostToolUseFailure"][0]["matcher"] = "Bash"
    settings.write_text(json.dumps(changed), encoding="utf-8")

    change = put_in()

    assert change.changed
    assert read(settings) == before


def install_as_before(settings: Path, command: str = AS_BEFORE) -> None:
    """Add to the settings the hooks that an earlier version installed."""
    content = read(settings)
    for event in EVENTS:
        entry = {"type": "command", "command": command.replace("EVENT", event), "timeout": 5}
        content.setdefault("hooks", {}).setdefault(event, []).append({"hooks": [entry]})
    settings.write_text(json.dumps(content), encoding="utf-8")


def test_install_replaces_the_hooks_of_an_earlier_version(put_in: Install, settings: Path) -> None:
    """An update must not leave each hook running twice."""
    settings.write_text(json.dumps(OTHERS), encoding="utf-8")
    put_in()
    as_now = read(settings)
    settings.write_text(json.dumps(OTHERS), encoding="utf-8")
    install_as_before(settings)

    change = put_in()

    assert "up to date" in change.done[0]
    assert read(settings) == as_now


def test_uninstall_removes_the_hooks_of_an_earlier_version(settings: Path) -> None:
    """The user may update the plugin first and decide against it afterwards."""
    settings.write_text(json.dumps(OTHERS), encoding="utf-8")
    install_as_before(settings)

    uninstall(settings_file=settings)

    assert read(settings) == OTHERS


def test_install_corrects_doubled_and_changed_entries(put_in: Install, settings: Path) -> None:
    """Files that were merged by hand, or by an older version of ours, end up as new."""
    put_in()
    clean, content = read(settings), read(settings)
    content["hooks"]["Stop"] *= 2
    content["hooks"]["SessionEnd"][0]["hooks"][0]["timeout"] = 1
    content["hooks"]["PreCompact"] = json.loads(json.dumps(content["hooks"]["Stop"][:1]))
    settings.write_text(json.dumps(content), encoding="utf-8")

    put_in()

    assert read(settings) == clean


def test_a_dry_run_reports_the_same_steps_and_changes_nothing(put_in: Install, settings: Path, home: Path) -> None:
    settings.write_text(json.dumps(OTHERS), encoding="utf-8")
    before = tree(home)

    promised = put_in(dry_run=True)

    assert tree(home) == before
    assert put_in() == promised
    installed = tree(home)
    assert uninstall(settings_file=settings, dry_run=True).changed
    assert tree(home) == installed


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b" \n", id="blank"),
        pytest.param(b"{}", id="empty object"),
        pytest.param(b'{"hooks": {}}\n', id="empty hooks"),
        pytest.param(b'{"hooks": {"Stop": [], "SessionEnd": [{"hooks": []}]}, "z": 1}', id="empty lists"),
        pytest.param(json.dumps(OTHERS).encode(), id="one line"),
        pytest.param(json.dumps(OTHERS, indent="\t").encode() + b"\n", id="tabs"),
        pytest.param(b"\xef\xbb\xbf" + json.dumps(OTHERS, indent=4).replace("\n", "\r\n").encode(), id="BOM, CRLF"),
        pytest.param('{"env": {"GRÜSSE": "世界 🌍\u2028"}, "escaped": "\\u00e9 \\ud800"}'.encode(), id="not ASCII"),
        pytest.param(b'{"big": 123456789012345678901234567890, "float": 1.50, "exp": 1e3}', id="numbers"),
    ],
)
def test_uninstall_restores_every_byte_of_the_home(put_in: Install, settings: Path, home: Path, raw: bytes) -> None:
    """A user who decides against the plugin must find nothing of it, not even another line end."""
    settings.write_bytes(raw)
    settings.chmod(0o640)
    before = tree(home)

    put_in()
    assert len(commands(settings)) == 6
    assert stat.S_IMODE(settings.stat().st_mode) == 0o640
    uninstall(settings_file=settings)

    assert tree(home) == before


def test_uninstall_removes_the_files_that_install_made(put_in: Install, settings: Path, home: Path) -> None:
    """Also the settings file, and the folder that holds nothing but the interpreter's name."""
    before = tree(home)

    put_in()
    assert settings.exists()
    uninstall(settings_file=settings)

    assert tree(home) == before


def test_install_keeps_the_format_of_the_file(put_in: Install, settings: Path) -> None:
    """People keep these files in version control and read the differences."""
    raw = b"\xef\xbb\xbf" + json.dumps({"name": "Grüße"}, indent=4, ensure_ascii=False).encode() + b"\n"
    settings.write_bytes(raw.replace(b"\n", b"\r\n"))

    put_in()

    lines = settings.read_bytes().split(b"\r\n")
    assert lines[0] == b"\xef\xbb\xbf{"
    assert lines[1] == '    "name": "Grüße",'.encode()
    assert lines[-1] == b""
    assert not any(b"\n" in line for line in lines)


def test_uninstall_keeps_later_changes_of_the_user(put_in: Install, settings: Path, home: Path) -> None:
    """A restored backup would silently undo weeks of other settings."""
    settings.write_text(json.dumps(OTHERS), encoding="utf-8")
    put_in()
    content = read(settings)
    content["model"] = "haiku"
    content["hooks"]["Stop"].append({"hooks": [{"type": "command", "command": "say again"}]})
    settings.write_text(json.dumps(content), encoding="utf-8")

    change = uninstall(settings_file=settings)

    expected = json.loads(json.dumps(OTHERS))
    expected["model"] = "haiku"
    expected["hooks"]["Stop"].append({"hooks": [{"type": "command", "command": "say again"}]})
    assert read(settings) == expected
    assert list(read(settings)["hooks"]) == list(OTHERS["hooks"])
    assert "everything else kept" in change.done[0]
    assert set(tree(home)) == {".claude", ".claude/settings.json", ".local", ".local/share", ".profile"}


def test_a_number_that_became_true_is_a_change_to_keep(put_in: Install, settings: Path) -> None:
    """In Python 1 equals True; in the client's settings it does not."""
    settings.write_text('{"x": 1}', encoding="utf-8")
    put_in()
    settings.write_text(settings.read_text(encoding="utf-8").replace('"x": 1', '"x": true'), encoding="utf-8")

    uninstall(settings_file=settings)

    assert read(settings)["x"] is True


def test_uninstall_keeps_a_file_that_the_user_added_to(put_in: Install, settings: Path) -> None:
    put_in()
    settings.write_text(json.dumps(read(settings) | {"model": "opus"}), encoding="utf-8")

    uninstall(settings_file=settings)

    assert read(settings) == {"model": "opus"}


def test_uninstall_keeps_another_command_in_our_group(put_in: Install, settings: Path) -> None:
    """Groups are only lists; others may have put theirs into the one we made."""
    put_in()
    content = read(settings)
    content["hooks"]["Stop"][0]["hooks"].append({"type": "command", "command": "say done"})
    settings.write_text(json.dumps(content), encoding="utf-8")

    uninstall(settings_file=settings)

    assert read(settings) == {"hooks": {"Stop": [{"hooks": [{"type": "command", "command": "say done"}]}]}}


@pytest.mark.parametrize("raw", [None, b"", b'{"hooks": {"Stop": []}}', json.dumps(OTHERS).encode()])
def test_uninstall_without_install_touches_nothing(settings: Path, home: Path, raw: bytes | None) -> None:
    if raw is not None:
        settings.write_bytes(raw)
    before = tree(home)

    change = uninstall(settings_file=settings)

    assert not change.changed
    assert change.done
    assert tree(home) == before


def test_second_uninstall_changes_nothing(put_in: Install, settings: Path, home: Path) -> None:
    settings.write_text(json.dumps(OTHERS), encoding="utf-8")
    put_in()
    assert uninstall(settings_file=settings).changed
    before = tree(home)

    assert not uninstall(settings_file=settings).changed
    assert tree(home) == before


def test_hooks_removed_by_hand_leave_no_backup_behind(put_in: Install, settings: Path, home: Path) -> None:
    """A user may clean up by hand and still call uninstall for the rest."""
    settings.write_text(json.dumps(OTHERS), encoding="utf-8")
    before = tree(home)
    put_in()
    settings.write_text(json.dumps(OTHERS), encoding="utf-8")

    uninstall(settings_file=settings)

    assert tree(home) == before


def test_install_after_removal_by_hand_makes_a_new_backup(put_in: Install, settings: Path, backup: Path) -> None:
    """The old backup is of another time; the file before this install counts."""
    settings.write_text(json.dumps(OTHERS), encoding="utf-8")
    put_in()
    settings.write_text('{"model": "haiku"}', encoding="utf-8")

    put_in()

    assert backup.read_text(encoding="utf-8") == '{"model": "haiku"}'


def test_uninstall_keeps_the_backup_of_deleted_settings(put_in: Install, settings: Path, backup: Path) -> None:
    """It may be the last copy of the user's settings."""
    settings.write_text(json.dumps(OTHERS), encoding="utf-8")
    put_in()
    settings.unlink()

    uninstall(settings_file=settings)

    assert read(backup) == OTHERS
    assert not settings.exists()


def test_uninstall_keeps_learned_patterns(put_in: Install, settings: Path, home: Path) -> None:
    """To stop recording is not to forget, and the plugin may still need the interpreter."""
    put_in()
    data = home / ".local" / "share" / "behavior-plugin"
    (data / "spool").mkdir()

    change = uninstall(settings_file=settings)

    assert {path.name for path in data.iterdir()} == {"interpreter", "spool"}
    assert str(data) in change.notes[0]


@pytest.mark.parametrize("is_there", [True, False])
def test_symlinked_settings_stay_a_link(put_in: Install, settings: Path, home: Path, is_there: bool) -> None:
    """Dotfiles managers keep the file elsewhere; a link replaced by a file is lost to them."""
    target = home / "dotfiles" / "claude.json"
    target.parent.mkdir()
    settings.symlink_to("../dotfiles/claude.json")
    if is_there:
        target.write_text(json.dumps(OTHERS), encoding="utf-8")
    before = tree(home)

    put_in()
    assert settings.is_symlink()
    assert set(commands(target)) == set(EVENTS)
    assert {path.name for path in target.parent.iterdir()} == {"claude.json"}
    uninstall(settings_file=settings)

    assert tree(home) == before


@pytest.mark.parametrize(
    "raw",
    [
        b"{",
        b"[]",
        b"null",
        b'{"a": 1,}',
        b"// a comment\n{}",
        b'{"a": NaN}',
        b"\xff\xfe{\x00}\x00",
        b'{"a": "\xe9"}',
        b'{"hooks": {}, "hooks": {}}',
        b'{"hooks": null}',
        b'{"hooks": []}',
        b'{"hooks": {"Stop": {}}}',
        b'{"hooks": {"Stop": ["say done"]}}',
        b'{"hooks": {"Stop": [{"type": "command", "command": "say done"}]}}',
        b'{"hooks": {"Stop": [{"hooks": ["say done"]}]}}',
        b"[" * 100_000,
    ],
)
@pytest.mark.parametrize("is_install", [True, False])
def test_malformed_settings_are_not_changed(
    put_in: Install, settings: Path, home: Path, raw: bytes, is_install: bool
) -> None:
    """A file that we do not understand cannot be written back."""
    settings.write_bytes(raw)
    before = tree(home)

    with pytest.raises(ConfigError) as caught:
        put_in() if is_install else uninstall(settings_file=settings)

    assert str(settings) in str(caught.value)
    assert tree(home) == before


@pytest.fixture
def common_folder() -> Iterator[Path]:
    """A folder that an unprivileged user can reach, outside pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix="behavior-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def unprivileged() -> Iterator[Callable[[Path], None]]:
    """Become the owner of a folder, someone whom modes bind: root may write everywhere."""

    def become_owner(folder: Path) -> None:
        if os.geteuid() == 0:
            for path in (folder, *folder.rglob("*")):
                os.chown(path, 65534, 65534, follow_symlinks=False)
            os.setegid(65534)
            os.seteuid(65534)

    codecs.lookup("utf-8-sig")  # loaded on first use, from where another account may not look
    identity = os.geteuid(), os.getegid()
    yield become_owner
    os.seteuid(identity[0])
    os.setegid(identity[1])


@pytest.mark.parametrize("is_link", [False, True])
def test_a_read_only_folder_is_reported_and_leaves_no_files(
    common_folder: Path, unprivileged: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch, is_link: bool
) -> None:
    """Some systems generate the settings and forbid to write them; half an install would help nobody."""
    home, plugin = common_folder / "home", make_plugin(common_folder / "plugin")
    python = make_script(common_folder / "python", "exit 0")
    fixed = home / ("store" if is_link else ".claude")
    fixed.mkdir(parents=True)
    (home / ".local" / "share").mkdir(parents=True)
    (fixed / "settings.json").write_text(json.dumps(OTHERS), encoding="utf-8")
    (home / ".claude").mkdir(exist_ok=True)
    if is_link:
        (home / ".claude" / "settings.json").symlink_to(fixed / "settings.json")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("BEHAVIOR_HOME", raising=False)
    fixed.chmod(0o555)
    before = tree(home)
    unprivileged(common_folder)

    with pytest.raises(SetupError) as caught:
        install(settings_file=agent_settings_file(), plugin_root=plugin, interpreter=python)

    assert "settings.json was not changed" in str(caught.value)
    assert not is_link or (home / ".claude" / "settings.json").is_symlink()
    assert (fixed / "settings.json").read_text(encoding="utf-8") == json.dumps(OTHERS)
    uninstall(settings_file=agent_settings_file())
    assert tree(home) == before
    fixed.chmod(0o755)  # so that it can be tidied away


def test_write_that_fails_half_way_leaves_the_old_file(
    put_in: Install, settings: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk must not cost anyone their settings."""
    settings.write_text(json.dumps(OTHERS), encoding="utf-8")
    put_in()
    before = tree(home)

    def full(descriptor: int) -> None:
        raise OSError(28, "disk full")

    monkeypatch.setattr(os, "fsync", full)

    with pytest.raises(SetupError, match="disk full"):
        put_in(plugin_root=make_plugin(tmp_path / "new"))

    assert tree(home) == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_owner_of_the_settings_stays_the_same(put_in: Install, settings: Path, backup: Path) -> None:
    """With sudo, the user must still be able to write their own settings."""
    settings.write_text("{}", encoding="utf-8")
    os.chown(settings, 1234, 2345)

    put_in()

    assert [(f.stat().st_uid, f.stat().st_gid) for f in (settings, backup)] == [(1234, 2345)] * 2


@pytest.mark.parametrize("name", ["plain", "with space", 'it\'s "quoted"', "$HOME `id` \\ ; é 世界", "-dash"])
@pytest.mark.parametrize("event", EVENTS)
def test_produced_command_runs_from_any_folder(
    put_in: Install, settings: Path, tmp_path: Path, name: str, event: str
) -> None:
    """The client hands the command to a shell; the path must reach Python in one piece."""
    plugin = make_plugin(tmp_path / name / "plugin")
    put_in(plugin_root=plugin)
    mark = plugin / "hooks" / "hook.py.mark"

    for command in commands(settings)[event]:
        done = subprocess.run(
            ["/bin/sh", "-c", command], input="{}", capture_output=True, text=True, cwd=elsewhere(tmp_path)
        )

        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert mark.read_text(encoding="utf-8") == event + "{}"
        mark.unlink()


def test_deleted_plugin_folder_does_not_block_the_session(put_in: Install, settings: Path, tmp_path: Path) -> None:
    """Exit code 2, which Python gives for a missing script, would erase the user's prompt."""
    plugin = make_plugin(tmp_path / "plugin")
    put_in(plugin_root=plugin)
    shutil.rmtree(plugin)
    [command] = commands(settings)["UserPromptSubmit"]

    done = subprocess.run(["/bin/sh", "-c", command], input=b"{}", capture_output=True)

    assert (done.returncode, done.stdout) == (0, b"")


@pytest.mark.parametrize(
    "command",
    [
        'python3 -I -S "$CLAUDE_PLUGIN_ROOT/hooks/hook.py" Stop || exit 0',
        "python3 -I -S '/a b/hooks/hook.py' SessionEnd || exit 0",
        "/usr/bin/python3.12 -I -S /x/hooks/hook.py Stop",
        "BEHAVIOR_DISABLE= python3 -I -S /x/hooks/hook.py Stop 2>/dev/null",
        "trap '' TERM; python3 -I -S \"$CLAUDE_PLUGIN_ROOT/hooks/hook.py\" Stop || exit 0",
        AS_BEFORE.replace("EVENT", "Stop"),
        registered_hooks(PLUGIN)["Stop"].command,
        "BEHAVIOR_DISABLE=; " + registered_hooks(PLUGIN)["Stop"].command + " 2>/dev/null",
        "set -- Stop codex; . '/a b/hooks/run.sh'",
    ],
)
def test_our_command_is_recognised(command: str) -> None:
    """From any folder, and with additions of the user."""
    assert is_ours(command)


@pytest.mark.parametrize(
    "command",
    [
        "",
        "python3 /x/hooks/hook.py Stop",
        "python3 -I -S /x/hooks/other.py Stop",
        "python3 -I -S /x/hooks/hook.py",
        "python3 -I -S /x/hooks/hook.py --verbose",
        "echo 'python3 -I -S /x/hooks/hook.py Stop'",
        "set -- Stop; . /x/hooks/other.sh",
        "set -- --verbose; . /x/hooks/run.sh",
        "set -- Stop; sh /x/hooks/run.sh",
        ". /x/hooks/run.sh; set -- Stop",
        "set --",
        "say 'unfinished",
    ],
)
def test_other_commands_are_not_ours(command: str) -> None:
    """Whatever is taken for ours is removed by uninstall."""
    assert not is_ours(command)


@pytest.mark.parametrize(
    ("content", "notes"),
    [
        ({"enabledPlugins": {"behavior@somewhere": True}}, 1),
        ({"enabledPlugins": {"behavior@somewhere": False, "misbehavior@x": True}}, 0),
        ({"enabledPlugins": ["behavior"]}, 0),
        ({"disableAllHooks": True}, 1),
        ({}, 0),
    ],
)
def test_settings_that_work_against_the_install_are_pointed_out(
    put_in: Install, settings: Path, content: Any, notes: int
) -> None:
    settings.write_text(json.dumps(content), encoding="utf-8")

    assert len(put_in().notes) == notes


def test_change_can_be_written_as_json(put_in: Install, settings: Path) -> None:
    """`behavior install --json` is read by scripts."""
    change = json.loads(put_in().model_dump_json())

    assert change["file"] == str(settings)
    assert change["changed"] is True
    assert len(change["done"]) == 2


def test_the_settings_file_follows_the_configured_folder(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert agent_settings_file() == home / ".claude" / "settings.json"

    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(home / "elsewhere"))

    assert agent_settings_file() == home / "elsewhere" / "settings.json"


def test_this_interpreter_is_recorded_privately(put_in: Install, home: Path) -> None:
    """The real check, with real libraries: the tests' own Python can run the worker."""
    put_in(interpreter=Path(sys.executable))

    record = home / ".local" / "share" / "behavior-plugin" / "interpreter"
    assert record.read_text(encoding="utf-8") == f"{sys.executable}\n{record.parent.stat().st_ino}\n"
    assert stat.S_IMODE(record.stat().st_mode) == 0o600
    assert stat.S_IMODE(record.parent.stat().st_mode) == 0o700


def test_a_linked_interpreter_is_recorded_as_the_link(put_in: Install, python: Path, home: Path) -> None:
    """A virtual environment's Python is a link, and its target has none of the libraries."""
    link = python.with_name("python3")
    link.symlink_to("python")

    put_in(interpreter=link)

    assert wake.recorded() == str(link)


@pytest.mark.parametrize("kind", ["absent", "not executable", "a folder", "no libraries", "odd path"])
def test_interpreter_that_cannot_run_the_worker_is_refused(
    put_in: Install, tmp_path: Path, home: Path, kind: str
) -> None:
    """Said at install it is one line; said by the worker, nobody reads it."""
    file = tmp_path / ("odd\npath" if kind == "odd path" else "candidate")
    if kind in ("not executable", "no libraries", "odd path"):
        make_script(file, "echo 'No module named psycopg' >&2; exit 1")
    if kind == "not executable":
        file.chmod(0o644)
    if kind == "a folder":
        file.mkdir()
    before = tree(home)

    with pytest.raises(SetupError) as caught:
        put_in(interpreter=file)

    assert ("No module named psycopg" in str(caught.value)) == (kind == "no libraries")
    assert tree(home) == before


def test_interpreter_without_one_of_our_libraries_is_refused(put_in: Install, tmp_path: Path) -> None:
    """The worker's own imports decide, not a list that could be out of date."""
    file = make_script(tmp_path / "bare", f'exec "{sys.executable}" -S "$@"')

    with pytest.raises(SetupError, match="No module named"):
        put_in(interpreter=file)


@pytest.mark.parametrize("text", [None, "{", "[]", '{"hooks": []}'])
def test_a_folder_without_our_hooks_is_refused(put_in: Install, tmp_path: Path, home: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "hooks").mkdir()
        (tmp_path / "hooks" / "hooks.json").write_text(text, encoding="utf-8")
    before = tree(home)

    with pytest.raises(SetupError, match=r"hooks\.json"):
        put_in(plugin_root=tmp_path)

    assert tree(home) == before


def test_another_interpreter_alone_is_a_change(put_in: Install, tmp_path: Path, settings: Path) -> None:
    """After `make setup` in a new folder the hooks may be the same and the worker's Python another."""
    put_in()
    before = settings.read_bytes()
    other = make_script(tmp_path / "other" / "python", "exit 0")

    change = put_in(interpreter=other)

    assert change.changed
    assert [str(other) in line for line in change.done] == [True]
    assert settings.read_bytes() == before
