"""Read and write an agent's settings file, which belongs to the user, in its own format.

A file that we do not understand could not be written back, so it is refused and stays as it is.
"""

from __future__ import annotations

import json
import os
import re
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from behavior_plugin.errors import ConfigError, SetupError

Json = dict[str, Any]


@dataclass(frozen=True)
class AgentSettings:
    """A settings file as it was read; `raw` is None if there is no such file."""

    file: Path
    raw: bytes | None
    content: Json

    @property
    def hooks(self) -> Json:
        """Event name to matcher groups, other people's included."""
        return dict(self.content.get("hooks", {}))

    @property
    def target(self) -> Path:
        """The file itself. Users who keep their settings elsewhere have a link here, which must stay a link."""
        return Path(os.path.realpath(self.file))

    def write(self, content: Json) -> None:
        """Replace the content, in the format of the old one."""
        self.target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        replace_file(self.target, self._dumped(content), like=self.target)

    def _dumped(self, content: Json) -> bytes:
        """The content with the old indent, line ends and byte order mark, so that a diff shows only our change."""
        old = (self.raw or b"\n").decode("utf-8")
        indent = re.search(r'^[ \t]+(?=")', old, re.MULTILINE)
        text = json.dumps(content, indent=indent[0] if indent else "  ", ensure_ascii=False)
        text += "\n" if old.endswith("\n") else ""
        text = text.replace("\n", "\r\n") if "\r\n" in old else text
        mark = "\ufeff" if old.startswith("\ufeff") else ""
        # Half a surrogate pair has no UTF-8; written with a backslash it is JSON again.
        return (mark + text).encode("utf-8", "backslashreplace")


def read_settings(file: Path) -> AgentSettings:
    """Read a settings file; an absent or empty one has no content.

    Raises:
        ConfigError: the agent would not accept its content.
        SetupError: the file cannot be read.
    """
    try:
        raw = file.read_bytes()
    except FileNotFoundError:
        return AgentSettings(file, None, {})
    except OSError as error:
        raise SetupError(f"{file} cannot be read: {error.strerror}") from error
    return AgentSettings(file, raw, _parsed(raw, file))


def are_hooks(hooks: object) -> bool:
    """Whether a value has the shape of registered hooks: event name to matcher groups, each with its entries."""
    return isinstance(hooks, dict) and all(
        isinstance(groups, list) and all(map(_is_group, groups)) for groups in hooks.values()
    )


def replace_file(file: Path, raw: bytes, *, like: Path | None = None) -> None:
    """Replace a file atomically, with the mode and owner of `like`; with 0600 if there is no such file."""
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(descriptor, "wb") as new:
            new.write(raw)
            if like and like.exists():
                old = like.stat()
                os.fchown(descriptor, old.st_uid, old.st_gid)
                os.fchmod(descriptor, stat.S_IMODE(old.st_mode))
            new.flush()
            os.fsync(descriptor)
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _parsed(raw: bytes, file: Path) -> Json:
    try:
        text = raw.decode("utf-8-sig")
        content = json.loads(text, object_pairs_hook=_object, parse_constant=_refuse) if text.strip() else {}
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{file} is not valid JSON: {error}", hint="Correct it, then try again.") from None
    if not (isinstance(content, dict) and are_hooks(content.get("hooks", {}))):
        raise ConfigError(f"{file} does not hold settings.", hint="Correct its `hooks`, then try again.")
    return content


def _object(pairs: list[tuple[str, Any]]) -> Json:
    """Refuse a duplicate key: rewriting the file would silently drop one of the two."""
    if len(dict(pairs)) < len(pairs):
        raise ValueError(f"a key is there twice among {', '.join(name for name, _ in pairs)}")
    return dict(pairs)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _is_group(group: object) -> bool:
    entries = group.get("hooks") if isinstance(group, dict) else None
    return isinstance(entries, list) and all(isinstance(entry, dict) for entry in entries)
