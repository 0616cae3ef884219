"""Clients that come and go through nginx all the time, and whether each got what it was owed."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import uuid4

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from tests.chat.client import ChatClient, Refused
from tests.chat.crowd import Crowd, each
from tests.chat.record import Record, numbered
from tests.chat.verdict import EXAMPLES, judge
from tests.stack.wire import SECONDS, request

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.chat.verdict import Verdict
    from tests.stack.clone import Clone

# Rooms in which something is said. Their names recur: a log is kept for a day, so ever new ones would rightly grow.
ROOMS = 10
RESIDENTS = 3  # of each room, for as long as it is open; all but one talk
VISITORS = 4  # at a time, and so many sockets of documented consumers besides
DOCUMENTED = ("chat", "sync", "async")
RATE = 2.0  # messages a second in each room
LENGTH = 80
# Rooms in which nothing is said, at a time. Each has a name that was never used; nothing is left of it after a minute.
QUIET = 6

# Seconds, at random between the two.
OPEN = (30.0, 60.0)  # a room
# Until its next opening; the hub closes it after 5. One that stays open keeps its newest 1,000 messages in memory.
CLOSED = (8.0, 14.0)
STAY = (2.0, 12.0)  # a visitor
LOOK = (1.0, 3.0)  # a visitor of a quiet room
CUT = (10.0, 30.0)  # until a resident's socket is cut
PAGE = (0.5, 1.5)  # between two pages
GRACE = 30.0  # for all to have all when a room is closed
LONGEST = 3600.0

# Of a client that did not get in or was not answered; OSError has TimeoutError and ConnectionError.
FAILURES = (Refused, InvalidHandshake, OSError)


@dataclass
class Tally:
    """What all clients lived through, the verdict on each room's opening added up."""

    visits: int = 0
    openings: int = 0
    pages: int = 0
    reconnects: int = 0
    acknowledged: int = 0
    deliveries: int = 0
    told_gaps: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)

    def add(self, verdict: Verdict) -> None:
        self.openings += 1
        self.reconnects += verdict.reconnects
        self.acknowledged += verdict.acknowledged
        self.deliveries += verdict.deliveries
        self.told_gaps += verdict.told_gaps
        self.faults.update(verdict.faults)
        self.examples += verdict.examples

    @property
    def broken(self) -> list[str]:
        found = [f"clients: {count} {name}" for name, count in self.faults.items()]
        if self.told_gaps:
            found.append(f"clients: {self.told_gaps} gaps told, and none was beyond the log")
        return [*found, *self.examples[:EXAMPLES]]


class Churn:
    def __init__(self, stack: Clone, *, quiet: int = QUIET) -> None:
        self.stack = stack
        self.quiet = quiet
        self.tally = Tally()
        self.numbers = itertools.count(1)
        self.enough = asyncio.Event()

    async def go_on(self, seconds: float) -> None:
        """Returns when everybody has left."""
        asyncio.get_running_loop().call_later(seconds, self.enough.set)
        await each(
            [
                *(self.again_and_again(CLOSED, self.open, f"soak-{number}") for number in range(ROOMS)),
                *(self.again_and_again((0, 0), self.look_at_a_quiet_room) for _ in range(self.quiet)),
                self.again_and_again(PAGE, self.read_a_page),
            ]
        )

    async def again_and_again(
        self, pause: tuple[float, float], act: Callable[..., Awaitable[None]], *arguments: object
    ) -> None:
        while not self.enough.is_set():
            try:
                await act(*arguments)
            except* FAILURES as failures:
                self.failed("clients", *failures.exceptions)
            await passing(self.enough, *pause)

    def failed(self, who: str, *failures: BaseException) -> None:
        self.tally.faults[f"{who} that failed"] += 1
        self.tally.examples += [f"{who}: {failure!r}" for failure in failures]

    # ── A room in which something is said ──────────────────────────────────────────────────────

    async def open(self, room: str) -> None:
        """From its first member to its last."""
        address = self.address(room)
        over = asyncio.Event()
        left: list[Record] = []
        # What was said last at the opening before may come first; no names recur, so their numbers do not either.
        prefix = f"r{next(self.numbers)}-"
        async with Crowd(address, RESIDENTS, prefix=prefix, host="127.0.0.1") as crowd:

            async def close() -> None:
                await passing(self.enough, *OPEN)
                over.set()

            await each(
                [
                    close(),
                    crowd.talk(RESIDENTS - 1, RATE, LONGEST, LENGTH, enough=over),
                    crowd.jitter(*CUT, over),
                    *(self.visitors(crowd, left, over) for _ in range(VISITORS)),
                    *(self.documented(room, kind, over) for kind in DOCUMENTED),
                ]
            )
            with suppress(TimeoutError, ExceptionGroup):  # the verdict says who did not
                await crowd.catch_up(GRACE)
            records = [member.record for member in crowd.members]
        self.tally.add(judge([*records, *left]))

    async def visitors(self, crowd: Crowd, left: list[Record], over: asyncio.Event) -> None:
        """One after the other; each says one thing."""
        address = crowd.members[0].address
        while not over.is_set():
            name = f"v{next(self.numbers)}"
            record = Record(name)
            client = ChatClient(address, name=name, record=record, host="127.0.0.1")
            try:
                await client.start(60)
                offset = await client.send(numbered(name, 1, LENGTH))
                crowd.newest[address] = max(crowd.newest[address], offset)
                await passing(over, *STAY)
            except FAILURES as failure:
                self.failed("visitors", failure)
                continue
            finally:
                record.left_early = True
                if client.epoch:  # it was welcomed
                    left.append(record)
                await client.stop()
            self.tally.visits += 1

    async def documented(self, room: str, kind: str, over: asyncio.Event) -> None:
        """One after the other, in the documented format."""
        address = f"ws://{self.stack.host}/ws/{kind}/{room}/"
        while not over.is_set():
            try:
                async with connect(
                    address, host="127.0.0.1", proxy=None, open_timeout=60, ping_interval=None
                ) as socket:
                    reading = asyncio.create_task(read(socket))
                    await passing(over, *STAY)
                await reading
            except FAILURES as failure:
                self.failed("sockets of documented consumers", failure)
                continue
            self.tally.visits += 1

    # ── The others ─────────────────────────────────────────────────────────────────────────────

    async def look_at_a_quiet_room(self) -> None:
        address = self.address(f"soak-{uuid4().hex}")
        async with ChatClient(address, host="127.0.0.1", record=Record(keep=False)):
            await passing(self.enough, *LOOK)
        self.tally.visits += 1

    async def read_a_page(self) -> None:
        path = random.choice(["/", "/chat/soak-0/"])  # noqa: S311
        async with asyncio.timeout(2 * SECONDS):
            answer = await asyncio.to_thread(request, self.stack, path)
        if answer.status != 200:
            self.tally.faults[f"pages answered with {answer.status}"] += 1
        self.tally.pages += 1

    def address(self, room: str) -> str:
        return f"ws://{self.stack.host}/ws/chat/{room}/"


async def read(socket: ClientConnection) -> None:
    with suppress(ConnectionClosed):
        async for _ in socket:
            pass


async def passing(event: asyncio.Event, shortest: float, longest: float) -> None:
    """Some time, or until the event."""
    with suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), random.uniform(shortest, longest))  # noqa: S311
