"""Checks of the data, even if the stack does not run: whether this version can read them and they have room to grow."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.doctor.finding import Finding, error, ok, warning

if TYPE_CHECKING:
    from deploy.doctor.facts import Facts

DEADLINE = 5  # seconds to look for damage
MIB = 2**20
LEAST = 16 * MIB  # free space; on a small volume less is enough
LEAST_SHARE = 0.05


def database(facts: Facts, path: Path) -> list[Finding]:
    check = "database file"
    if "data" not in facts.volumes:
        return [error(check, "no volume data", "the database's", restore(facts))]
    found = room("data", *_room(path.parent))
    if not os.access(path.parent, os.R_OK | os.X_OK) or (path.exists() and not os.access(path, os.R_OK)):
        fix = owned(facts, "data", "10001", "web")
        return [*found, error(check, f"{path.name}, which its own user may not read", "a file that it may", fix)]
    if not path.exists():
        if not facts.backups:
            return [*found, warning(check, f"no {path.name}", "one that was migrated", "make up   (makes one)")]
        return [*found, error(check, f"no {path.name}", "one that was migrated", restore(facts))]
    try:
        applied = _applied(path)
    except sqlite3.DatabaseError as fault:
        if found and isinstance(fault, sqlite3.OperationalError):
            return found  # without room SQLite may be unable to open it
        return [*found, error(check, f"{path.name} is damaged: {fault}", "one that SQLite can read", restore(facts))]
    if not applied:
        return [*found, error(check, f"{path.name} holds no tables", "one that was migrated", restore(facts))]
    from app.checks import compatible_migrations, unknown_migrations

    if unknown := set(unknown_migrations(applied)) - compatible_migrations():
        return [
            *found,
            error(
                check,
                f"a database of a newer version, with migrations unknown to this one: {', '.join(sorted(unknown))}",
                "a database of this version or an older one",
                f"the version that knows them; or, back to this one's data: {restore(facts, upgraded=True)}",
            ),
        ]
    return found or [ok(check, f"{path.name} is sound, {_room(path.parent)[0] // MIB} MiB are free")]


def _applied(path: Path) -> list[tuple[str, str]]:
    """The migrations of a sound database. Raises DatabaseError for a damaged one."""
    try:
        return _read(f"{path.as_uri()}?mode=ro")
    except sqlite3.OperationalError:
        # It may not write an index of the write-ahead log. If there is no such log, it needs none.
        log = path.with_name(f"{path.name}-wal")
        if log.exists() and log.stat().st_size:
            raise
        return _read(f"{path.as_uri()}?mode=ro&immutable=1")


def _read(uri: str) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(uri, uri=True, timeout=DEADLINE)) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master").fetchall()
        if not tables:
            return []
        end = time.monotonic() + DEADLINE
        connection.set_progress_handler(lambda: time.monotonic() > end, 10_000)
        try:
            ((verdict,), *_) = connection.execute("PRAGMA quick_check(1)").fetchall()
        except sqlite3.OperationalError as fault:
            if fault.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
                raise
            verdict = "ok"  # as far as it was checked
        connection.set_progress_handler(None, 0)
        if verdict != "ok":
            raise sqlite3.DatabaseError(verdict)
        if ("django_migrations",) not in tables:
            return [("", "")]
        return connection.execute("SELECT app, name FROM django_migrations").fetchall()


def redis(facts: Facts) -> list[Finding]:
    """Checks the output of services/redis/redis-files.sh: a line of df, and a verdict if Redis does not run."""
    check = "redis file"
    if "redis" not in facts.volumes:
        return [
            error(check, "no volume redis", "that of the rooms", f"{restore(facts)}; or make up, without the rooms")
        ]
    lines = facts.redis_files.splitlines()
    if not lines or len(words := lines[0].split()) < 4 or not (words[1] + words[3]).isdigit():
        return []
    found = room("redis", int(words[3]) * 1024, int(words[1]) * 1024)
    verdict, _, why = (lines[1] if len(lines) > 1 else "").partition(" ")
    if verdict == "unreadable":
        fix = owned(facts, "redis", "999", "redis")
        found.append(error(check, f"{why}, which its own user may not read", "a file that it may", fix))
    elif verdict == "damaged":
        found.append(
            error(
                check,
                f"the append-only file is damaged: {why}",
                "one that Redis can read",
                f"{restore(facts)}; or, without what was written from the damaged place on: docker compose run --rm "
                "--no-deps -T --entrypoint sh redis -c 'yes | redis-check-aof --fix "
                "/data/appendonlydir/appendonly.aof.manifest', then make down up",
            )
        )
    return found


def room(volume: str, free: int, size: int) -> list[Finding]:
    if not size or free >= min(LEAST, LEAST_SHARE * size):
        return []
    return [
        error(
            "room",
            f"the volume {volume} is full: {free / MIB:.1f} of {size / MIB:.1f} MiB are free",
            f"{min(LEAST, LEAST_SHARE * size) / MIB:.1f} MiB at least",
            "room on the engine's disk (docker system df), or in a volume that has a size of its own, then make up",
        )
    ]


def _room(folder: Path) -> tuple[int, int]:
    usage = shutil.disk_usage(folder)
    return usage.free, usage.total


def restore(facts: Facts, *, upgraded: bool = False) -> str:
    """The command that replaces unusable data by a backup."""
    if upgraded:
        newest = next((name for name in facts.backups if "-before-upgrade" in name), None)
        return f"make restore F={newest or 'backups/<name>.tar.gz   of this version'}"
    if facts.backups:
        return f"make restore F={facts.backups[0]} KEEP=0"
    return (
        "a backup into backups/, then make restore F=backups/<name>.tar.gz KEEP=0; without one, to begin without data: "
        "make purge up"
    )


def owned(facts: Facts, volume: str, user: str, image: str) -> str:
    return (
        f"docker run --rm --user 0 --volume {facts.project}_{volume}:/volume --entrypoint sh {facts.project}-{image} "
        f"-c 'chown -R {user}:{user} /volume; chmod -R u+rwX /volume', then make down up"
    )
