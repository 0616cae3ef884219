"""What both servers do with what an application does not take; this module is also their application."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from app.servers import websocket
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
    own_server,
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
TOGETHER = "/together"
ROOM = 150_000

# --- The application, in the server's process -------------------------------------------------------------------------


async def take_all(receive: Any) -> None:
    taken = 0
    while (message := await receive())["type"] == "websocket.receive":
        assert not message["text"] or int(message["text"]) == taken
        taken += 1
    report(disconnected=message["code"], taken=taken)


async def accept(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    if scope["path"].startswith(TOGETHER):
        scope["extensions"]["channels.fanout"]["read_together"]()


async def take_on_command(scope: Any, receive: Any, send: Any) -> None:
    await accept(scope, receive, send)
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
    await accept(scope, receive, send)
    report(waiting=await full(receive))
    await take_all(receive)


async def close_unread(scope: Any, receive: Any, send: Any) -> None:
    await accept(scope, receive, send)
    await full(receive)
    await send({"type": "websocket.close"})
    await go_ahead()
    await take_all(receive)


async def echo(scope: Any, receive: Any, send: Any) -> None:
    await accept(scope, receive, send)
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"]})


async def take_nothing(scope: Any, receive: Any, send: Any) -> None:
    """Until the peer is gone. All sockets of this process have room for as much as one of them sends."""
    websocket.INCOMING.size = ROOM
    await accept(scope, receive, send)
    queue = receive.__self__
    await poll(lambda: queue.qsize() and queue._messages[-1]["type"] == "websocket.disconnect")
    await take_all(receive)


ROUTES = {"/nothing": take_nothing, "/command": take_on_command, "/count": count, "/close": close_unread, "/echo": echo}
application = routed({way + path: does for way in ("", TOGETHER) for path, does in ROUTES.items()})


# --- The peer's side --------------------------------------------------------------------------------------------------


@pytest.fixture(params=["", TOGETHER], ids=["each", "together"])
def way(request: pytest.FixtureRequest) -> str:
    """Where an application is that has its peers read each when it speaks, or many at a time."""
    return str(request.param)


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


def test_a_flood_is_not_read_until_the_application_takes_it_and_nothing_of_it_is_lost(server: Server, way: str) -> None:
    with server.open(way + "/command") as peer:
        sent, rest = flood(peer, 0)
        server.go_ahead()
        peer.sendall(rest + frame(CLOSE, b"\x03\xe8"))
        assert to_the_end(peer) == b"\x88\x02\x03\xe8"
    assert server.wait_for("disconnected") == {"disconnected": 1000, "taken": sent}


def test_no_more_messages_wait_than_may_however_small_they_are(server: Server, way: str) -> None:
    with server.open(way + "/count") as peer:
        peer.sendall(frame(TEXT, b"") * 20_000 + frame(CLOSE, b"\x03\xe8"))
        assert server.wait_for("waiting") == {"waiting": MESSAGES}
        assert server.wait_for("disconnected") == {"disconnected": 1000, "taken": 20_000}


def test_when_applications_have_too_much_to_handle_the_peer_that_sent_most_is_closed_and_no_other(own: Server) -> None:
    with own.open("/nothing") as modest, own.open("/nothing") as greedy:
        for peer, count in (modest, 50), (greedy, 200):
            peer.sendall(b"".join(frame(TEXT, str(number).zfill(LIMIT).encode()) for number in range(count)))
        assert next_frame(greedy) == (CLOSE, (4429).to_bytes(2, "big") + b"more than is handled")
        greedy.sendall(frame(CLOSE, b"\x11\x4d"))
        assert own.wait_for("disconnected") == {"disconnected": 4429, "taken": 0}
        modest.sendall(frame(CLOSE, b"\x03\xe8"))
        assert own.wait_for("disconnected") == {"disconnected": 1000, "taken": 50}


def test_an_application_that_takes_nothing_can_still_close_and_the_peer_answer(server: Server, way: str) -> None:
    with server.open(way + "/close") as peer:
        peer.sendall(frame(TEXT, b"") * 20_000)
        assert next_frame(peer) == (CLOSE, b"\x03\xe8")
        peer.sendall(frame(CLOSE, b"\x03\xe8"))
        assert to_the_end(peer, PUT_OFF) == b""
        server.go_ahead()
        assert server.wait_for("disconnected") == {"disconnected": 1000, "taken": MESSAGES}


def test_a_peer_that_answers_no_ping_is_cut(pinging: Server, way: str) -> None:
    with pinging.open(way + "/command") as peer:
        assert next_frame(peer)[0] == PING
        to_the_end(peer)
        pinging.go_ahead()
    assert pinging.wait_for("disconnected") == {"disconnected": 1006, "taken": 0}


def test_a_peer_whose_answer_to_a_ping_was_not_read_is_not_cut(pinging: Server, way: str) -> None:
    with pinging.open(way + "/command") as peer:
        peer.sendall(frame(TEXT, b"") * 1000)
        for _ in range(3):
            opcode, payload = next_frame(peer)
            assert opcode == PING
            peer.sendall(frame(PONG, payload))
        pinging.go_ahead()
        peer.sendall(frame(CLOSE, b"\x03\xe8"))
        assert pinging.wait_for("disconnected") == {"disconnected": 1000, "taken": 1000}


def test_each_of_a_crowd_is_answered_in_its_own_order_also_when_others_leave(server: Server, way: str) -> None:
    with ExitStack() as stack:
        crowd = [stack.enter_context(server.open(way + "/echo")) for _ in range(20)]
        for turn in range(50):
            for peer in crowd:
                peer.sendall(frame(TEXT, str(turn).encode()))
            if turn == 25:
                crowd.pop().close()
                crowd.pop().sendall(frame(CLOSE, b"\x03\xe8"))
        for peer in crowd:
            assert [next_frame(peer) for _ in range(50)] == [(TEXT, str(turn).encode()) for turn in range(50)]
        crowd[0].sendall(frame(TEXT, b"still here"))
        assert next_frame(crowd[0]) == (TEXT, b"still here")
