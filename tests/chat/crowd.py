"""Many clients in one room or several: some talk, all may lose their sockets, and a verdict covers them all."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Any, Self

from tests.chat.client import ChatClient
from tests.chat.record import Record, numbered
from tests.chat.verdict import Verdict, judge

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

AT_ONCE = 50  # handshakes, while the crowd gathers


class Crowd:
    """`addresses` are the rooms'; who stands beside whom in `members` is in the same room, as evenly as it goes."""

    def __init__(
        self, addresses: str | Sequence[str], size: int, *, prefix: str = "", keep: bool = True, **options: Any
    ) -> None:
        addresses = [addresses] if isinstance(addresses, str) else addresses
        self.members = [
            ChatClient(
                addresses[index * len(addresses) // size],
                name=f"{prefix}{index + 1:03}",
                record=Record(f"{prefix}{index + 1:03}", keep),
                **options,
            )
            for index in range(size)
        ]
        self.newest = dict.fromkeys(addresses, 0)  # offset that was acknowledged, by room

    async def __aenter__(self) -> Self:
        gate = asyncio.Semaphore(AT_ONCE)

        async def start(member: ChatClient) -> None:
            async with gate:
                await member.start(60)

        try:
            await each(start(member) for member in self.members)
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.gather(*(member.stop() for member in self.members))

    async def talk(
        self,
        senders: int,
        rate: float,
        seconds: float,
        length: int = 80,
        *,
        enough: asyncio.Event | None = None,
        patience: float = 60.0,
    ) -> None:
        """`rate` messages a second by all `senders` together, evenly; who was held up makes up for it.

        Ends after `seconds`, or when there is `enough`; each message is acknowledged within `patience` seconds.
        """
        begun = monotonic()
        enough = enough or asyncio.Event()

        async def say(index: int) -> None:
            member = self.members[index * len(self.members) // senders]
            interval = senders / rate
            for number in range(1, int(rate * seconds / senders) + 1):
                due = begun + (number - 1 + index / senders) * interval
                with suppress(TimeoutError):
                    await asyncio.wait_for(enough.wait(), max(0, due - monotonic()))
                if enough.is_set():
                    return
                offset = await member.send(numbered(member.record.name, number, length), seconds=patience)
                self.newest[member.address] = max(self.newest[member.address], offset)

        await each(say(index) for index in range(senders))

    async def jitter(self, shortest: float, longest: float, enough: asyncio.Event) -> None:
        """Cuts each member's socket every so many seconds at random, whatever it is doing."""

        async def lose(member: ChatClient) -> None:
            while not enough.is_set():
                with suppress(TimeoutError):
                    await asyncio.wait_for(enough.wait(), random.uniform(shortest, longest))  # noqa: S311
                if not enough.is_set():
                    member.cut()

        await each(lose(member) for member in self.members)

    async def catch_up(self, seconds: float) -> None:
        """Returns when all are connected and have received all that was acknowledged."""
        await each(
            member.wait_for(lambda it: it.connected and it.offset >= self.newest[it.address], seconds)
            for member in self.members
        )

    def verdict(self) -> Verdict:
        return judge(member.record for member in self.members)


async def each(tasks: Iterable[Any]) -> None:
    """All of them, or the first one's fault."""
    async with asyncio.TaskGroup() as group:
        for task in tasks:
            group.create_task(task)
