"""What both servers do with what an application does not take; this module is also their application."""

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.socket_server import (  # noqa: F401 - fixtures among them
    CLOSE,
    DEADLINE,
    LIMIT,
    PING,
    PONG,
    PUT_OFF,
    TEXT,
    Server,
    frame,
    go_ahead,
    kind_of_server,
    next_frame,
    poll,
    report,
    routed,
    running,
    shared_server,
    this_tests_server,
    to_the_end,
)

MESSAGES = 256  # what may wait
TOO_MUCH = 1 << 26  # more than kernels and server take

# --- The application, in the server's process -------------------------------------------------------------------------


async def take_all(receive: Any) -> None:
    taken = 0
    while (message := await receive())["type"] == "websocket.receive":
        assert not message["text"] or int(message["text"]) == taken
        taken += 1
    report(disconnected=message["code"], taken=taken)


async def take_on_command(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    await go_ahead()
    await take_all(receive)


async def full(receive: Any) -> int:
    """How many wait when no more come."""
    queue = receive.__self__
    await poll(lambda: queue.qsize() >= MESSAGES)
    for _ in range(100):
        await asyncio.sleep(0)
    return int(queue.qsize())


async def count(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    report(waiting=await full(receive))
    await take_all(receive)


async def close_unread(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    await full(receive)
    await send({"type": "websocket.close"})
    await go_ahead()
    await take_all(receive)


application = routed({"/command": take_on_command, "/count": count, "/close": close_unread})


# --- The peer's side --------------------------------------------------------------------------------------------------


@pytest.fixture
def pinging(kind: str, tmp_path: Path) -> Iterator[Server]:
    """A server that asks after its peers by the second, and waits no longer for their answers."""
    with running(kind, Path(__file__), tmp_path, "--ping-interval", "1", "--ping-timeout", "1") as server:
        yield server


def flood(peer: socket.socket, number: int) -> tuple[int, bytes]:
    """Numbered messages until nobody takes more for a second: how many began, and what is left of the last."""
    peer.settimeout(1)
    while number * LIMIT < TOO_MUCH:
        rest = frame(TEXT, str(number).zfill(LIMIT).encode())
        number += 1
        try:
            while rest:
                rest = rest[peer.send(rest) :]
        except TimeoutError:
            peer.settimeout(DEADLINE)
            return number, rest
    pytest.fail(f"the server took {TOO_MUCH} bytes that its application did not")


def test_a_flood_is_not_read_until_the_application_takes_it_and_nothing_of_it_is_lost(server: Server) -> None:
    with server.open("/command") as peer:
        sent, rest = flood(peer, 0)
        server.go_ahead()
        peer.sendall(rest + frame(CLOSE, b"\x03\xe8"))
        assert to_the_end(peer) == b"\x88\x02\x03\xe8"
    assert server.wait_for("disconnected") == {"disconnected": 1000, "taken": sent}


def test_no_more_messages_wait_than_may_however_small_they_are(server: Server) -> None:
    with server.open("/count") as peer:
        peer.sendall(frame(TEXT, b"") * 20_000 + frame(CLOSE, b"\x03\xe8"))
        assert server.wait_for("waiting") == {"waiting": MESSAGES}
        assert server.wait_for("disconnected") == {"disconnected": 1000, "taken": 20_000}


def test_an_application_that_takes_nothing_can_still_close_and_the_peer_answer(server: Server) -> None:
    with server.open("/close") as peer:
        peer.sendall(frame(TEXT, b"") * 20_000)
        assert next_frame(peer) == (CLOSE, b"\x03\xe8")
        peer.sendall(frame(CLOSE, b"\x03\xe8"))
        assert to_the_end(peer, PUT_OFF) == b""
        server.go_ahead()
        assert server.wait_for("disconnected") == {"disconnected": 1000, "taken": MESSAGES}


def test_a_peer_that_answers_no_ping_is_cut(pinging: Server) -> None:
    with pinging.open("/command") as peer:
        assert next_frame(peer)[0] == PING
        to_the_end(peer)
        pinging.go_ahead()
    assert pinging.wait_for("disconnected") == {"disconnected": 1006, "taken": 0}


def test_a_peer_whose_answer_to_a_ping_was_not_read_is_not_cut(pinging: Server) -> None:
    with pinging.open("/command") as peer:
        peer.sendall(frame(TEXT, b"") * 1000)
        for _ in range(3):
            opcode, payload = next_frame(peer)
            assert opcode == PING
            peer.sendall(frame(PONG, payload))
        pinging.go_ahead()
        peer.sendall(frame(CLOSE, b"\x03\xe8"))
        assert pinging.wait_for("disconnected") == {"disconnected": 1000, "taken": 1000}
