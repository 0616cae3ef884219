"""Daphne as the registry ships it, with a thin subclass for what it gets wrong.

``python -m app.servers.daphne`` takes Daphne's own command line. Each override says what stock
Daphne 4.2 or autobahn does in its place; tests/integration/test_sockets*.py and test_daphne.py
fail without it, but for what only saves work.
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

# Daphne comes first: importing it is what installs Twisted's asyncio reactor.
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

# autobahn lays its configuration out for the debug log of each connection, read or not: 15 % of a profile of joins.
vars(autobahn)["pformat"] = lambda _: ""
# And what it says there of each piece that it reads, it colours for a terminal.
vars(autobahn_twisted)["hltype"] = vars(autobahn_twisted)["hlval"] = lambda _: ""
# For each socket that can be read or written, Twisted prepares its own log to name the connection.
vars(asyncioreactor)["callWithLogger"] = lambda _, call, *arguments: call(*arguments)
logger = logging.getLogger(__name__)
reactor: Any = installed_reactor  # without its plugin mypy takes no zope interface for a type
# Twisted and Daphne measure every duration by the wall clock. Set back by an hour, it would keep pings, time-outs and
# closes waiting for as long.
reactor.seconds = time.monotonic
for call in reactor.getDelayedCalls():
    call.cancel()  # the reactor's own, by the other clock, for a moment in half a century; it does nothing
for module in (http_protocol, server, ws_protocol):
    vars(module)["time"] = SimpleNamespace(time=time.monotonic)

readers = Readers(reactor)
BACKLOG = 2048
EVERY_ADDRESS = r"interface=\:\:"  # of IPv6 and IPv4, as Daphne makes it of --bind=::
# When draining: each of these begins when what comes before it has ended. compose.yaml's stop_grace_period is
# longer than all of them together, with the longest DRAIN_SECONDS.
ARRIVING_SECONDS = 1  # until a connection that was accepted has said what it wants
CANCELLED_SECONDS = 1
# Who has sent the signal twice waits so long for the peers, and for peers and applications together.
HURRIED_PEERS_SECONDS, HURRIED_SECONDS = 0.5, 1.0
POLL_SECONDS = 0.05
# From this share of the longest life on a socket is ended, at an age chosen at random.
YOUNG = 0.9
CHECK_SECONDS = 2  # Daphne's, between two looks at each socket
FINAL_TEXT, MASKED = 0x81, 0x80  # of a frame's first byte and its second (RFC 6455, 5.2)
MOST_BYTES = 65_535  # that a length of sixteen bits can name
LENGTH_FOLLOWS = 126  # in place of a length of up to 125: sixteen bits have it
# Attributes of a connection that nobody reads once it is open; with the dictionary that holds them, 4 KB.
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
        """Stock joins all lines of one name by a comma when it hands a handshake over to autobahn."""
        cookies = self.requestHeaders.getRawHeaders(b"cookie", [])
        if len(cookies) > 1:
            self.requestHeaders.setRawHeaders(b"cookie", [b"; ".join(cookies)])
        return super().process()


class Channel(HTTPChannel):
    """One connection, until it becomes a WebSocket. Stock ends one whose headers are too long with a bare 400."""

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
    """One WebSocket. Attributes named as autobahn's options override the factory's."""

    # autobahn's default drops TCP on 1002, 1007 and 1009 instead of sending the close frame.
    failByDrop = False  # noqa: N815 - autobahn's name
    # autobahn's 1 s can end while the peer is still sending what we refused, before it reads why; watch() has the time.
    closeHandshakeTimeout = 0  # noqa: N815 - autobahn's name

    denial: Denial | None = None
    cut: DelayedCall | None = None

    # On the class, so that a connection whose peer keeps up has none of its own.
    paused = False
    waiting_bytes = 0  # in all frames of the queue
    bounded_bytes = 0  # in those whose writer cannot wait
    queued_bytes = 0  # that have ever been in the queue
    stall: Stall | None = None
    finishing = False  # closed by the application, which has sent more than the peer has taken
    untaken_at_ping = 0
    ends_at: float | None = None  # its age then, in seconds, once it is old
    resumed: asyncio.Event | None = None
    held_back = False
    send_queue: Any = ()  # a deque, when something waits
    _transport_details = None

    configured = False
    longest: int
    data: bytes
    autoPingTimeoutCall: Any  # noqa: N815 - autobahn's name

    @classmethod
    def configure(cls, factory: Any) -> None:
        """autobahn copies the factory's options, 29 of them, to every connection."""
        for option in cls.CONFIG_ATTRS:
            if option not in vars(WebSocketProtocol):
                value = getattr(factory, option)
                setattr(cls, option, staticmethod(value) if callable(value) else value)
        cls.longest = min(size or MOST_BYTES for size in (cls.maxFramePayloadSize, cls.maxMessagePayloadSize))
        cls.configured = True

    def share_beginnings(self) -> None:
        """autobahn gives every connection thirty attributes that few ever change: forget_handshake() leaves them to
        the class."""
        for name, value in vars(self).items():
            if value is None or value is False:
                setattr(type(self), name, value)

    def connectionMade(self) -> None:  # noqa: N802 - Twisted's name
        """Stock leaves twisted.web's channel as the transport's producer: nobody learns that the
        transport is full, and channel and request live as long as the WebSocket."""
        if first := not self.configured:
            self.configure(self.factory)
        if isinstance(self.transport, Connection):
            # Channel and request refer to each other, and would wait for the collector of garbage.
            channel: Any = self.transport.producer
            channel.requests.clear()
        else:
            # TLS: what passes by its transport would go out in clear.
            self.transmit = self.transport.write  # type: ignore[method-assign]
        self.transport.unregisterProducer()
        self.transport.registerProducer(self, True)
        super().connectionMade()
        del self.send_queue  # the class has it until something waits, which may be during the handshake
        if first:
            self.share_beginnings()

    def onOpen(self) -> None:  # noqa: N802 - autobahn's name
        super().onOpen()
        self.server.opened(self)

    def onConnect(self, request: Any) -> Any:  # noqa: N802 - autobahn's name
        """Stock answers names that are not ASCII with a 500 and a traceback."""
        if not all(name.isascii() for name in request.protocols):
            raise ConnectionDeny(400, "Sec-WebSocket-Protocol holds a name that is not ASCII")
        return super().onConnect(request)

    # --- What goes out ---

    def pauseProducing(self) -> None:  # noqa: N802 - Twisted's name
        self.paused = True
        self.count_unsent()

    def resumeProducing(self) -> None:  # noqa: N802 - Twisted's name
        """Twisted calls this when the kernel has taken all that the transport held."""
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
        """The connection is lost, of which onClose hears."""

    def wake(self) -> None:
        if self.resumed and not (self.paused and self.state == OPEN):
            self.resumed.set()
            self.resumed = None

    def sendData(self, data: bytes, sync: bool = False, chopsize: int | None = None) -> None:  # noqa: N802 - autobahn's name
        """Stock hands the transport everything, however much it holds already, and formats a line
        for the debug log each time. `sync` is an application's frame, whose send waits."""
        if self.paused and sync:
            self.append(data, bounded=False)
        elif self.paused:
            self.queue(data)
        elif self.state == OPEN:
            self.transmit(data)
        else:
            self.transport.write(data)

    def write(self, frame: bytes) -> None:
        """The extension's: a finished frame of the server's, as it goes on the wire."""
        if self.state == OPEN:
            if self.paused:
                self.queue(frame)
            else:
                self.transmit(frame)

    def transmit(self, data: bytes) -> None:
        """Twisted asks the reactor to ask the kernel when it will take a byte, also of a peer that
        keeps up: three system calls and a turn of the loop, four times the work of one send."""
        transport = self.transport
        if transport._tempDataLen or transport.dataBuffer:
            transport.write(data)
            return
        try:
            taken = transport.socket.send(data)
        except OSError:  # would block, or is broken: the transport will find that out itself
            taken = 0
        if taken < len(data):
            transport.write(data[taken:])

    def queue(self, frame: bytes) -> None:
        """Frames wait whole in autobahn's queue for chopped writes, which Daphne never makes."""
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
        """What waits was last offered to the kernel before the application's turn of the loop; how
        much it sends in one turn says nothing about the peer."""
        before = None
        while self.paused and self.unsent() != before:
            before = self.unsent()
            self.transport.doWrite()

    def close_too_slow(self) -> None:
        self.forget_waiting()
        self.sendCloseFrame(code=TOO_SLOW, reasonUtf8=b"too slow")
        self.wake()

    def count_unsent(self) -> None:
        """Of a peer that keeps up, nothing waits that would be worth counting."""
        if self.paused:
            OUTGOING.hold(self, self.unsent(), self.let_go_of_unsent)
        else:
            OUTGOING.release(self)

    def let_go_of_unsent(self) -> None:
        """This peer has more waiting than any other, and all of them together too much."""
        if self.state == OPEN:
            self.close_too_slow()
        else:  # has been told already
            self.transport.abortConnection()

    def unsent(self) -> int:
        """The extension's: bytes accepted that the kernel has not taken."""
        transport = self.transport
        if not transport.connected:
            return 0
        return int(self.waiting_bytes + len(transport.dataBuffer) - transport.offset + transport._tempDataLen)

    async def drained(self) -> bool:
        """The extension's: returns when no frame waits, or none ever will: False."""
        while self.paused and self.state == OPEN:
            self.resumed = self.resumed or asyncio.Event()
            await self.resumed.wait()
        return bool(self.state == OPEN)

    async def keep_up(self) -> None:
        """For an application that has sent more than the peer takes at once."""
        if not self.stall:
            self.stall = Stall(self, self.server.connections[self].get("application_instance"))
        if self.unsent() > OUTGOING_BYTES:
            await self.drained()

    def waits(self) -> bool:
        return bool(self.paused and self.state == OPEN)

    def taken(self) -> int:
        """Bytes of what waited, by a beginning of their own: it changes when the peer takes some."""
        return self.queued_bytes - self.untaken()

    # --- What comes in ---

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        """autobahn counts bytes that nobody asks for, and has a line for its debug log."""
        self.data += data
        self.consumeData()

    def onMessage(self, payload: bytes, isBinary: bool) -> None:  # noqa: N802, N803 - autobahn's names
        """Stock queues whatever comes, however slow the application."""
        if self.state == CLOSING and self.application_queue.holds(1):
            return  # nor is the peer held back now: its close frame has to be seen
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
        """This peer's application has more to handle than any other, and all of them together too much."""
        self.application_queue.drop()
        if self.state == OPEN:
            self.sendCloseFrame(code=TOO_FAST, reasonUtf8=TOO_FAST_REASON.encode())

    def read_together(self) -> None:
        """The extension's: from now on what the peer says may wait for what others say (app/servers/readers.py).
        Nothing of it over TLS, or on a socket that is not open."""
        transport: Any = self.transport
        plain = isinstance(self.transport, Connection)
        if plain and self.state == OPEN and transport.reactor is reactor:
            transport.stopReading()
            transport.reactor = readers
            if not self.held_back:
                transport.startReading()

    def processData(self) -> bool:  # noqa: N802 - autobahn's name
        """autobahn goes on with what it has read: 64 KiB can be ten thousand messages."""
        return not self.held_back and (self.process_whole_text() or bool(super().processData()))

    def process_whole_text(self) -> bool:
        """Nearly every message is one masked text frame that was read whole, for which autobahn has six
        steps and an object of its own. Whatever else there is, faults included, is left to it by False."""
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
        """autobahn drops a peer whose answer we have not read, and one that is still taking what lies before the
        ping."""
        self.autoPingTimeoutCall = None
        if not self.held_back and not self.stall and not self.untaken() < self.untaken_at_ping:
            super().onAutoPingTimeout()

    def _sendAutoPing(self) -> None:  # noqa: N802 - autobahn's name
        """autobahn forgets the time that the ping before has, and drops a peer that has answered this one."""
        if self.autoPingTimeoutCall:
            return
        if self.untaken_at_ping or self.untaken():
            self.untaken_at_ping = self.untaken()
        super()._sendAutoPing()

    # --- The application's words ---

    def handle_reply(self, message: dict[str, Any]) -> None:
        """Stock ignores the denial messages, the headers of an accept and a close's reason, and empty
        frames by testing their truth."""
        match message.get("type"):
            case "websocket.accept":
                self.accept(message)
            case "websocket.http.response.start":
                self.start_denial(message)
            case "websocket.http.response.body":
                self.continue_denial(message)
            case "websocket.close" if self.state == self.STATE_OPEN:
                self.finishing = self.untaken() > 0
                # Not sendClose: autobahn's allows an application 1000 and 3000 to 4999, and 1012 is neither.
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
        """autobahn raises on a name that was not offered where nobody hears it, and the handshake hangs."""
        subprotocol, headers = acceptable(message, self.websocket_protocols)
        fields: dict[str, list[str]] = {}
        for name, value in headers:
            fields.setdefault(name.decode(), []).append(value.decode())
        self.handshake_deferred.callback((subprotocol, fields))
        self.forget_handshake()

    def forget_handshake(self) -> None:
        """autobahn and Daphne keep all that was said, for as long as the connection."""
        self.request.headers = None
        shared = vars(type(self))
        # Anew, since a dictionary does not shrink.
        self.__dict__ = {
            name: value
            for name, value in vars(self).items()
            if name not in HANDSHAKE and value is not shared.get(name, self)
        }

    def failHandshake(self, reason: str, code: int = 400, responseHeaders: Any = None) -> None:  # noqa: N802, N803 - autobahn's names
        """autobahn calls an Origin that is none a bad request; it is a foreign one."""
        super().failHandshake(reason, 403 if reason.startswith("HTTP Origin header") else code, responseHeaders)

    def start_denial(self, message: dict[str, Any]) -> None:
        if self.state != self.STATE_CONNECTING or self.denial:
            raise ValueError("A denial starts once, and before the handshake is answered")
        self.denial = Denial(message)

    def continue_denial(self, message: dict[str, Any]) -> None:
        if self.state != self.STATE_CONNECTING or not self.denial:
            raise ValueError("A denial's body follows its start, and ends once")
        if response := self.denial.completed(message):
            # Never fired: autobahn would answer it with a response of its own.
            del self.handshake_deferred
            self.sendData(response)
            self.dropConnection()

    def serverSend(self, content: str | bytes, binary: bool = False) -> None:  # noqa: N802 - Daphne's name
        """autobahn's sendMessage raises on a socket that is closing, which the application cannot
        know yet, and holds what we send to the limit for what we receive."""
        if self.state == self.STATE_OPEN:
            payload = content.encode() if isinstance(content, str) else content
            self.sendFrame(opcode=2 if binary else 1, payload=payload, sync=True)

    # --- The end ---

    def sendCloseFrame(self, code: int | None = None, reasonUtf8: bytes | None = None, isReply: bool = False) -> None:  # noqa: N802, N803 - autobahn's names
        """autobahn cuts a fixed time after its close frame, also a peer still taking what lies before it."""
        super().sendCloseFrame(code, reasonUtf8, isReply)
        self.wake()
        if self.held_back:  # for the peer's close frame
            self.factory.reactor.callLater(0, self.read_on)
        if self.state == CLOSING:
            self.watch()

    def check_timeouts(self) -> None:
        """Daphne's, every 2 s. It ends all sockets together that were opened together."""
        limit = self.server.websocket_timeout
        if limit >= 0 and self.duration() > limit * YOUNG:
            self.ends_at = self.ends_at or random.uniform(limit * YOUNG, limit)  # noqa: S311 - guessing it gains nothing
            if self.duration() > self.ends_at:
                self.ends_at = math.inf
                self.factory.reactor.callLater(random.uniform(0, CHECK_SECONDS), self.go_away)  # noqa: S311
        super().check_timeouts()

    def serverClose(self, code: int | None = None) -> None:  # noqa: N802 - Daphne's name
        """Of a socket that is too old: check_timeouts has planned its end, at a moment of its own."""

    def go_away(self) -> None:
        if self.state == OPEN:
            self.sendCloseFrame(code=GOING_AWAY, reasonUtf8=b"going away")

    def watch(self) -> None:
        """Until the connection ends, or has to be cut."""
        if not self.cut:
            now = self.factory.reactor.seconds()
            self.look(self.untaken(), now, now + CLOSING_SECONDS)

    def look(self, before: int, taken_at: float, end: float) -> None:
        now, left = self.factory.reactor.seconds(), self.untaken()
        if left < before:
            taken_at = now
        stalled = taken_at + STALLED_SECONDS
        if self.finishing and left:  # no slow peer loses what an application has sent before its close
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
        """autobahn resets the connection on a second fault, and on the peer's answer to our close:
        both can lose the close frame. Without a reset Twisted waits for ever on a peer that does
        not read. And what waits here, Twisted does not know."""
        a_further_fault = self.failedByMe and not abort and not self.wasClean
        if self.state == self.STATE_CLOSED or a_further_fault:
            return
        self.paused = False  # nobody is resumed from here on
        self.transport.writeSequence([frame for frame, _ in self.send_queue])
        self.forget_waiting()
        super().dropConnection(abort=abort and not self.wasClean)
        self.wake()
        self.watch()

    def forget_waiting(self) -> None:
        self.send_queue = ()
        self.waiting_bytes = self.bounded_bytes = 0

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:  # noqa: N802, N803 - autobahn's names
        """Stock reports 1006 for a fault that we closed, and None where ASGI asks for 1005. It raises
        for a peer that was refused before there was an application."""
        if self.cut and self.cut.active():
            self.cut.cancel()
        self.forget_waiting()
        OUTGOING.release(self)
        self.wake()
        if self.failedByMe or self.localCloseCode in (TOO_SLOW, TOO_FAST, GOING_AWAY):
            code = self.localCloseCode
        if hasattr(self, "server"):
            super().onClose(wasClean, 1005 if code is None else code, reason)
        self.is_closed = None  # autobahn's result of it is the connection itself: a reference cycle


class Server(StockServer):
    def __init__(self, application: Any, endpoints: Sequence[str] = (), **options: Any) -> None:
        # Twisted's backlog of 50 refuses a burst of reconnects; it can only be named in the string.
        def backed(endpoint: str) -> str:
            if not has_dualstack_ipv6():  # then every address is one of IPv4
                endpoint = endpoint.replace(EVERY_ADDRESS, "interface=0.0.0.0")
            listens = endpoint.startswith(("tcp:", "tcp6:", "ssl:", "unix:")) and ":backlog=" not in endpoint
            return f"{endpoint}:backlog={BACKLOG}" if listens else endpoint

        super().__init__(application, [backed(endpoint) for endpoint in endpoints], **options)
        self.ports: list[Any] = []  # IListeningPort: without its plugin mypy takes no zope interface for a type
        self.turns = 0  # that sockets have got since draining began
        self.arriving_until = self.last_turn = 0.0
        self.hurried = 0.0  # when
        self.cancelled = 0

    @property
    def ws_factory(self) -> WebSocketFactory:
        return self._ws_factory

    @ws_factory.setter
    def ws_factory(self, factory: WebSocketFactory) -> None:
        """Stock names its factory in the middle of run(); this is where ours gets its protocol."""
        factory.protocol = type("WebSocketProtocol", (WebSocketProtocol,), {})  # its options are this factory's
        self._ws_factory = factory

    @property
    def http_factory(self) -> HTTPFactory:
        return self._http_factory

    @http_factory.setter
    def http_factory(self, factory: StockHTTPFactory) -> None:
        # Not above: the settings are asked for when the application has been imported, and not before.
        from app.servers.head import HEAD_BYTES, MOST_HEADERS

        Channel.totalHeadersSize = Channel.MAX_LENGTH = HEAD_BYTES
        Channel.maxHeaders = MOST_HEADERS
        self._http_factory = HTTPFactory(factory.server)

    def create_application(self, protocol: Any, scope: dict[str, Any]) -> Any:
        """Stock's queue has no limit, and its subprotocols are percent-decoded: not what was offered."""
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
        """Stock's never waits, however much its peer has still to take."""
        await self.handle_reply(socket, message)
        if socket.paused and socket.state == OPEN:
            await socket.keep_up()

    def listen_success(self, port: Any) -> None:
        self.ports.append(port)
        super().listen_success(port)
        reactor.callLater(0, watch)  # once it runs

    # --- The end ---

    def kill_all_applications(self) -> Deferred[Any]:
        """Stock cancels every application, and accepts connections until the last is gone."""
        # A signal's handler runs in the context of whatever application it interrupts. The connections that are
        # accepted last would inherit it; and asgiref refuses its thread to who seems to be in it already, by a 500.
        loop = asyncio.get_running_loop()
        return Deferred.fromFuture(loop.create_task(self.drain(), context=Context()))

    async def drain(self) -> None:
        """What was accepted is finished, sockets are closed in turn, and nobody is cancelled who ends in time."""
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
                # What the kernel has accepted for us would be reset.
                port.numberAccepts = BACKLOG
                port.doRead()  # type: ignore[no-untyped-call]
        await asyncio.gather(*(maybeDeferred(p.stopListening).asFuture(asyncio.get_running_loop()) for p in self.ports))

    def listen_for_hurry(self) -> None:
        """Twisted stops once, and calls a second signal a fault."""
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
        """Also while draining, by a handshake that was under way."""
        if draining.begun:
            self.turns += 1
            wait = random.uniform(0, max(0.0, self.last_turn - time.monotonic()))  # noqa: S311 - nobody gains by guessing
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
        """Before the applications end: nginx asks another worker where there is no answer, but takes a 500 for one."""
        for reader in (*reactor.getReaders(), *readers.getReaders()):
            if isinstance(reader, Connection):
                reader.abortConnection()  # type: ignore[no-untyped-call]

    async def wait_while(self, unfinished: Callable[[], Any], end: float, hurried: float) -> None:
        def late() -> bool:
            return time.monotonic() >= (min(end, self.hurried + hurried) if self.hurried else end)

        while unfinished() and not late():  # noqa: ASYNC110 - an end has many causes, and not all of them tell
            await asyncio.sleep(POLL_SECONDS)

    def connected(self) -> bool:
        """Whether a peer has not got all that was for it, or an open connection may still want something."""
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
        # Stock's 1 means an access log on stdout: nginx writes one. -v 1 or --access-log bring it.
        self.parser.set_defaults(verbosity=0)

    def run(self, args: Sequence[str]) -> None:
        """Stock gives the root logger a handler and then imports the application, whose logging
        configuration may leave that handler in place. The other way round basicConfig keeps out."""
        path = self.parser.parse_args(args).application
        # The first process of a container is deaf to a signal that it does not handle, and importing takes a
        # while. An exception would be caught on its way, by whoever is being imported or by Twisted.
        signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
        sys.path.insert(0, ".")
        import_by_path(path)
        if logging.getLogger("daphne").hasHandlers():
            logging.getLogger().addHandler(logging.NullHandler())
        freeze()
        raise_limit()
        super().run(args)
        if self.server.cancelled:
            # Perhaps in a thread, which cannot be, and for which the interpreter would wait.
            logging.shutdown()
            os._exit(0)


if __name__ == "__main__":
    CommandLineInterface.entrypoint()
