"""A client of chat.v1 that reconnects, resumes and repeats by itself, and records what it got.

Made for hundreds in one process: a frame is read in the event loop's own callback, and a task wakes
only when a socket begins or ends.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections import defaultdict, deque
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from time import monotonic
from typing import TYPE_CHECKING, Any, Self, TypeVar
from urllib.parse import urlencode
from uuid import uuid4

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.frames import DATA_OPCODES, Frame, Opcode
from websockets.protocol import State
from websockets.typing import Subprotocol

from tests.chat.record import Message, Reconnect, Record, Sent, Welcome, read

if TYPE_CHECKING:
    from collections.abc import Callable

    from websockets.client import ClientProtocol
    from websockets.protocol import Event

T = TypeVar("T")

CHAT_V1 = Subprotocol("chat.v1")
SECONDS = 15.0  # `welcome` itself may wait 10 s
# Whoever gets these need not come back as they are.
FINAL_CODES = frozenset({4400, 4401, 4403, 4410})
PASSING_STATUS = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})
REPEATED_ERRORS = frozenset({"unavailable", "rate_limited"})
FIRST_DELAY = 0.5
CLOSING_SECONDS = 5.0  # for the server to end TCP after its close frame


class Refused(Exception):
    """By a final close code, a handshake's status, or the code of an `error`."""

    def __init__(self, code: int | str, detail: str = "") -> None:
        super().__init__(f"{code} {detail}".rstrip())
        self.code = code


@dataclass(slots=True)
class Waiter:
    condition: Callable[[ChatClient], object]
    future: asyncio.Future[None]


# One for all, because what is in it is taken out before the loop goes on. Without it, asyncio's every read
# takes 256 KiB from the system and gives them back, which costs more than all the rest of receiving.
BUFFER = memoryview(bytearray(2**18))


class Connection(ClientConnection, asyncio.BufferedProtocol):
    """Hands a message on as it comes, past the library's queue."""

    def __init__(self, protocol: ClientProtocol, chat: ChatClient, **options: Any) -> None:
        super().__init__(protocol, **options)
        self.chat = chat
        self.fragments: list[bytes] = []
        self.lost_at: float | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.chat.connection = self

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost_at = self.lost_at or monotonic()
        super().connection_lost(exc)

    def get_buffer(self, sizehint: int) -> memoryview:
        return BUFFER

    def buffer_updated(self, nbytes: int) -> None:
        self.data_received(bytes(BUFFER[:nbytes]))

    def process_event(self, event: Event) -> None:
        if self.response is None or not isinstance(event, Frame) or event.opcode not in DATA_OPCODES:
            super().process_event(event)
            if not isinstance(event, Frame) and self.protocol.state is State.OPEN and self.subprotocol != CHAT_V1:
                self.chat.end(Refused("no chat.v1", "the server chose no subprotocol"))
            if isinstance(event, Frame) and event.opcode is Opcode.CLOSE:
                self.lost_at = monotonic()
                self.loop.call_later(CLOSING_SECONDS, self.transport.abort)
        elif event.fin and not self.fragments:
            self.chat.receive(bytes(event.data))
        else:
            self.fragments.append(bytes(event.data))
            if event.fin:
                whole, self.fragments = b"".join(self.fragments), []
                self.chat.receive(whole)

    def write(self, frame: str) -> None:
        """At once, without waiting for the socket to take it: a client of these tests says little."""
        if self.protocol.state is State.OPEN and not self.transport.is_closing():
            self.protocol.send_text(frame.encode())
            self.send_data()

    def cut(self) -> None:
        self.lost_at = self.lost_at or monotonic()
        self.transport.abort()


class ChatClient:
    """One member of one room, on one socket after another.

    `address` is the room's, without a query: `ws://localhost:8080/ws/chat/lobby/`. `options` are those of
    websockets' `connect`: `host` and `port` of the TCP connection where they differ, `ssl`, and so on.
    """

    def __init__(
        self,
        address: str,
        *,
        name: str | None = None,
        client: str | None = None,
        headers: dict[str, str] | None = None,
        record: Record | None = None,
        cap: float = 10.0,
        silence: float = 25.0,
        **options: Any,
    ) -> None:
        self.address = address
        self.client = client or uuid4().hex
        self.record = record or Record()
        self.record.name = self.record.name or name or self.client
        self.record.room = address
        self.cap = cap
        self.silence = silence
        self.options = {"additional_headers": headers, "proxy": None, "open_timeout": SECONDS, **options}

        self.name = name  # from the first welcome on, the one that the server knows
        self.epoch: str | None = None
        self.offset = 0  # the newest that was received or told of
        self.worker = ""
        self.members = 0
        self.connected = False  # and welcomed
        self.ended: BaseException | None = None  # why it will not come back

        self.connection: Connection | None = None
        self._given_name = name
        self._since: str | None = None
        self._refs = (f"{self.client[:8]}-{uuid4().hex[:8]}-{n}" for n in range(1, 10**9))
        self._sent: dict[str, Sent] = {}
        self._unanswered: dict[str, asyncio.Future[int]] = {}
        self._asked: defaultdict[str, deque[tuple[str, asyncio.Future[dict[str, Any]]]]] = defaultdict(deque)
        self._waiters: list[Waiter] = []
        self._listeners: defaultdict[str, list[Callable[[Any], object]]] = defaultdict(list)
        self._catching_up: list[Reconnect] = []
        self._reconnect: Reconnect | None = None  # since the socket was lost, until the next welcome
        self._failures = 0
        self._heard = 0.0
        self._silent: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None

    # ── Life ───────────────────────────────────────────────────────────────────────────────────

    async def start(self, seconds: float = SECONDS) -> Self:
        """Returns when the room has welcomed it."""
        self._task = asyncio.create_task(self._run())
        self._task.add_done_callback(self._finished)
        try:
            await self.wait_for(lambda client: client.connected, seconds)
        except BaseException:
            await self.stop()
            raise
        return self

    async def stop(self) -> None:
        """Leaves, with a close frame if there is a socket."""
        self.end(ConnectionError(f"{self.record.name} was stopped"))
        self.connected = False
        if self._silent:
            self._silent.cancel()
        if self._task:
            self._task.cancel()
            await asyncio.wait([self._task])
            if not self._task.cancelled() and (fault := self._task.exception()):
                raise fault
        if self.connection:
            await self.connection.close()

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def cut(self) -> bool:
        """Drops TCP as a lost network does, whatever is under way; false if there is no socket just now."""
        if self.connection is None or self.connection.lost_at:
            return False
        self.connection.cut()
        self.connected = False
        return True

    async def _run(self) -> None:
        while self.ended is None:
            code = await self._live()
            self._lost(code)
            if self.ended:
                break
            # Full jitter; a socket that was welcomed ends the row of failures.
            await asyncio.sleep(jitter(min(self.cap, FIRST_DELAY * 2**self._failures)))
            self._failures += 1

    def _finished(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (fault := task.exception()):
            self.end(fault)

    async def _live(self) -> int:
        """One socket from its handshake to its end; the code it ended with."""
        self._since = None if self.epoch is None else f"{self.epoch}:{self.offset}"
        query = {"name": self._given_name, "client": self.client, "since": self._since}
        given = urlencode({key: value for key, value in query.items() if value is not None}, safe=":")
        if self._reconnect:
            self._reconnect.attempts += 1
        try:
            connection = await connect(
                f"{self.address}?{given}",
                subprotocols=[CHAT_V1],
                compression=None,
                ping_interval=None,  # the protocol has its own
                max_size=None,
                max_queue=None,  # nothing is queued
                close_timeout=CLOSING_SECONDS,
                create_connection=partial(Connection, chat=self),  # type: ignore[arg-type]  # it is only called
                **self.options,
            )
        except InvalidStatus as refusal:
            status = refusal.response.status_code
            if status < HTTPStatus.INTERNAL_SERVER_ERROR and status not in PASSING_STATUS:
                self.end(Refused(status, "at the handshake"))
            return 1006
        except (OSError, InvalidHandshake, ConnectionClosed):  # TimeoutError is an OSError
            return 1006
        if self.ended:
            await connection.close()
        self._heard = monotonic()
        self._watch()
        await connection.wait_closed()
        code = connection.close_code or 1006
        if code in FINAL_CODES:
            self.end(Refused(code, connection.close_reason or ""))
        return code

    def _lost(self, code: int) -> None:
        lost_at = (self.connection and self.connection.lost_at) or monotonic()
        self.connected, self.connection = False, None
        self.record.counts[f"close {code}"] += 1
        if self.epoch is not None and self._reconnect is None and self.ended is None:
            self._reconnect = Reconnect(lost_at, code)
            self.record.reconnects.append(self._reconnect)
        self._wake()

    def end(self, why: BaseException) -> None:
        """Whoever waits for something is told why it will not come."""
        if self.ended is None:
            self.ended = why
            awaited: list[asyncio.Future[Any]] = [*self._unanswered.values()]
            awaited += [future for questions in self._asked.values() for _, future in questions]
            awaited += [waiter.future for waiter in self._waiters]
            for future in awaited:
                if not future.done():
                    future.set_exception(why)
        self._waiters.clear()

    # ── Receiving ──────────────────────────────────────────────────────────────────────────────

    def receive(self, frame: bytes) -> None:
        if self.ended:  # it has left, and waits for the socket's end
            return
        self._heard = now = monotonic()
        record = self.record
        record.frames += 1
        record.bytes += len(frame)
        for line in frame.split(b"\n"):
            event = read(line)
            if isinstance(event, Message):
                record.messages += 1
                if record.keep:  # inlined `record.add`: this is the one hot place
                    record.entries.append(event)
                    record.times.append(now)
                if not self.connected:
                    record.violations.append(f"message {event.offset} before the welcome")
                if event.offset > self.offset:
                    self.offset = event.offset
                if self._catching_up:
                    self._catch_up(now)
            elif event is None:
                record.violations.append(f"unreadable: {line[:100]!r}")
            else:
                try:
                    self._handle(event, now)
                except (LookupError, TypeError) as fault:
                    record.violations.append(f"{fault!r} in {line[:100]!r}")
            if self._listeners:
                self._tell(event)
        if self._waiters:
            self._wake()

    def _handle(self, event: dict[str, Any], now: float) -> None:
        kind = event["type"]
        self.record.counts[kind] += 1
        if kind != "welcome" and not self.connected:
            self.record.violations.append(f"{kind} before the welcome")
        match kind:
            case "welcome":
                self._welcome(event, now)
            case "ack":
                self._acknowledge(event, now)
            case "error":
                self._error(event)
            case "joined" | "left":
                self.members = event["members"]
            case "members":
                self.members = event["count"]
        if questions := self._asked.get(kind):
            _, future = questions.popleft()
            if not future.done():
                future.set_result(event)

    def _welcome(self, event: dict[str, Any], now: float) -> None:
        opening = not self.connected
        recovered = event.get("recovered")
        welcome = Welcome(
            event["epoch"], event["offset"], recovered, self._since if opening else None, opening, event["worker"]
        )
        self.record.add(welcome, now)
        if not (recovered and self.epoch == welcome.epoch):
            self.epoch, self.offset = welcome.epoch, welcome.offset
        self.name, self.worker, self.members = event["name"], event["worker"], event["members"]
        self.connected = True
        if not opening:
            self._catching_up.clear()  # told that it will not come
            return
        self._failures = 0
        if self._reconnect:
            self._reconnect.welcome, self._reconnect.recovered = now, recovered
            self._reconnect.offset = welcome.offset
            self._catching_up.append(self._reconnect)
            self._reconnect = None
            self._catch_up(now)
        for ref in self._unanswered:
            self._put(self._sent[ref])
        for questions in self._asked.values():
            for frame, _ in questions:
                self.write(frame)

    def _catch_up(self, now: float) -> None:
        for reconnect in list(self._catching_up):
            if reconnect.offset is None or self.offset >= reconnect.offset:
                reconnect.caught_up = now
                self._catching_up.remove(reconnect)

    def _acknowledge(self, event: dict[str, Any], now: float) -> None:
        sent = self._sent.get(event["ref"])
        if sent is None:
            self.record.violations.append(f"ack of a ref never sent: {event['ref']!r}")
            return
        if sent.offset is None:
            sent.acknowledged_at, sent.epoch, sent.offset = now, self.epoch, event["offset"]
        elif sent.epoch == self.epoch and sent.offset != event["offset"]:
            self.record.violations.append(f"{sent.text[:40]!r} acknowledged as {sent.offset} and {event['offset']}")
        future = self._unanswered.get(sent.ref)
        if future and not future.done():
            future.set_result(event["offset"])

    def _error(self, event: dict[str, Any]) -> None:
        code, ref = event["code"], event.get("ref", "")
        self.record.errors[code] += 1
        future = self._unanswered.get(ref)
        if future is None or future.done():
            return
        if code in REPEATED_ERRORS:
            sent = self._sent[ref]
            delay = jitter(min(self.cap, FIRST_DELAY * 2 ** (sent.times - 1)))
            asyncio.get_running_loop().call_later(delay, self._put, sent)
        else:
            future.set_exception(Refused(code, event.get("detail", "")))

    # ── Saying ─────────────────────────────────────────────────────────────────────────────────

    async def send(self, text: str, *, ref: str | None = None, seconds: float = 60.0) -> int:
        """The offset at which the text is in the log, once the server says so; repeated as often as it takes.

        One client's texts keep their order if each is awaited before the next is sent.
        """
        ref = ref or next(self._refs)
        if ref in self._unanswered:
            raise ValueError(f"ref {ref!r} is under way")
        sent = self._sent[ref] = Sent(ref, text, monotonic())
        self.record.sent.append(sent)
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._unanswered[ref] = future
        self._put(sent)
        try:
            return await self._answer(future, seconds, f"acknowledgement of {text[:40]!r}")
        finally:
            del self._unanswered[ref]

    def _put(self, sent: Sent) -> None:
        if self.connected and sent.ref in self._unanswered:
            sent.times += 1
            self.write(json.dumps({"type": "send", "text": sent.text, "ref": sent.ref}, ensure_ascii=False))

    def typing(self) -> None:
        self.write('{"type": "typing"}')

    async def ask_members(self, seconds: float = SECONDS) -> dict[str, Any]:
        return await self._ask("members", "members", seconds)

    async def history(
        self, before: int | None = None, limit: int | None = None, seconds: float = SECONDS
    ) -> dict[str, Any]:
        fields = {"before": before, "limit": limit}
        return await self._ask("history", "history", seconds, **{k: v for k, v in fields.items() if v is not None})

    async def ping(self, seconds: float = SECONDS) -> float:
        """The seconds until the pong."""
        begun = monotonic()
        await self._ask("ping", "pong", seconds)
        return monotonic() - begun

    def write(self, frame: str) -> None:
        """These very characters as one frame, if it is welcome just now."""
        if self.connection and self.connected:
            self.connection.write(frame)

    async def _ask(self, kind: str, reply: str, seconds: float, **fields: Any) -> dict[str, Any]:
        """Replies carry no ref: the first one belongs to the first question."""
        future: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        question = (json.dumps({"type": kind, **fields}), future)
        self._asked[reply].append(question)
        self.write(question[0])
        try:
            return await self._answer(future, seconds, reply)
        finally:
            with suppress(ValueError):
                self._asked[reply].remove(question)

    async def _answer(self, future: asyncio.Future[T], seconds: float, what: str) -> T:
        if self.ended:
            raise self.ended
        try:
            async with asyncio.timeout(seconds):
                return await future
        except TimeoutError:
            raise TimeoutError(f"expected within {seconds:g} s: {what}; {self}") from None

    def _watch(self) -> None:
        """Pings when nothing was heard for `silence` seconds, and cuts what does not answer in as many again."""
        if self._silent:
            self._silent.cancel()
        if self.connection is None:
            return
        quiet = monotonic() - self._heard
        if quiet >= 2 * self.silence:
            self.cut()
            return
        if quiet >= self.silence:
            self.write('{"type": "ping"}')
            quiet -= self.silence
        self._silent = asyncio.get_running_loop().call_later(self.silence - quiet, self._watch)

    # ── Waiting and listening ──────────────────────────────────────────────────────────────────

    async def wait_for(self, what: int | Callable[[ChatClient], object], seconds: float = SECONDS) -> None:
        """Until this offset was received, or until the condition holds after a frame or a lost socket."""
        if isinstance(what, int):
            wanted, what = what, lambda client: client.offset >= wanted
        else:
            wanted = -1
        if what(self):
            return
        waiter = Waiter(what, asyncio.get_running_loop().create_future())
        self._waiters.append(waiter)
        try:
            await self._answer(waiter.future, seconds, f"offset {wanted}" if wanted >= 0 else "a condition")
        finally:
            with suppress(ValueError):
                self._waiters.remove(waiter)

    def _wake(self) -> None:
        for waiter in list(self._waiters):
            if not waiter.future.done() and waiter.condition(self):
                waiter.future.set_result(None)

    def listen(self, heard: Callable[[Any], object], *kinds: str) -> None:
        """Calls with each object of these types: a Message, or the dict that came; `*` is every type."""
        for kind in kinds or ("*",):
            self._listeners[kind].append(heard)

    def queue(self, *kinds: str) -> asyncio.Queue[Any]:
        """The objects of these types from now on."""
        queue: asyncio.Queue[Any] = asyncio.Queue()
        self.listen(queue.put_nowait, *kinds)
        return queue

    def _tell(self, event: Message | dict[str, Any] | None) -> None:
        kind = "message" if isinstance(event, Message) else event["type"] if event else "unreadable"
        for heard in (*self._listeners.get(kind, ()), *self._listeners.get("*", ())):
            heard(event)

    def __repr__(self) -> str:
        place = f"{self.epoch}:{self.offset}" if self.epoch else "nowhere"
        state = self.ended or (f"on {self.worker}" if self.connected else "unconnected")
        return f"<ChatClient {self.record.name} at {place}, {state}>"


def jitter(limit: float) -> float:
    return random.uniform(0, limit)  # noqa: S311 - nobody gains by guessing it
