"""Users get the packages that were tested, and their licences allow ours."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.licenses import canonicalize_license_expression
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
# A package of each of these may be used, unchanged, by a program under the MIT licence.
ALLOWED = set(
    "0BSD Apache-2.0 BSD-2-Clause BSD-3-Clause CC0-1.0 LGPL-3.0-only MIT MIT-0 MPL-2.0 PSF-2.0 Zlib".split()  # noqa: SIM905
)
# Licences as packages name them that do not use the names of SPDX.
NAMES = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
}


def requirements(lock: str) -> list[tuple[Requirement, str]]:
    """The packages of a lock file, each with the text of its entry."""
    text = (ROOT / "locks" / lock).read_text(encoding="utf-8")
    entries = re.split(r"\n(?=[a-z])", text)
    return [(Requirement(entry.split("\\", 1)[0]), entry) for entry in entries]


def documented() -> dict[str, str]:
    """The licence of each package in docs/dependencies.md."""
    text = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([\w.-]+)` \|(?:.*\|)? ([^|]+) \|$", text, re.MULTILINE)
    return {canonicalize_name(name): licence for name, licence in rows}


def stated(package: Distribution) -> str:
    """The licence that a package states, by its SPDX name."""
    fields = package.metadata.get_all
    kinds = [each.split(" :: ")[-1] for each in fields("Classifier") or [] if each.startswith("License")]
    said: str
    [said, *_] = [*(fields("License-Expression") or fields("License") or []), *kinds]
    if said == "UNKNOWN":
        said = kinds[0]
    return NAMES.get(said, said)


@pytest.mark.parametrize("lock", ["plugin.txt", "test.txt"])
def test_every_locked_package_has_hashes(lock: str) -> None:
    """Without them the registry decides what is installed."""
    for _, entry in requirements(lock):
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), entry


@pytest.mark.parametrize(
    ("lock", "wanted"),
    [
        ("plugin.txt", PROJECT["dependencies"]),
        ("test.txt", [*PROJECT["dependencies"], *EXTRAS["multilingual"], *EXTRAS["openai"], *EXTRAS["test"]]),
    ],
)
def test_the_locks_satisfy_the_project(lock: str, wanted: list[str]) -> None:
    """A requirement that was changed without `make lock` would install something else."""
    locked = {canonicalize_name(each.name): each.specifier for each, _ in requirements(lock)}

    for requirement in map(Requirement, wanted):
        if requirement.name != PROJECT["name"]:
            [version] = [each.version for each in locked[canonicalize_name(requirement.name)]][:1]
            assert requirement.specifier.contains(version), requirement


def test_the_lock_has_nothing_that_the_project_has_dropped() -> None:
    """A requirement that was removed without `make lock` would still be installed."""
    wanted = {canonicalize_name(Requirement(each).name) for each in PROJECT["dependencies"]}

    for each, entry in requirements("plugin.txt"):
        if f"{PROJECT['name']} (pyproject.toml)" in entry:
            assert canonicalize_name(each.name) in wanted, each.name


def test_tests_run_with_the_versions_that_users_get() -> None:
    """The lock of the tests has all packages of the plugin's, in the same versions."""
    tested = {str(each) for each, _ in requirements("test.txt")}

    ours = {canonicalize_name(each.name) for each, _ in requirements("plugin.txt")}
    assert ours <= {canonicalize_name(Requirement(each).name) for each in tested}
    versions = {(each.name, str(each.specifier)) for each, _ in requirements("plugin.txt")}
    assert versions <= {(each.name, str(each.specifier)) for each in map(Requirement, tested)}


def test_every_package_is_listed_with_a_licence_that_allows_ours() -> None:
    """docs/dependencies.md lists the packages that users get, and no others."""
    extras = [canonicalize_name(Requirement(each).name) for name in ("multilingual", "openai") for each in EXTRAS[name]]

    assert set(documented()) == {canonicalize_name(each.name) for each, _ in requirements("plugin.txt")} | set(extras)
    for name, licence in documented().items():
        words = set(re.findall(r"[\w.-]+", canonicalize_license_expression(licence))) - {"AND", "OR"}
        assert words <= ALLOWED, name


def test_the_listed_licences_are_those_that_the_packages_state() -> None:
    """A licence can change with a version."""
    for name, licence in documented().items():
        try:
            package = distribution(name)
        except PackageNotFoundError:
            continue  # for another system
        assert stated(package) == licence, name


def test_the_library_that_downloads_models_is_never_loaded() -> None:
    """The tokenizer's package brings it, for names of models that are not on this machine. We have no such names."""
    program = """
import sys
from behavior_plugin.embed.offline import OfflineEmbedder
OfflineEmbedder().embed(["fix the tests"])
assert "tokenizers" in sys.modules
sys.exit("huggingface_hub" in sys.modules)
"""

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
