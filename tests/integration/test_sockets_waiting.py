"""An application's `send` waits for its peer, on either server in app/servers/; this module is also its application."""

import asyncio
import os
import select
import signal
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from channels.generic.websocket import AsyncWebsocketConsumer, WebsocketConsumer

from app.behind import behind, close_if_behind
from tests.integration.redis_server import RedisServer
from tests.integration.socket_server import (  # noqa: F401 - fixtures among them
    BINARY,
    CLOSE,
    DEADLINE,
    PING,
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
LIMIT = 1 << 20  # what may wait
BURST = 1 << 24  # more than the kernels and the server take

# --- The application, in the server's process -------------------------------------------------------------------------


def numbered(number: int, size: int) -> bytes:
    return number.to_bytes(4, "big") + bytes(size - 4)


class Bursts(AsyncWebsocketConsumer):
    channel_layer_alias = None

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        count, size = map(int, (text_data or "").split())
        for number in range(count):
            await self.send(bytes_data=numbered(number, size))
        report(sent=count)
        await self.close()


class SyncBursts(WebsocketConsumer):
    channel_layer_alias = None

    def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        count, size = map(int, (text_data or "").split())
        for number in range(count):
            self.send(bytes_data=numbered(number, size))
        report(sent=count)
        self.close()

    def disconnect(self, code: int) -> None:
        report(disconnected=code)


class TogetherBursts(Bursts):
    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        count, size = map(int, (text_data or "").split())
        async with asyncio.TaskGroup() as group:
            for number in range(count):
                group.create_task(self.send(bytes_data=numbered(number, size)))
        await self.close()


class Member(AsyncWebsocketConsumer):
    """Its send waits for its client, who does not read; another one's events are for its group."""

    groups = ("all",)
    channel_layer_alias = "default"

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if text_data == "speak":
            for _ in range(20):
                await self.channel_layer.group_send("all", {"type": "said", "bytes": bytes(LIMIT)})
            return
        for number in range(BURST // SIZE):
            await self.send(bytes_data=numbered(number, SIZE))

    async def said(self, event: dict[str, Any]) -> None:
        report(heard=len(event["bytes"]))

    async def disconnect(self, code: int) -> None:
        report(disconnected=code)


def waiting(meanwhile: Callable[..., Any]) -> Callable[..., Any]:
    """Sends until a send waits, then does what the test is about."""

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await receive()
        fanout = scope["extensions"]["channels.fanout"]
        sent = 0

        async def burst() -> None:
            nonlocal sent
            while sent * SIZE < BURST:
                await send({"type": "websocket.send", "bytes": numbered(sent, SIZE)})
                sent += 1

        async def waits() -> None:
            before = -1
            while sent != before or fanout["unsent"]() <= LIMIT:
                before = sent
                await asyncio.sleep(0.05)

        sending = asyncio.create_task(burst())
        await waits()
        report(waits=sent, unsent=fanout["unsent"]())
        with suppress(asyncio.CancelledError):
            await meanwhile(sending, send, fanout)
            await asyncio.wait_for(sending, DEADLINE)
        report(ended=sent)
        while (message := await receive())["type"] != "websocket.disconnect":
            pass
        report(disconnected=message["code"])
        await poll(lambda: asyncio.current_task() not in behind)
        report(forgotten=True)

    return application


async def nothing(sending: Any, send: Any, fanout: Any) -> None:
    pass


async def cancels(sending: Any, send: Any, fanout: Any) -> None:
    sending.cancel()


async def closes(sending: Any, send: Any, fanout: Any) -> None:
    await send({"type": "websocket.close", "code": 3001})


async def hub_writes(sending: Any, send: Any, fanout: Any) -> None:
    """What the hub has may wait beside what the application has."""
    for _ in range(LIMIT // SIZE - 1):
        fanout["write"](b"\x82\x7f" + SIZE.to_bytes(8, "big") + b"\xff" * SIZE)
    report(written=True)


async def falls_behind(sending: Any, send: Any, fanout: Any) -> None:
    report(closed=close_if_behind(asyncio.current_task()))


async def large(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    await receive()
    for number in range(3):
        await send({"type": "websocket.send", "bytes": numbered(number, 4 * LIMIT)})
        report(sent=number, unsent=scope["extensions"]["channels.fanout"]["unsent"]())
    await send({"type": "websocket.close"})


application = routed(
    {
        "/bursts": Bursts.as_asgi(),
        "/sync": SyncBursts.as_asgi(),
        "/together": TogetherBursts.as_asgi(),
        "/member": Member.as_asgi(),
        "/waits": waiting(nothing),
        "/cancels": waiting(cancels),
        "/closes": waiting(closes),
        "/hub-writes": waiting(hub_writes),
        "/falls-behind": waiting(falls_behind),
        "/large": large,
    }
)


# --- The peer's side --------------------------------------------------------------------------------------------------


def start(server: Server, path: str, text: bytes = b"go") -> socket.socket:
    """A peer that does not read yet; its own kernel shall not take megabytes for it."""
    peer = server.open(path)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SIZE)
    peer.sendall(frame(TEXT, text))
    return peer


class Paced:
    """Reads from a peer's socket no more than so many bytes a second."""

    def __init__(self, peer: socket.socket, rate: int) -> None:
        self.peer, self.rate = peer, rate
        self.begun, self.count = time.monotonic(), 0

    def recv(self, size: int) -> bytes:
        early = self.begun + self.count / self.rate - time.monotonic()
        select.select([], [], [], max(0, early))
        data = self.peer.recv(size)
        self.count += len(data)
        return data


def until_close(peer: Any) -> list[int]:
    """The messages' numbers, and the close frame's code below zero."""
    seen: list[int] = []
    while True:
        opcode, payload = next_frame(peer)
        if opcode == CLOSE:
            return [*seen, -int.from_bytes(payload[:2], "big")]
        if opcode != PING:
            seen.append(int.from_bytes(payload[:4], "big"))


def reset(peer: socket.socket) -> None:
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    peer.close()


FAST, SLOW = 1 << 30, 12_000_000  # bytes a second


@pytest.mark.parametrize(
    ("path", "count", "size", "rate"),
    [
        ("/bursts", 50, 100_000, FAST),
        ("/bursts", 200, 100_000, FAST),
        ("/bursts", 20_000, 1000, FAST),
        ("/bursts", 10_000, 1000, SLOW),
        ("/bursts", 100, 50_000, SLOW),
        ("/sync", 200, 50_000, SLOW),
        ("/together", 100, 100_000, SLOW),
    ],
)
def test_a_burst_of_any_size_reaches_a_peer_that_reads(
    server: Server, path: str, count: int, size: int, rate: int
) -> None:
    with start(server, path, b"%d %d" % (count, size)) as peer:
        assert until_close(Paced(peer, rate)) == [*range(count), -1000]


def test_no_more_waits_meanwhile_than_may_and_one_message(server: Server) -> None:
    with start(server, "/waits") as peer:
        seen = server.wait_for("waits")
        assert LIMIT < seen["unsent"] <= LIMIT + SIZE + 10
        assert [int.from_bytes(next_frame(peer)[1][:4], "big") for _ in range(BURST // SIZE)] == [*range(BURST // SIZE)]
        assert server.wait_for("ended") == {"ended": BURST // SIZE}
    server.wait_for("forgotten")


def test_one_message_may_be_larger_than_what_may_wait(server: Server) -> None:
    with start(server, "/large") as peer:
        for number in range(3):
            opcode, payload = next_frame(peer)
            assert (opcode, int.from_bytes(payload[:4], "big"), len(payload)) == (BINARY, number, 4 * LIMIT)
            assert server.wait_for("sent")["unsent"] <= LIMIT
        assert next_frame(peer)[0] == CLOSE


def test_what_the_hub_writes_meanwhile_has_room_of_its_own(server: Server) -> None:
    with start(server, "/hub-writes") as peer:
        server.wait_for("written")
        for _ in range(BURST // SIZE + LIMIT // SIZE - 1):
            assert next_frame(peer)[0] == BINARY


@pytest.mark.parametrize("path", ["/waits", "/sync"])
def test_a_peer_that_goes_away_ends_the_wait(server: Server, path: str) -> None:
    peer = start(server, path, b"%d %d" % (BURST // SIZE, SIZE))
    if path == "/waits":
        server.wait_for("waits")
    else:
        exactly(peer, LIMIT)
    reset(peer)
    assert server.wait_for("disconnected")["disconnected"] == 1006


@pytest.mark.parametrize(("path", "code"), [("/closes", 3001), ("/falls-behind", 4408)])
def test_a_close_ends_the_wait_and_no_message_is_cut_in_half(server: Server, path: str, code: int) -> None:
    with start(server, path) as peer:
        ended = server.wait_for("ended")["ended"]
        assert ended == BURST // SIZE  # what is sent to a socket that is closing is dropped, as stock does
        seen = until_close(peer)
        assert seen == [*range(len(seen) - 1), -code]
        assert (LIMIT // SIZE < len(seen) < BURST // SIZE) or code == 4408


def test_an_application_can_be_cancelled_while_its_send_waits(server: Server) -> None:
    with start(server, "/cancels") as peer:
        sent = server.wait_for("ended")["ended"]
        for number in range(sent + 1):  # the last one was sent, and waited for
            assert next_frame(peer)[1].startswith(number.to_bytes(4, "big"))


@pytest.mark.parametrize("path", ["/waits", "/sync"])
def test_a_server_that_drains_ends_the_wait(own: Server, path: str) -> None:
    with start(own, path, b"%d %d" % (BURST // SIZE, SIZE)) as peer:
        if path == "/waits":
            own.wait_for("waits")
        else:
            exactly(peer, LIMIT // 2)
        os.kill(own.process.pid, signal.SIGTERM)
        own.wait_for("ended" if path == "/waits" else "sent")
        reset(peer)
        assert own.process.wait(DEADLINE) == 0


def test_a_peer_that_takes_nothing_is_closed_after_a_while_and_one_that_takes_a_little_is_not(
    kind: str, request: pytest.FixtureRequest, tmp_path: Any
) -> None:
    """Nor is it cut because its answer to a ping lies behind all that it has still to take."""
    pings = "--ping-interval", "1", "--ping-timeout", "1"
    with (
        running(kind, request.path, tmp_path, *pings, STALL_SECONDS="2") as server,
        start(server, "/bursts", b"%d %d" % (BURST // SIZE, SIZE)) as slow,
        start(server, "/waits") as stalled,
    ):
        begun = time.monotonic()
        dripping: Any = Paced(slow, 250_000)
        seen = []
        while time.monotonic() < begun + 3.5:
            seen.append(int.from_bytes(next_frame(dripping)[1][:4], "big"))
        assert server.wait_for("ended")["ended"] == BURST // SIZE
        assert until_close(stalled)[-1] == -4408
        assert [*seen, *until_close(slow)][-2:] == [BURST // SIZE - 1, -1000]


def test_a_member_of_a_group_whose_send_waits_is_closed_when_too_much_waits_for_it(
    kind: str, request: pytest.FixtureRequest, tmp_path: Any, redis_server: RedisServer
) -> None:
    """And no other member."""
    where = {"REDIS_URL": redis_server.url, "REDIS_PASSWORD": redis_server.password}
    with (
        running(kind, request.path, tmp_path, **where) as server,
        start(server, "/member") as member,
        server.open("/member") as speaker,
    ):
        assert next_frame(member)[0] == BINARY
        speaker.sendall(frame(TEXT, b"speak"))
        for _ in range(20):
            server.wait_for("heard")
        assert until_close(member)[-1] == -4408
        member.sendall(frame(CLOSE, b""))
        assert server.wait_for("disconnected") == {"disconnected": 4408}
