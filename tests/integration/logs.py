"""Both kinds of the room log, and a way to make what is in them older."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Protocol

from MyChannels.connection import Connection
from MyChannels.groups import log_keys
from MyChannels.log import Draft, Unavailable
from MyChannels.log.memory import MemoryLog
from MyChannels.log.stream import SCRIPTS, StreamLog

if TYPE_CHECKING:
    from collections.abc import Callable

    from redis.asyncio import Redis

    from MyChannels.log import Appended, Log


def draft(text: str, ref: str | None = None, *, sender: str = "Alice", user: bool = False) -> Draft:
    return Draft(sender, text, ref or f"ref of {text}", user)


async def append_surely(log: Log, room: str, draft: Draft) -> Appended:
    """As a client does: again with the same ref, as long as the outcome is unknown."""
    while True:
        try:
            return await log.append(room, draft)
        except Unavailable:
            pass


class Logs(Protocol):
    """Makes logs that share one store."""

    def make(self, *, length: int = 10_000, seconds: int = 86_400) -> Log: ...

    async def age(self, room: str, seconds: int) -> None:
        """What is in the room's log now was said so much earlier."""

    async def close(self) -> None: ...


class MemoryLogs:
    """A process has one, so every `make` gives the first again."""

    def __init__(self) -> None:
        self.log: MemoryLog | None = None
        self.ahead = 0

    def make(self, *, length: int = 10_000, seconds: int = 86_400) -> MemoryLog:
        self.log = self.log or MemoryLog(length=length, seconds=seconds, now=lambda: time.time() + self.ahead)
        return self.log

    async def age(self, room: str, seconds: int) -> None:
        self.ahead += seconds

    async def close(self) -> None:
        if self.log:
            await self.log.close()


class StreamLogs:
    def __init__(self, url: str, password: str, admin: Redis) -> None:
        self.url, self.password, self.admin = url, password, admin
        self.logs: list[StreamLog] = []

    def make(
        self, *, length: int = 10_000, seconds: int = 86_400, on_restart: Callable[[], None] | None = None
    ) -> StreamLog:
        connection = Connection(self.url, self.password, SCRIPTS, on_restart)
        log = StreamLog(connection, length=length, seconds=seconds)
        self.logs.append(log)
        return log

    async def age(self, room: str, seconds: int) -> None:
        meta, log, refs, _ = log_keys(room)
        await self.admin.hincrby(meta, "tidied", -seconds * 1000)
        entries: Any = await self.admin.xrange(log)
        await self.admin.delete(log)
        for entry, fields in entries:
            await self.admin.xadd(log, {**fields, b"time": int(fields[b"time"]) - seconds * 1000}, id=entry)
        known: dict[Any, Any] = await self.admin.hgetall(refs)
        for ref, value in known.items():
            offset, said_at, *rest = value.split()
            await self.admin.hset(refs, ref, b" ".join([offset, b"%d" % (int(said_at) - seconds * 1000), *rest]))

    async def close(self) -> None:
        for log in self.logs:
            await log.close()
