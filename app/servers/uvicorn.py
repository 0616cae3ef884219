"""The gunicorn worker class of the `web` service."""

import asyncio
import logging
import math
import random
import signal
import sys
import time
from socket import socket
from types import FrameType
from typing import Any, ClassVar

from gunicorn.arbiter import Arbiter
from uvicorn.server import Server as StockServer
from uvicorn_worker import UvicornWorker

from app.drain import draining

logger = logging.getLogger(__name__)

# nginx closes a connection that it has not used for 1 s (nginx/upstreams.conf). It must be the first: a request that
# meets a closed connection is lost, unless it may be repeated.
IDLE_SECONDS = 1.5
# Who is still at work is cancelled then; services/web/gunicorn.conf.py grants more before it kills.
FINISH_SECONDS = 10
HURRIED_SECONDS = 1.0
HANDSHAKE_SECONDS = 2.0  # after the last turn, until a handshake is given up
POLL_SECONDS = 0.05


class Server(StockServer):
    """Stock closes idle connections at once, whatever is on its way in them, and all WebSockets together."""

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        begun = time.monotonic()
        draining.begin()
        await self.stop_listening(sockets or [])
        self.server_state.default_headers = [*self.server_state.default_headers, (b"connection", b"close")]
        logger.info("Draining: closing %d connections", len(self.server_state.connections))
        await self.close_in_turn()
        # Stock cancels 0.1 s later, and who is cancelled before an answer gets a 500. Without any nginx asks another.
        giving_up = asyncio.get_running_loop().call_later(FINISH_SECONDS, self.give_up)
        await super().shutdown()
        giving_up.cancel()
        await draining.end()
        logger.info("Drained in %.1f s", time.monotonic() - begun)

    async def stop_listening(self, sockets: list[socket]) -> None:
        # What the kernel has accepted for us would be reset: one turn of the loop accepts it,
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        for listening in sockets:
            asyncio.get_running_loop().remove_reader(listening)
        # and one makes connections of it.
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        for server in self.servers:
            server.close()
        for listening in sockets:
            listening.close()

    async def close_in_turn(self) -> None:
        """A connection can become a WebSocket meanwhile."""
        begun = time.monotonic()
        turns: dict[Any, float] = {}
        while any(turns.get(connection, 0) < math.inf for connection in self.server_state.connections):
            for connection in list(self.server_state.connections):
                if connection not in turns:
                    turns[connection] = begun + self.wait_of(connection)
                if turns[connection] <= time.monotonic() or self.hurried:
                    turns[connection] = self.close(connection, begun + draining.seconds + HANDSHAKE_SECONDS)
            await asyncio.sleep(POLL_SECONDS)

    def wait_of(self, connection: Any) -> float:
        if not hasattr(connection, "cycle"):  # no HTTP any more
            return random.uniform(0, draining.seconds)  # noqa: S311 - nobody gains by guessing it
        at_work = connection.cycle is not None and not connection.cycle.response_complete
        return 0 if at_work else IDLE_SECONDS

    def close(self, connection: Any, end: float) -> float:
        """Returns when to try again: stock answers who has asked to become a WebSocket just now with a 500."""
        if getattr(connection, "handshake_complete", True):
            connection.shutdown()
        elif time.monotonic() < end:
            return 0
        else:
            connection.transport.abort()
        return math.inf

    # --- A second signal ---

    hurried = False

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if not self.should_exit:
            super().handle_exit(sig, frame)
        elif not self.hurried:
            self.hurried = True
            logger.info("Draining: hurried")
            asyncio.get_running_loop().call_later(HURRIED_SECONDS, self.give_up)

    def give_up(self) -> None:
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        for task in self.server_state.tasks:
            task.cancel()


class Worker(UvicornWorker):
    """uvicorn under gunicorn, for pages: no WebSockets (`daphne` has them), no lifespan (Django has none)."""

    CONFIG_KWARGS: ClassVar[dict[str, Any]] = {
        "loop": "auto",
        "http": "auto",
        "ws": "none",
        "lifespan": "off",
        "timeout_graceful_shutdown": FINISH_SECONDS,
    }

    async def _serve(self) -> None:
        """Stock's, with our server, whom SIGQUIT reaches too: gunicorn hurries its workers by it."""
        self.config.app = self.wsgi
        server = Server(config=self.config)
        asyncio.get_running_loop().add_signal_handler(signal.SIGQUIT, server.handle_exit, signal.SIGQUIT, None)
        await server.serve(sockets=self.sockets)
        if not server.started:
            sys.exit(Arbiter.WORKER_BOOT_ERROR)
