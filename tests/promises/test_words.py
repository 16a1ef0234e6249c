"""Names and docstrings stay plain, as far as a count can check that."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PARTS = {
    "product": ("behavior_plugin", "hooks"),
    "measurements": ("evaluation", "benchmarks"),
    "tests": ("tests",),
}
# Each word is right now and then; often, it replaces a subject or a verb that should be named.
WORDS = {
    "what": re.compile(r"\bwhat\b", re.IGNORECASE),
    "who": re.compile(r"\bwho(?:se|m|ever)?\b", re.IGNORECASE),
    "tell": re.compile(r"\b(?:tells?|told|telling)\b", re.IGNORECASE),
}
MAX_PER_1000_WORDS = 2
MAX_FILES_SHOWN = 10
# Patterns of old identifiers, and the names that replaced them.
REPLACED = {
    r"_?(LONGEST|MOST|DEEPEST)(_\w+)?": "MAX_*, or MAX_*_CHARS for the length of a text",
    r"_?FEWEST(_\w+)?": "MIN_*",
    r"_?in_our_words": "normalize_tool, translate_errors",
    r"_?(homeless|strays)": "orphaned_calls",
    r"_?tell_bytes": "on_progress",
    r"_?(keep_unknown|keep_bounds)": "save, enforce_limits",
    r"_?(as_the_worker|is_the_one|without_worker)": "acquire_worker_lock, holds_lock, worker_stopped",
    r"_?(put_off|hasten|went_well)": "back_off, retry_now, reset_backoff",
    r"Desk|House|Letter|NobodyThere|Telling": "Service, DeadLetter, NotListening, SessionRecorder",
}


@cache
def nodes(part: str) -> list[tuple[str, ast.AST]]:
    """The syntax nodes of a part, each with the path of its file."""
    files = sorted(file for folder in PARTS[part] for file in (ROOT / folder).rglob("*.py"))
    return [
        (str(file.relative_to(ROOT)), node)
        for file in files
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
    ]


def docstring_lines(part: str) -> Iterator[tuple[str, int, str]]:
    """Each line of each docstring, with its file and line number."""
    for file, node in nodes(part):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            docstring = ast.get_docstring(node, clean=False) or ""
            for number, line in enumerate(docstring.splitlines(), start=node.body[0].lineno if docstring else 0):
                yield file, number, line.strip()


def identifiers(part: str) -> Iterator[tuple[str, int, str]]:
    """Each defined or used name, with its file and line number."""
    for file, node in nodes(part):
        for name in (getattr(node, field, None) for field in ("id", "attr", "arg", "name")):
            if isinstance(name, str):
                yield file, getattr(node, "lineno", 0), name


@pytest.mark.parametrize(("part", "word"), [(part, word) for part in PARTS for word in WORDS])
def test_docstrings_name_their_subjects(part: str, word: str) -> None:
    """A sentence with a noun as its subject is understood at first reading."""
    lines = list(docstring_lines(part))
    hits = [line for line in lines for _ in WORDS[word].findall(line[2])]

    assert lines
    total = sum(len(text.split()) for _, _, text in lines)
    worst = [file for file, _ in Counter(file for file, _, _ in hits).most_common(MAX_FILES_SHOWN)]
    shown = [f"{file}:{number}: {text}" for each in worst for file, number, text in hits if file == each]
    message = [f'"{word}" occurs {len(hits)} times in {total} words, of {MAX_PER_1000_WORDS} in 1,000 allowed:', *shown]
    assert 1000 * len(hits) <= MAX_PER_1000_WORDS * total, "\n".join(message)


@pytest.mark.parametrize("part", PARTS)
def test_replaced_identifiers_do_not_return(part: str) -> None:
    """One thing has one name."""
    found = {
        f"{file}:{line}: {name}: use {replacement}"
        for file, line, name in identifiers(part)
        for pattern, replacement in REPLACED.items()
        if re.fullmatch(pattern, name)
    }

    assert not found, "\n".join(sorted(found))
