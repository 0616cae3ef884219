"""A mixin that lets your own consumers join rooms, whatever else they do."""

from __future__ import annotations

import asyncio
import logging
import secrets
from typing import TYPE_CHECKING, Any

from django.conf import settings

from MyChannels import messages
from MyChannels.formats import OBJECTS
from MyChannels.groups import check_room_name
from MyChannels.hub import Hub
from MyChannels.log import Draft, Unavailable

if TYPE_CHECKING:
    from MyChannels.messages import Message
    from MyChannels.room import Room

logger = logging.getLogger(__name__)

READ_AT_ONCE = 100
RETRY_SECONDS = 0.5


class RoomMember:
    """Put it before an asynchronous consumer: `class Ticker(RoomMember, AsyncJsonWebsocketConsumer)`.

    `on_message` gets every message of the joined rooms, once and in order, as RoomConsumer's clients do.
    A slow consumer misses nothing that the log still has. `on_gap` reports messages that are gone.
    """

    async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        self._memberships: dict[str, Membership] = {}
        try:
            return await super().__call__(scope, receive, send)  # type: ignore[misc]  # the consumer's
        finally:
            for membership in self._memberships.values():
                membership.end()

    async def join(self, room_name: str, name: str | None = None) -> int:
        """From now on `on_message` gets the room's messages. Returns the newest offset before them.

        With a `name`, the consumer appears among the room's members. Raises ValueError for an invalid room
        name, and Unavailable.
        """
        if room_name not in self._memberships:
            check_room_name(room_name)
            room = await Hub.current().enter(room_name)
            self._memberships[room_name] = Membership(self, room, name)
        return self._memberships[room_name].offset

    def leave(self, room_name: str) -> None:
        """`on_message` gets nothing more from the room."""
        if membership := self._memberships.pop(room_name, None):
            membership.end()

    async def publish(self, room_name: str, text: str, name: str, ref: str | None = None) -> int:
        """Sends `text` to a room as `name` and returns the message's offset. It need not have joined the room.

        Retries with the same `ref` and text add the message only once. Raises ValueError for a name or a text
        that no member could use, RefReused for the same `ref` with another text, and Unavailable if it is
        unknown whether the message was added.
        """
        check_room_name(room_name)
        text = messages.check(text, settings.MAX_TEXT_LENGTH)
        draft = Draft(messages.check_name(name), text, ref or secrets.token_urlsafe(16))
        return (await Hub.current().say_in(room_name, draft)).offset

    async def on_message(self, room_name: str, message: Message) -> None:
        """Override this. It runs concurrently with the consumer's other handlers, for one message at a time."""

    async def on_gap(self, room_name: str) -> None:
        """Messages may be missing between the last one passed on and the next."""


class Membership:
    """One room of one consumer: reads on from its own offset whenever the room has a new message."""

    format = OBJECTS

    def __init__(self, consumer: RoomMember, room: Room, name: str | None) -> None:
        self.key = secrets.token_hex(9)
        self.offset = room.offset
        self._consumer = consumer
        self._room = room
        self._name = name
        self._missed = False
        self._something = asyncio.Event()
        if name is not None:
            Hub.current().presence.enter(room.name, self.key, name)
        room.add(self)
        self._passing_on = asyncio.get_running_loop().create_task(self._pass_on())

    def write(self, message: Any) -> None:
        self._something.set()

    def begin_anew(self) -> None:
        self._missed = True
        self._something.set()

    def end(self) -> None:
        self._passing_on.cancel()
        self._room.remove(self)
        if self._name is not None:
            Hub.current().presence.leave(self._room.name, self.key)
        Hub.current().leave(self._room)

    async def _pass_on(self) -> None:
        while True:
            await self._something.wait()
            self._something.clear()
            try:
                await self._read_on()
            except Unavailable:
                self._something.set()
                await asyncio.sleep(RETRY_SECONDS)
            except Exception:
                # Close the socket, as when a consumer's own handler fails.
                logger.exception("%s failed in room %s", type(self._consumer).__name__, self._room.name)
                await self._consumer.close(1011)  # type: ignore[attr-defined]  # the consumer's
                return

    async def _read_on(self) -> None:
        while self._missed or self.offset < self._room.offset:
            found = [] if self._missed else await self._room.after(self.offset, READ_AT_ONCE)
            if not found:
                self._missed = False
                self.offset = self._room.offset
                await self._consumer.on_gap(self._room.name)
            for message in found:
                if self._missed:
                    break
                await self._consumer.on_message(self._room.name, message)
                self.offset = message.offset
