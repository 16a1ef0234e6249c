"""Our migrations laid out for the Supabase CLI: `supabase db push` then runs what is due."""

from __future__ import annotations

from pathlib import Path

from behavior_plugin.config import Storage
from behavior_plugin.errors import BehaviorError
from behavior_plugin.store.sql_files import Migration, migrations

# The CLI orders by a 14-digit timestamp: the day of the schema we started from, our number as the time.
DAY = "20260112"
_DIFFERS = (
    "If it was pushed already, keep it, and let this command write into another folder. Otherwise move it away, then "
    "try again."
)


def write_migrations(folder: Path, storage: Storage) -> list[Path]:
    """Copy the migrations into `folder`/supabase/migrations; returns the files that are new.

    Raises:
        BehaviorError: a file of that name is there with another content, and nothing was written; or the folder
            cannot be written.
    """
    try:
        return _lay_out(folder, storage)
    except OSError as error:
        raise BehaviorError(
            f"{error.filename or folder} cannot be written: {error.strerror}", hint="Choose another folder."
        ) from None


def _lay_out(folder: Path, storage: Storage) -> list[Path]:
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
