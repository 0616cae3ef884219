"""python -m deploy.backup create VERSION PROJECT > FILE; check < FILE; restore < FILE

Runs in a container of the stack, under the lock of `migrate`, so that it is alone with the scratch folder and nobody
migrates meanwhile. What it has to say goes to standard error.
"""

from __future__ import annotations

import shutil
import sys
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import django
from django.conf import settings
from redis import Redis
from redis.exceptions import RedisError

from deploy.backup import archive, database
from deploy.backup.refusal import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator


def create(version: str, project: str) -> str:
    from MyChannels.log.copies import copy_rooms

    with scratch() as folder, redis() as connection:
        database.copy(path(), folder / archive.DATABASE)
        with (folder / archive.ROOMS).open("w+", encoding="utf-8") as file:
            counts = copy_rooms(connection, file)
        manifest = {
            "version": version,
            "project": project,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "migrations": database.applied_migrations(folder / archive.DATABASE),
            **counts._asdict(),
        }
        archive.write(folder, manifest, sys.stdout.buffer)
    return f"the database, and {counts.messages} message(s) of {counts.rooms} room(s)"


def check() -> str:
    with scratch() as folder:
        manifest = unpack(folder)
    return (
        f"a backup of {manifest['project']} made {manifest['created']} by version {manifest['version']}: the database, "
        f"and {manifest['messages']} message(s) of {manifest['rooms']} room(s)"
    )


def restore() -> str:
    from MyChannels.log.copies import restore_rooms

    with scratch() as folder, redis() as connection:
        manifest = unpack(folder)
        with (folder / archive.ROOMS).open(encoding="utf-8") as lines:
            restore_rooms(connection, lines)
        # Last, since it cannot be half done.
        database.replace(path(), folder / archive.DATABASE)
    return f"put back the database, and {manifest['messages']} message(s) of {manifest['rooms']} room(s)"


def unpack(folder: Path) -> dict[str, Any]:
    """The manifest of what comes on standard input. Raises Refused for what this version cannot take back."""
    from app.checks import unknown_migrations

    manifest = archive.read(sys.stdin.buffer, folder)
    if unknown := unknown_migrations(database.applied_migrations(folder / archive.DATABASE)):
        raise Refused(
            f"a backup by version {manifest['version']}, with migrations that this version does not know: "
            + ", ".join(unknown),
            "a database that this version can serve without losing anything",
            "restore it with the version that made it, or a newer one",
        )
    return manifest


def path() -> Path:
    default: dict[str, Any] = settings.DATABASES["default"]
    engine = default["ENGINE"]
    if engine != "django.db.backends.sqlite3":
        raise Refused(f"a database of {engine}", "SQLite, which is what this knows to copy", "the database's own tools")
    return Path(default["NAME"])


@contextmanager
def scratch() -> Iterator[Path]:
    """Beside the database: as much room as it needs, and from there it is renamed into its place."""
    folder = path().parent / ".backup"
    shutil.rmtree(folder, ignore_errors=True)  # an interrupted one's
    folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@contextmanager
def redis() -> Iterator[Redis]:
    with Redis.from_url(settings.REDIS_URL, password=settings.REDIS_PASSWORD, decode_responses=True) as connection:
        yield connection


def main() -> int:
    django.setup()
    name = "restore"
    try:
        match sys.argv[1:]:
            case ["create", version, project]:
                name = "backup"
                said = create(version, project)
            case ["check"]:
                said = check()
            case ["restore"]:
                said = restore()
            case _:
                print(__doc__, file=sys.stderr)
                return 2
    except Refused as refusal:
        print(refusal.lines(name), file=sys.stderr)
        return 1
    except RedisError as fault:
        mend = "make doctor"
        if "OOM" in str(fault):
            mend = "a larger REDIS_MAXMEMORY and REDIS_MEMORY in .env"
        print(Refused(f"Redis refused: {fault}", "a Redis that answers", mend).lines(name), file=sys.stderr)
        return 1
    except OSError as fault:
        print(Refused(str(fault), "room and leave to write", "docker system df").lines(name), file=sys.stderr)
        return 1
    print(f"{name}: {said}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
