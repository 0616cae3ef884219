"""Daphne as the registry ships it, with a thin subclass for what it gets wrong.

``python -m app.servers.daphne`` takes Daphne's own command line. Each override says what stock
Daphne 4.2 or autobahn does in its place; tests/integration/test_daphne.py fails without it.
"""

import asyncio
import logging
import sys
from collections.abc import Sequence
from typing import Any

# Daphne comes first: importing it is what installs Twisted's asyncio reactor.
from daphne.cli import CommandLineInterface as StockCommandLine
from daphne.server import Server as StockServer
from daphne.utils import HEADER_NAME_RE, import_by_path
from daphne.ws_protocol import WebSocketFactory
from daphne.ws_protocol import WebSocketProtocol as StockProtocol
from twisted.internet.base import DelayedCall
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.web.http import RESPONSES

logger = logging.getLogger(__name__)

BACKLOG = 2048
# What the denial's writer says itself; the application's word on it would break the framing.
FRAMING_HEADERS = frozenset({b"connection", b"content-length", b"transfer-encoding"})


class WebSocketProtocol(StockProtocol):
    """One WebSocket. Attributes named as autobahn's options override the factory's."""

    # autobahn's default drops TCP on 1002, 1007 and 1009 instead of sending the close frame.
    failByDrop = False  # noqa: N815 - autobahn's name
    # autobahn's 1 s can end while the peer is still sending what we refused, before it reads why.
    closeHandshakeTimeout = 5  # noqa: N815 - autobahn's name

    denial: tuple[int, list[tuple[bytes, bytes]], bytearray] | None = None
    cut: DelayedCall | None = None

    def handle_reply(self, message: dict[str, Any]) -> None:
        """Stock ignores the denial messages and a close's reason, and empty frames by testing their truth."""
        match message.get("type"):
            case "websocket.http.response.start":
                self.start_denial(message["status"], message.get("headers", ()))
            case "websocket.http.response.body":
                self.continue_denial(message.get("body", b""), message.get("more_body", False))
            case "websocket.close" if self.state == self.STATE_OPEN:
                # Not sendClose: autobahn's allows an application 1000 and 3000 to 4999, and 1012 is neither.
                # A control frame holds 125 bytes, the code among them (RFC 6455, 5.5).
                reason = message.get("reason", "").encode()[:123].decode(errors="ignore").encode()
                self.sendCloseFrame(code=message.get("code") or 1000, reasonUtf8=reason)
            case "websocket.send" if self.state != self.STATE_CONNECTING and not (
                message.get("bytes") or message.get("text")
            ):
                if message.get("bytes") is not None:
                    self.serverSend(b"", binary=True)
                elif message.get("text") is not None:
                    self.serverSend("")
            case _:
                super().handle_reply(message)

    def failHandshake(self, reason: str, code: int = 400, responseHeaders: Any = None) -> None:  # noqa: N802, N803 - autobahn's names
        """autobahn calls an Origin that is none a bad request; it is a foreign one."""
        super().failHandshake(reason, 403 if reason.startswith("HTTP Origin header") else code, responseHeaders)

    def start_denial(self, status: int, headers: Sequence[tuple[bytes, bytes]]) -> None:
        if self.state != self.STATE_CONNECTING or self.denial:
            raise ValueError("A denial starts once, and before the handshake is answered")
        for name, value in headers:
            if not HEADER_NAME_RE.fullmatch(name) or {0, 10, 13}.intersection(value):
                raise ValueError(f"Header {name!r} would break out of the response")
        kept = [(name, value) for name, value in headers if name.lower() not in FRAMING_HEADERS]
        self.denial = (status, kept, bytearray())

    def continue_denial(self, body: bytes, more_body: bool) -> None:
        if self.state != self.STATE_CONNECTING or not self.denial:
            raise ValueError("A denial's body follows its start, and ends once")
        status, headers, collected = self.denial
        collected += body
        if more_body:
            return
        lines = [b"HTTP/1.1 %d %s" % (status, RESPONSES.get(status, b""))]
        lines += [b"%s: %s" % (name, value) for name, value in headers]
        lines += [b"Content-Length: %d" % len(collected), b"Connection: close", b"", b""]
        # Never fired: autobahn would answer it with a response of its own.
        del self.handshake_deferred
        self.sendData(b"\r\n".join(lines) + collected)
        self.dropConnection()

    def serverSend(self, content: str | bytes, binary: bool = False) -> None:  # noqa: N802 - Daphne's name
        """autobahn's sendMessage raises on a socket that is closing, which the application cannot
        know yet, and holds what we send to the limit for what we receive."""
        if self.state == self.STATE_OPEN:
            payload = content.encode() if isinstance(content, str) else content
            self.sendFrame(opcode=2 if binary else 1, payload=payload)

    def dropConnection(self, abort: bool = False) -> None:  # noqa: N802 - autobahn's name
        """autobahn resets the connection on a second fault, and on the peer's answer to our close:
        both can lose the close frame. Without a reset Twisted waits for ever on a peer that does
        not read."""
        a_further_fault = self.failedByMe and not abort and not self.wasClean
        if self.state == self.STATE_CLOSED or a_further_fault:
            return
        super().dropConnection(abort=abort and not self.wasClean)
        self.cut = self.factory.reactor.callLater(self.closeHandshakeTimeout, self.transport.abortConnection)

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:  # noqa: N802, N803 - autobahn's names
        """Stock reports 1006 for a fault that we closed, and None where ASGI asks for 1005."""
        if self.cut and self.cut.active():
            self.cut.cancel()
        if self.failedByMe:
            code = self.localCloseCode
        super().onClose(wasClean, 1005 if code is None else code, reason)


class Server(StockServer):
    def __init__(self, application: Any, endpoints: Sequence[str] = (), **options: Any) -> None:
        # Twisted's backlog of 50 refuses a burst of reconnects; it can only be named in the string.
        def backed(endpoint: str) -> str:
            listens = endpoint.startswith(("tcp:", "tcp6:", "ssl:", "unix:")) and ":backlog=" not in endpoint
            return f"{endpoint}:backlog={BACKLOG}" if listens else endpoint

        super().__init__(application, [backed(endpoint) for endpoint in endpoints], **options)
        self.ports: list[Any] = []  # IListeningPort: without its plugin mypy takes no zope interface for a type

    @property
    def ws_factory(self) -> WebSocketFactory:
        return self._ws_factory

    @ws_factory.setter
    def ws_factory(self, factory: WebSocketFactory) -> None:
        """Stock names its factory in the middle of run(); this is where ours gets its protocol."""
        factory.protocol = WebSocketProtocol
        self._ws_factory = factory

    def create_application(self, protocol: Any, scope: dict[str, Any]) -> Any:
        if scope["type"] == "websocket":
            scope.setdefault("extensions", {})["websocket.http.response"] = {}
        return super().create_application(protocol, scope)

    def listen_success(self, port: Any) -> None:
        self.ports.append(port)
        super().listen_success(port)

    def kill_all_applications(self) -> Deferred[Any]:
        """Stock accepts connections until the last application is gone."""
        closed = DeferredList([maybeDeferred(port.stopListening) for port in self.ports])
        return closed.addCallback(lambda _: self.stop_applications())

    def stop_applications(self) -> Deferred[Any]:
        """Stock raises here on a connection without an application (a request still arriving), and
        exits as soon as one application has let itself be cancelled, not after the last."""
        tasks = [details.get("application_instance") for details in self.connections.values()]
        running = [task for task in tasks if task and not task.done()]
        for task in running:
            task.cancel()
        logger.info("Stopping %d applications", len(running))
        return Deferred.fromFuture(asyncio.gather(*running, return_exceptions=True))


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
        sys.path.insert(0, ".")
        import_by_path(path)
        if logging.getLogger("daphne").hasHandlers():
            logging.getLogger().addHandler(logging.NullHandler())
        super().run(args)


if __name__ == "__main__":
    CommandLineInterface.entrypoint()
