"""The SQLite database: a copy while it is written to, and a copy in its place."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from deploy.backup.refusal import Refused

if TYPE_CHECKING:
    from pathlib import Path

SECONDS = 10  # to wait for a writer


def copy(database: Path, target: Path) -> None:
    """As it is between two transactions; writers do not wait, for the copy reads in one of its own."""
    if not database.exists():
        raise Refused(f"no database {database.name}", "one that was migrated once", "make up")
    try:
        # Not read-only: without other readers, SQLite has to make the index of the write-ahead log.
        with (
            closing(sqlite3.connect(f"{database.as_uri()}?mode=rw", uri=True, timeout=SECONDS)) as origin,
            closing(sqlite3.connect(target)) as copied,
        ):
            origin.backup(copied)
        check(target)
    except sqlite3.DatabaseError as fault:
        raise Refused(f"a database that SQLite cannot read ({fault})", "a sound one", "an older backup") from fault


def check(database: Path) -> None:
    """Raises DatabaseError for a file that is damaged or none of SQLite's."""
    with closing(sqlite3.connect(database)) as connection:
        ((verdict,), *_) = connection.execute("PRAGMA quick_check(1)").fetchall()
    if verdict != "ok":
        raise sqlite3.DatabaseError(verdict)


def applied_migrations(database: Path) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(database)) as connection:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'django_migrations'").fetchall():
            return []
        return connection.execute("SELECT app, name FROM django_migrations ORDER BY id").fetchall()


def replace(database: Path, copied: Path) -> None:
    """Whole or not at all, whenever it is interrupted. Nobody may have the database open."""
    try:
        with closing(sqlite3.connect(database)) as present:
            # Into the one file with it: a write-ahead log left behind would be taken for the new database's.
            present.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.DatabaseError as fault:
        if fault.sqlite_errorcode == sqlite3.SQLITE_BUSY:
            raise Refused("a database that somebody has open", "no process that uses it", "make down; again") from fault
        # Damaged: there is nothing to keep, and the log is no use without it.
    for suffix in ("-wal", "-shm", "-journal"):
        database.with_name(database.name + suffix).unlink(missing_ok=True)
    with copied.open("rb") as file:
        os.fsync(file.fileno())
    copied.replace(database)
    folder = os.open(database.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
