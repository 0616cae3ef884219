"""A worker subscribes once to each room that has members on it, and to no other."""

import asyncio
import random
from collections.abc import Awaitable, Callable

import pytest
import pytest_asyncio
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from MyChannels import hub as hubs
from MyChannels.connection import GuardedConnection
from MyChannels.groups import room_group
from MyChannels.hub import Hub

from .conftest import Enter, Workers
from .redis_server import RedisServer

pytestmark = [
    pytest.mark.parametrize("layer", ["pubsub"], indirect=True),
    # redis-py's lost sockets
    pytest.mark.filterwarnings("ignore:.*StreamWriter:pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore:.*transport:pytest.PytestUnraisableExceptionWarning"),
]

Subscribers = Callable[[str], Awaitable[int]]
ROOMS, VISITS = 5, 2000


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hubs, "LINGER_SECONDS", 0.2)


@pytest_asyncio.fixture
async def subscribers(admin: Redis) -> Subscribers:
    async def count(room: str) -> int:
        [(_, found)] = await admin.pubsub_numsub(f"asgi__group__{room_group(room)}")
        return int(found)

    return count


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 8) -> None:
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110  # Redis tells nobody
            await asyncio.sleep(0.05)


async def test_one_subscription_for_all_members_of_a_worker_and_none_after_them(
    enter: Enter, workers: Workers, room: str, subscribers: Subscribers
) -> None:
    here, there = workers(), workers()
    members = [await enter(worker=here) for _ in range(10)]
    assert await subscribers(room) == 1
    members += [await enter(worker=there) for _ in range(10)]
    assert await subscribers(room) == 2
    for member in members[:-1]:
        await member.leave()

    async def one() -> bool:
        return await subscribers(room) == 1

    async def none() -> bool:
        return await subscribers(room) == 0

    await until(one)
    assert room not in here.rooms
    await members[-1].leave()
    await until(none)
    assert not there.rooms


async def test_who_comes_back_before_the_room_is_closed_finds_it(
    enter: Enter, workers: Workers, room: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hubs, "LINGER_SECONDS", 5)
    worker = workers()
    member = await enter(worker=worker)
    before = worker.rooms[room]
    await member.leave()
    await enter(worker=worker)
    assert worker.rooms[room] is before


async def test_comings_and_goings_that_race_leave_exactly_the_right_subscriptions(
    workers: Workers, room: str, subscribers: Subscribers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hubs, "LINGER_SECONDS", 0)
    worker = workers()
    chance = random.Random(1)  # noqa: S311  # which rooms meet when
    names = [f"{room}-{n}" for n in range(ROOMS)]

    async def visit(worker: Hub, name: str) -> None:
        entered = await worker.enter(name)
        await asyncio.sleep(chance.random() * 0.05)
        worker.leave(entered)
        if chance.random() < 0.1:
            await worker._close_idle()

    visits = [asyncio.ensure_future(visit(worker, chance.choice(names))) for _ in range(VISITS)]
    for n in range(0, VISITS, 100):
        await asyncio.gather(*visits[n : n + 100])
        await worker._close_idle()
    stay = await worker.enter(names[0])
    await worker._close_idle()

    async def settled() -> bool:
        return [await subscribers(name) for name in names] == [1, 0, 0, 0, 0]

    await until(settled)
    assert set(worker.rooms) == {names[0]}
    assert stay.users == 1
    groups = [group for group in worker.layer._get_layer().groups if room in group]
    assert groups == [f"asgi__group__{room_group(names[0])}"]


async def test_a_handshake_given_up_midway_leaves_nothing(
    workers: Workers, room: str, subscribers: Subscribers
) -> None:
    worker = workers()
    for n in range(30):
        entering = asyncio.ensure_future(worker.enter(room))
        for _ in range(n):
            await asyncio.sleep(0)
        entering.cancel()
        await asyncio.gather(entering, return_exceptions=True)
        if not entering.cancelled():
            worker.leave(entering.result())

    async def none() -> bool:
        return room not in worker.rooms and await subscribers(room) == 0

    await until(none)


async def test_a_room_that_was_left_during_an_outage_is_not_subscribed_to_afterwards(
    enter: Enter, workers: Workers, room: str, redis_server: RedisServer, subscribers: Subscribers
) -> None:
    worker = workers()
    stays, leaves = await enter(worker=worker, room=f"{room}-2"), await enter(worker=worker)
    await asyncio.to_thread((outage := redis_server.stopped()).__enter__)
    try:
        await leaves.leave()

        async def closed() -> bool:
            return room not in worker.rooms and not worker._closing

        await until(closed, 20)
    finally:
        await asyncio.to_thread(outage.__exit__, None, None, None)

    async def heard() -> bool:
        return await subscribers(f"{room}-2") == 1

    await until(heard, 10)
    assert (await stays.say("hello", seconds=10))["type"] in ("ack", "error")
    assert await subscribers(room) == 0


@pytest.mark.parametrize("fault", [TimeoutError(110, "Connection timed out"), ResponseError("NOPERM")])
async def test_a_subscription_that_fails_in_reading_is_made_anew_and_nothing_is_missed(
    enter: Enter, workers: Workers, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    """asyncio says of a connection that the kernel gave up what it says of a time that is over, again and again."""
    here, there = workers(), workers()
    alice, bob = await enter(worker=here), await enter(worker=there)
    shard = here.layer._get_layer()._shards[0]
    broken = shard._pubsub.connection
    arrived = GuardedConnection.arrived

    async def fails(connection: GuardedConnection) -> list[object]:
        found: list[object] = await arrived(connection)
        return [fault, *found] if connection is broken and connection._reader is reader else found

    reader = broken._reader
    monkeypatch.setattr(GuardedConnection, "arrived", fails)
    if isinstance(fault, TimeoutError):
        reader.set_exception(fault)
    for n in range(10):
        await bob.say(str(n))
    await alice.hears("9")
    assert alice.texts() == bob.texts()
    assert broken._reader is not reader
