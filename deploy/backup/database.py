"""The SQLite database: a copy while it is written to, and a copy in its place."""

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
BESIDE = ("-wal", "-shm", "-journal")  # SQLite's own files, of one database
MIB = 2**20
WORKING = MIB // 2  # bytes that SQLite needs beside a small database, or nothing can be migrated


def copy(database: Path, target: Path) -> None:
    """As it is between two transactions; writers do not wait, for the copy reads in one of its own."""
    if not database.exists():
        raise Refused(f"no database {database.name}", "one that was migrated once", "make up")
    try:
        try:
            _copy(f"{database.as_uri()}?mode=rw", target)
        except sqlite3.OperationalError:
            # A full volume has no room for the index of the write-ahead log. Without that log none is needed.
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
    # Not read-only: without other readers, SQLite has to make the index of the write-ahead log.
    with (
        closing(sqlite3.connect(uri, uri=True, timeout=SECONDS)) as origin,
        closing(sqlite3.connect(target)) as copied,
    ):
        origin.backup(copied)


def check(database: Path) -> None:
    """Raises DatabaseError for a file that is damaged or none of SQLite's."""
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
    """Raises Refused where the volume has no room for `needed` bytes; `over`: the present database may go first."""
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
    except OSError:  # not ours to look at, and it counts for nothing
        return 0


def replace(database: Path, copied: Path, *, over: bool = False) -> None:
    """Whole or not at all, whenever it is interrupted, unless `over` lets the present one go for lack of room.
    No process may have the database open."""
    try:
        with closing(sqlite3.connect(database)) as present:
            # Into the one file with it: a write-ahead log left behind would be taken for the new database's.
            present.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.DatabaseError as fault:
        if fault.sqlite_errorcode == sqlite3.SQLITE_BUSY:
            raise Refused("a database that somebody has open", "no process that uses it", "make down; again") from fault
        # Damaged: there is nothing to keep, and the log is no use without it.
    for suffix in BESIDE:
        database.with_name(database.name + suffix).unlink(missing_ok=True)
    new = database.with_name(f".{database.name}.new")
    new.unlink(missing_ok=True)
    if database.is_dir():  # as an engine makes one where it misses a file
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
