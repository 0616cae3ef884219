"""What a connection of Daphne's holds while nobody says anything, and what it leaves; also the server's application."""

import gc
from typing import Any

import pytest

from app.servers.daphne import HANDSHAKE
from tests.integration.socket_server import (  # noqa: F401 - fixtures among them
    CLOSE,
    Server,
    frame,
    poll,
    report,
    routed,
    shared_server,
    this_tests_server,
    to_the_end,
)

# --- The application, in the server's process -------------------------------------------------------------------------


async def hold(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    connection = scope["extensions"]["channels.fanout"]["write"].__self__
    before = {name for name in vars(connection) if name in HANDSHAKE}
    await send({"type": "websocket.accept"})
    report(before=len(before), after=sorted(HANDSHAKE & vars(connection).keys()), headers=connection.request.headers)
    await receive()


async def come_and_go(scope: Any, receive: Any, send: Any) -> None:
    gc.collect()
    gc.disable()
    await receive()
    await send({"type": "websocket.accept"})
    report(disconnected=(await receive())["code"])


async def collect(scope: Any, receive: Any, send: Any) -> None:
    """Reports what of the connections before only the collector of garbage could find."""
    server = scope["extensions"]["channels.fanout"]["write"].__self__.server
    await poll(lambda: len(server.connections) == 1)  # Daphne looks once a second whom it may forget
    gc.set_debug(gc.DEBUG_SAVEALL)
    gc.collect()
    gc.set_debug(0)
    found = sorted({type(one).__name__ for one in gc.garbage if type(one).__module__.startswith(PARTS)})
    gc.garbage.clear()
    gc.enable()
    report(garbage=found)
    await receive()
    await send({"type": "websocket.accept"})


PARTS = ("app.servers", "autobahn", "daphne", "twisted", "__main__")  # Daphne's own module is what is run
application = routed({"/hold": hold, "/come": come_and_go, "/collect": collect})


# --- The peer's side --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", name="kind")
def only_daphne() -> str:
    return "daphne"


def test_an_open_connection_has_forgotten_its_handshake(server: Server) -> None:
    with server.open("/hold"):
        held = server.wait_for("after")
        assert held["before"] > 10
        assert held["after"] == []
        assert held["headers"] is None


def test_a_connection_leaves_nothing_to_the_collector_of_garbage(server: Server) -> None:
    with server.open("/come") as peer:
        peer.sendall(frame(CLOSE, b"\x03\xe8"))
        to_the_end(peer)
    server.wait_for("disconnected")
    with server.open("/collect"):
        assert server.wait_for("garbage") == {"garbage": []}
