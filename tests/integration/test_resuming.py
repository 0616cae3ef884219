"""Who comes back with `since` gets every message that was missed, once and in order, or is told that it cannot be."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from pytest_django import Settings
from redis.asyncio import Redis

from MyChannels.groups import log_keys

from .conftest import Enter, Workers
from .members import Member

pytestmark = pytest.mark.parametrize("layer", ["pubsub"], indirect=True)

Say = Callable[..., Awaitable[Any]]
COMING_BACK = 300
READS = 20  # of a log, the look every five seconds that each worker takes included


async def say_all(member: Member, begin: int, end: int) -> None:
    for n in range(begin, end):
        assert (await member.say(str(n)))["type"] == "ack"


async def test_what_was_missed_follows_in_order(enter: Enter, workers: Workers) -> None:
    here, there = workers(), workers()
    alice, bob = await enter(worker=here), await enter(worker=there)
    await say_all(alice, 1, 4)
    await bob.wait("message", count=3)
    since = bob.since
    await bob.leave()
    await say_all(alice, 4, 150)
    back = [await enter(worker=worker, since=since) for worker in (here, there, workers())]
    for member in back:
        assert member.welcome["recovered"] is True
        assert 3 <= member.welcome["offset"] <= 149  # as far as that worker has heard
        await member.wait("message", count=146)
        assert [offset for _, offset, _ in member.heard()] == list(range(4, 150))
        assert member.texts() == [str(n) for n in range(4, 150)]
    await alice.say("live")
    for member in back:
        await member.hears("live")
        member.heard()


async def test_who_has_missed_nothing_recovers(enter: Enter) -> None:
    alice = await enter()
    assert (await enter(since=alice.since)).welcome["recovered"] is True
    await say_all(alice, 1, 4)
    await alice.wait("message", count=3)
    back = await enter(since=alice.since)
    assert back.welcome["recovered"] is True
    await back.ask({"type": "ping"}, "pong")
    assert back.texts() == []


async def test_from_the_beginning_of_an_epoch(enter: Enter) -> None:
    alice = await enter()
    since = alice.since
    await say_all(alice, 1, 6)
    back = await enter(since=since)
    assert back.welcome["recovered"] is True
    await back.wait("message", count=5)
    assert back.texts() == ["1", "2", "3", "4", "5"]


@pytest.mark.parametrize("since", ["another:1", "{epoch}:4", "{epoch}:99999"], ids=["epoch", "next", "future"])
async def test_what_cannot_be_known_is_not_recovered(enter: Enter, since: str) -> None:
    alice = await enter()
    await say_all(alice, 1, 4)
    back = await enter(since=since.format(epoch=alice.welcome["epoch"]))
    assert back.welcome["recovered"] is False
    assert back.welcome["offset"] == 3
    await say_all(alice, 4, 6)
    await back.wait("message", count=2)
    assert [offset for _, offset, _ in back.heard()] == [4, 5]


async def test_what_was_trimmed_is_not_recovered_and_what_is_left_is(
    enter: Enter, workers: Workers, settings: Settings
) -> None:
    settings.ROOM_LOG_LENGTH = 10
    alice = await enter(worker=workers())
    epoch = alice.welcome["epoch"]
    await say_all(alice, 1, 31)
    fresh = workers()  # it keeps nothing itself
    assert (await enter(worker=fresh, since=f"{epoch}:19")).welcome["recovered"] is False
    back = await enter(worker=fresh, since=f"{epoch}:20")
    assert back.welcome["recovered"] is True
    await back.wait("message", count=10)
    assert [offset for _, offset, _ in back.heard()] == list(range(21, 31))


async def test_joining_amid_traffic_merges_log_and_live(enter: Enter, workers: Workers) -> None:
    """Fifty join, with since and without, while a writer on either worker speaks."""
    hubs = [workers(), workers()]
    writers = [await enter(worker=hub) for hub in hubs]
    epoch = writers[0].welcome["epoch"]
    await say_all(writers[0], 1, 51)
    spoken = 50
    stop = False

    async def speak(writer: Member) -> None:
        nonlocal spoken
        while not stop:
            answer = await writer.say("x")
            assert answer["type"] == "ack", answer
            spoken += 1
            await asyncio.sleep(0.02)

    speaking = [asyncio.ensure_future(speak(writer)) for writer in writers]
    joined = []
    for n in range(50):
        since = {"since": f"{epoch}:{n}"} if n % 2 else {}
        joined.append(await enter(worker=hubs[n // 2 % 2], **since))
    stop = True
    await asyncio.gather(*speaking)
    for member in joined:
        if member.resumed:
            assert member.welcome["recovered"] is True
        await member.reaches(f"{epoch}:{spoken}")
        first = int(member.resumed.split(":")[1]) if member.resumed else member.welcome["offset"]
        assert [offset for _, offset, _ in member.heard()] == list(range(first + 1, spoken + 1))


async def test_many_who_come_back_at_once_cost_redis_a_handful_of_reads(
    enter: Enter, come: Enter, workers: Workers, admin: Redis
) -> None:
    writer = await enter(worker=workers())
    epoch = writer.welcome["epoch"]
    await say_all(writer, 1, 151)
    worker = workers()  # started anew: it has nothing in memory
    before = await calls(admin)
    back = await asyncio.gather(
        *(come(worker=worker, since=f"{epoch}:{n % 100}", name=f"n{n}") for n in range(COMING_BACK))
    )
    for n, member in enumerate(back):
        await member.reaches(f"{epoch}:150", 20)
        assert [offset for _, offset, _ in member.heard()] == list(range(n % 100 + 1, 151))
    assert await calls(admin) - before < READS


async def calls(admin: Redis) -> int:
    return int((await admin.info("commandstats"))["cmdstat_evalsha"]["calls"])


async def test_a_room_in_which_nothing_was_said_leaves_no_key_after_its_last_member(
    enter: Enter, room: str, admin: Redis
) -> None:
    member = await enter()
    await member.leave()
    for key in await admin.keys(f"*{room}*"):
        assert key == log_keys(room)[0].encode()
        assert await admin.ttl(key) <= 50  # and some seconds for which the room lingers
