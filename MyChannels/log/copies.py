"""Copies all rooms' logs to lines of text and back: Redis' part of `make backup` and `make restore`.

Uses only commands that the application's own Redis user may run. So any Redis that serves rooms can be copied, even an
older version before its upgrade. The copy is text, because only an equally new Redis could restore a DUMP.

A room is a line {"room", "offset", "expires", "log_expires"} (milliseconds), a line {"message", "fields"} for each
message and a line {"ref", "value"} for each idempotency key, oldest first.
"""

from __future__ import annotations

import json
import secrets
import time
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

from redis.exceptions import NoPermissionError

from MyChannels.connection import generation_of
from MyChannels.groups import ROOMS_KEY, log_keys
from MyChannels.log import REF_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from redis import Redis

AT_ONCE = 500  # entries in a page: bounds the memory that Redis and this process need
ATTEMPTS = 5  # for one room; a second is needed only if Redis loses data meanwhile


class Counts(NamedTuple):
    rooms: int = 0
    messages: int = 0


def copy_rooms(redis: Redis, file: TextIO) -> Counts:
    """Writes every room that has a log, each as of one moment, while appends continue."""
    try:
        names: list[Any] = redis.zrange(ROOMS_KEY, 0, -1)
    except NoPermissionError:  # a release before room logs: its Redis user may not read such keys
        return Counts()
    counts = [count for name in names if (count := _copy_room(redis, name, file)) is not None]
    return Counts(len(counts), sum(counts))


def _copy_room(redis: Redis, room: str, file: TextIO) -> int | None:
    """Copies one room and returns its number of messages, or None if the room is gone.

    Entries never change within an epoch. Reading page by page, up to the offset at the start, gives the state of
    that moment, unless the epoch ends meanwhile.
    """
    meta, log, refs, order = log_keys(room)
    begun = file.tell()
    for _ in range(ATTEMPTS):
        file.seek(begun)
        file.truncate()
        epoch, offset = redis.hmget(meta, ["epoch", "offset"])
        if not epoch or not offset:
            return None
        _write(file, room=room, offset=int(offset), expires=redis.pttl(meta), log_expires=redis.pttl(log))
        messages = _copy_messages(redis, log, int(offset), file)
        _copy_refs(redis, refs, order, int(offset), file)
        if redis.hget(meta, "epoch") == epoch:
            return messages
    raise RuntimeError(f"expected the room {room} to keep its epoch while it is read, it changed {ATTEMPTS} times")


def _copy_messages(redis: Redis, log: str, newest: int, file: TextIO) -> int:
    begun, copied, position = file.tell(), 0, 0
    while position < newest:
        pipeline = redis.pipeline(transaction=True)
        pipeline.xrange(log, count=1)
        pipeline.xrange(log, f"{position + 1}-0", f"{newest}-0", count=AT_ONCE)
        oldest, page = pipeline.execute()
        if copied and (not oldest or _offset(oldest[0]) > position + 1):
            # Trimming overtook the reading. Drop the copied messages, since a gap would follow them.
            file.seek(begun)
            file.truncate()
            copied = 0
        if not page:
            break
        for entry in page:
            _write(file, message=_offset(entry), fields=entry[1])
        copied, position = copied + len(page), _offset(page[-1])
    return copied


def _copy_refs(redis: Redis, refs: str, order: str, newest: int, file: TextIO) -> None:
    """Reads from newest to oldest, so that no key is skipped while others are added and removed at the ends."""
    found: dict[str, str] = {}
    for first in range(0, 2**53, AT_ONCE):
        pipeline = redis.pipeline(transaction=False)
        for index in range(first, first + AT_ONCE):
            pipeline.lindex(order, -1 - index)
        names = [name for name in pipeline.execute() if name is not None]
        if names:
            values: list[Any] = redis.hmget(refs, names)
            found |= {name: value for name, value in zip(names, values, strict=True) if value}
        if len(names) < AT_ONCE:
            break
    known = [(int(value.split()[0]), name, value) for name, value in found.items()]
    for offset, name, value in sorted(known):
        if offset <= newest:
            _write(file, ref=name, value=value)


def restore_rooms(redis: Redis, lines: Iterable[str]) -> None:
    """Replaces all present rooms by the copied ones. No process may be serving rooms meanwhile.

    Each room begins a new epoch: other messages may have had its offsets since the copy was made.
    """
    server: Any = redis.info("server")
    generation = generation_of(f"config_file:{server['config_file']}")
    present: list[Any] = redis.zrange(ROOMS_KEY, 0, -1)
    for name in present:
        redis.unlink(*log_keys(name))
    redis.unlink(ROOMS_KEY)
    room: dict[str, Any] | None = None
    pipeline = redis.pipeline(transaction=False)
    for line in lines:
        values = json.loads(line)
        if "room" in values:
            _finish(pipeline, room, generation)
            room = values
            meta, log, refs, order = log_keys(values["room"])
            pipeline.unlink(meta, log, refs, order)
        elif "message" in values:
            pipeline.xadd(log, values["fields"], id=f"{values['message']}-0")
        else:
            pipeline.hset(refs, values["ref"], values["value"])
            pipeline.rpush(order, values["ref"])
        if len(pipeline) >= AT_ONCE:
            pipeline.execute()
    _finish(pipeline, room, generation)


def _finish(pipeline: Any, room: dict[str, Any] | None, generation: str) -> None:
    """Writes the room's position. It comes last, because a room without a position does not exist."""
    if room is None:
        return
    meta, log, refs, order = log_keys(room["room"])
    # The log keeps its remaining lifetime as of the copy. Idempotency keys get at least their full time.
    expires = max(room["expires"], REF_SECONDS * 1000)
    pipeline.pexpire(log, max(room["log_expires"], 1))
    pipeline.pexpire(refs, expires)
    pipeline.pexpire(order, expires)
    position = {"epoch": secrets.token_urlsafe(9), "offset": room["offset"], "base": room["offset"]}
    pipeline.hset(meta, mapping={**position, "generation": generation})
    pipeline.pexpire(meta, expires)
    pipeline.zadd(ROOMS_KEY, {room["room"]: int(time.time() * 1000)})
    pipeline.execute()


def _write(file: TextIO, **values: object) -> None:
    file.write(json.dumps(values, ensure_ascii=False) + "\n")


def _offset(entry: tuple[str, Any]) -> int:
    return int(entry[0].partition("-")[0])
