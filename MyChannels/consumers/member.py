"""For consumers of your own: to be a member of rooms, whatever else the consumer does."""

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
    """Goes in front of an asynchronous consumer: `class Ticker(RoomMember, AsyncJsonWebsocketConsumer)`.

    `on_message` gets every message of the joined rooms, once and in order, as RoomConsumer's clients do.
    A slow one misses nothing that the log still has; what it can no longer have, `on_gap` tells.
    """

    async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        self._memberships: dict[str, Membership] = {}
        try:
            return await super().__call__(scope, receive, send)  # type: ignore[misc]  # the consumer behind
        finally:
            for membership in self._memberships.values():
                membership.end()

    async def join(self, room_name: str, name: str | None = None) -> int:
        """From now on `on_message` gets what is said in the room; returns the newest offset before that.

        With a `name` the room's members see one more. Raises ValueError for what is no room's name, and
        Unavailable.
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
        """Says `text` in a room as `name`, joined or not, and returns the message's offset.

        The same `ref` says the same text once, however often it is tried. Raises ValueError for a name or a
        text that no member could have used, RefReused, and Unavailable: whether it was said is unknown then.
        """
        check_room_name(room_name)
        text = messages.check(text, settings.MAX_TEXT_LENGTH)
        draft = Draft(messages.check_name(name), text, ref or secrets.token_urlsafe(16))
        return (await Hub.current().say_in(room_name, draft)).offset

    async def on_message(self, room_name: str, message: Message) -> None:
        """To be written by you. It runs beside the consumer's other handlers; messages wait for each other."""

    async def on_gap(self, room_name: str) -> None:
        """Messages may be missing between those passed on and those that follow."""


class Membership:
    """One room of one consumer: reads on from where it is whenever something was said."""

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
                # As when a consumer's own handler fails: its socket is closed.
                logger.exception("%s failed in room %s", type(self._consumer).__name__, self._room.name)
                await self._consumer.close(1011)  # type: ignore[attr-defined]  # the consumer behind
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
