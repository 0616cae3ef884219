"""The production room: chat.v1 and the documented format, served by the process' hub."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeVar

from channels.exceptions import StopConsumer
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings

from MyChannels import formats, messages, metrics
from MyChannels.hub import Hub
from MyChannels.limits import Rate
from MyChannels.log import Draft, RefReused, Unavailable
from MyChannels.messages import SUBPROTOCOL, Connect, Fault, Malformed, Message, ServerObject
from MyChannels.writer import FANOUT, FrameWriter, SendWriter

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from MyChannels.log import Appended
    from MyChannels.room import Room

Answer = TypeVar("Answer")

OPEN_SECONDS = 10.0  # deadline for reading the room
# The same while the handshake waits for the room: Daphne allows a handshake 5 s.
HANDSHAKE_SECONDS = 4.0
RETRY_SECONDS = 0.5
REPLAYED_AT_ONCE = 100  # messages in one frame
# Client libraries limit received messages to 1 MiB by default; the newest page must fit well below that.
HISTORY_BYTES = 256 * 1024
REFUSED_SECONDS = 0.01  # pause of this client after each refusal, so that a frame of many delays no other client
MOST_MEMBERS = 1000  # names in one answer
TYPING_SECONDS = 1.0  # between two typing events of one client

MALFORMED, UNREADABLE, RATE_LIMITED = 4400, 1013, 4429
# Without 0 o 1 l i, since people may read a name aloud.
LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"


class RoomConsumer(AsyncWebsocketConsumer):
    """One socket of a room. It has no channel: the hub writes to it directly."""

    channel_layer_alias = None
    groups = ()

    # An instance dictionary would cost each socket 1 KB: its keys are not shared between instances when attributes are
    # set late, while other instances are created (https://peps.python.org/pep-0412/).
    __slots__ = (
        "base_send",
        "entered",
        "format",
        "hub",
        "identity",
        "key",
        "name",
        "rate",
        "room",
        "saying",
        "scope",
        "typed_at",
        "user",
        "v1",
        "write",
        "writer",
    )

    def __init__(self) -> None:
        super().__init__()
        self.room: Room | None = None
        self.entered = False
        self.saying: list[asyncio.Future[Appended]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        fanout = scope.get("extensions", {}).get(FANOUT)
        self.writer = FrameWriter(fanout) if fanout else SendWriter(send)
        self.write: Callable[[Any], None] = self.writer.write
        self.scope, self.base_send = scope, send
        try:
            # Stock Channels also waits for its channel, with two tasks per event. This consumer has no channel.
            while True:
                await self.dispatch(await receive())
        except StopConsumer:
            pass
        finally:
            self.leave()  # also when the server stops and cancels this task

    async def dispatch(self, message: dict[str, Any]) -> None:
        """Stock Channels first switches to a thread, to close old database connections. This consumer uses none,
        and `database_sync_to_async` closes its own."""
        await getattr(self, message["type"].replace(".", "_"))(message)

    # ── Joining ────────────────────────────────────────────────────────────────────────────────

    async def connect(self) -> None:
        v1 = SUBPROTOCOL in self.scope["subprotocols"]
        self.format = (formats.CHAT_V1 if v1 else formats.DOCUMENTED)[type(self.writer)]
        self.v1 = v1
        try:
            asked = messages.parse_query(self.scope["query_string"])
        except Malformed as fault:
            await self.accept(SUBPROTOCOL if v1 else None)
            await self.close(MALFORMED, str(fault))
            return
        self.introduce(asked)
        self.rate = Rate(settings.MESSAGE_RATE)
        self.typed_at = float("-inf")
        self.hub = Hub.current()
        try:
            if v1:
                await self.accept(SUBPROTOCOL)
                await self.join(asked)
            else:
                await self.join_and_accept()
        except Unavailable:
            if not v1:
                await self.accept()  # a browser sees the close code of an open socket, but not why a handshake failed
            await self.close(UNREADABLE, "the room cannot be read now")

    def introduce(self, asked: Connect) -> None:
        """Sets the name: the session's user, else the guest name that the client asked for, else a generated one."""
        user = self.scope.get("user")
        self.user = bool(user and user.is_authenticated)
        guest = asked.name or "guest-" + "".join(secrets.choice(LETTERS) for _ in range(4))
        self.name = user.get_username() if user and self.user else guest
        client = asked.client or secrets.token_urlsafe(16)
        # Only a ref can contain a NUL, and it comes last.
        self.identity = f"{'user' if self.user else 'guest'}\0{self.name}\0{client}"
        self.key = hashlib.blake2b(self.identity.encode(), digest_size=9).hexdigest()

    async def join(self, asked: Connect) -> None:
        """For chat.v1, where the welcome names the offset at which the client becomes a member."""
        deadline = asyncio.get_running_loop().time() + OPEN_SECONDS
        room = await self.enter(deadline)
        recovered = None
        if asked.since:
            recovered = await self.until_readable(partial(room.reaches, *asked.since), deadline)
        # No await from here to `add` or to the first replayed message, so the welcome's offset is exact.
        self.appear(room)
        self.welcome(recovered)
        if recovered and asked.since:
            await self.replay(asked.since[1])
        room.add(self)
        self.writer.read_together()
        if not recovered:
            self.announce(room)

    async def join_and_accept(self) -> None:
        """For the documented format: join first, then accept, as the documented consumers do. The accept is the
        client's only sign that it is a member."""
        room = await self.enter(asyncio.get_running_loop().time() + HANDSHAKE_SECONDS)
        self.appear(room)
        heard: list[Any] = []  # nothing can be written before the accept
        self.write = heard.append
        room.add(self)
        await self.accept()
        self.write = self.writer.write
        room.add(self)  # again, since it stores `write`
        for payload in heard:
            self.write(payload)
        self.writer.read_together()
        self.announce(room)

    async def enter(self, deadline: float) -> Room:
        name = self.scope["url_route"]["kwargs"]["room_name"]
        room = self.room = await self.until_readable(partial(self.hub.enter, name), deadline)
        return room

    def appear(self, room: Room) -> None:
        self.hub.presence.enter(room.name, self.key, self.name)
        self.entered = True
        metrics.MEMBERS.inc()

    def announce(self, room: Room) -> None:
        if self.hub.presence.count(room.name) <= settings.PRESENCE_LIMIT:
            event = messages.event(messages.joined(self.name)) | {"joined": self.name}
            self.hub.announce_sentence(room, event)

    async def until_readable(self, ask: Callable[[], Awaitable[Answer]], deadline: float) -> Answer:
        """Retries `ask` while the log is unavailable, until the deadline."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                async with asyncio.timeout_at(deadline):
                    return await ask()
            except TimeoutError:
                raise Unavailable("the room could not be read in time") from None
            except Unavailable:
                if loop.time() + RETRY_SECONDS > deadline:
                    raise
                await asyncio.sleep(RETRY_SECONDS)

    def welcome(self, recovered: bool | None) -> None:
        assert self.room  # noqa: S101  # for mypy
        content: messages.Welcome = {
            "type": "welcome",
            "room": self.room.name,
            "name": self.name,
            "worker": self.hub.worker,
            "epoch": self.room.epoch,
            "offset": self.room.offset,
            "members": self.hub.presence.count(self.room.name),
        }
        if recovered is not None:
            content["recovered"] = recovered
        self.tell(content)

    async def replay(self, offset: int) -> None:
        """Writes all messages after `offset`, as fast as the client reads. Live messages that arrive meanwhile join
        the end of the replay, so there is no gap and no repetition between replayed and live messages."""
        assert self.room  # noqa: S101  # for mypy
        room, epoch = self.room, self.room.epoch
        while offset < room.offset and room.epoch == epoch:
            deadline = asyncio.get_running_loop().time() + OPEN_SECONDS
            found = await self.until_readable(partial(room.after, offset, REPLAYED_AT_ONCE), deadline)
            if room.epoch != epoch or not found:
                break
            found = oldest(found, HISTORY_BYTES)
            self.write(self.writer.pack("\n".join(message.line for message in found)))
            offset = found[-1].offset
            if not await self.writer.drained():
                return  # the connection is gone; its disconnect event waits until this returns
        if room.epoch != epoch or offset < room.offset:
            self.welcome(recovered=False)

    def begin_anew(self) -> None:
        self.welcome(recovered=False)

    def tell(self, content: ServerObject) -> None:
        if (payload := self.format.other(content)) is not None:
            self.write(payload)

    # ── Leaving ────────────────────────────────────────────────────────────────────────────────

    async def websocket_disconnect(self, message: dict[str, Any]) -> None:
        """Stock Channels switches to a thread here too, and leaves groups that this consumer never joined."""
        await self.disconnect(message["code"])
        raise StopConsumer

    async def disconnect(self, code: int) -> None:
        """Waits for the appends of all received messages, so that the process does not end before them."""
        self.leave()
        if self.saying:
            await asyncio.wait(self.saying)

    def leave(self) -> None:
        self.writer.close()
        if self.room is None:
            return
        room, self.room = self.room, None
        room.remove(self)
        if self.entered:
            metrics.MEMBERS.dec()
            self.hub.presence.leave(room.name, self.key)
        self.hub.leave(room)

    # ── What the client sends ──────────────────────────────────────────────────────────────────

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if self.room is None:
            return  # closing
        frame = text_data if bytes_data is None else bytes_data
        try:
            await (self.receive_v1 if self.v1 else self.receive_sentence)(frame or "")
        except Fault as fault:
            await self.refuse(fault)

    async def receive_v1(self, frame: str | bytes) -> None:
        for line in self.objects(frame):
            if self.room is None:
                return  # closing
            try:
                asked = self.permitted(line)
                await self.handle(asked)
            except Fault as fault:
                await self.refuse(fault)

    def objects(self, frame: str | bytes) -> Iterator[str]:
        """The objects of a frame. A frame without any counts as one against the rate limit."""
        try:
            found = messages.lines(frame)
        except Fault:
            self.pay()
            raise
        first = next(found, None)
        if first is None:
            self.pay()
            return iter(())
        return chain([first], found)

    def permitted(self, line: str) -> messages.ClientObject:
        try:
            asked = messages.parse_v1(line, settings.MAX_TEXT_LENGTH)
        except Fault as fault:
            self.pay(fault.ref)
            raise
        self.pay(getattr(asked, "ref", None))
        return asked

    def pay(self, ref: str | None = None) -> None:
        if not self.rate.permits():
            raise Fault("rate_limited", "expected fewer messages; send it again later", ref)

    async def handle(self, asked: messages.ClientObject) -> None:
        match asked:
            case messages.Send(text, ref):
                self.say(text, ref)
            case messages.Ping():
                self.tell({"type": "pong"})
            case messages.Typing():
                self.typing()
            case messages.Members():
                self.tell_members()
            case messages.History(before, limit, ref):
                await self.tell_history(before, limit, ref)

    async def receive_sentence(self, frame: str | bytes) -> None:
        self.pay()
        try:
            text = messages.parse(frame, settings.MAX_TEXT_LENGTH)
        except Malformed as fault:
            raise Fault("malformed", str(fault)) from None
        self.say(text, None)

    def say(self, text: str, ref: str | None) -> None:
        """Does not wait, so that pings are answered while the log is unavailable. Messages are appended in order."""
        if self.room is None:
            return
        own = f"{self.identity}\0{ref}" if ref else secrets.token_urlsafe(16)
        saying = self.hub.say(self.room, Draft(self.name, text, own, self.user))
        self.saying.append(saying)
        saying.add_done_callback(partial(self.said, ref))

    def said(self, ref: str | None, said: asyncio.Future[Appended]) -> None:
        self.saying.remove(said)
        if said.cancelled():
            return
        match said.exception():
            case None:
                if ref:
                    self.acknowledge(ref, said.result().offset)
            case RefReused() as fault:
                self.answer(Fault("ref_reused", str(fault), ref))
            case Unavailable():
                metrics.UNAVAILABLE.inc()
                self.answer(Fault("unavailable", "whether it arrived is unknown; send it again with the same ref", ref))
            case fault:
                raise fault

    def acknowledge(self, ref: str, offset: int) -> None:
        payload = self.format.other({"type": "ack", "ref": ref, "offset": offset})
        if payload is not None:
            self.room.answer(self, payload) if self.room else self.write(payload)

    def typing(self) -> None:
        assert self.room  # noqa: S101  # for mypy
        now = asyncio.get_running_loop().time()
        if now - self.typed_at >= TYPING_SECONDS:
            self.typed_at = now
            self.hub.type_in(self.room, self, self.name)

    def tell_members(self) -> None:
        assert self.room  # noqa: S101  # for mypy
        names = self.hub.presence.names(self.room.name)
        self.tell({"type": "members", "names": names[:MOST_MEMBERS], "count": len(names)})

    async def tell_history(self, before: int | None, limit: int, ref: str | None) -> None:
        assert self.room  # noqa: S101  # for mypy
        try:
            found = await self.hub.history(self.room, before, limit + 1)
        except Unavailable:
            raise Fault("unavailable", "the log cannot be read now; ask again", ref) from None
        page = newest(found[-limit:], HISTORY_BYTES)
        self.tell({"type": "history", "messages": [m.content() for m in page], "more": len(page) < len(found)})

    def answer(self, fault: Fault) -> None:
        """Answers one fault; the socket stays open."""
        if self.v1:
            self.tell(fault.content())
        else:
            self.write(self.writer.pack(messages.encode_error(Malformed(fault.detail))))

    async def refuse(self, fault: Fault) -> None:
        """Answers a fault, and closes the socket of a client that has been rate limited for too long."""
        self.answer(fault)
        if fault.code != "rate_limited":
            return
        if self.rate.exhausted:
            self.leave()
            await self.close(RATE_LIMITED, "rate limited for too long")
        else:
            await asyncio.sleep(REFUSED_SECONDS)


def newest(found: list[Message], most: int) -> list[Message]:
    """As many of the newest messages as fit into `most` bytes, at least one."""
    taken = 0
    for count, message in enumerate(reversed(found)):
        taken += len(message.line.encode())
        if count and taken > most:
            return found[-count:]
    return found


def oldest(found: list[Message], most: int) -> list[Message]:
    """As many of the oldest messages as fit into `most` bytes, at least one."""
    taken = 0
    for count, message in enumerate(found):
        taken += len(message.line.encode())
        if count and taken > most:
            return found[:count]
    return found
