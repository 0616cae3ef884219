"""Copies of the rooms' logs: whole although messages go on, and back under new epochs."""

import asyncio
import io
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from redis import Redis

from MyChannels.connection import Connection
from MyChannels.groups import log_keys
from MyChannels.log import REF_SECONDS, Draft
from MyChannels.log.copies import AT_ONCE, Counts, copy_rooms, restore_rooms
from MyChannels.log.stream import SCRIPTS, StreamLog
from MyChannels.messages import Message

from .redis_server import RedisServer

MANY = 2 * AT_ONCE + 1  # three pages


@pytest_asyncio.fixture
async def log(configurations: dict[str, Any]) -> AsyncIterator[StreamLog]:
    connection = Connection(configurations["REDIS_URL"], configurations["REDIS_PASSWORD"], SCRIPTS)
    log = StreamLog(connection, length=10_000, seconds=86_400)
    yield log
    await log.close()


@pytest.fixture
def redis(configurations: dict[str, Any]) -> Iterator[Redis]:
    """The one user that the application is, as the command connects."""
    url, password = configurations["REDIS_URL"], configurations["REDIS_PASSWORD"]
    with Redis.from_url(url, password=password, decode_responses=True) as redis:
        restore_rooms(redis, [])  # what other tests left
        yield redis


def draft(number: int) -> Draft:
    return Draft("小明", f"text {number}\nof \u2028 lines", f"ref {number}", user=number % 2 == 0)


async def say(log: StreamLog, room: str, first: int, last: int) -> None:
    for number in range(first, last + 1):
        await log.append(room, draft(number))


def told(message: Message) -> tuple[Any, ...]:
    return message.offset, message.sender, message.text, message.sent_at, message.user


def copied(redis: Redis) -> tuple[Counts, list[str]]:
    file = io.StringIO()
    counts = copy_rooms(redis, file)
    return counts, file.getvalue().split("\n")[:-1]


async def test_messages_and_refs_come_back_under_a_new_epoch(log: StreamLog, redis: Redis, room: str) -> None:
    await say(log, room, 1, MANY)
    await log.append(f"{room}-2", draft(1))
    await log.read(f"{room}-3")  # somebody is there, nothing was said
    before = await log.read(room, limit=MANY)
    counts, lines = await asyncio.to_thread(copied, redis)
    assert counts == (2, MANY + 1)
    await say(log, room, MANY + 1, MANY + 5)
    await log.append(f"{room}-4", draft(1))

    await asyncio.to_thread(restore_rooms, redis, lines)
    after = await log.read(room, limit=MANY + 5)
    assert after.messages == []  # nobody resumes across
    assert after.epoch != before.epoch
    assert (after.base, after.offset) == (MANY, MANY)
    assert list(map(told, await log.before(room, None, MANY + 5))) == list(map(told, before.messages))
    assert (await log.read(f"{room}-4")).offset == 0
    assert not (await log.append(room, draft(1))).new, "a ref of before is known still"
    assert (await log.append(room, draft(MANY + 1))).offset == MANY + 1
    assert (await log.read(room)).epoch == after.epoch, "one new epoch is enough"


async def test_room_expires_as_it_would_have(log: StreamLog, redis: Redis, room: str) -> None:
    await log.append(room, draft(1))
    meta, stream, refs, order = log_keys(room)
    redis.pexpire(stream, 1_000_000)
    redis.pexpire(meta, 1_000_000)
    await asyncio.to_thread(restore_rooms, redis, (await asyncio.to_thread(copied, redis))[1])
    for key in (meta, stream, refs, order):
        assert 900_000 < redis.pttl(key) <= 1_000_000
    redis.pexpire(meta, 1000)
    await asyncio.to_thread(restore_rooms, redis, (await asyncio.to_thread(copied, redis))[1])
    assert redis.pttl(refs) > (REF_SECONDS - 60) * 1000


async def test_copy_has_no_gap_while_messages_are_said_and_trimmed(log: StreamLog, redis: Redis, room: str) -> None:
    log.length = AT_ONCE + 50  # the bound overtakes a copy that is slower than those who speak
    await say(log, room, 1, log.length)
    async with asyncio.TaskGroup() as tasks:
        copying = tasks.create_task(asyncio.to_thread(lambda: [copied(redis) for _ in range(20)]))
        number = log.length
        while not copying.done():
            number += 1
            await log.append(room, draft(number))
    for _, lines in copying.result():
        (position, *rest) = map(json.loads, lines)
        offsets = [line["message"] for line in rest if "message" in line]
        assert offsets
        assert offsets == list(range(offsets[0], position["offset"] + 1))
        refs = [int(line["value"].split()[0]) for line in rest if "ref" in line]
        assert refs == sorted(set(refs))
        assert set(offsets) <= set(refs)


async def test_what_is_trimmed_while_it_is_read_leaves_no_gap(
    log: StreamLog, redis: Redis, room: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the first page and the second, more is said than the log holds."""
    await say(log, room, 1, MANY)
    pipelines = 0
    pipeline = redis.pipeline

    def trimming(**options: Any) -> Any:
        nonlocal pipelines
        pipelines += 1
        if pipelines == 2:
            redis.xtrim(log_keys(room)[1], minid=f"{AT_ONCE + 10}-0", approximate=False)
        return pipeline(**options)

    monkeypatch.setattr(redis, "pipeline", trimming)
    counts, lines = await asyncio.to_thread(copied, redis)
    offsets = [line["message"] for line in map(json.loads, lines) if "message" in line]
    assert offsets == list(range(AT_ONCE + 10, MANY + 1))
    assert counts.messages == len(offsets)


async def test_a_room_whose_epoch_ends_meanwhile_is_copied_again(
    log: StreamLog, redis: Redis, room: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await say(log, room, 1, 3)
    hget, epochs = redis.hget, ["another"]

    def changing(name: str, key: str) -> Any:
        return epochs.pop() if epochs else hget(name, key)

    monkeypatch.setattr(redis, "hget", changing)
    counts, lines = await asyncio.to_thread(copied, redis)
    assert counts == (1, 3)
    assert len(lines) == 1 + 3 + 3


async def test_restored_rooms_survive_a_restart_of_redis(
    log: StreamLog, redis: Redis, redis_server: RedisServer, room: str
) -> None:
    await say(log, room, 1, 3)
    await asyncio.to_thread(restore_rooms, redis, (await asyncio.to_thread(copied, redis))[1])
    before = await log.read(room)
    with redis_server.stopped():
        pass
    log.release()
    assert (await log.read(room)).epoch == before.epoch
    assert [message.offset for message in await log.before(room, None, 10)] == [1, 2, 3]


def test_nothing_is_copied_where_nothing_was_said(redis: Redis) -> None:
    redis.hset(f"room:{uuid4().hex}", "epoch", "e")
    assert copied(redis) == (Counts(0, 0), [])
