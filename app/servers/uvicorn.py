"""The gunicorn worker classes of `web` and of `uvicorn`, which replaces `daphne` in an overlay."""

import asyncio
import logging
import math
import os
import random
import select
import signal
import sys
import time
from functools import partial
from socket import socket
from types import FrameType
from typing import Any, ClassVar

from django.conf import settings
from gunicorn.arbiter import Arbiter
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import Server as StockServer
from uvicorn_worker import UvicornWorker

from app.drain import draining
from app.lateness import watch
from app.servers import responses
from app.servers.head import HEAD_BYTES, refusal
from app.servers.memory import freeze
from app.servers.uvicorn_websocket import WebSocketProtocol
from app.servers.websocket import PEERS_SECONDS, RETURNING_SECONDS

logger = logging.getLogger(__name__)

# nginx closes a connection that it has not used for 1 s (nginx/upstreams.conf). nginx must close first: a request sent
# on a closed connection is lost unless it may be repeated.
IDLE_SECONDS = 1.5
# Applications that still run after this are cancelled, unless a response is left that ends later (responses.py).
# services/web/gunicorn.conf.py allows more time before it kills.
FINISH_SECONDS = 10
# The limit for accepting the kernel's backlog, which may grow meanwhile.
ACCEPT_SECONDS = 1
CANCELLED_SECONDS = 1
HURRIED_SECONDS = 1.0
POLL_SECONDS = 0.05
PONG_SECONDS = 30  # Daphne's default


class HttpProtocol(HttpToolsProtocol):
    """One connection, until it becomes a WebSocket. Stock accepts headers of any size."""

    head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app = partial(responses.respond, self.app, transport.abort)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.head_bytes = 0

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        self.count(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        super().on_header(name, value)
        self.count(len(name) + len(value))

    def count(self, count: int) -> None:
        self.head_bytes += count
        if self.head_bytes > HEAD_BYTES:
            raise ValueError("Headers above MAX_HEADER_BYTES")  # stops the parser; stock then calls send_400_response

    def send_400_response(self, msg: str) -> None:
        if self.head_bytes > HEAD_BYTES:
            self.transport.write(refusal())
            self.transport.close()
        else:
            super().send_400_response(msg)


class Server(StockServer):
    """Stock closes idle connections at once, even if a request is on its way, and closes all WebSockets together."""

    turns = 0  # number of WebSockets scheduled to close since draining began
    cancelled = 0  # number of applications

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        begun = time.monotonic()
        draining.begin(self.config.timeout_graceful_shutdown or 0)
        responses.take_turns()
        await self.stop_listening(sockets or [])
        last_turn = time.monotonic() + draining.seconds
        self.server_state.default_headers = [*self.server_state.default_headers, (b"connection", b"close")]
        logger.info("Draining: closing %d connections", len(self.server_state.connections))
        await self.close_in_turn()
        await self.wait_for_peers()
        finish = max(self.config.timeout_graceful_shutdown or 0, responses.seconds_left())
        # Stock cancels 0.1 s later, and sends a 500 for a request without a response. give_up() ends the connection
        # first: without a response, nginx tries another worker.
        giving_up = asyncio.get_running_loop().call_later(finish, self.give_up)
        self.config.timeout_graceful_shutdown = math.ceil(finish)
        await super().shutdown()
        giving_up.cancel()
        await self.wait_for_cancelled()
        self.cancelled += draining.cancelled
        await draining.end()
        await self.wait_for_clients(last_turn + RETURNING_SECONDS)
        took = time.monotonic() - begun
        logger.info("Drained in %.1f s: %d sockets, %d applications cancelled", took, self.turns, self.cancelled)

    async def _serve(self, sockets: list[socket] | None = None) -> None:
        watch()
        await super()._serve(sockets)
        if self.cancelled:
            # A cancelled application may still run in a thread. Threads cannot be cancelled, and a normal exit would
            # wait for it.
            logging.shutdown()
            os._exit(0)

    async def stop_listening(self, sockets: list[socket]) -> None:
        # Closing the sockets would reset the connections in the kernel's backlog. uvloop accepts some in each turn of
        # the loop,
        waiting, end = select.poll(), time.monotonic() + ACCEPT_SECONDS
        for listening in sockets:
            waiting.register(listening, select.POLLIN)
        await asyncio.sleep(0)
        while waiting.poll(0) and time.monotonic() < end:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0)
        for listening in sockets:
            asyncio.get_running_loop().remove_reader(listening)
        # and sets them up in a later turn.
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        for server in self.servers:
            server.close()
        for listening in sockets:
            listening.close()

    async def close_in_turn(self) -> None:
        """Closes each connection at its own time. A connection can become a WebSocket meanwhile."""
        begun = time.monotonic()
        turns: dict[Any, float] = {}
        while any(turns.get(connection, 0) < math.inf for connection in self.server_state.connections):
            for connection in list(self.server_state.connections):
                if connection not in turns:
                    turns[connection] = begun + self.wait_of(connection)
                    self.turns += isinstance(connection, WebSocketProtocol)
                if turns[connection] <= time.monotonic() or self.hurried:
                    turns[connection] = math.inf
                    connection.shutdown()
            await asyncio.sleep(POLL_SECONDS)

    async def wait_for_peers(self) -> None:
        """Waits for the peers first, so that applications get all the time of the next step for their disconnect()."""
        end = time.monotonic() + PEERS_SECONDS
        while self.sockets() and time.monotonic() < end and not self.hurried:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(POLL_SECONDS)
        if not self.hurried:  # otherwise handle_exit has scheduled give_up()
            for connection in self.sockets():
                connection.transport.abort()

    async def wait_for_cancelled(self) -> None:
        """Waits for cancelled applications. Stock does not."""
        if tasks := set(self.server_state.tasks):
            self.cancelled = max(self.cancelled, len(tasks))
            await asyncio.wait(tasks, timeout=CANCELLED_SECONDS)

    async def wait_for_clients(self, end: float) -> None:
        """Waits for the clients of closed sockets to reconnect elsewhere (RETURNING_SECONDS)."""
        while self.turns and time.monotonic() < end and not self.hurried:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(POLL_SECONDS)

    def sockets(self) -> list[Any]:
        """The accepted WebSockets, without those whose application has not answered the handshake."""
        return [one for one in self.server_state.connections if isinstance(one, WebSocketProtocol) and one.accepted]

    def wait_of(self, connection: Any) -> float:
        if isinstance(connection, WebSocketProtocol):
            return random.uniform(0, draining.seconds)  # noqa: S311 - guessing it gains nothing
        at_work = connection.cycle is not None and not connection.cycle.response_complete
        return 0 if at_work else IDLE_SECONDS

    # --- A second signal ---

    hurried = False

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if not self.should_exit:
            super().handle_exit(sig, frame)
        elif not self.hurried:
            self.hurried = True
            logger.info("Draining: hurried")
            loop = asyncio.get_running_loop()
            loop.call_soon_threadsafe(responses.end_all)  # not inside the code that the signal interrupts
            loop.call_later(HURRIED_SECONDS, self.give_up)

    def give_up(self) -> None:
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        self.cancelled = max(self.cancelled, len(self.server_state.tasks))
        for task in self.server_state.tasks:
            task.cancel()


class Worker(UvicornWorker):
    """uvicorn under gunicorn, for pages. No WebSockets (other workers serve them), no lifespan (Django has none)."""

    CONFIG_KWARGS: ClassVar[dict[str, Any]] = {
        "loop": "auto",
        "http": HttpProtocol,
        "ws": "none",
        "lifespan": "off",
        "timeout_graceful_shutdown": FINISH_SECONDS,
    }

    async def _serve(self) -> None:
        """Stock's, but with our server, which also handles SIGQUIT: gunicorn sends that to make workers hurry."""
        self.config.app = self.wsgi
        server = Server(config=self.config)
        freeze()
        asyncio.get_running_loop().add_signal_handler(signal.SIGQUIT, server.handle_exit, signal.SIGQUIT, None)
        await server.serve(sockets=self.sockets)
        if not server.started:
            sys.exit(Arbiter.WORKER_BOOT_ERROR)


class SocketWorker(Worker):
    """The same for WebSockets, with the options that Daphne gets on its command line."""

    CONFIG_KWARGS: ClassVar[dict[str, Any]] = {
        **Worker.CONFIG_KWARGS,
        "ws": WebSocketProtocol,
        "ws_max_size": settings.MAX_MESSAGE_BYTES,
        "ws_ping_interval": settings.PING_SECONDS,
        "ws_ping_timeout": PONG_SECONDS,
        "ws_per_message_deflate": False,  # finished frames are shared by all connections
    }
