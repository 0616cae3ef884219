"""What either server in app/servers/ does with what a peer does not take; this module is also its application.

The kernels of one machine hold more than 2 MB for a peer that does not read. Applications therefore send until
something waits in the server, and say how much they sent.
"""

import asyncio
import gc
import select
import socket
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from app.servers import websocket
from tests.integration.socket_server import (  # noqa: F401 - fixtures among them
    BINARY,
    CLOSE,
    DEADLINE,
    PING,
    PONG,
    PUT_OFF,
    TEXT,
    Server,
    exactly,
    frame,
    kind_of_server,
    next_frame,
    own_server,
    poll,
    report,
    routed,
    running,
    shared_server,
    this_tests_server,
)

SIZE = 1 << 16
FRAME = 10 + SIZE  # with its header
LIMIT = 1 << 20  # what may wait
TOO_MUCH = 1 << 24  # more than the kernels and the server take

# --- The application, in the server's process -------------------------------------------------------------------------


class Sender:
    """Sends numbered messages as the hub does; unless told otherwise, every other one as an application."""

    def __init__(self, scope: Any, send: Any) -> None:
        self.as_hub = False
        self.fanout = scope["extensions"]["channels.fanout"]
        self.send = send
        self.sent = 0
        connection = self.fanout["write"].__self__
        self.bounded = connection if hasattr(connection, "send_queue") else connection.transport  # Daphne's, uvicorn's

    async def one(self) -> None:
        payload = self.sent.to_bytes(4, "big") + bytes(SIZE - 4)
        if self.sent % 2 or self.as_hub:
            self.fanout["write"](b"\x82\x7f" + SIZE.to_bytes(8, "big") + payload)
        else:
            await self.send({"type": "websocket.send", "bytes": payload})
        self.sent += 1

    async def until_unsent(self, size: int) -> None:
        while self.fanout["unsent"]() < size:
            assert self.sent * SIZE < TOO_MUCH
            await self.one()
            await asyncio.sleep(0)


def sending(script: Callable[..., Any]) -> Callable[..., Any]:
    """Runs the script when the peer says so, then waits for the disconnect."""

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await receive()
        await script(Sender(scope, send), receive)
        while (message := await receive())["type"] != "websocket.disconnect":
            pass
        report(disconnected=message["code"])

    return application


async def too_much(sender: Sender, receive: Any) -> None:
    most = 0
    sender.as_hub = True
    while sender.sent * SIZE < TOO_MUCH:
        await sender.one()
        most = max(most, sender.fanout["unsent"]())
        await asyncio.sleep(0)
    report(sent=sender.sent, most=most, left=sender.fanout["unsent"]())


async def impatiently(sender: Sender, receive: Any) -> None:
    for name in ("__main__", "app.servers.uvicorn_websocket"):  # the one of them that is the server's
        if module := sys.modules.get(name):
            module.CLOSING_SECONDS = 7  # type: ignore[attr-defined]
    await too_much(sender, receive)


async def half_of_what_may_wait(sender: Sender, receive: Any) -> None:
    await sender.until_unsent(SIZE)
    report(filled=sender.sent)
    await receive()
    for _ in range(LIMIT // 2 // SIZE):
        await sender.one()
    report(sent=sender.sent, unsent=sender.fanout["unsent"]())
    await sender.send({"type": "websocket.close"})


async def a_burst(sender: Sender, receive: Any) -> None:
    sender.as_hub = True
    await sender.until_unsent(LIMIT - FRAME)
    report(filled=sender.sent, unsent=sender.fanout["unsent"]())
    sys.stdin.readline()  # keeps the loop from writing
    for _ in range(LIMIT // SIZE):
        await sender.one()
    report(sent=sender.sent)
    await sender.send({"type": "websocket.close"})


async def one_more(sender: Sender, receive: Any) -> None:
    text = sender.fanout["write"]
    while not sender.fanout["unsent"]():
        assert sender.sent < TOO_MUCH // 10
        text(b"\x81\x08%08d" % sender.sent)
        sender.sent += 1
    report(filled=sender.sent, unsent=sender.fanout["unsent"]())
    sys.stdin.readline()  # keeps the loop from writing
    text(b"\x81\x08%08d" % sender.sent)
    await sender.send({"type": "websocket.close"})


async def one_large_message(sender: Sender, receive: Any) -> None:
    await sender.until_unsent(
        SIZE + 1 if hasattr(sender.bounded, "send_queue") else 1
    )  # what is held outside the bound
    sender.fanout["write"](b"\x82\x7f" + (2 * LIMIT).to_bytes(8, "big") + bytes(2 * LIMIT))
    report(sent=sender.sent)
    await sender.send({"type": "websocket.close"})


async def to_the_last_byte(sender: Sender, receive: Any) -> None:
    sender.as_hub = True
    await sender.until_unsent(LIMIT - FRAME)
    left = LIMIT - sender.bounded.bounded_bytes
    sender.fanout["write"](b"\x82\x7f" + (left - 10).to_bytes(8, "big") + bytes(left - 10))
    report(sent=sender.sent)
    await sender.send({"type": "websocket.close"})


async def little(sender: Sender, receive: Any) -> None:
    websocket.OUTGOING.size = LIMIT  # for all sockets of this process
    await sender.until_unsent(LIMIT // 4)
    report(sent=sender.sent)
    await receive()
    await sender.send({"type": "websocket.close"})


async def waits_for_one_too_slow(sender: Sender, receive: Any) -> None:
    await sender.until_unsent(SIZE * 4)
    waiting = asyncio.create_task(sender.fanout["drained"]())
    await too_much(sender, receive)
    report(drained=await asyncio.wait_for(waiting, DEADLINE))


async def waits(sender: Sender, receive: Any) -> None:
    drained = sender.fanout["drained"]
    before = asyncio.create_task(drained())
    await asyncio.sleep(0)
    at_once = before.done()
    await sender.one()
    await sender.one()
    at_once = at_once and not sender.fanout["unsent"]()
    await sender.until_unsent(SIZE * 4)
    waiting = [asyncio.create_task(drained()) for _ in range(3)]
    await asyncio.sleep(0)
    waiting.pop().cancel()
    await asyncio.sleep(0)
    report(sent=sender.sent, at_once=at_once, waiting=sum(not task.done() for task in waiting))
    report(drained=await asyncio.gather(*waiting))
    await poll(lambda: not sender.fanout["unsent"]())
    report(emptied=True)


def collected() -> list[Any]:
    gc.collect()
    return gc.get_objects()


async def forgets_the_request(sender: Sender, receive: Any) -> None:
    http = {"WebRequest", "HTTPChannel", "HttpToolsProtocol"}
    await poll(lambda: not http & {type(each).__name__ for each in collected()})
    report(forgotten=True)


application = routed(
    {
        "/too-much": sending(too_much),
        "/impatient": sending(impatiently),
        "/half": sending(half_of_what_may_wait),
        "/burst": sending(a_burst),
        "/one-more": sending(one_more),
        "/large": sending(one_large_message),
        "/last-byte": sending(to_the_last_byte),
        "/little": sending(little),
        "/waits": sending(waits),
        "/waits-too-slow": sending(waits_for_one_too_slow),
        "/forgets": sending(forgets_the_request),
    }
)


# --- The peer's side --------------------------------------------------------------------------------------------------


def start(server: Server, path: str) -> socket.socket:
    """A peer that does not read yet; its own kernel shall not take megabytes for it."""
    peer = server.open(path)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SIZE)
    peer.sendall(frame(TEXT, b"go"))
    return peer


def numbers(peer: socket.socket) -> Iterator[int]:
    """Those of the messages until the close frame, which is answered."""
    while True:
        opcode, payload = next_frame(peer)
        if opcode == CLOSE:
            peer.sendall(frame(CLOSE, payload))
            yield -int.from_bytes(payload[:2], "big")
            assert peer.recv(1) == b""
            return
        yield PONG if opcode == PONG else int.from_bytes(payload[:4], "big")


def all_of(sent: int, code: int) -> list[int]:
    return [*range(sent), -code]


def test_a_peer_that_does_not_read_what_the_hub_writes_gets_whole_messages_and_then_4408_and_no_more_waits_than_may(
    server: Server,
) -> None:
    with start(server, "/too-much") as peer:
        seen = server.wait_for("sent")
        assert seen["most"] <= LIMIT + 3 * FRAME
        assert seen["left"] < 3 * FRAME
        received = list(numbers(peer))
        assert received == all_of(len(received) - 1, 4408)
        assert len(received) < seen["sent"]
    assert server.wait_for("disconnected") == {"disconnected": 4408}


def test_when_all_peers_together_take_too_little_the_one_with_most_waiting_is_closed_and_no_other(own: Server) -> None:
    with start(own, "/little") as modest, start(own, "/too-much") as greedy:
        sent = own.wait_for("sent")["sent"]
        seen = own.wait_for("most")
        assert seen["most"] <= LIMIT - LIMIT // 4 + FRAME
        assert list(numbers(greedy))[-1] == -4408
        modest.sendall(frame(TEXT, b"go on"))
        assert list(numbers(modest)) == all_of(sent, 1000)


def test_the_close_frame_of_4408_has_a_reason(server: Server) -> None:
    with start(server, "/too-much") as peer:
        server.wait_for("sent")
        while (seen := next_frame(peer))[0] == BINARY:
            pass
    assert seen == (CLOSE, (4408).to_bytes(2, "big") + b"too slow")


def test_a_peer_that_takes_nothing_is_cut_and_the_application_told(server: Server) -> None:
    with start(server, "/too-much"):
        server.wait_for("sent")
        closed = time.monotonic()
        assert server.wait_for("disconnected") == {"disconnected": 4408}
        assert PUT_OFF < time.monotonic() - closed < 8


def drip(peer: socket.socket, seconds: float) -> int:
    """A link of 160 kB a second: how much came."""
    end = time.monotonic() + seconds
    count = 0
    while time.monotonic() < end:
        count += len(exactly(peer, SIZE // 4))
        select.select([], [], [], 0.1)
    return count


def test_a_peer_that_still_takes_what_lies_before_the_close_is_given_time(server: Server) -> None:
    with start(server, "/too-much") as peer:
        server.wait_for("sent")
        exactly(peer, -drip(peer, 8) % FRAME)
        assert list(numbers(peer))[-1] == -4408
    assert server.wait_for("disconnected") == {"disconnected": 4408}


def test_but_not_for_ever(own: Server) -> None:
    with start(own, "/impatient") as peer:
        own.wait_for("sent")
        with pytest.raises(ConnectionResetError):
            drip(peer, DEADLINE)
        assert own.wait_for("disconnected") == {"disconnected": 4408}


def test_a_peer_that_pauses_loses_nothing_and_gets_everything_in_the_order_in_which_it_was_sent(
    server: Server,
) -> None:
    """Ordinary sends, the hub's writes, the answer to a ping, and the close."""
    with start(server, "/half") as peer:
        filled = server.wait_for("filled")["filled"]
        peer.sendall(frame(PING, b"?") + frame(TEXT, b"go on"))
        seen = server.wait_for("sent")
        assert seen["unsent"] > LIMIT // 2
        assert list(numbers(peer)) == [*range(filled), PONG, *range(filled, seen["sent"]), -1000]
    assert server.wait_for("disconnected") == {"disconnected": 1000}


def test_a_peer_that_closes_gets_first_what_waited(server: Server) -> None:
    with start(server, "/waits") as peer:
        sent = server.wait_for("sent")["sent"]
        peer.sendall(frame(CLOSE, b"\x03\xe8"))
        for number in range(sent):
            assert next_frame(peer)[1].startswith(number.to_bytes(4, "big"))
        assert next_frame(peer) == (CLOSE, b"\x03\xe8")
        assert peer.recv(1) == b""


def test_a_burst_within_one_turn_of_the_loop_is_no_fault_of_a_peer_that_has_read_all_it_was_given(
    server: Server,
) -> None:
    with start(server, "/burst") as peer:
        seen = server.wait_for("filled")
        taken = exactly(peer, seen["filled"] * FRAME - seen["unsent"])
        assert len(taken) >= FRAME
        server.go_ahead()
        sent = server.wait_for("sent")["sent"]
        exactly(peer, -len(taken) % FRAME)
        assert list(numbers(peer)) == [*range(-(-len(taken) // FRAME), sent), -1000]


def test_nothing_overtakes_what_the_kernel_did_not_take(server: Server) -> None:
    with start(server, "/one-more") as peer:
        seen = server.wait_for("filled")
        taken = exactly(peer, seen["filled"] * 10 - seen["unsent"])
        server.go_ahead()
        rest = exactly(peer, 10 * (seen["filled"] + 1) - len(taken))
        assert (taken + rest)[-20:] == b"\x81\x08%08d\x81\x08%08d" % (seen["filled"] - 1, seen["filled"])
        assert next_frame(peer)[0] == CLOSE


def test_one_message_may_be_larger_than_what_may_wait(server: Server) -> None:
    with start(server, "/large") as peer:
        sent = server.wait_for("sent")["sent"]
        assert list(numbers(peer)) == [*range(sent), 0, -1000]


def test_the_close_frame_always_has_room(server: Server) -> None:
    with start(server, "/last-byte") as peer:
        sent = server.wait_for("sent")["sent"]
        assert list(numbers(peer)) == [*range(sent), 0, -1000]


def test_a_peer_that_reads_has_it_at_once_and_drained_returns_to_all_who_wait_for_one_that_does_not(
    server: Server,
) -> None:
    with start(server, "/waits") as peer:
        seen = server.wait_for("sent")
        assert (seen["at_once"], seen["waiting"]) == (True, 2)
        for number in range(seen["sent"]):
            assert next_frame(peer)[1].startswith(number.to_bytes(4, "big"))
        assert server.wait_for("drained")["drained"] == [True, True]
        assert server.wait_for("emptied")


def test_drained_returns_when_the_peer_is_gone_and_says_so(server: Server) -> None:
    with start(server, "/waits") as peer:
        server.wait_for("sent")
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # a reset
    assert server.wait_for("drained")["drained"] == [False, False]
    assert server.wait_for("emptied")


def test_drained_returns_when_a_peer_is_too_slow_though_it_still_takes_nothing(server: Server) -> None:
    with start(server, "/waits-too-slow"):
        assert server.wait_for("drained") == {"drained": False}


def test_nothing_of_the_http_request_lives_as_long_as_its_websocket(own: Server) -> None:
    with start(own, "/forgets"):
        assert own.wait_for("forgotten")
