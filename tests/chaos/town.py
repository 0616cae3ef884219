"""A town of clients: rooms of twenty whose members talk all the time, through nginx."""

from __future__ import annotations

import asyncio
import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from uuid import uuid4

from tests.chat.crowd import Crowd, each

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.stack.clone import Clone

CLIENTS = int(os.environ.get("CHAOS_CLIENTS", "200"))
RATE = float(os.environ.get("CHAOS_RATE", "50"))  # messages a second, of all rooms together
PER_ROOM = 20
SENDERS_PER_ROOM = 2
LONGEST = 600.0  # seconds that a stream may last
PATIENCE = 240.0  # until a message must be acknowledged, faults included


class Town:
    def __init__(
        self,
        stack: Clone,
        clients: int = CLIENTS,
        rate: float = RATE,
        length: int = 80,
        senders: int = SENDERS_PER_ROOM,
    ) -> None:
        name = f"chaos-{uuid4().hex[:8]}"
        self.stack = stack
        self.clients = clients
        self.rate = rate
        self.length = length
        self.senders = senders
        self.rooms = [f"ws://{stack.host}/ws/chat/{name}-{room}/" for room in range(max(1, clients // PER_ROOM))]
        self.crowd = Crowd(self.rooms, clients, host="127.0.0.1")
        self.members = self.crowd.members

    @asynccontextmanager
    async def stream(self) -> AsyncIterator[None]:
        """All talk until the block is left: each sender numbers its messages and repeats what is not acknowledged."""
        enough = asyncio.Event()
        senders = self.senders * len(self.rooms)
        talking = asyncio.create_task(
            self.crowd.talk(senders, self.rate, LONGEST, self.length, enough=enough, patience=PATIENCE)
        )
        try:
            yield
        finally:
            enough.set()
            await talking

    async def hears(self, more: int, seconds: float) -> None:
        """Returns when each member is connected and has received so many messages more."""
        enough = {member: member.record.messages + more for member in self.members}
        await each(
            member.wait_for(lambda it: it.connected and it.record.messages >= enough[it], seconds)
            for member in self.members
        )

    async def stays_steady(self, seconds: float) -> None:
        """Returns when each member has received what is said in about three seconds."""
        await self.hears(max(2, round(3 * self.rate / len(self.rooms))), seconds)

    def on(self, worker: str) -> int:
        """How many members this container serves."""
        return sum(member.connected and member.worker == worker for member in self.members)
