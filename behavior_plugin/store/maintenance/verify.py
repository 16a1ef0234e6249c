"""Whether the fence around each user's rows stands.

What is checked, and how we try to get across, is in sql/verify.sql and sql/<storage>/verify.sql, which psql can run as
well. Here they are run, and what they find is read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, cast

import psycopg

from behavior_plugin.config import Storage
from behavior_plugin.store.connection import run_script
from behavior_plugin.store.errors import in_our_words
from behavior_plugin.store.sql_files import script

Verdict = Literal["ok", "failed", "skipped"]
# What the script raises at its end, where a check has failed.
FAILED = "BV001"


@dataclass(frozen=True)
class Finding:
    """The result of one check; `what` says more where it is not ok."""

    name: str
    verdict: Verdict
    what: str = ""


def verify(owner: psycopg.Connection, storage: Storage = "behavior_patterns") -> list[Finding]:
    """Check a database's shape and rights, and try to cross from one user to another; no trace is left.

    `owner` must be in autocommit mode.

    Raises:
        SchemaError: the checks could not be run to their end.
        StoreUnavailableError: the connection was lost, or the server is short of something for now.
    """
    findings: list[Finding] = []

    def note(diagnostic: psycopg.errors.Diagnostic) -> None:
        if match := re.fullmatch(
            r"(ok|failed|skipped): ([^:]+)(?:: (.*))?", diagnostic.message_primary or "", re.DOTALL
        ):
            findings.append(Finding(match[2], cast(Verdict, match[1]), match[3] or ""))

    owner.add_notice_handler(note)
    try:
        with in_our_words("verify.sql"):
            _run(owner, script("verify") + script("verify", storage))
    finally:
        owner.remove_notice_handler(note)
    return findings


def failures(findings: list[Finding]) -> list[str]:
    """The names of the checks that failed."""
    return [finding.name for finding in findings if finding.verdict == "failed"]


def _run(owner: psycopg.Connection, statements: bytes) -> None:
    try:
        run_script(owner, statements)
    except psycopg.Error as error:
        if error.sqlstate != FAILED:
            raise
