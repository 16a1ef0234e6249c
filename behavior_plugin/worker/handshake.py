"""The handshake of a request: the caller's version, plugin folder and settings, as HTTP headers.

Settings travel as salted hashes, one for each field, so no value leaves its process and a refusal can still name the
fields that differ. A request without these headers, such as one of curl or of a hook, is not checked.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from behavior_plugin import __version__
from behavior_plugin.capture import ask, wake
from behavior_plugin.config import Settings, fingerprint
from behavior_plugin.errors import OtherSettingsError, RequestError

SALT, SETTINGS = "behavior-salt", "behavior-settings"


@dataclass(frozen=True)
class Handshake:
    """The caller, as its headers describe it; empty where it does not."""

    version: str = ""
    plugin: str = ""
    salt: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)


def headers(settings: Settings) -> list[tuple[str, str]]:
    """The headers of a caller with these settings."""
    salt = secrets.token_hex()
    hashes = " ".join(f"{name}={hashed}" for name, hashed in fingerprint(settings, salt.encode()).items())
    return [*ask.identity(wake.ROOT), (SALT, salt), (SETTINGS, hashes)]


def read(headers: Mapping[str, str]) -> Handshake:
    """The handshake in a request's headers.

    Raises:
        RequestError: the headers are malformed.
    """
    try:
        plugin = json.loads(headers.get(ask.PLUGIN) or '""')
        hashes = dict(pair.split("=", 1) for pair in headers.get(SETTINGS, "").split())
    except (ValueError, RecursionError):
        raise RequestError("The handshake is malformed.") from None
    return Handshake(headers.get(ask.VERSION, ""), str(plugin), headers.get(SALT, ""), hashes)


def check_settings(caller: Handshake, ours: Settings) -> None:
    """Refuse a caller with other settings: only the user knows which are right, and we would fill two stores by turns.

    Raises:
        OtherSettingsError: the settings differ; it names the fields.
    """
    if not caller.salt:
        return
    hashes = fingerprint(ours, caller.salt.encode())
    if names := [name for name, hashed in caller.settings.items() if hashes.get(name) != hashed]:
        raise OtherSettingsError(names=names)


def supersedes(caller: Handshake) -> bool:
    """Whether the caller's plugin has replaced ours: it is newer, or our folder has its version now, or is gone.

    An update from a marketplace lies in a folder of its own; an update in place changes the code under the worker. A
    caller from before that update is served: it cannot start a worker of its version either.
    """
    if not caller.version:
        return False
    if caller.plugin == wake.ROOT and caller.version != __version__:
        return is_newer(caller.version) or caller.version == _installed_version()
    return is_newer(caller.version) or (caller.plugin != wake.ROOT and not Path(wake.ROOT).exists())


def _installed_version() -> str:
    """The version that our folder has now; empty where the folder is gone."""
    try:
        text = Path(wake.ROOT, "behavior_plugin", "__init__.py").read_text(encoding="utf-8")
    except OSError:
        return ""
    found = re.search(r'^__version__ = "([^"]*)"', text, re.MULTILINE)
    return found[1] if found else ""


def is_newer(version: str) -> bool:
    """Whether a version is newer than ours."""
    return _numbers(version) > _numbers(__version__)


def _numbers(version: str) -> list[int]:
    return [int(digits) for digits in re.findall(r"\d{1,9}", version)[:8]]
