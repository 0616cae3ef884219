"""What a worker leaves in Redis that is killed, and what one keeps that was only frozen: real workers, real signals."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from channels.layers import ChannelLayerManager
from pytest_django import Settings
from redis.asyncio import Redis
from websockets.asyncio.client import ClientConnection, connect

from MyChannels import messages
from MyChannels.groups import HUBS, PROCESSES_KEY, room_group
from MyChannels.presence import ALIVE_SECONDS, HEARTBEAT_SECONDS
from tests.fixtures import ROOT
from tests.ports import reserved_port

from .conftest import Enter
from .redis_server import RedisServer

SILENCE = 7  # seconds: the layer's `expiry` here; more than a worker's 5 s between two heartbeats
GONE_SECONDS = SILENCE + 10.0
STARTING_SECONDS = 30.0
KINDS = ["chat", "sync", "async"]


class Worker:
    """`app.servers.daphne` with the whole application, in a process of its own."""

    def __init__(self, folder: Path, server: RedisServer, layer: str) -> None:
        self.port = reserved_port()
        environment = {
            "PATH": os.environ["PATH"],
            "SECRET_KEY": "unused",
            "PUBLIC_URL": "http://localhost",
            "REDIS_URL": server.url,
            "REDIS_PASSWORD": server.password,
            "CHANNEL_LAYER": layer,
            "DATA_DIR": str(folder),
        }
        command = [sys.executable, "-m", "app.servers.daphne", "-p", str(self.port), "app.routing:application"]
        self.log = folder / f"{self.port}.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)

    async def join(self, sockets: AsyncExitStack, kind: str, room: str) -> ClientConnection:
        """A member whose own joining came back to it."""
        member = await sockets.enter_async_context(
            connect(f"ws://127.0.0.1:{self.port}/ws/{kind}/{room}/", proxy=None, ping_interval=None)
        )
        async with asyncio.timeout(10):
            assert "加入了." in json.loads(await member.recv())["message"]
        return member

    async def listens(self) -> None:
        async def answers() -> bool:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", self.port)
            except OSError:
                return False
            writer.close()
            await writer.wait_closed()
            return True

        await until(answers, STARTING_SECONDS, f"a worker that listens: {self.log.read_text()}")

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


Start = Callable[[], Awaitable[Worker]]


async def until(condition: Callable[[], Awaitable[object]], seconds: float, what: str) -> None:
    try:
        async with asyncio.timeout(seconds):
            while not await condition():  # noqa: ASYNC110  # Redis tells nobody
                await asyncio.sleep(0.1)
    except TimeoutError:
        pytest.fail(f"expected within {seconds:g} s: {what}")


@pytest_asyncio.fixture
async def start(request: pytest.FixtureRequest, tmp_path: Path, redis_server: RedisServer) -> AsyncIterator[Start]:
    with ExitStack() as ends:

        async def start() -> Worker:
            worker = Worker(tmp_path, redis_server, request.param)
            ends.callback(worker.end)
            await worker.listens()
            return worker

        yield start


@pytest_asyncio.fixture
async def survivor(settings: Settings, configurations: dict[str, Any]) -> AsyncIterator[Any]:
    """The core layer of a process that lives: it is this one, and it is less patient than the stack's."""
    (core,) = configurations["core"].values()
    core = {**core, "CONFIG": {**core["CONFIG"], "expiry": SILENCE}}
    settings.CHANNEL_LAYERS = {"default": core}
    layer = ChannelLayerManager()["default"]
    yield layer
    await layer.close_pools()


@pytest_asyncio.fixture
async def sockets() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as opened:
        yield opened


async def names(admin: Redis, *command: str) -> set[str]:
    return {name.decode() for name in await admin.execute_command(*command)}  # type: ignore[no-untyped-call]


async def names_in(admin: Redis, key: str) -> set[str]:
    return await names(admin, "ZRANGE", key, "0", "-1")


async def processes(admin: Redis) -> set[str]:
    return await names_in(admin, PROCESSES_KEY)


async def in_group(admin: Redis, group: str) -> set[str]:
    return await names_in(admin, f"asgi:group:{group}")


async def told_of(admin: Redis, process: str) -> set[str]:
    """All keys that name the process, and itself where it is on the list of processes."""
    found = await names(admin, "KEYS", "*") | await names_in(admin, "asgi:processes")
    return {name for name in found if process in name}


def processes_in(channels: set[str]) -> set[str]:
    return {channel.partition("!")[0].removeprefix("specific.") for channel in channels}


@pytest.mark.parametrize("start", ["core"], indirect=True)
async def test_a_killed_workers_members_are_removed_and_a_living_ones_stay(
    start: Start, survivor: Any, sockets: AsyncExitStack, admin: Redis, room: str
) -> None:
    killed, stays = await start(), await start()
    for kind in KINDS:
        await killed.join(sockets, kind, room)
    of_the_killed = await in_group(admin, room_group(room))
    assert len(of_the_killed) == len(KINDS)  # the documented consumers' channels, and the hub's
    listeners = [await stays.join(sockets, kind, room) for kind in KINDS]
    channel = await survivor.new_channel()
    await survivor.group_add(room_group(room), channel)
    of_the_living = await in_group(admin, room_group(room)) - of_the_killed
    assert len(of_the_living) == len(KINDS) + 1
    (process,) = processes_in(of_the_killed)
    await admin.zadd(f"asgispecific.{process}!$inflight", {"left when it was killed": 1})

    killed.signal(signal.SIGKILL)

    async def removed() -> bool:
        return not of_the_killed & await in_group(admin, room_group(room))

    await until(removed, GONE_SECONDS, "a dead worker's members gone")
    assert await in_group(admin, room_group(room)) == of_the_living
    assert not of_the_killed & await in_group(admin, HUBS)
    # Its list, with an expiry, in case that it is not dead.
    assert await told_of(admin, process) == {f"asgi:memberships:{process}"}
    assert 0 < await admin.ttl(f"asgi:memberships:{process}") <= 3600
    await survivor.group_send(room_group(room), messages.event("still here"))
    async with asyncio.timeout(10):
        for listener in listeners:
            while "still here" not in str(await listener.recv()):
                pass


@pytest.mark.parametrize("start", ["core"], indirect=True)
async def test_a_worker_that_was_only_frozen_puts_its_members_back(
    start: Start, survivor: Any, sockets: AsyncExitStack, admin: Redis, room: str
) -> None:
    frozen = await start()
    members = [await frozen.join(sockets, kind, room) for kind in KINDS]
    before = await in_group(admin, room_group(room))
    await survivor.group_add("elsewhere", await survivor.new_channel())

    async def removed() -> bool:
        return not await in_group(admin, room_group(room))

    async def back() -> bool:
        return await in_group(admin, room_group(room)) == before

    frozen.signal(signal.SIGSTOP)
    try:
        await until(removed, GONE_SECONDS, "a silent worker's members gone")
    finally:
        frozen.signal(signal.SIGCONT)
    await until(back, GONE_SECONDS, "the members of the worker that was thawed")
    await survivor.group_send(room_group(room), messages.event("welcome back"))
    async with asyncio.timeout(10):
        for member in members:
            while "welcome back" not in str(await member.recv()):
                pass


@pytest.mark.parametrize("start", ["core"], indirect=True)
async def test_a_worker_that_stops_leaves_no_membership(
    start: Start, sockets: AsyncExitStack, admin: Redis, room: str
) -> None:
    worker = await start()
    for kind in KINDS:
        await worker.join(sockets, kind, room)
    (process,) = processes_in(await in_group(admin, room_group(room)))
    worker.signal(signal.SIGTERM)
    worker.signal(signal.SIGTERM)  # at once
    assert await asyncio.to_thread(worker.process.wait, 30) == 0
    assert await in_group(admin, room_group(room)) == set()
    assert await admin.exists(f"asgi:memberships:{process}") == 0
    assert "Task was destroyed" not in worker.log.read_text()


async def test_a_channel_that_anybody_may_receive_on_stays_in_its_group(survivor: Any, admin: Redis) -> None:
    """It outlives the process that put it there."""
    await survivor.group_add("tasks", "thumbnails")
    assert await in_group(admin, "tasks") == {"thumbnails"}
    assert await admin.zrange(f"asgi:memberships:{survivor.client_prefix}", 0, -1) == []
    await survivor.group_discard("tasks", "thumbnails")
    assert await in_group(admin, "tasks") == set()


@pytest.mark.parametrize(("start", "layer"), [("pubsub", "pubsub")], indirect=True)
async def test_nothing_in_redis_tells_of_a_dead_workers_people(
    start: Start, enter: Enter, sockets: AsyncExitStack, admin: Redis, room: str
) -> None:
    """Within 30 s, while another worker lives, who has noticed too."""
    killed = await start()
    known = await processes(admin)
    await killed.join(sockets, "chat", room)
    (process,) = await processes(admin) - known
    witness = await enter()
    await witness.until(lambda: witness.objects[-1].get("members") == 2)

    killed.signal(signal.SIGKILL)

    async def gone() -> bool:
        return not await admin.exists(f"process:{process}") and process not in await processes(admin)

    await until(gone, 30.0, f"nothing of {process} in Redis")
    await witness.wait("left", seconds=ALIVE_SECONDS + 3 * HEARTBEAT_SECONDS)
    assert witness.of("left")[-1]["members"] == 1
