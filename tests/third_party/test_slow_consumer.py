"""A slow synchronous consumer, on which a hundred clients wait, holds up neither rooms nor people who join them."""

import asyncio
import json
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.integration.socket_server import DEADLINE, Server
from tests.third_party.project import Project

APPLICATION = Path(__file__).with_name("slow.py")
CLIENTS = 100  # of 200 ms each: the last of them waits for 20 s
SECONDS = 2.0  # for each measurement
# Of a busy machine; a quiet one takes a twentieth. On the shared thread no join got through before 20 s.
ROOM_P99, JOIN_P99 = 1.0, 2.0


@pytest.fixture
def server(project: Project) -> Iterator[Server]:
    with project.serving(APPLICATION) as server:
        yield server


def opened(server: Server, path: str, **options: Any) -> connect:
    address = f"ws://127.0.0.1:{server.port}{path}"
    return connect(
        address, subprotocols=[Subprotocol("chat.v1")], open_timeout=DEADLINE, close_timeout=0, proxy=None, **options
    )


async def heard(client: ClientConnection, kind: str) -> dict[str, Any]:
    while True:
        for line in str(await client.recv()).splitlines():
            if (content := json.loads(line))["type"] == kind:
                return dict(content)


async def timed(deed: Any) -> list[float]:
    """How long each took, one after the other, for SECONDS."""
    took: list[float] = []
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        began = time.monotonic()
        await deed()
        took.append(time.monotonic() - began)
        await asyncio.sleep(0.01)
    return sorted(took)


async def test_rooms_and_joins_with_a_session_do_not_wait_for_it(project: Project, server: Server) -> None:
    cookie = {"Cookie": project.sign_in()}

    async def join() -> None:
        async with asyncio.timeout(DEADLINE), opened(server, "/ws/chat/slow/", additional_headers=cookie) as client:
            assert (await heard(client, "welcome"))["name"] == "bob"

    async with AsyncExitStack() as sockets, asyncio.timeout(4 * DEADLINE):
        await join()
        talker = await sockets.enter_async_context(opened(server, "/ws/chat/slow-talk/"))

        async def talk() -> None:
            await talker.send(json.dumps({"type": "send", "text": "hello", "ref": str(time.monotonic())}))
            await heard(talker, "ack")

        slow = [await sockets.enter_async_context(opened(server, "/slow")) for _ in range(CLIENTS)]
        for client in slow:
            await client.send("work")
        assert await slow[0].recv() == "done"
        room, joins = await timed(talk), await timed(join)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await slow[-1].recv()
    for name, took, bound in (("room", room, ROOM_P99), ("join", joins, JOIN_P99)):
        p50, p99 = took[len(took) // 2], took[len(took) * 99 // 100]
        print(f"{name}: {len(took)} times, p50 {p50 * 1000:.0f} ms, p99 {p99 * 1000:.0f} ms")
        assert p99 < bound, name
