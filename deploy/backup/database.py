"""The SQLite database: copies it while it is in use, and replaces it by a copy."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from deploy.backup.refusal import Refused

if TYPE_CHECKING:
    from pathlib import Path

SECONDS = 10  # to wait for a writer
BESIDE = ("-wal", "-shm", "-journal")  # suffixes of SQLite's additional files
MIB = 2**20
WORKING = MIB // 2  # bytes that SQLite needs besides a small database for migrations


def copy(database: Path, target: Path) -> None:
    """Copies the state between two transactions. The copy reads in its own transaction, so writers need not wait."""
    if not database.exists():
        raise Refused(f"no database {database.name}", "one that was migrated once", "make up")
    try:
        try:
            _copy(f"{database.as_uri()}?mode=rw", target)
        except sqlite3.OperationalError:
            # A full volume has no room for the index of the write-ahead log. If there is no such log, none is needed.
            log = database.with_name(database.name + "-wal")
            if log.exists() and log.stat().st_size:
                raise
            target.unlink(missing_ok=True)
            _copy(f"{database.as_uri()}?mode=ro&immutable=1", target)
        check(target)
    except sqlite3.DatabaseError as fault:
        raise Refused(
            f"a database that SQLite cannot read ({fault})",
            "a sound one",
            "make doctor   names the backup to go back to",
        ) from fault
    if _empty(target):
        raise Refused(
            "a database without tables", "one that was migrated once", "make doctor   names the backup to go back to"
        )


def _copy(uri: str, target: Path) -> None:
    # Not read-only: without other readers, SQLite must create the index of the write-ahead log.
    with (
        closing(sqlite3.connect(uri, uri=True, timeout=SECONDS)) as origin,
        closing(sqlite3.connect(target)) as copied,
    ):
        origin.backup(copied)


def check(database: Path) -> None:
    """Raises DatabaseError if the file is damaged or not an SQLite database."""
    with closing(sqlite3.connect(database)) as connection:
        ((verdict,), *_) = connection.execute("PRAGMA quick_check(1)").fetchall()
    if verdict != "ok":
        raise sqlite3.DatabaseError(verdict)


def _empty(database: Path) -> bool:
    with closing(sqlite3.connect(database)) as connection:
        return not connection.execute("SELECT 1 FROM sqlite_master").fetchall()


def applied_migrations(database: Path) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(database)) as connection:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'django_migrations'").fetchall():
            return []
        return connection.execute("SELECT app, name FROM django_migrations ORDER BY id").fetchall()


def room(database: Path, needed: int, *, over: bool) -> None:
    """Raises Refused if the volume has no room for `needed` bytes. `over`: the present database may go first."""
    needed += WORKING
    free = shutil.disk_usage(database.parent).free
    present = _size(database)
    if needed <= free + (present if over else 0):
        return
    fix = "room in the volume: docker compose run --rm --no-deps migrate sh -c 'du -a data | sort -n | tail'"
    if needed <= free + present:
        fix = "KEEP=0, which removes the present database before the other one is written; or " + fix
    raise Refused(
        f"a full volume: {free / MIB:.1f} MiB are free where the database is",
        f"{needed / MIB:.1f} MiB, which the backup's database and its log need beside the present one",
        fix,
    )


def _size(database: Path) -> int:
    try:
        return sum(file.stat().st_size for file in database.parent.glob(f"{database.name}*"))
    except OSError:  # this user may not read it; count it as empty
        return 0


def replace(database: Path, copied: Path, *, over: bool = False) -> None:
    """Replaces the database atomically, even if interrupted, unless `over` deletes the present one first for lack of
    room. No process may have the database open."""
    try:
        with closing(sqlite3.connect(database)) as present:
            # Merges the write-ahead log into the file: SQLite would apply a remaining log to the new database.
            present.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.DatabaseError as fault:
        if fault.sqlite_errorcode == sqlite3.SQLITE_BUSY:
            raise Refused("a database that is still open", "no process that uses it", "make down; again") from fault
        # Damaged: there is nothing to keep, and the log is useless without it.
    for suffix in BESIDE:
        database.with_name(database.name + suffix).unlink(missing_ok=True)
    new = database.with_name(f".{database.name}.new")
    new.unlink(missing_ok=True)
    if database.is_dir():  # an engine creates a folder if a mounted file is missing
        shutil.rmtree(database)
    elif over and shutil.disk_usage(database.parent).free < copied.stat().st_size:
        database.unlink(missing_ok=True)
    shutil.copyfile(copied, new)
    with new.open("rb") as file:
        os.fsync(file.fileno())
    new.replace(database)
    copied.unlink()
    folder = os.open(database.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
