"""The facts of a project are read without trust in it."""

from __future__ import annotations

import json
import os
from collections.abc import Set
from pathlib import Path

import pytest

from behavior_plugin.cli import project as reading
from behavior_plugin.cli.project import Project


def write(root: Path, name: str, text: str) -> None:
    file = root / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def targets(root: Path, makefile: str) -> Set[str] | None:
    write(root, "Makefile", makefile)
    return Project(str(root)).targets("make")


# Files


def test_files_are_found_from_the_top_and_from_other_folders(tmp_path: Path) -> None:
    """A command may have run in a package."""
    write(tmp_path, "tools/gate.sh", "")
    write(tmp_path, "packages/shop/src/cart.ts", "")
    project = Project(str(tmp_path))

    there = ("tools/gate.sh", "tools", "packages/shop/src/cart.ts", "src/cart.ts")
    assert [project.has_file(path) for path in there] == [True] * 4
    assert [project.has_file(path) for path in ("gone.sh", "tools/gate.sh/x", "tools/gone")] == [False] * 3


def test_files_outside_and_behind_links_may_be_there(tmp_path: Path) -> None:
    """We do not look there."""
    project_folder = tmp_path / "project"
    write(project_folder, "a.py", "")
    (project_folder / "link").symlink_to(tmp_path / "gone")
    project = Project(str(project_folder))

    assert all(map(project.has_file, ["../gone", "/gone", "link", "link/gone", "a\0b"]))


def test_nothing_is_known_without_a_folder_or_of_a_huge_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No pattern becomes stale by a limit of ours."""
    for name in "abc":
        write(tmp_path, f"project/{name}/Makefile", "known:\n")
    (tmp_path / "empty").mkdir()
    root = str(tmp_path / "project")
    monkeypatch.setattr(reading, "MAX_FOLDERS", 3)

    for project in map(Project, ["", root, str(tmp_path / "empty"), str(tmp_path / "gone")]):
        assert project.has_file("gone")
        assert (project.scripts(), project.targets("make"), project.targets("just")) == (None, None, None)
    monkeypatch.setattr(reading, "MAX_FOLDERS", 4)
    assert Project(root).targets("make") == frozenset({"known"})


# Scripts


def test_scripts_of_all_packages_count(tmp_path: Path) -> None:
    """A step does not say in which package it ran."""
    write(tmp_path, "package.json", json.dumps({"scripts": {"build": "x"}}))
    write(tmp_path, "packages/shop/package.json", "\ufeff" + json.dumps({"scripts": {"gate": "x"}}))
    write(tmp_path, "packages/bare/package.json", "{}")
    write(tmp_path, "node_modules/x/package.json", json.dumps({"scripts": {"foreign": "x"}}))
    write(tmp_path, ".cache/package.json", json.dumps({"scripts": {"hidden": "x"}}))
    write(tmp_path, "a/b/c/d/package.json", json.dumps({"scripts": {"deep": "x"}}))

    assert Project(str(tmp_path)).scripts() == frozenset({"build", "gate"})


def test_project_without_packages_has_no_scripts(tmp_path: Path) -> None:
    assert Project(str(tmp_path)).scripts() == frozenset()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"scripts": []}', "[" * 100_000, "1" * 10_000, "\x00"])
def test_broken_package_says_nothing(text: str, tmp_path: Path) -> None:
    write(tmp_path, "package.json", text)

    assert Project(str(tmp_path)).scripts() is None


def test_only_regular_files_of_some_size_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe would wait for ever, and a link may lead anywhere."""
    secret = tmp_path / "secret"
    write(secret, "package.json", json.dumps({"scripts": {"secret": "x"}}))
    for name in ("linked", "pipe", "folder", "big", "above"):
        (tmp_path / name).mkdir()
    (tmp_path / "linked/package.json").symlink_to(secret / "package.json")
    os.mkfifo(tmp_path / "pipe/package.json")
    (tmp_path / "folder/package.json").mkdir()
    write(tmp_path, "big/package.json", '{"scripts": {}}' + " " * 86)
    (tmp_path / "above/below").symlink_to(secret)
    monkeypatch.setattr(reading, "MAX_FILE_BYTES", 100)

    found = {name: Project(str(tmp_path / name)).scripts() for name in ("linked", "pipe", "folder", "big", "above")}

    assert found == {"linked": None, "pipe": None, "folder": None, "big": None, "above": frozenset()}


# Targets of make


@pytest.mark.parametrize(
    ("makefile", "known"),
    [
        pytest.param("gate: a.o b.o\n\techo no: thing\n", {"gate"}, id="a rule"),
        pytest.param("lint test: \n", {"lint", "test"}, id="several targets"),
        pytest.param("gate::\nlint test &: x\n", {"gate", "lint", "test"}, id="double and grouped"),
        pytest.param(".PHONY: gate\n", {".PHONY", "gate"}, id="phony"),
        pytest.param("a = b: c\nb := c\nc ::= d\nd :::= e\nexport e ?= f:g\n", set(), id="variables"),
        pytest.param("# gate:\n#lint: x\n", set(), id="comments"),
        pytest.param("%.o: %.c\n", {"%.o"}, id="a pattern"),
        pytest.param("one \\\n  two: three\n", {"one", "two"}, id="continued"),
        pytest.param("V := .venv\n$(V)/bin/x ${V}: y\n", {".venv/bin/x", ".venv"}, id="a plain variable"),
        pytest.param("T = a b\n$(T):\n", {"a", "b"}, id="a list"),
        pytest.param("$(O)/x:\n", {"%/x"}, id="a variable from elsewhere"),
        pytest.param("T = $(shell ls)\n$(T):\n", {"%"}, id="a computed variable"),
        pytest.param("T = a\nT += b\n$(T):\n", {"%"}, id="an added variable"),
        pytest.param("T = a\nT = b\n$(T):\n", {"%"}, id="two values"),
        pytest.param("$(addprefix x-,$(L)) $(S:.c=.o): y\n", {"%"}, id="functions"),
        pytest.param("gate: CFLAGS = x\n", {"gate"}, id="a variable of a target"),
        pytest.param("ifeq ($(A),b)\nx:\nelse\ny:\nendif\n", {"x", "y"}, id="conditions"),
    ],
)
def test_targets_are_read_without_running_make(makefile: str, known: set[str], tmp_path: Path) -> None:
    assert targets(tmp_path, makefile) == known


@pytest.mark.parametrize("makefile", ["$(eval $(call rule,x))\n", "${eval x}\n", "include *.mk\n", "include gone.mk\n"])
def test_targets_that_are_made_are_unknown(makefile: str, tmp_path: Path) -> None:
    assert targets(tmp_path, "gate:\n" + makefile) is None


def test_included_files_of_the_same_folder_are_read(tmp_path: Path) -> None:
    write(tmp_path, "more.mk", "more:\n-include gone.mk\nsinclude gone.mk\n")
    write(tmp_path, ".env", "A=b\n")

    assert targets(tmp_path, "-include .env\ninclude more.mk\ngate:\n") == {"more", "gate"}


def test_files_that_include_each_other_end(tmp_path: Path) -> None:
    assert targets(tmp_path, "include Makefile\n") is None


def test_included_file_elsewhere_is_not_read(tmp_path: Path) -> None:
    """A folder in its path may be a link."""
    write(tmp_path, "mk/more.mk", "more:\n")

    assert targets(tmp_path, "-include mk/more.mk\n") is None


def test_makefiles_of_all_folders_count_unless_one_may_be_generated(tmp_path: Path) -> None:
    """`cmake` makes a Makefile in a folder that is not kept."""
    write(tmp_path, "docs/GNUmakefile", "html:\n")
    assert targets(tmp_path, "gate:\n") == {"html", "gate"}

    write(tmp_path, "native/CMakeLists.txt", "")
    assert targets(tmp_path, "gate:\n") is None


def test_project_without_a_makefile_has_no_targets(tmp_path: Path) -> None:
    """It went over to something else."""
    assert Project(str(tmp_path)).targets("make") == frozenset()


def test_growing_makefile_stays_small(tmp_path: Path) -> None:
    """Variables of variables would fill the memory."""
    lines = [f"A{number} = $(A{number - 1})$(A{number - 1})" for number in range(1, 40)]
    long = "x" * 201

    assert targets(tmp_path, "\n".join(["A0 = xx", *lines, "$(A39):", f"L = {long}", "$(L):"])) == {"%"}


# Recipes of just


def test_recipes_are_read_without_running_just(tmp_path: Path) -> None:
    justfile = "set shell := ['sh']\nname := 'a:b'\n# old:\ngate target='x:y' *rest: lint\n    echo no\n@quiet:\n"
    write(tmp_path, "justfile", justfile + "alias g := gate\nmod tools\n[private]\nlint flag:\n")

    known = Project(str(tmp_path)).targets("just") or frozenset()
    assert {"gate", "quiet", "g", "tools", "lint"} <= known
    assert not {"name", "old", "echo", "target", "shell"} & known


@pytest.mark.parametrize("text", ["import 'more.just'\ngate:\n", ""])
def test_recipes_are_unknown_with_imports_and_without_a_justfile(text: str, tmp_path: Path) -> None:
    """The word "just" also begins a sentence."""
    write(tmp_path, ".justfile", text)

    assert Project(str(tmp_path)).targets("just") is None
