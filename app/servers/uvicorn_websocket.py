"""One WebSocket under uvicorn, with the same guarantees as under Daphne (app/servers/daphne.py).

Stock uvicorn fills memory with frames for a slow peer unless each send waits. It reports a close to the application
before the peer has read the reason, and drops connections where a close frame is due.
tests/integration/test_sockets*.py run the same tests on both servers.
"""

from __future__ import annotations

import asyncio
import codecs
import logging
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol as StockProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN
from websockets.server import ServerProtocol

from app.servers.outgoing import Outgoing
from app.servers.websocket import (
    CLOSING_SECONDS,
    GOING_AWAY,
    OUTGOING_BYTES,
    STALLED_SECONDS,
    TOO_FAST,
    TOO_FAST_REASON,
    TOO_SLOW,
    Denial,
    ReceiveQueue,
    Stall,
    acceptable,
    checked,
    close_reason,
    extensions,
    http_response,
    stall_seconds,
)

if TYPE_CHECKING:
    from websockets.datastructures import Headers
    from websockets.http11 import Request

# Bytes parsed at a time: when a peer is held back, the messages in this many bytes may be queued beyond the limit.
PART = 1024
# After a fault nothing is parsed any more, not even the peer's close frame. This much silence from the peer ends it.
LINGER_SECONDS = 0.5
ABNORMAL = 1006
PLAIN_TEXT = (b"Content-Type", b"text/plain; charset=utf-8")
# The library's default logger reports each connection that opens or closes.
conversation_logger = logging.getLogger(f"{__name__}.conversation")
conversation_logger.setLevel(logging.WARNING)


class Conversation(ServerProtocol):
    """Checks UTF-8 in each frame. The library leaves this to its users, who would notice a fault only after the library
    has already answered a close frame behind it."""

    decoder: codecs.IncrementalDecoder | None = None

    def process_origin(self, headers: Headers) -> None:
        """Leaves Origin to the application. Two of them count as foreign; the library would answer with 400."""

    def recv_frame(self, frame: Frame) -> None:
        if frame.opcode is Opcode.TEXT and frame.fin:
            str(frame.data, "utf-8")
        elif frame.opcode is Opcode.TEXT:
            self.decoder = codecs.getincrementaldecoder("utf-8")()
        if self.decoder and frame.opcode in (Opcode.TEXT, Opcode.CONT):
            self.decoder.decode(bytes(frame.data), frame.fin)
            if frame.fin:
                self.decoder = None
        super().recv_frame(frame)


class WebSocketProtocol(StockProtocol):
    transport: Outgoing  # type: ignore[assignment]
    queue: ReceiveQueue  # type: ignore[assignment]

    # Defaults on the class save memory on most connections.
    code: int | None = None  # of the disconnect, once it is known
    reason: str | None = None  # received with that code, unless the close was ours
    denial: Denial | None = None
    accepted = False
    leaving = False  # the server drains: close as soon as it has been accepted
    held_back = False
    unparsed = memoryview(b"")
    cut: asyncio.TimerHandle | None = None
    stall: Stall | None = None
    running: asyncio.Task[None] | None = None  # the application's task
    finishing = False  # closed by the application while the peer had not yet taken everything
    untaken_at_ping = 0

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.queue = ReceiveQueue()
        del self.writable  # an Event that only stock's send waits for; its deque takes 0.8 KB
        self.unhandled: list[Any] = []  # not a deque: that takes 600 bytes, and PART holds few frames to shift
        self.conn = Conversation(max_size=self.config.ws_max_size, logger=conversation_logger)

    def connection_made(self, transport: Any) -> None:
        super().connection_made(Outgoing(transport, self.close_too_slow))  # type: ignore[arg-type]

    def connection_lost(self, exc: Exception | None) -> None:
        self.stop_keepalive()
        for timer in (self.cut, self.close_timer):
            if timer:
                timer.cancel()
        self.transport.lost()
        self.connections.discard(self)
        self.disconnected = self.handshake_complete = True
        reason = {} if self.reason is None else {"reason": self.reason}
        code = ABNORMAL if self.code is None else self.code
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, **reason})

    # --- Outgoing ---

    def write(self, frame: bytes) -> None:
        """Part of the extension: writes a finished server frame as it is."""
        if self.conn.state is OPEN:
            self.transport.write(frame)

    def pause_writing(self) -> None:
        """Does nothing: the loop's transport never has anything queued, because all writes bypass it."""

    resume_writing = pause_writing

    def unsent(self) -> int:
        """Part of the extension: bytes written that the kernel has not taken."""
        return self.transport.unsent()

    def read_together(self) -> None:
        """Part of the extension. Does nothing here: libuv would still wake up for each socket."""

    async def drained(self) -> bool:
        """Part of the extension: waits until no frame is queued. Returns False if the connection is no longer open."""
        while self.is_open() and self.transport.waits():
            await self.transport.changed()
        return self.is_open()

    async def keep_up(self) -> None:
        """Makes an application wait that has sent more than the peer takes at once."""
        if not self.stall:
            self.stall = Stall(self, self.running)
        if self.unsent() > OUTGOING_BYTES:
            await self.drained()

    def waits(self) -> bool:
        return self.is_open() and self.transport.waits()

    def taken(self) -> int:
        """A counter that changes whenever the peer takes some queued bytes. Only differences matter."""
        return self.transport.queued_bytes - self.transport.untaken()

    def is_open(self) -> bool:
        return self.conn.state is OPEN and not self.transport.is_closing()

    def say(self) -> None:
        """Writes the conversation's output frame by frame, because frames are queued and dropped as a whole."""
        for data in self.conn.data_to_send():
            if data:  # empty data marks the end of the stream, which we choose ourselves
                self.transport.write(data)

    def close_too_slow(self) -> None:
        if self.conn.state is OPEN:  # while closing, the queue holds the close frame
            self.transport.forget()
            self.close_with(TOO_SLOW, "too slow")

    # --- Incoming ---

    def data_received(self, data: bytes) -> None:
        self.unparsed = memoryview(bytes(self.unparsed) + data) if self.unparsed else memoryview(data)
        self.parse()

    def parse(self) -> None:
        """Parses and handles what was received, until the peer is held back."""
        while not self.held_back and (self.unhandled or self.unparsed):
            if not self.unhandled:
                self.parse_part()
            else:
                self.conn.events.append(self.unhandled.pop(0))
                self.handle_events()

    def parse_part(self) -> None:
        part, self.unparsed = self.unparsed[:PART], self.unparsed[PART:]
        if not self.conn.parser_exc:
            self.conn.receive_data(bytes(part))
            self.unhandled.extend(self.conn.events_received())
            self.say()
        if self.conn.parser_exc:
            self.handle_fault()

    def handle_connect(self, event: Request) -> None:
        if not all(value.isascii() for value in event.headers.get_all("Sec-WebSocket-Protocol")):
            self.answer(http_response(400, [], b"Sec-WebSocket-Protocol holds a name that is not ASCII"))
            return
        super().handle_connect(event)
        if self.handshake_complete:  # refused: not a handshake
            return
        self.scope["extensions"] = extensions(self)  # type: ignore[typeddict-item]

    def handle_cont(self, event: Frame) -> None:
        if event.data or event.fin:  # ignore empty ones, of which a peer may send any number
            super().handle_cont(event)

    def send_receive_event_to_app(self) -> None:
        data, self.frames = b"".join(map(bytes, self.frames)), []
        if self.close_sent and self.queue.holds(1):
            return  # do not hold the peer back now: its close frame must be read
        content = {"text": data.decode()} if self.curr_msg_data_type == "text" else {"bytes": data}
        self.queue.put_nowait({"type": "websocket.receive", **content})
        self.queue.count(self.let_go_of_unread)
        if not self.close_sent and self.queue.holds(1):
            self.held_back = True
            self.transport.pause_reading()
            self.queue.read_on = self.read_on

    def let_go_of_unread(self) -> None:
        """Called when all applications' queues together are too large and this one is the largest."""
        self.queue.drop()
        self.close_with(TOO_FAST, TOO_FAST_REASON)

    def read_on(self) -> None:
        if self.held_back and not self.disconnected:
            self.held_back = False
            self.transport.resume_reading()
            self.parse()

    def handle_ping(self) -> None:
        """Does nothing: the conversation has answered it."""

    def send_keepalive_ping(self) -> None:
        if self.untaken_at_ping or self.transport.untaken():
            self.untaken_at_ping = self.transport.untaken()
        super().send_keepalive_ping()

    def keepalive_timeout(self) -> None:
        """Stock sends a close frame to a peer that does not answer. It also cuts one whose answer we have not read yet,
        and one that is still taking the data before the ping."""
        self.pong_timer = None
        self.pending_ping_payload = None
        if self.held_back or self.stall or self.transport.untaken() < self.untaken_at_ping:
            self.schedule_ping()
        elif self.conn.state is OPEN:
            self.transport.abort()

    # --- The application ---

    async def run_asgi(self) -> None:
        self.running = asyncio.current_task()
        try:
            await self.app(self.scope, self.queue.get, self.send)
        except asyncio.CancelledError:
            self.transport.abort()
            raise
        except Exception:
            self.logger.exception("Exception in ASGI application\n")
            self.give_up(1011)
        else:
            self.give_up(1000)
        finally:
            self.queue.end()
            self.running = None  # the task refers back to this connection

    def give_up(self, code: int) -> None:
        """Called when the application has ended."""
        if self.conn.state is OPEN:
            self.close_with(code, "")
        elif not self.handshake_complete:
            self.answer(http_response(500, [PLAIN_TEXT], b"Internal Server Error"))

    async def send(self, message: Any) -> None:
        """Stock raises when the peer has gone, and Channels' consumers would then not receive the disconnect."""
        match message["type"]:
            case "websocket.send" if self.conn.state is OPEN:
                if message.get("bytes") is not None:
                    self.conn.send_binary(message["bytes"])
                elif message.get("text") is not None:
                    self.conn.send_text(message["text"].encode())
                for data in self.conn.data_to_send():
                    self.transport.write_unbounded(data)
                if self.transport.waits():
                    await self.keep_up()
            case "websocket.close" if self.conn.state is OPEN:
                self.finishing = self.transport.untaken() > 0
                # Not close_with(): the disconnect's code is then the one that the peer answers.
                self.send_close(message.get("code") or 1000, close_reason(message).decode())
            case "websocket.send" | "websocket.close" if self.accepted or self.handshake_complete:
                pass  # the peer has gone, and the application cannot know that yet
            case "websocket.accept" if not self.handshake_complete:
                self.accept(message)
            case "websocket.close":
                self.answer(http_response(403, [], b""))
            case "websocket.http.response.start" if not self.handshake_complete and not self.denial:
                self.denial = Denial(message)
            case "websocket.http.response.body" if not self.handshake_complete and self.denial:
                if response := self.denial.completed(message):
                    self.answer(response)
            case _ if not self.disconnected:
                raise ValueError(f"Expected a message that the WebSocket's state allows; received {message['type']!r}")

    def accept(self, message: dict[str, Any]) -> None:
        subprotocol, headers = acceptable(message, list(self.scope["subprotocols"]))
        if subprotocol is not None:
            self.response.headers["Sec-WebSocket-Protocol"] = subprotocol
        del self.response.headers["Date"]  # the library's; if enabled, uvicorn's is in default_headers
        for name, value in [*checked(self.default_headers), *headers]:
            self.response.headers[name.decode()] = value.decode("latin-1")  # the library sends latin-1
        self.conn.send_response(self.response)
        self.say()
        del self.request, self.response  # unused from now on; saves memory
        self.accepted = self.handshake_complete = True
        self.start_keepalive()
        if self.leaving:
            self.shutdown()

    def answer(self, response: bytes) -> None:
        """Answers the handshake with an HTTP response instead of opening the socket."""
        self.handshake_complete = self.close_sent = True
        self.transport.write(response)
        self.end()

    # --- The end ---

    def shutdown(self) -> None:
        """The server calls this when draining, possibly more than once."""
        self.leaving = True
        if self.conn.state is OPEN:
            self.close_with(GOING_AWAY, "going away")

    def close_with(self, code: int, reason: str) -> None:
        """Closes with this code, which is also the disconnect's code whatever the peer answers."""
        if self.conn.state is OPEN:
            self.code = code
            self.send_close(code, reason)

    def send_close(self, code: int, reason: str) -> None:
        self.conn.send_close(code, reason)
        self.closing()

    def closing(self) -> None:
        """Sends the close frame and gives the peer time to take it."""
        self.close_sent = True
        self.stop_keepalive()
        self.say()
        self.transport.wake()
        if self.held_back:  # read on, to receive the peer's close frame
            self.loop.call_soon(self.read_on)
        self.watch()

    def handle_close(self, event: Frame) -> None:
        if self.code is None and self.conn.close_rcvd is not None:
            self.code, self.reason = self.conn.close_rcvd.code, self.conn.close_rcvd.reason
        self.close_sent = True
        self.stop_keepalive()
        self.say()
        self.end()

    def handle_fault(self) -> None:
        """Called for a fault and for everything received after it. Ends once the peer has been silent for a while."""
        if not self.close_sent and self.conn.close_sent is not None:
            self.code, self.reason = self.conn.close_sent.code, self.conn.close_sent.reason
            self.closing()
        if not self.transport.is_closing():
            if self.close_timer:
                self.close_timer.cancel()
            self.close_timer = self.loop.call_later(LINGER_SECONDS, self.end)

    def end(self) -> None:
        self.transport.close()
        self.watch()

    def watch(self) -> None:
        """Watches the closing connection until it ends or has to be cut. Stock waits 10 s, and then forever."""
        if not self.cut and not self.disconnected:
            now = self.loop.time()
            self.look(self.transport.untaken(), now, now + CLOSING_SECONDS)

    def look(self, before: int, taken_at: float, end: float) -> None:
        now, left = self.loop.time(), self.transport.untaken()
        if left < before:
            taken_at = now
        stalled = taken_at + STALLED_SECONDS
        if self.finishing and left:  # a slow peer still gets everything that the application sent before its close
            stalled, end = taken_at + stall_seconds(), now + CLOSING_SECONDS
        if now < min(stalled, end):
            self.cut = self.loop.call_later(1, self.look, left, taken_at, end)
        else:
            self.transport.abort()
