"""The production room: chat.v1 and the documented format, on the process' hub."""

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

OPEN_SECONDS = 10.0  # until the room must have been read
# The same where the handshake waits for it, for which Daphne grants 5 s.
HANDSHAKE_SECONDS = 4.0
RETRY_SECONDS = 0.5
REPLAYED_AT_ONCE = 100  # messages in one frame
# A client library's default bound on what it receives is 1 MiB; the newest page must fit well.
HISTORY_BYTES = 256 * 1024
REFUSED_SECONDS = 0.01  # that each refusal holds the client up, so that a frame of many holds up nobody else
MOST_MEMBERS = 1000  # names in one answer
TYPING_SECONDS = 1.0  # between two that are passed on

MALFORMED, UNREADABLE, RATE_LIMITED = 4400, 1013, 4429
# Without 0 o 1 l i: a name may be read aloud.
LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"


class RoomConsumer(AsyncWebsocketConsumer):
    """One socket of a room. It has no channel of its own: the hub writes to it directly."""

    channel_layer_alias = None
    groups = ()

    # A dictionary of its own would be 1 KB of each socket: attributes that come late, while others are opened, are
    # not shared (https://peps.python.org/pep-0412/).
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
            # Stock waits for its channel besides, by two tasks for each event; this has none.
            while True:
                await self.dispatch(await receive())
        except StopConsumer:
            pass
        finally:
            self.leave()  # cancelled too, when the server stops

    async def dispatch(self, message: dict[str, Any]) -> None:
        """Stock hops to a thread first, to close old database connections; nothing here has any, and
        `database_sync_to_async` looks after its own."""
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
                await self.accept()  # browsers learn the code of an open socket, and nothing of a refused handshake
            await self.close(UNREADABLE, "the room cannot be read now")

    def introduce(self, asked: Connect) -> None:
        """Who this is: the session's user, the guest that the client names, or one that we name."""
        user = self.scope.get("user")
        self.user = bool(user and user.is_authenticated)
        guest = asked.name or "guest-" + "".join(secrets.choice(LETTERS) for _ in range(4))
        self.name = user.get_username() if user and self.user else guest
        client = asked.client or secrets.token_urlsafe(16)
        # No part can hold the NUL, but a ref, which is last.
        self.identity = f"{'user' if self.user else 'guest'}\0{self.name}\0{client}"
        self.key = hashlib.blake2b(self.identity.encode(), digest_size=9).hexdigest()

    async def join(self, asked: Connect) -> None:
        """For chat.v1, whose welcome says from where on the client is a member."""
        deadline = asyncio.get_running_loop().time() + OPEN_SECONDS
        room = await self.enter(deadline)
        recovered = None
        if asked.since:
            recovered = await self.until_readable(partial(room.reaches, *asked.since), deadline)
        # From here to `add` or to the first replayed message nothing is awaited: the offset told is exact.
        self.appear(room)
        self.welcome(recovered)
        if recovered and asked.since:
            await self.replay(asked.since[1])
        room.add(self)
        self.writer.read_together()
        if not recovered:
            self.announce(room)

    async def join_and_accept(self) -> None:
        """For the documented format, in this order, as in the documented consumers: nothing but the accept tells the
        client that it is a member."""
        room = await self.enter(asyncio.get_running_loop().time() + HANDSHAKE_SECONDS)
        self.appear(room)
        heard: list[Any] = []  # no socket takes anything before the accept
        self.write = heard.append
        room.add(self)
        await self.accept()
        self.write = self.writer.write
        room.add(self)  # with this `write` in place of the other
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
        """Asks again while the log is unavailable."""
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
        """Writes what follows `offset` until there is nothing left, as fast as the client takes it. Meanwhile
        live messages only lengthen what is left, so that both merge without a gap or a repetition."""
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
                return  # nobody is told of it while this goes on
        if room.epoch != epoch or offset < room.offset:
            self.welcome(recovered=False)

    def begin_anew(self) -> None:
        self.welcome(recovered=False)

    def tell(self, content: ServerObject) -> None:
        if (payload := self.format.other(content)) is not None:
            self.write(payload)

    # ── Leaving ────────────────────────────────────────────────────────────────────────────────

    async def websocket_disconnect(self, message: dict[str, Any]) -> None:
        """Stock hops to a thread here too, and leaves groups that this has not joined."""
        await self.disconnect(message["code"])
        raise StopConsumer

    async def disconnect(self, code: int) -> None:
        """What was received is said before the process may end."""
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
        """A frame that holds none costs as much as one."""
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
        """Waits for nothing: pings are answered while the log is away. What is said first is appended first."""
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
        """Each fault is answered alone, and closes nothing."""
        if self.v1:
            self.tell(fault.content())
        else:
            self.write(self.writer.pack(messages.encode_error(Malformed(fault.detail))))

    async def refuse(self, fault: Fault) -> None:
        """Who is limited for long is closed."""
        self.answer(fault)
        if fault.code != "rate_limited":
            return
        if self.rate.exhausted:
            self.leave()
            await self.close(RATE_LIMITED, "rate limited for too long")
        else:
            await asyncio.sleep(REFUSED_SECONDS)


def newest(found: list[Message], most: int) -> list[Message]:
    """As many of the newest as fit into `most` bytes, but at least one."""
    taken = 0
    for count, message in enumerate(reversed(found)):
        taken += len(message.line.encode())
        if count and taken > most:
            return found[-count:]
    return found


def oldest(found: list[Message], most: int) -> list[Message]:
    """As many of the oldest as fit into `most` bytes, but at least one."""
    taken = 0
    for count, message in enumerate(found):
        taken += len(message.line.encode())
        if count and taken > most:
            return found[:count]
    return found
