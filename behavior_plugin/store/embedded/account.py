"""Choose the account that Postgres runs as, since it refuses root: ours, ours in a user namespace, or another.

In a user namespace the data stays in its place. If the kernel forbids namespaces (most containers), another account
needs folders that it can reach: they are below SYSTEM_DIR, so that we never loosen the parents of our own folder.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import subprocess
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from behavior_plugin.capture import paths, variables
from behavior_plugin.errors import StoreUnavailableError
from behavior_plugin.store.embedded.binaries import Binaries

SYSTEM_DIR = Path("/var/lib/behavior-plugin")
ACCOUNTS = ("postgres", "nobody")
# Complete data of a new major version, before it is renamed to `data`.
UPGRADED = "data.new"


@cache
def death_signal() -> tuple[str, ...]:
    """The prefix of a command that the kernel stops when we die; empty if the system has no such program."""
    words = ("setpriv", "--pdeathsig", "INT")
    return words if _succeeds(*words, "true") else ()


@dataclass(frozen=True)
class Account:
    """How to run a command without root's rights, and where its files are.

    `owner` is the account that the files must belong to, if it is not our own.
    """

    place: Path
    sockets: Path
    prefix: tuple[str, ...] = ()
    owner: pwd.struct_passwd | None = None
    death_signal: tuple[str, ...] = field(default_factory=death_signal)
    data_name: str = "data"

    @property
    def data(self) -> Path:
        return self.place / self.data_name

    def command(self, *words: str) -> list[str]:
        # The kernel resets the death signal when the user changes, so it comes last.
        return [*self.prefix, *self.death_signal, *words]

    def prepare(self) -> None:
        """Make the folder of the sockets; for another account also its `place`, which root owns."""
        if not self.owner:
            paths.make_private(str(self.sockets))
        else:
            _make_folder(self.place.parent, 0o755)
            _make_folder(self.place, 0o755)
            _make_folder(self.sockets, 0o700, account=self)

    def chown(self, path: Path) -> None:
        """Give a file or folder to the account."""
        if self.owner:
            os.chown(path, self.owner.pw_uid, self.owner.pw_gid, follow_symlinks=False)

    def programs(self, installed: Binaries) -> Binaries:
        """The programs in a folder that the account can read."""
        if not self.owner:
            return installed
        return installed.copy(self.place.parent, staging=self.place / "init-binaries")


def choose(folder: Path, run_folder: Path, programs: Binaries) -> Account:
    """The account for a data folder. The place of existing data decides, so that no data is ever left behind.

    Raises:
        StoreUnavailableError: we are root and cannot run as another account.
    """
    if os.geteuid() != 0:
        return as_ourselves(folder, run_folder)
    if _has_data(place_elsewhere(folder)):
        return as_another(folder)
    inside = in_namespace(folder, run_folder)
    if _succeeds(*inside.prefix, "test", "-w", str(folder), "-a", "-x", programs.program("postgres")):
        return inside
    if _has_data(folder):
        raise StoreUnavailableError(
            f"Postgres does not run as root, and {inside.data} can only be opened in a user namespace.",
            hint="Allow user namespaces (`unshare --user true` must succeed), or run as an ordinary user.",
        )
    return as_another(folder)


def as_ourselves(folder: Path, run_folder: Path) -> Account:
    return Account(folder, run_folder)


def in_namespace(folder: Path, run_folder: Path) -> Account:
    """Root, mapped to an unprivileged account inside the namespace; it has a name, since initdb looks it up."""
    user = _unprivileged()
    prefix = ("unshare", "--user", f"--map-user={user.pw_uid}", f"--map-group={user.pw_gid}")
    return Account(folder, run_folder, prefix)


def as_another(folder: Path) -> Account:
    """An existing account, with its own folders below SYSTEM_DIR."""
    user = _unprivileged()
    place = place_elsewhere(folder)
    prefix = ("setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups")
    return Account(place, place / "run", prefix, user)


def place_elsewhere(folder: Path) -> Path:
    """Where the data of a folder is if Postgres runs as another account."""
    return SYSTEM_DIR / hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]


def _has_data(place: Path) -> bool:
    """True also if an upgrade was killed while it swapped the folders (see cluster.settle_upgrade)."""
    return (place / "data").exists() or (place / UPGRADED).exists()


def _make_folder(folder: Path, mode: int, *, account: Account | None = None) -> None:
    if not folder.exists():
        folder.mkdir(mode=mode)
        folder.chmod(mode)  # whatever the umask
        if account:
            account.chown(folder)
    elif folder.is_symlink() or (not account and folder.stat().st_uid != os.geteuid()):
        raise PermissionError(1, "belongs to another user", str(folder))


def _unprivileged() -> pwd.struct_passwd:
    for name in ACCOUNTS:
        with suppress(KeyError):
            return pwd.getpwnam(name)
    raise StoreUnavailableError(
        f"Postgres does not run as root, and there is no account named {' or '.join(ACCOUNTS)}.",
        hint="Run as an ordinary user, or set database_url in config.toml to a Postgres of your own.",
    )


def _succeeds(*words: str) -> bool:
    try:
        ended = subprocess.run(
            words, env=variables.for_worker(), capture_output=True, stdin=subprocess.DEVNULL, timeout=10
        )
        return ended.returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False
