"""uvicorn with our WebSockets, started with as much of Daphne's command line as the tests of both use.

In the stack gunicorn starts it; tests/integration/test_uvicorn_drain.py and tests/stack/test_uvicorn.py are about that.
"""

import argparse
import asyncio
import logging
import signal
import socket
import sys

import uvloop
from uvicorn.config import Config

from app.servers.uvicorn import Server, SocketWorker


async def serve(server: Server, listening: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, server.handle_exit, number, None)
    # Not serve(): it would end this process by the signal once more.
    await server._serve([listening])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("-p", type=int)
    parser.add_argument("--server-name")  # for the application
    parser.add_argument("--websocket-max-message-size", type=int)
    parser.add_argument("--ping-interval", type=int, default=20)
    parser.add_argument("--ping-timeout", type=int, default=30)
    parser.add_argument("--application-close-timeout", type=int, default=10)
    parser.add_argument("application")
    given = parser.parse_args()
    options = SocketWorker.CONFIG_KWARGS | {
        "ws_max_size": given.websocket_max_message_size,
        "ws_ping_interval": given.ping_interval,
        "ws_ping_timeout": given.ping_timeout,
        "timeout_graceful_shutdown": given.application_close_timeout,
    }
    sys.path.insert(0, ".")
    config = Config(given.application, log_config=None, **options)
    config.load()
    with socket.create_server(("127.0.0.1", given.p), backlog=2048) as listening:
        logging.getLogger(__name__).info("Listening on TCP address 127.0.0.1:%d", listening.getsockname()[1])
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(Server(config), listening))


if __name__ == "__main__":
    main()
