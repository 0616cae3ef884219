"""Stock Daphne, thinly subclassed to fix its bugs.

``python -m app.servers.daphne`` takes Daphne's own command line. Each override says what stock
Daphne 4.2 or autobahn does instead. Without it, tests/integration/test_sockets*.py or test_daphne.py
fail, except for overrides that only save work.
"""

import asyncio
import logging
import math
import os
import random
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextvars import Context
from functools import partial
from socket import has_dualstack_ipv6
from types import SimpleNamespace
from typing import Any

# Daphne comes first: importing it installs Twisted's asyncio reactor.
from autobahn.twisted import websocket as autobahn_twisted
from autobahn.websocket import protocol as autobahn
from daphne import http_protocol, server, ws_protocol
from daphne.cli import CommandLineInterface as StockCommandLine
from daphne.http_protocol import HTTPFactory as StockHTTPFactory
from daphne.http_protocol import WebRequest as StockRequest
from daphne.server import Server as StockServer
from daphne.utils import import_by_path
from daphne.ws_protocol import ConnectionDeny, WebSocketFactory
from daphne.ws_protocol import WebSocketProtocol as StockProtocol
from twisted.internet import asyncioreactor
from twisted.internet import reactor as installed_reactor
from twisted.internet.base import DelayedCall
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.tcp import Connection, Port
from twisted.web.http import HTTPChannel

from app.drain import draining
from app.lateness import watch
from app.servers import responses
from app.servers.files import raise_limit
from app.servers.memory import freeze
from app.servers.readers import Readers
from app.servers.websocket import (
    CLOSE_FRAME,
    CLOSING_SECONDS,
    GOING_AWAY,
    OUTGOING,
    OUTGOING_BYTES,
    PEERS_SECONDS,
    RETURNING_SECONDS,
    STALLED_SECONDS,
    TOO_FAST,
    TOO_FAST_REASON,
    TOO_SLOW,
    Denial,
    ReceiveQueue,
    Stall,
    acceptable,
    close_reason,
    extensions,
    stall_seconds,
    unacknowledged,
)

# autobahn formats its configuration for the debug log of each connection, even when that log is off. This took 15 % of
# the time in a profile of joins.
vars(autobahn)["pformat"] = lambda _: ""
# It also colours the debug line of each chunk that it reads.
vars(autobahn_twisted)["hltype"] = vars(autobahn_twisted)["hlval"] = lambda _: ""
# Twisted sets up a log context that names the connection each time a socket is ready.
vars(asyncioreactor)["callWithLogger"] = lambda _, call, *arguments: call(*arguments)
logger = logging.getLogger(__name__)
reactor: Any = installed_reactor  # mypy needs a plugin to accept a zope interface as a type
# Twisted and Daphne measure durations by the wall clock. If it is set back by an hour, pings, timeouts and closes are
# an hour late.
reactor.seconds = time.monotonic
for call in reactor.getDelayedCalls():
    call.cancel()  # the reactor's own, timed by the wall clock for half a century from now; it does nothing
for module in (http_protocol, server, ws_protocol):
    vars(module)["time"] = SimpleNamespace(time=time.monotonic)

readers = Readers(reactor)
BACKLOG = 2048
EVERY_ADDRESS = r"interface=\:\:"  # of IPv6 and IPv4, as Daphne makes it of --bind=::
# The steps of draining: each begins when the previous one has ended. compose.yaml's stop_grace_period is longer than
# their sum with the longest DRAIN_SECONDS.
ARRIVING_SECONDS = 1  # for an accepted connection to send its request
CANCELLED_SECONDS = 1
# The limits after a second signal: for the peers, and for peers and applications together.
HURRIED_PEERS_SECONDS, HURRIED_SECONDS = 0.5, 1.0
POLL_SECONDS = 0.05
# A socket is closed at a random age between this share of the maximum age and the maximum.
YOUNG = 0.9
CHECK_SECONDS = 2  # Daphne's interval between two checks of each socket
FINAL_TEXT, MASKED = 0x81, 0x80  # in a frame's first byte and second byte (RFC 6455, 5.2)
MOST_BYTES = 65_535  # the largest 16-bit length
LENGTH_FOLLOWS = 126  # instead of a length up to 125: a 16-bit length follows
# Attributes of a connection that are unused once it is open. With the dictionary that holds them they take 4 KB.
HANDSHAKE = frozenset(
    {
        *("_raw_query_string", "_results", "_transport_details", "_valid_events", "_wskey", "application_deferred"),
        *("clean_headers", "client_scheme", "handshake_deferred", "http_headers", "http_request_data"),
        *("http_request_host", "http_request_params", "http_request_path", "http_request_uri", "http_response_data"),
        *("http_status_line", "is_open", "protocol_to_accept", "root_path", "server_addr"),
        *("websocket_extensions", "websocket_extensions_in_use", "websocket_origin", "websocket_protocol_in_use"),
        "websocket_protocols",
    }
)
OPEN, CLOSING = StockProtocol.STATE_OPEN, StockProtocol.STATE_CLOSING


class Request(StockRequest):
    """One request, which may become a WebSocket."""

    def process(self) -> Any:
        """Stock joins repeated headers with commas when it hands a handshake over to autobahn. That breaks cookies."""
        cookies = self.requestHeaders.getRawHeaders(b"cookie", [])
        if len(cookies) > 1:
            self.requestHeaders.setRawHeaders(b"cookie", [b"; ".join(cookies)])
        return super().process()


class Channel(HTTPChannel):
    """One connection, until it becomes a WebSocket. Stock answers headers that are too long with a bare 400."""

    head_bytes = 0

    def lineReceived(self, line: bytes) -> None:  # noqa: N802 - Twisted's name
        self.head_bytes += len(line)
        if self.head_bytes > self.totalHeadersSize:
            self.refuse()
        else:
            super().lineReceived(line)  # type: ignore[no-untyped-call]

    def lineLengthExceeded(self, line: bytes) -> None:  # noqa: N802 - Twisted's name
        self.refuse()

    def allContentReceived(self) -> None:  # noqa: N802 - Twisted's name
        self.head_bytes = 0
        super().allContentReceived()  # type: ignore[no-untyped-call]

    def refuse(self) -> None:
        from app.servers.head import refusal

        transport: Any = self.transport
        transport.write(refusal())
        self.loseConnection()  # type: ignore[no-untyped-call]


class HTTPFactory(StockHTTPFactory):
    protocol = Channel

    def buildProtocol(self, addr: Any) -> Any:  # noqa: N802 - Twisted's name
        protocol = super().buildProtocol(addr)
        protocol.requestFactory = Request
        return protocol


class WebSocketProtocol(StockProtocol):
    """One WebSocket. Attributes with the names of autobahn's options override the factory's options."""

    # autobahn's default drops TCP on 1002, 1007 and 1009 instead of sending the close frame.
    failByDrop = False  # noqa: N815 - autobahn's name
    # autobahn's 1 s can end while the peer still sends the refused message and has not read why. watch() times closes.
    closeHandshakeTimeout = 0  # noqa: N815 - autobahn's name

    denial: Denial | None = None
    cut: DelayedCall | None = None

    # Defaults on the class save memory on connections whose peers keep up.
    paused = False
    waiting_bytes = 0  # in all queued frames
    bounded_bytes = 0  # in the frames that count towards the limit, because their writer cannot wait
    queued_bytes = 0  # total ever queued
    stall: Stall | None = None
    finishing = False  # closed by the application while the peer had not yet taken everything
    untaken_at_ping = 0
    ends_at: float | None = None  # the age in seconds at which to close it, chosen once it is old
    resumed: asyncio.Event | None = None
    held_back = False
    send_queue: Any = ()  # a deque while frames are queued
    _transport_details = None

    configured = False
    longest: int
    data: bytes
    autoPingTimeoutCall: Any  # noqa: N815 - autobahn's name

    @classmethod
    def configure(cls, factory: Any) -> None:
        """autobahn copies the factory's 29 options to every connection. Here the class holds them."""
        for option in cls.CONFIG_ATTRS:
            if option not in vars(WebSocketProtocol):
                value = getattr(factory, option)
                setattr(cls, option, staticmethod(value) if callable(value) else value)
        cls.longest = min(size or MOST_BYTES for size in (cls.maxFramePayloadSize, cls.maxMessagePayloadSize))
        cls.configured = True

    def share_beginnings(self) -> None:
        """autobahn sets thirty attributes on every connection, and most never change. With their initial values on the
        class, forget_handshake() can drop them from each connection."""
        for name, value in vars(self).items():
            if value is None or value is False:
                setattr(type(self), name, value)

    def connectionMade(self) -> None:  # noqa: N802 - Twisted's name
        """Stock leaves twisted.web's channel as the transport's producer. The WebSocket is then not notified
        when the transport is full, and channel and request live as long as the WebSocket."""
        if first := not self.configured:
            self.configure(self.factory)
        if isinstance(self.transport, Connection):
            # Channel and request refer to each other and would stay until the next garbage collection.
            channel: Any = self.transport.producer
            channel.requests.clear()
        else:
            # TLS: writing past its transport would send plain text.
            self.transmit = self.transport.write  # type: ignore[method-assign]
        self.transport.unregisterProducer()
        self.transport.registerProducer(self, True)
        super().connectionMade()
        del self.send_queue  # use the class's until a frame is queued, which can happen during the handshake
        if first:
            self.share_beginnings()

    def onOpen(self) -> None:  # noqa: N802 - autobahn's name
        super().onOpen()
        self.server.opened(self)

    def onConnect(self, request: Any) -> Any:  # noqa: N802 - autobahn's name
        """Stock answers a non-ASCII subprotocol with a 500 and a traceback."""
        if not all(name.isascii() for name in request.protocols):
            raise ConnectionDeny(400, "Sec-WebSocket-Protocol holds a name that is not ASCII")
        return super().onConnect(request)

    # --- Outgoing ---

    def pauseProducing(self) -> None:  # noqa: N802 - Twisted's name
        self.paused = True
        self.count_unsent()

    def resumeProducing(self) -> None:  # noqa: N802 - Twisted's name
        """Twisted calls this when the kernel has taken everything that the transport held."""
        self.paused = False
        while self.send_queue and not self.paused:
            frame, bounded = self.send_queue.popleft()
            self.waiting_bytes -= len(frame)
            if bounded:
                self.bounded_bytes -= len(frame)
            self.transport.write(frame)
        self.count_unsent()
        self.wake()

    def stopProducing(self) -> None:  # noqa: N802 - Twisted's name
        """Does nothing: the connection is lost, and onClose handles that."""

    def wake(self) -> None:
        if self.resumed and not (self.paused and self.state == OPEN):
            self.resumed.set()
            self.resumed = None

    def sendData(self, data: bytes, sync: bool = False, chopsize: int | None = None) -> None:  # noqa: N802 - autobahn's name
        """Stock writes everything to the transport, however much that holds already, and formats a
        debug line each time. `sync` marks an application's frame, whose `send` waits."""
        if self.paused and sync:
            self.append(data, bounded=False)
        elif self.paused:
            self.queue(data)
        elif self.state == OPEN:
            self.transmit(data)
        else:
            self.transport.write(data)

    def write(self, frame: bytes) -> None:
        """Part of the extension: writes a finished server frame as it is."""
        if self.state == OPEN:
            if self.paused:
                self.queue(frame)
            else:
                self.transmit(frame)

    def transmit(self, data: bytes) -> None:
        """Writes to the kernel directly. Twisted first registers the socket with the reactor and waits until
        it is writable, even if the peer keeps up. That takes three system calls and a turn of the loop, four
        times the work of one send."""
        transport = self.transport
        if transport._tempDataLen or transport.dataBuffer:
            transport.write(data)
            return
        try:
            taken = transport.socket.send(data)
        except OSError:  # it would block or is broken: the transport will notice
            taken = 0
        if taken < len(data):
            transport.write(data[taken:])

    def queue(self, frame: bytes) -> None:
        """Queues whole frames in autobahn's queue for chopped writes, which Daphne never uses."""
        if self.overflows(frame):
            self.offer()
            if self.overflows(frame):
                self.close_too_slow()
                return
        if self.paused:
            self.append(frame, bounded=True)
        else:
            self.transmit(frame)

    def append(self, frame: bytes, bounded: bool) -> None:
        self.send_queue = self.send_queue or deque()
        self.send_queue.append((frame, bounded))
        self.waiting_bytes += len(frame)
        self.queued_bytes += len(frame)
        if bounded:
            self.bounded_bytes += len(frame)
        self.count_unsent()

    def overflows(self, frame: bytes) -> bool:
        full = self.bounded_bytes and self.bounded_bytes + len(frame) > OUTGOING_BYTES
        return bool(full) and not frame.startswith(CLOSE_FRAME)

    def offer(self) -> None:
        """Flushes as much as the kernel takes. The queue was last flushed before the current turn of the
        loop, and how much the application sends in one turn says nothing about the peer."""
        before = None
        while self.paused and self.unsent() != before:
            before = self.unsent()
            self.transport.doWrite()

    def close_too_slow(self) -> None:
        self.forget_waiting()
        self.sendCloseFrame(code=TOO_SLOW, reasonUtf8=b"too slow")
        self.wake()

    def count_unsent(self) -> None:
        """While the peer keeps up, too little is queued to be worth counting."""
        if self.paused:
            OUTGOING.hold(self, self.unsent(), self.let_go_of_unsent)
        else:
            OUTGOING.release(self)

    def let_go_of_unsent(self) -> None:
        """Called when all peers' queues together are too large and this one is the largest."""
        if self.state == OPEN:
            self.close_too_slow()
        else:  # it is closing already
            self.transport.abortConnection()

    def unsent(self) -> int:
        """Part of the extension: bytes written that the kernel has not taken."""
        transport = self.transport
        if not transport.connected:
            return 0
        return int(self.waiting_bytes + len(transport.dataBuffer) - transport.offset + transport._tempDataLen)

    async def drained(self) -> bool:
        """Part of the extension: waits until no frame is queued. Returns False if the connection is no longer open."""
        while self.paused and self.state == OPEN:
            self.resumed = self.resumed or asyncio.Event()
            await self.resumed.wait()
        return bool(self.state == OPEN)

    async def keep_up(self) -> None:
        """Makes an application wait that has sent more than the peer takes at once."""
        if not self.stall:
            self.stall = Stall(self, self.server.connections[self].get("application_instance"))
        if self.unsent() > OUTGOING_BYTES:
            await self.drained()

    def waits(self) -> bool:
        return bool(self.paused and self.state == OPEN)

    def taken(self) -> int:
        """A counter that changes whenever the peer takes some queued bytes. Only differences matter."""
        return self.queued_bytes - self.untaken()

    # --- Incoming ---

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        """autobahn also keeps byte counts that are never used, and formats a debug line."""
        self.data += data
        self.consumeData()

    def onMessage(self, payload: bytes, isBinary: bool) -> None:  # noqa: N802, N803 - autobahn's names
        """Stock queues everything, however slow the application."""
        if self.state == CLOSING and self.application_queue.holds(1):
            return  # do not hold the peer back now: its close frame must be read
        super().onMessage(payload, isBinary)
        self.hold_back_if_full()

    def hold_back_if_full(self) -> None:
        queue = self.application_queue
        queue.count(self.let_go_of_unread)
        if self.state == OPEN and queue.holds(1):
            self.held_back = True
            self.transport.pauseProducing()
            queue.read_on = self.read_on

    def let_go_of_unread(self) -> None:
        """Called when all applications' queues together are too large and this one is the largest."""
        self.application_queue.drop()
        if self.state == OPEN:
            self.sendCloseFrame(code=TOO_FAST, reasonUtf8=TOO_FAST_REASON.encode())

    def read_together(self) -> None:
        """Part of the extension: from now on the socket is read in batches with others (app/servers/readers.py).
        Does nothing over TLS or on a socket that is not open."""
        transport: Any = self.transport
        plain = isinstance(self.transport, Connection)
        if plain and self.state == OPEN and transport.reactor is reactor:
            transport.stopReading()
            transport.reactor = readers
            if not self.held_back:
                transport.startReading()

    def processData(self) -> bool:  # noqa: N802 - autobahn's name
        """autobahn parses everything it has read, even while the peer is held back: 64 KiB can be 10,000 messages."""
        return not self.held_back and (self.process_whole_text() or bool(super().processData()))

    def process_whole_text(self) -> bool:
        """Handles a masked text frame that was read whole, as nearly every message is. autobahn takes six
        steps and an object for it. Returns False to leave anything else, including faults, to autobahn."""
        data = self.data
        if len(data) < 2 or data[0] != FINAL_TEXT or data[1] < MASKED:
            return False
        length, begin = data[1] - MASKED, 2
        if length == LENGTH_FOLLOWS:
            length, begin = int.from_bytes(data[2:4], "big"), 4
        elif length > LENGTH_FOLLOWS:
            return False
        end = begin + 4 + length
        if not LENGTH_FOLLOWS * (begin > 2) <= length <= self.longest or len(data) < end:
            return False
        if self.current_frame is not None or self.inside_message or self.autoPingTimeoutCall or self.state != OPEN:
            return False
        mask = data[begin : begin + 4] * (length // 4 + 1)
        masked = int.from_bytes(data[begin + 4 : end], "big")
        payload = (masked ^ int.from_bytes(mask[:length], "big")).to_bytes(length, "big")
        try:
            text = payload.decode()
        except UnicodeDecodeError:
            return False
        self.data = data[end:]
        self.last_ping = time.monotonic()
        self.application_queue.put_nowait({"type": "websocket.receive", "text": text})
        self.hold_back_if_full()
        return bool(self.data)

    def read_on(self) -> None:
        self.held_back = False
        self.transport.resumeProducing()
        self.consumeData()

    def onAutoPingTimeout(self) -> None:  # noqa: N802 - autobahn's name
        """autobahn drops a peer even if we have not read its answer yet, or if it is still taking the data before the
        ping."""
        self.autoPingTimeoutCall = None
        if not self.held_back and not self.stall and not self.untaken() < self.untaken_at_ping:
            super().onAutoPingTimeout()

    def _sendAutoPing(self) -> None:  # noqa: N802 - autobahn's name
        """autobahn loses the timer of the previous ping, which then drops a peer that has answered this one."""
        if self.autoPingTimeoutCall:
            return
        if self.untaken_at_ping or self.untaken():
            self.untaken_at_ping = self.untaken()
        super()._sendAutoPing()

    # --- The application's messages ---

    def handle_reply(self, message: dict[str, Any]) -> None:
        """Stock ignores denial messages, the headers of an accept and the reason of a close. It also ignores
        empty frames, because it tests their truth."""
        match message.get("type"):
            case "websocket.accept":
                self.accept(message)
            case "websocket.http.response.start":
                self.start_denial(message)
            case "websocket.http.response.body":
                self.continue_denial(message)
            case "websocket.close" if self.state == self.STATE_OPEN:
                self.finishing = self.untaken() > 0
                # Not sendClose: it allows only 1000 and 3000 to 4999, but not 1012.
                self.sendCloseFrame(code=message.get("code") or 1000, reasonUtf8=close_reason(message))
            case "websocket.send" if self.state != self.STATE_CONNECTING and not (
                message.get("bytes") or message.get("text")
            ):
                if message.get("bytes") is not None:
                    self.serverSend(b"", binary=True)
                elif message.get("text") is not None:
                    self.serverSend("")
            case _:
                super().handle_reply(message)

    def accept(self, message: dict[str, Any]) -> None:
        """For a subprotocol that was not offered, autobahn raises where nothing catches it, and the handshake hangs."""
        subprotocol, headers = acceptable(message, self.websocket_protocols)
        fields: dict[str, list[str]] = {}
        for name, value in headers:
            fields.setdefault(name.decode(), []).append(value.decode())
        self.handshake_deferred.callback((subprotocol, fields))
        self.forget_handshake()

    def forget_handshake(self) -> None:
        """autobahn and Daphne keep the handshake's data as long as the connection."""
        self.request.headers = None
        shared = vars(type(self))
        # A new dictionary, because a dictionary never shrinks.
        self.__dict__ = {
            name: value
            for name, value in vars(self).items()
            if name not in HANDSHAKE and value is not shared.get(name, self)
        }

    def failHandshake(self, reason: str, code: int = 400, responseHeaders: Any = None) -> None:  # noqa: N802, N803 - autobahn's names
        """autobahn answers an invalid Origin with 400. Here it counts as a foreign one and gets 403."""
        super().failHandshake(reason, 403 if reason.startswith("HTTP Origin header") else code, responseHeaders)

    def start_denial(self, message: dict[str, Any]) -> None:
        if self.state != self.STATE_CONNECTING or self.denial:
            raise ValueError("A denial starts once, and before the handshake is answered")
        self.denial = Denial(message)

    def continue_denial(self, message: dict[str, Any]) -> None:
        if self.state != self.STATE_CONNECTING or not self.denial:
            raise ValueError("A denial's body follows its start, and ends once")
        if response := self.denial.completed(message):
            # Firing it would make autobahn send its own response.
            del self.handshake_deferred
            self.sendData(response)
            self.dropConnection()

    def serverSend(self, content: str | bytes, binary: bool = False) -> None:  # noqa: N802 - Daphne's name
        """autobahn's sendMessage raises on a closing socket, which the application cannot know about yet.
        It also applies the limit for incoming messages to outgoing ones."""
        if self.state == self.STATE_OPEN:
            payload = content.encode() if isinstance(content, str) else content
            self.sendFrame(opcode=2 if binary else 1, payload=payload, sync=True)

    # --- The end ---

    def sendCloseFrame(self, code: int | None = None, reasonUtf8: bytes | None = None, isReply: bool = False) -> None:  # noqa: N802, N803 - autobahn's names
        """autobahn cuts the connection a fixed time after its close frame, even if the peer is still taking the data
        before it."""
        super().sendCloseFrame(code, reasonUtf8, isReply)
        self.wake()
        if self.held_back:  # read on, to receive the peer's close frame
            self.factory.reactor.callLater(0, self.read_on)
        if self.state == CLOSING:
            self.watch()

    def check_timeouts(self) -> None:
        """Daphne calls this every 2 s. Stock closes sockets together that were opened together."""
        limit = self.server.websocket_timeout
        if limit >= 0 and self.duration() > limit * YOUNG:
            self.ends_at = self.ends_at or random.uniform(limit * YOUNG, limit)  # noqa: S311 - guessing it gains nothing
            if self.duration() > self.ends_at:
                self.ends_at = math.inf
                self.factory.reactor.callLater(random.uniform(0, CHECK_SECONDS), self.go_away)  # noqa: S311
        super().check_timeouts()

    def serverClose(self, code: int | None = None) -> None:  # noqa: N802 - Daphne's name
        """Does nothing: Daphne calls this for a socket that is too old, but check_timeouts has scheduled its end."""

    def go_away(self) -> None:
        if self.state == OPEN:
            self.sendCloseFrame(code=GOING_AWAY, reasonUtf8=b"going away")

    def watch(self) -> None:
        """Watches the closing connection until it ends or has to be cut."""
        if not self.cut:
            now = self.factory.reactor.seconds()
            self.look(self.untaken(), now, now + CLOSING_SECONDS)

    def look(self, before: int, taken_at: float, end: float) -> None:
        now, left = self.factory.reactor.seconds(), self.untaken()
        if left < before:
            taken_at = now
        stalled = taken_at + STALLED_SECONDS
        if self.finishing and left:  # a slow peer still gets everything that the application sent before its close
            stalled, end = taken_at + stall_seconds(), now + CLOSING_SECONDS
        if now < min(stalled, end):
            self.cut = self.factory.reactor.callLater(1, self.look, left, taken_at, end)
        elif self.state == CLOSING:
            self.onCloseHandshakeTimeout()
        else:
            self.transport.abortConnection()

    def untaken(self) -> int:
        """Bytes that the peer has not acknowledged."""
        return self.unsent() + unacknowledged(self.transport.fileno())

    def dropConnection(self, abort: bool = False) -> None:  # noqa: N802 - autobahn's name
        """autobahn resets the connection on a second fault, and on the peer's answer to our close. Both
        can lose the close frame. Without a reset, Twisted waits forever for a peer that does not read,
        hence watch(). Twisted does not know about our queue, so it is written out first."""
        a_further_fault = self.failedByMe and not abort and not self.wasClean
        if self.state == self.STATE_CLOSED or a_further_fault:
            return
        self.paused = False  # nothing is resumed from here on
        self.transport.writeSequence([frame for frame, _ in self.send_queue])
        self.forget_waiting()
        super().dropConnection(abort=abort and not self.wasClean)
        self.wake()
        self.watch()

    def forget_waiting(self) -> None:
        self.send_queue = ()
        self.waiting_bytes = self.bounded_bytes = 0

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:  # noqa: N802, N803 - autobahn's names
        """Stock reports 1006 when we closed because of a fault, and None where ASGI requires 1005. It
        raises for a peer that was refused before there was an application."""
        if self.cut and self.cut.active():
            self.cut.cancel()
        self.forget_waiting()
        OUTGOING.release(self)
        self.wake()
        if self.failedByMe or self.localCloseCode in (TOO_SLOW, TOO_FAST, GOING_AWAY):
            code = self.localCloseCode
        if hasattr(self, "server"):
            super().onClose(wasClean, 1005 if code is None else code, reason)
        self.is_closed = None  # autobahn's Deferred, whose result is the connection itself: a reference cycle


class Server(StockServer):
    def __init__(self, application: Any, endpoints: Sequence[str] = (), **options: Any) -> None:
        # Twisted's backlog of 50 refuses a burst of reconnects. It can be set only in the endpoint string.
        def backed(endpoint: str) -> str:
            if not has_dualstack_ipv6():  # then only IPv4 is available
                endpoint = endpoint.replace(EVERY_ADDRESS, "interface=0.0.0.0")
            listens = endpoint.startswith(("tcp:", "tcp6:", "ssl:", "unix:")) and ":backlog=" not in endpoint
            return f"{endpoint}:backlog={BACKLOG}" if listens else endpoint

        super().__init__(application, [backed(endpoint) for endpoint in endpoints], **options)
        self.ports: list[Any] = []  # IListeningPort: mypy needs a plugin to accept a zope interface as a type
        self.turns = 0  # number of sockets scheduled to close since draining began
        self.arriving_until = self.last_turn = 0.0
        self.hurried = 0.0  # when the second signal came
        self.cancelled = 0

    @property
    def ws_factory(self) -> WebSocketFactory:
        return self._ws_factory

    @ws_factory.setter
    def ws_factory(self, factory: WebSocketFactory) -> None:
        """Stock sets its factory in the middle of run(). This setter gives it our protocol."""
        factory.protocol = type("WebSocketProtocol", (WebSocketProtocol,), {})  # a class per factory, for its options
        self._ws_factory = factory

    @property
    def http_factory(self) -> HTTPFactory:
        return self._http_factory

    @http_factory.setter
    def http_factory(self, factory: StockHTTPFactory) -> None:
        # Imported here because the settings must not be read before the application has been imported.
        from app.servers.head import HEAD_BYTES, MOST_HEADERS

        Channel.totalHeadersSize = Channel.MAX_LENGTH = HEAD_BYTES
        Channel.maxHeaders = MOST_HEADERS
        self._http_factory = HTTPFactory(factory.server)

    def create_application(self, protocol: Any, scope: dict[str, Any]) -> Any:
        """Stock's queue has no limit. Stock also percent-decodes subprotocols, which changes what was offered."""
        scope["asgi"] = {"version": "3.0"}
        if scope["type"] != "websocket":
            return self.respond(protocol, scope)
        scope["subprotocols"] = list(protocol.websocket_protocols)
        scope["extensions"] = extensions(protocol)
        queue = ReceiveQueue()
        running = self.application(scope=scope, receive=queue.get, send=partial(self.send_to, protocol))
        task = self.connections[protocol]["application_instance"] = asyncio.ensure_future(running)
        task.add_done_callback(queue.end)
        return queue

    def respond(self, request: Request, scope: dict[str, Any]) -> Any:
        queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        send, cut = partial(self.handle_reply, request), request.transport.abortConnection
        running = responses.respond(self.application, cut, scope, queue.get, send)
        self.connections[request]["application_instance"] = asyncio.ensure_future(running)
        return queue

    async def send_to(self, socket: WebSocketProtocol, message: dict[str, Any]) -> None:
        """Stock's never waits, however much is queued for the peer."""
        await self.handle_reply(socket, message)
        if socket.paused and socket.state == OPEN:
            await socket.keep_up()

    def listen_success(self, port: Any) -> None:
        self.ports.append(port)
        super().listen_success(port)
        reactor.callLater(0, watch)  # once it runs

    # --- The end ---

    def kill_all_applications(self) -> Deferred[Any]:
        """Stock cancels every application, and accepts connections until the last one is gone."""
        # A signal handler runs in the context of the application it interrupts, and the last accepted connections would
        # inherit that. asgiref sees a task that looks as if it already ran in the sync thread and fails it with a 500.
        loop = asyncio.get_running_loop()
        return Deferred.fromFuture(loop.create_task(self.drain(), context=Context()))

    async def drain(self) -> None:
        """Finishes accepted requests and closes sockets at random moments. Cancels only applications that end late."""
        begun = time.monotonic()
        draining.begin(self.application_close_timeout)
        responses.take_turns()
        self.listen_for_hurry()
        await self.stop_listening()
        self.arriving_until = begun + ARRIVING_SECONDS
        self.last_turn = time.monotonic() + draining.seconds
        sockets = self.open_sockets()
        for socket in sockets:
            self.opened(socket)
        logger.info("Draining: closing %d sockets within %g s", len(sockets), draining.seconds)
        await self.wait_for_peers()
        await self.end_applications()
        await draining.end(*([HURRIED_SECONDS] if self.hurried else []))
        await self.wait_while(lambda: self.turns, self.last_turn + RETURNING_SECONDS, 0)
        took = time.monotonic() - begun
        logger.info("Drained in %.1f s: %d sockets, %d applications cancelled", took, self.turns, self.cancelled)

    async def stop_listening(self) -> None:
        for port in self.ports:
            if isinstance(port, Port):
                # Accept what is in the kernel's backlog: closing the port would reset those connections.
                port.numberAccepts = BACKLOG
                port.doRead()  # type: ignore[no-untyped-call]
        await asyncio.gather(*(maybeDeferred(p.stopListening).asFuture(asyncio.get_running_loop()) for p in self.ports))

    def listen_for_hurry(self) -> None:
        """Stock Twisted treats a second signal as an error."""
        if self.signal_handlers:
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: reactor.callFromThread(self.hurry))

    def hurry(self) -> None:
        if not self.hurried:
            logger.info("Draining: hurried, closing %d sockets now", len(self.open_sockets()))
            self.hurried = self.last_turn = time.monotonic()
            for socket in self.open_sockets():
                socket.go_away()
            responses.end_all()

    def open_sockets(self) -> list[WebSocketProtocol]:
        return [one for one in self.connections if isinstance(one, WebSocketProtocol) and one.state == OPEN]

    def opened(self, socket: WebSocketProtocol) -> None:
        """Schedules the close of a socket that a pending handshake opens while draining."""
        if draining.begun:
            self.turns += 1
            wait = random.uniform(0, max(0.0, self.last_turn - time.monotonic()))  # noqa: S311 - guessing it gains nothing
            reactor.callLater(wait, socket.go_away)

    async def wait_for_peers(self) -> None:
        await self.wait_while(self.connected, self.last_turn + PEERS_SECONDS, HURRIED_PEERS_SECONDS)
        for connection, details in self.connections.items():
            if isinstance(connection, WebSocketProtocol) and not details.get("disconnected"):
                connection.transport.abortConnection()

    async def end_applications(self) -> None:
        end = time.monotonic() + max(self.application_close_timeout, responses.seconds_left())
        await self.wait_while(lambda: self.applications() or self.connected(), end, HURRIED_SECONDS)
        self.application_checker()  # logs what they raised
        self.cut_the_rest()
        running = self.applications()
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running, timeout=CANCELLED_SECONDS)
        self.cancelled = len(running) + draining.cancelled

    def cut_the_rest(self) -> None:
        """Runs before applications are cancelled: without a response nginx tries another worker; a 500 is final."""
        for reader in (*reactor.getReaders(), *readers.getReaders()):
            if isinstance(reader, Connection):
                reader.abortConnection()  # type: ignore[no-untyped-call]

    async def wait_while(self, unfinished: Callable[[], Any], end: float, hurried: float) -> None:
        def late() -> bool:
            return time.monotonic() >= (min(end, self.hurried + hurried) if self.hurried else end)

        while unfinished() and not late():  # noqa: ASYNC110 - many things can end it, and not all of them signal it
            await asyncio.sleep(POLL_SECONDS)

    def connected(self) -> bool:
        """Whether data for a peer is unsent, a socket is open, or an accepted connection may still send a request."""
        if any(isinstance(writer, Connection) for writer in reactor.getWriters()):
            return True
        if any(
            isinstance(one, WebSocketProtocol) and not details.get("disconnected")
            for one, details in self.connections.items()
        ):
            return True
        return time.monotonic() < self.arriving_until and any(
            isinstance(reader, Connection) for reader in reactor.getReaders()
        )

    def applications(self) -> set[asyncio.Task[Any]]:
        tasks = (details.get("application_instance") for details in self.connections.values())
        return {task for task in tasks if task and not task.done()}


class CommandLineInterface(StockCommandLine):
    server_class = Server

    def __init__(self) -> None:
        super().__init__()
        # Stock's default, 1, writes an access log to stdout. nginx writes one already; -v 1 or --access-log enable it.
        self.parser.set_defaults(verbosity=0)

    def run(self, args: Sequence[str]) -> None:
        """Stock gives the root logger a handler before it imports the application, whose logging
        configuration may not remove it. With the import first, basicConfig adds no handler."""
        path = self.parser.parse_args(args).application
        # PID 1 of a container ignores signals without a handler, and importing takes a while. The handler exits
        # directly, because the imported code or Twisted would catch an exception.
        signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
        sys.path.insert(0, ".")
        import_by_path(path)
        if logging.getLogger("daphne").hasHandlers():
            logging.getLogger().addHandler(logging.NullHandler())
        freeze()
        raise_limit()
        super().run(args)
        if self.server.cancelled:
            # A cancelled application may still run in a thread. Threads cannot be cancelled, and a normal exit would
            # wait for it.
            logging.shutdown()
            os._exit(0)


if __name__ == "__main__":
    CommandLineInterface.entrypoint()
