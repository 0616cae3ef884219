"""One WebSocket of uvicorn's, which keeps what one of Daphne's does (app/servers/daphne.py).

uvicorn's own sends to a peer until memory is full unless each send waits for it, tells an application that it is
closed before the peer has read why, and drops connections where a close frame is due.
tests/integration/test_sockets*.py hold both servers to the same.
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

# Parsed at once: so many bytes' worth of messages may wait on top when a peer is held back.
PART = 1024
# After a fault nothing is parsed any more, the peer's close frame neither: its silence has to do.
LINGER_SECONDS = 0.5
ABNORMAL = 1006
PLAIN_TEXT = (b"Content-Type", b"text/plain; charset=utf-8")
# The library's tells of each connection that it opens and closes.
conversation_logger = logging.getLogger(f"{__name__}.conversation")
conversation_logger.setLevel(logging.WARNING)


class Conversation(ServerProtocol):
    """The library's leaves UTF-8 to others, who find out when a close frame behind it has been answered."""

    decoder: codecs.IncrementalDecoder | None = None

    def process_origin(self, headers: Headers) -> None:
        """The application's to judge: two of them are foreign, where the library calls that a bad request."""

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

    # On the class, so that most connections have none of their own.
    code: int | None = None  # of the disconnect, once it is known
    reason: str | None = None  # with that code, unless it is ours
    denial: Denial | None = None
    accepted = False
    leaving = False  # as soon as it has been accepted
    held_back = False
    unparsed = memoryview(b"")
    cut: asyncio.TimerHandle | None = None
    stall: Stall | None = None
    running: asyncio.Task[None] | None = None  # the application
    finishing = False  # closed by the application, which has sent more than the peer has taken
    untaken_at_ping = 0

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.queue = ReceiveQueue()
        del self.writable  # for stock's send to wait; an Event has a deque, 0.8 KB
        self.unhandled: list[Any] = []  # no deque: that is 600 bytes, and PART's frames are soon moved
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

    # --- What goes out ---

    def write(self, frame: bytes) -> None:
        """The extension's: a finished frame of the server's, as it goes on the wire."""
        if self.conn.state is OPEN:
            self.transport.write(frame)

    def pause_writing(self) -> None:
        """The loop's transport, past which everything goes, never has anything to wait for."""

    resume_writing = pause_writing

    def unsent(self) -> int:
        """The extension's: bytes accepted that the kernel has not taken."""
        return self.transport.unsent()

    def read_together(self) -> None:
        """The extension's; libuv wakes up for each all the same."""

    async def drained(self) -> bool:
        """The extension's: returns when no frame waits, or none ever will: False."""
        while self.is_open() and self.transport.waits():
            await self.transport.changed()
        return self.is_open()

    async def keep_up(self) -> None:
        """For an application that has sent more than the peer takes at once."""
        if not self.stall:
            self.stall = Stall(self, self.running)
        if self.unsent() > OUTGOING_BYTES:
            await self.drained()

    def waits(self) -> bool:
        return self.is_open() and self.transport.waits()

    def taken(self) -> int:
        """Bytes of what waited, by a beginning of their own: it changes when the peer takes some."""
        return self.transport.queued_bytes - self.transport.untaken()

    def is_open(self) -> bool:
        return self.conn.state is OPEN and not self.transport.is_closing()

    def say(self) -> None:
        """What the conversation has to: each frame by itself, for that is what waits, and is dropped."""
        for data in self.conn.data_to_send():
            if data:  # its mark for an end of the stream, which is ours to choose
                self.transport.write(data)

    def close_too_slow(self) -> None:
        if self.conn.state is OPEN:  # of a closing one, the close frame waits
            self.transport.forget()
            self.close_with(TOO_SLOW, "too slow")

    # --- What comes in ---

    def data_received(self, data: bytes) -> None:
        self.unparsed = memoryview(bytes(self.unparsed) + data) if self.unparsed else memoryview(data)
        self.parse()

    def parse(self) -> None:
        """As long as nobody holds the peer back."""
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
        if event.data or event.fin:  # of empty ones there may be any number
            super().handle_cont(event)

    def send_receive_event_to_app(self) -> None:
        data, self.frames = b"".join(map(bytes, self.frames)), []
        if self.close_sent and self.queue.holds(1):
            return  # nor is the peer held back now: its close frame has to be seen
        content = {"text": data.decode()} if self.curr_msg_data_type == "text" else {"bytes": data}
        self.queue.put_nowait({"type": "websocket.receive", **content})
        self.queue.count(self.let_go_of_unread)
        if not self.close_sent and self.queue.holds(1):
            self.held_back = True
            self.transport.pause_reading()
            self.queue.read_on = self.read_on

    def let_go_of_unread(self) -> None:
        """This peer's application has more to handle than any other, and all of them together too much."""
        self.queue.drop()
        self.close_with(TOO_FAST, TOO_FAST_REASON)

    def read_on(self) -> None:
        if self.held_back and not self.disconnected:
            self.held_back = False
            self.transport.resume_reading()
            self.parse()

    def handle_ping(self) -> None:
        """Answered by the conversation."""

    def send_keepalive_ping(self) -> None:
        if self.untaken_at_ping or self.transport.untaken():
            self.untaken_at_ping = self.transport.untaken()
        super().send_keepalive_ping()

    def keepalive_timeout(self) -> None:
        """Stock sends a close frame to a peer that answers nothing, and cuts one whose answer we have not read, and one
        that is still taking what lies before the ping."""
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
            self.running = None  # it refers to this, too

    def give_up(self, code: int) -> None:
        """No application is there any more."""
        if self.conn.state is OPEN:
            self.close_with(code, "")
        elif not self.handshake_complete:
            self.answer(http_response(500, [PLAIN_TEXT], b"Internal Server Error"))

    async def send(self, message: Any) -> None:
        """Stock raises when the peer has gone: Channels' consumers would not hear of a disconnect."""
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
                # Not as the disconnect's code: that is what the peer says to it.
                self.send_close(message.get("code") or 1000, close_reason(message).decode())
            case "websocket.send" | "websocket.close" if self.accepted or self.handshake_complete:
                pass  # the peer has gone, which the application cannot know yet
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
        del self.response.headers["Date"]  # the library's; uvicorn's own is among its headers, if it is wanted
        for name, value in [*checked(self.default_headers), *headers]:
            self.response.headers[name.decode()] = value.decode("latin-1")  # as which the library sends it
        self.conn.send_response(self.response)
        self.say()
        del self.request, self.response  # as long as the socket is open nobody reads them any more
        self.accepted = self.handshake_complete = True
        self.start_keepalive()
        if self.leaving:
            self.shutdown()

    def answer(self, response: bytes) -> None:
        """In place of an open socket."""
        self.handshake_complete = self.close_sent = True
        self.transport.write(response)
        self.end()

    # --- The end ---

    def shutdown(self) -> None:
        """The server's, when draining; more than once."""
        self.leaving = True
        if self.conn.state is OPEN:
            self.close_with(GOING_AWAY, "going away")

    def close_with(self, code: int, reason: str) -> None:
        """The application is told this code, whatever the peer answers."""
        if self.conn.state is OPEN:
            self.code = code
            self.send_close(code, reason)

    def send_close(self, code: int, reason: str) -> None:
        self.conn.send_close(code, reason)
        self.closing()

    def closing(self) -> None:
        """A close frame goes out; the peer has time for it."""
        self.close_sent = True
        self.stop_keepalive()
        self.say()
        self.transport.wake()
        if self.held_back:  # for the peer's close frame
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
        """Also what comes after it: the end is when nothing does."""
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
        """Until the connection ends, or has to be cut: stock waits 10 s, and then for ever."""
        if not self.cut and not self.disconnected:
            now = self.loop.time()
            self.look(self.transport.untaken(), now, now + CLOSING_SECONDS)

    def look(self, before: int, taken_at: float, end: float) -> None:
        now, left = self.loop.time(), self.transport.untaken()
        if left < before:
            taken_at = now
        stalled = taken_at + STALLED_SECONDS
        if self.finishing and left:  # no slow peer loses what an application has sent before its close
            stalled, end = taken_at + stall_seconds(), now + CLOSING_SECONDS
        if now < min(stalled, end):
            self.cut = self.loop.call_later(1, self.look, left, taken_at, end)
        else:
            self.transport.abort()
