"""The room log in Redis: one stream per room, with offsets as entry IDs."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import secrets
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from MyChannels.connection import DEADLINE, GENERATION, Share
from MyChannels.groups import ROOMS_KEY, log_keys
from MyChannels.log import (
    KEEP_EMPTY_SECONDS,
    NOTHING_SEEN,
    REF_SECONDS,
    Appended,
    Draft,
    Page,
    Position,
    RefReused,
    Unavailable,
)
from MyChannels.messages import Message

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from MyChannels.connection import Connection, Part
    from MyChannels.log import Announcement

# Above this share of maxmemory, the logs of the idlest rooms are dropped: Redis refuses writes at 100 %, and
# connection buffers count too.
FULL = 0.8
# Appends remove expired entries at most once in this time, so a log can exceed its maximum age by as much.
TIDY_MILLISECONDS = 10_000
DROPPED_AT_ONCE = 10  # doubles each time, since idle rooms may be small
MOST_DROPPED_AT_ONCE = 1000
# Time for a thread of Redis to free the dropped logs, and for pending answers to leave the buffers.
FREED_SECONDS = 0.5
# Concurrent reads of each kind that clients cause. A page of long texts takes 1.6 MB of Redis' buffers, and this
# process' other questions wait behind it. Each read also waits for a tick (tick.py), so fewer would mean 100 a second.
READINGS = 4

_HERE = Path(__file__).parent
_POSITION = (_HERE / "position.lua").read_text()
APPEND = _POSITION + (_HERE / "append.lua").read_text()
READ = _POSITION + (_HERE / "read.lua").read_text()
SCRIPTS = [APPEND, READ]
_APPEND_SHA, _READ_SHA = (hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest() for script in SCRIPTS)


class StreamLog:
    """A log on `connection`, bounded to `length` messages and `seconds` of age per room."""

    announces = True

    def __init__(self, connection: Connection, *, length: int, seconds: int) -> None:
        self.connection = connection
        self._ask = connection.ask
        self.length = length
        self.seconds = seconds
        # Prefix of names that are unique across processes: a random name each time would cost a system call.
        self._name = secrets.token_urlsafe(9)
        self._numbers = itertools.count()
        self._resuming, self._paging = asyncio.Semaphore(READINGS), asyncio.Semaphore(READINGS)

    def append(
        self, room: str, draft: Draft, seen: Position = NOTHING_SEEN, announcement: Announcement | None = None
    ) -> asyncio.Future[Appended]:
        name = self._new_name()
        return self._ask(
            *_script(_APPEND_SHA, room, name, seen.epoch, seen.offset, 0),  # only reads check the time
            room,
            self.length,
            self.seconds,
            REF_SECONDS,
            TIDY_MILLISECONDS,
            share=Share(
                room,
                seen,
                len(draft.text),
                (
                    name,
                    draft.sender,
                    draft.text,
                    int(draft.user),
                    hashlib.blake2b(draft.ref.encode(), digest_size=12).hexdigest(),
                    hashlib.blake2b(draft.text.encode(), digest_size=8).hexdigest(),
                    *(announcement or ("", "")),
                ),
            ),
            read=_appended,
            held=True,
        )

    async def read(
        self, room: str, seen: Position = NOTHING_SEEN, *, after: int | None = None, limit: int = 500
    ) -> Page:
        if after is None:
            answer = await self._read(room, seen, -1, limit)
        else:
            async with _turn(self._resuming):
                answer = await self._read(room, seen, after, limit)
        epoch, base, offset, entries = answer
        return Page(epoch.decode(), base, offset, [_message(*entry) for entry in entries])

    async def positions(self, seen: Mapping[str, Position]) -> dict[str, Page]:
        pages = await asyncio.gather(*(self.read(room, position, limit=0) for room, position in seen.items()))
        return dict(zip(seen, pages, strict=True))

    async def before(self, room: str, before: int | None, limit: int) -> list[Message]:
        newest = "+" if before is None else f"{before - 1}-0"
        if before is not None and before <= 1:
            return []
        async with _turn(self._paging):
            entries = await self._ask("XREVRANGE", log_keys(room)[1], newest, "-", "COUNT", limit)
        return [_message(*entry) for entry in reversed(entries)]

    async def relieve(self) -> list[str]:
        """Drops the idlest rooms' logs until Redis has enough free memory. Returns the rooms' names."""
        dropped: list[str] = []
        at_once = DROPPED_AT_ONCE
        while await self._is_full():
            names = [room.decode() for room in await self._ask("ZRANGE", ROOMS_KEY, 0, at_once - 1)]
            if not names:
                break
            # In this order, so that a message appended in between puts its room back on the list.
            await self._ask("ZREM", ROOMS_KEY, *names)
            await self._ask("UNLINK", *(key for name in names for key in log_keys(name)))
            dropped += names
            at_once = min(2 * at_once, MOST_DROPPED_AT_ONCE)
        return dropped

    async def forget(self) -> None:
        """Removes rooms from the list whose logs have expired."""
        clock = await self._ask("TIME")
        oldest = (int(clock[0]) - max(self.seconds, REF_SECONDS)) * 1000 - TIDY_MILLISECONDS
        await self._ask("ZREMRANGEBYSCORE", ROOMS_KEY, "-inf", oldest)

    async def ping(self) -> None:
        await self._ask("PING")

    def release(self) -> None:
        self.connection.release()

    async def close(self) -> None:
        await self.connection.close()

    async def _is_full(self) -> bool:
        """Whether Redis is nearly full, and still is after FREED_SECONDS."""
        if await self._fullness() <= FULL:
            return False
        await asyncio.sleep(FREED_SECONDS)
        return await self._fullness() > FULL

    async def _fullness(self) -> float:
        """The share of maxmemory that is used; 0 if there is no limit."""
        lines = (await self._ask("INFO", "memory")).decode().splitlines()
        values = dict(line.split(":", 1) for line in lines if ":" in line)
        most = int(values["maxmemory"])
        return int(values["used_memory"]) / most if most else 0

    async def _read(self, room: str, seen: Position, after: int, limit: int) -> Any:
        # After a restart, reads that name a seen position go first: they show whether data was lost.
        return await self._ask(*_script(_READ_SHA, room, self._new_name(), *seen), after, limit, held=not seen.epoch)

    def _new_name(self) -> str:
        return f"{self._name}{next(self._numbers):x}"


def _script(sha: str, room: str, name: str, *seen: str | int) -> tuple[Part, ...]:
    """The part of the command that position.lua reads."""
    return ("EVALSHA", sha, 5, *log_keys(room), ROOMS_KEY, GENERATION, name, KEEP_EMPTY_SECONDS * 1000, *seen)


@asynccontextmanager
async def _turn(readings: asyncio.Semaphore) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(DEADLINE):
            await readings.acquire()
    except TimeoutError:
        raise Unavailable(f"the log is being read by too many: no turn came within {DEADLINE:g} s") from None
    try:
        yield
    finally:
        readings.release()


def _appended(answer: Any) -> Appended:
    epoch, offset, sent_at, first = answer
    if first < 0:
        raise RefReused("expected a new ref for another text, received one that is taken")
    return Appended(epoch.decode(), offset, sent_at, bool(first))


def _message(entry_id: bytes, fields: list[bytes]) -> Message:
    values = dict(zip(fields[::2], fields[1::2], strict=True))
    return Message(
        int(entry_id.partition(b"-")[0]),
        values[b"sender"].decode(),
        values[b"text"].decode(),
        int(values[b"time"]),
        user=values[b"user"] == b"1",
    )
