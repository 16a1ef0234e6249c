"""Check that the fence around each user's rows stands.

The checks and the attempts to cross the fence are in sql/verify.sql and sql/<storage>/verify.sql, which psql can run as
well. This module runs them and reads their notices; it adds the indexes, whose names it finds in the migrations.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, cast

import psycopg

from behavior_plugin.config import Storage
from behavior_plugin.store.connection import run_script
from behavior_plugin.store.errors import translate_errors
from behavior_plugin.store.sql_files import migrations, script

Verdict = Literal["ok", "failed", "skipped"]
# The script's error at its end, if a check has failed.
FAILED = "BV001"
_NOTICE = re.compile(r"(ok|failed|skipped): ([^:]+)(?:: (.*))?", re.DOTALL)
_INDEX = re.compile(r"^create (?:unique )?index if not exists (\w+)\s+on (\w+)\.", re.MULTILINE)


@dataclass(frozen=True)
class Finding:
    """The result of one check; `what` explains a result that is not ok."""

    name: str
    verdict: Verdict
    what: str = ""


def verify(owner: psycopg.Connection, storage: Storage = "behavior_patterns") -> list[Finding]:
    """Check a database's indexes and rights, and try to cross from one user to another; leaves no trace.

    `owner` must be in autocommit mode.

    Raises:
        SchemaError: the checks could not be completed.
        StoreUnavailableError: the connection was lost, or the server is short of resources for now.
    """
    with translate_errors("verify.sql"):
        return [_indexes(owner, storage), *_fence(owner, storage)]


def failures(findings: list[Finding]) -> list[str]:
    """The names of the checks that failed."""
    return [finding.name for finding in findings if finding.verdict == "failed"]


def _indexes(owner: psycopg.Connection, storage: Storage) -> Finding:
    """Without them searches are slow, or saving the same work twice makes two rows."""
    text = "".join(migration.file.read_text(encoding="utf-8") for migration in migrations(storage))
    names = [f"{schema}.{index}" for index, schema in _INDEX.findall(text)]
    found = owner.execute("select name from unnest(%s::text[]) as name where to_regclass(name) is null", [names])
    missing = [f"{name} is missing" for (name,) in found]
    return Finding("indexes", "failed" if missing else "ok", "; ".join(missing))


def _fence(owner: psycopg.Connection, storage: Storage) -> list[Finding]:
    findings: list[Finding] = []

    def add(diagnostic: psycopg.errors.Diagnostic) -> None:
        if match := _NOTICE.fullmatch(diagnostic.message_primary or ""):
            findings.append(Finding(match[2], cast(Verdict, match[1]), match[3] or ""))

    owner.add_notice_handler(add)
    try:
        run_script(owner, script("verify") + script("verify", storage))
    except psycopg.Error as error:
        if error.sqlstate != FAILED:
            raise
    finally:
        owner.remove_notice_handler(add)
    return findings
