"""python -m deploy.backup create|keep VERSION PROJECT > FILE; check|restore [over] < FILE

Runs in a container of the stack. `create` and `restore` run under the lock of `migrate`, so that no migration runs
meanwhile. `keep` writes the undamaged parts of data that are about to be replaced, and exits with 3 if parts are
missing. `over` deletes the present database first if the volume has no room for both. Messages go to standard error.
"""

from __future__ import annotations

import shutil
import sys
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import django
from django.conf import settings
from redis import Redis
from redis.exceptions import RedisError

from deploy.backup import archive, database
from deploy.backup.refusal import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator

SCRATCH = Path("/srv/scratch")  # a separate volume of this container, since the data's volume may be full
IN_PART = 3  # exit status


def create(version: str, project: str, *, whatever_is_sound: bool = False) -> tuple[str, int]:
    """Writes a backup. Returns a description of it and the exit status."""
    left_out: dict[str, str] = {}
    counts: dict[str, int] = {}
    with scratch() as folder:
        for name, copy in ((archive.DATABASE, copy_database), (archive.ROOMS, copy_rooms)):
            try:
                counts |= copy(folder / name)
            except (Refused, RedisError, OSError) as fault:
                if not whatever_is_sound:
                    raise
                left_out[name] = " ".join(str(fault).split())
                (folder / name).unlink(missing_ok=True)
        if len(left_out) == len(archive.PARTS):
            raise Refused("; ".join(left_out.values()), "a database or rooms that can be read", "make doctor")
        manifest = {
            "version": version,
            "project": project,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "migrations": [],
            "left_out": left_out,
            **counts,
        }
        if archive.DATABASE not in left_out:
            manifest["migrations"] = database.applied_migrations(folder / archive.DATABASE)
        archive.write(folder, manifest, sys.stdout.buffer)
    reasons = "".join(f"; without the {archive.KINDS[name]}: {reason}" for name, reason in left_out.items())
    return content({"parts": set(archive.PARTS) - left_out.keys(), **manifest}) + reasons, IN_PART if left_out else 0


def copy_database(target: Path) -> dict[str, int]:
    database.copy(path(), target)
    return {}


def copy_rooms(target: Path) -> dict[str, int]:
    from MyChannels.log.copies import copy_rooms

    with redis() as connection, target.open("w+", encoding="utf-8") as file:
        return copy_rooms(connection, file)._asdict()


def check(*, over: bool) -> str:
    with scratch() as folder:
        manifest = unpack(folder)
    if archive.DATABASE in manifest["parts"]:
        database.room(path(), manifest["parts"][archive.DATABASE]["size"], over=over)
    return (
        f"a backup of {manifest['project']} made {manifest['created']} by version {manifest['version']}: "
        f"{content(manifest)}"
    )


def restore(*, over: bool) -> str:
    from MyChannels.log.copies import restore_rooms

    with scratch() as folder, redis() as connection:
        manifest = unpack(folder)
        if archive.ROOMS in manifest["parts"]:
            with (folder / archive.ROOMS).open(encoding="utf-8") as lines:
                restore_rooms(connection, lines)
        else:
            restore_rooms(connection, [])
        # Last, since this step is atomic.
        if archive.DATABASE in manifest["parts"]:
            database.replace(path(), folder / archive.DATABASE, over=over)
    return f"put back {content(manifest)}"


def content(manifest: dict[str, Any]) -> str:
    texts = {
        archive.DATABASE: "the database",
        archive.ROOMS: f"{manifest.get('messages')} message(s) of {manifest.get('rooms')} room(s)",
    }
    return ", and ".join(text for name, text in texts.items() if name in manifest["parts"])


def unpack(folder: Path) -> dict[str, Any]:
    """The manifest of the file on standard input. Raises Refused if this version cannot restore it."""
    from app.checks import unknown_migrations

    manifest = archive.read(sys.stdin.buffer, folder)
    copied = folder / archive.DATABASE
    if copied.exists() and (unknown := unknown_migrations(database.applied_migrations(copied))):
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
    shutil.rmtree(path().parent / ".backup", ignore_errors=True)  # left if an older version was interrupted
    with TemporaryDirectory(dir=SCRATCH) as folder:
        yield Path(folder)


@contextmanager
def redis() -> Iterator[Redis]:
    with Redis.from_url(settings.REDIS_URL, password=settings.REDIS_PASSWORD, decode_responses=True) as connection:
        yield connection


def main() -> int:
    django.setup()
    name, status = "restore", 0
    try:
        match sys.argv[1:]:
            case ["create" | "keep" as how, version, project]:
                name = "backup"
                said, status = create(version, project, whatever_is_sound=how == "keep")
            case ["check", *over]:
                said = check(over=over == ["over"])
            case ["restore", *over]:
                said = restore(over=over == ["over"])
            case _:
                print(__doc__, file=sys.stderr)
                return 2
    except Refused as refusal:
        print(refusal.lines(name), file=sys.stderr)
        return 1
    except RedisError as fault:
        fix = "make doctor"
        if "OOM" in str(fault):
            fix = "a larger REDIS_MAXMEMORY and REDIS_MEMORY in .env"
        print(Refused(f"Redis refused: {fault}", "a Redis that answers", fix).lines(name), file=sys.stderr)
        return 1
    except OSError as fault:
        print(
            Refused(str(fault), "space and permission to write", "make doctor; docker system df").lines(name),
            file=sys.stderr,
        )
        return 1
    print(f"{name}: {said}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
