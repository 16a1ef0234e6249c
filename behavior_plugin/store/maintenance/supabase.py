"""Write our migrations for the Supabase CLI: `supabase db push` then runs those that are due."""

from __future__ import annotations

from pathlib import Path

from behavior_plugin.config import Storage
from behavior_plugin.errors import BehaviorError
from behavior_plugin.store.sql_files import Migration, migrations

# The CLI sorts by a 14-digit timestamp: the day of the schema that we started from, and our number as the time.
DAY = "20260112"
_DIFFERS = "If it was pushed already, leave it and use another folder. Otherwise move it away, then try again."


def write_migrations(folder: Path, storage: Storage) -> list[Path]:
    """Copy the migrations into `folder`/supabase/migrations; returns the files that are new.

    Raises:
        BehaviorError: a file of that name has another content, and nothing was written; or the folder cannot be
            written.
    """
    try:
        return _write(folder, storage)
    except OSError as error:
        raise BehaviorError(
            f"{error.filename or folder} cannot be written: {error.strerror}", hint="Choose another folder."
        ) from None


def _write(folder: Path, storage: Storage) -> list[Path]:
    wanted = {folder / "supabase" / "migrations" / _name(each): each.file.read_bytes() for each in migrations(storage)}
    for file, content in wanted.items():
        if file.exists() and file.read_bytes() != content:
            raise BehaviorError(f"{file} differs from what this version writes.", hint=_DIFFERS)
    new = [file for file in wanted if not file.exists()]
    for file in new:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(wanted[file])
    return new


def _name(migration: Migration) -> str:
    return f"{DAY}{migration.version:06}_{migration.name}.sql"
