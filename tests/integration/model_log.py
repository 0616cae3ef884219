"""What the scripts in MyChannels/log do, in Python, with the harm that can befall a store."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from MyChannels.log import NOTHING_SEEN, Announcement, Appended, Draft, Page, Position
from MyChannels.messages import Message

if TYPE_CHECKING:
    from collections.abc import Mapping


class ModelLog:
    """One room's. `slow`: how often the event loop goes round before and after each reading."""

    announces = False

    def __init__(self, length: int) -> None:
        self.length = length
        self.slow = 0
        self.epochs = 0
        self.clock = 1
        self.base = self.offset = 0
        self.epoch = self._new_epoch()
        self.messages: dict[int, Message] = {}
        self.refs: dict[str, Message] = {}

    def _new_epoch(self) -> str:
        self.epochs += 1
        return f"epoch-{self.epochs}"

    def _position(self, seen: Position) -> None:
        if seen.epoch != self.epoch:
            return
        there = self.messages.get(seen.offset)
        if seen.offset > self.offset or (seen.sent_at and there and there.sent_at != seen.sent_at):
            self.epoch, self.base = self._new_epoch(), self.offset

    async def append(
        self, room: str, draft: Draft, seen: Position = NOTHING_SEEN, announcement: Announcement | None = None
    ) -> Appended:
        self._position(seen._replace(sent_at=0))
        if first := self.refs.get(draft.ref):
            return Appended(self.epoch, first.offset, first.sent_at, new=False)
        self.offset += 1
        self.clock += 1
        message = Message(self.offset, draft.sender, draft.text, self.clock)
        self.messages[self.offset] = self.refs[draft.ref] = message
        self.messages.pop(self.offset - self.length, None)
        return Appended(self.epoch, self.offset, self.clock, new=True)

    async def read(
        self, room: str, seen: Position = NOTHING_SEEN, *, after: int | None = None, limit: int = 500
    ) -> Page:
        await self._go_round()
        self._position(seen)
        if after is None:
            after = seen.offset if seen.epoch == self.epoch else self.base
        found = [self.messages[offset] for offset in sorted(self.messages) if offset > after][:limit]
        page = Page(self.epoch, self.base, self.offset, found)
        await self._go_round()
        return page

    async def _go_round(self) -> None:
        for _ in range(self.slow):
            await asyncio.sleep(0)

    async def positions(self, seen: Mapping[str, Position]) -> dict[str, Page]:
        return {room: await self.read(room, position, limit=0) for room, position in seen.items()}

    async def before(self, room: str, before: int | None, limit: int) -> list[Message]:
        older = [offset for offset in sorted(self.messages) if before is None or offset < before]
        return [self.messages[offset] for offset in older[-limit:]]

    async def ping(self) -> None: ...

    def release(self) -> None: ...

    async def close(self) -> None: ...

    # ── Harm ───────────────────────────────────────────────────────────────────────────────────

    def lose_newest(self, count: int) -> None:
        for _ in range(min(count, self.offset)):
            lost = self.messages.pop(self.offset, None)
            if lost:
                self.refs = {ref: message for ref, message in self.refs.items() if message is not lost}
            self.offset -= 1
        self.base = min(self.base, self.offset)

    def lose_all(self) -> None:
        self.epoch, self.base, self.offset = self._new_epoch(), 0, 0
        self.messages.clear()
        self.refs.clear()
