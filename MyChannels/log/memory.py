"""The room log in this process' memory, for `make dev` and for tests."""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict, deque
from typing import TYPE_CHECKING

from MyChannels.log import NOTHING_SEEN, REF_SECONDS, Appended, Draft, Page, Position, RefReused
from MyChannels.messages import Message

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from MyChannels.log import Announcement


class Room:
    """The same data of one room that append.lua keeps in Redis."""

    def __init__(self, length: int) -> None:
        self.epoch = secrets.token_urlsafe(9)
        self.offset = 0
        self.messages: deque[Message] = deque(maxlen=length)
        self.refs: OrderedDict[str, Message] = OrderedDict()


class MemoryLog:
    """Data is lost only when the process ends, so an epoch lasts as long as the process."""

    announces = False

    def __init__(self, *, length: int, seconds: int, now: Callable[[], float] = time.time) -> None:
        self.length = length
        self.seconds = seconds
        self.now = now
        self.rooms: dict[str, Room] = {}

    async def append(
        self, room: str, draft: Draft, seen: Position = NOTHING_SEEN, announcement: Announcement | None = None
    ) -> Appended:
        kept = self._room(room)
        first = kept.refs.get(draft.ref)
        if first:
            if first.text != draft.text:
                raise RefReused("expected a new ref for another text, received one that is taken")
            return Appended(kept.epoch, first.offset, first.sent_at, new=False)
        kept.offset += 1
        message = Message(kept.offset, draft.sender, draft.text, int(self.now() * 1000), user=draft.user)
        kept.messages.append(message)
        kept.refs[draft.ref] = message
        self._trim(kept)
        return Appended(kept.epoch, message.offset, message.sent_at, new=True)

    async def read(
        self, room: str, seen: Position = NOTHING_SEEN, *, after: int | None = None, limit: int = 500
    ) -> Page:
        kept = self._room(room)
        if after is None:
            after = seen.offset if seen.epoch == kept.epoch else 0
        messages = [message for message in kept.messages if message.offset > after][:limit]
        return Page(kept.epoch, 0, kept.offset, messages)

    async def positions(self, seen: Mapping[str, Position]) -> dict[str, Page]:
        return {room: await self.read(room, position, limit=0) for room, position in seen.items()}

    async def before(self, room: str, before: int | None, limit: int) -> list[Message]:
        older = [message for message in self._room(room).messages if before is None or message.offset < before]
        return older[-limit:]

    async def ping(self) -> None:
        pass

    def release(self) -> None:
        pass  # nothing is ever held back: this store cannot restart without its process

    async def close(self) -> None:
        self.rooms.clear()

    def _room(self, name: str) -> Room:
        if name not in self.rooms:
            self.rooms[name] = Room(self.length)
        return self.rooms[name]

    def _trim(self, kept: Room) -> None:
        now = self.now() * 1000
        while kept.messages[0].sent_at < now - self.seconds * 1000:
            kept.messages.popleft()
        oldest = kept.messages[0].offset
        while (first := next(iter(kept.refs.values()))).offset < oldest and first.sent_at <= now - REF_SECONDS * 1000:
            kept.refs.popitem(last=False)
