"""What of a room's log in Redis waits for what; that Redis does it is for tests/integration/test_log_redis.py."""

import asyncio
from typing import Any, cast

import pytest

from MyChannels.connection import DEADLINE, Connection, Part
from MyChannels.groups import ROOMS_KEY
from MyChannels.log import NOTHING_SEEN, Draft, Position, Unavailable
from MyChannels.log.stream import FREED_SECONDS, FULL, READINGS, StreamLog
from tests.unit.virtual_time import in_virtual_time, now, passes, settle


class Redis:
    """Stands in for the connection: what is asked has its answer when `answers` is set."""

    def __init__(self) -> None:
        self.asked: list[tuple[Part, ...]] = []
        self.answers = asyncio.Event()
        self.used = [0.0]  # parts of maxmemory, one for each time that it is asked; the last for ever
        self.rooms = [f"room-{n}" for n in range(100)]

    def ask(self, *command: Part, share: Any = None, read: Any = None, held: bool = False) -> asyncio.Task[Any]:
        self.asked.append(command)
        return asyncio.create_task(self.answer(command))

    async def answer(self, command: tuple[Part, ...]) -> Any:
        await self.answers.wait()
        match command:
            case ("XREVRANGE", *_):
                return []
            case ("INFO", *_):
                used = self.used.pop(0) if len(self.used) > 1 else self.used[0]
                return f"used_memory:{int(used * 1000)}\r\nmaxmemory:1000\r\n".encode()
            case ("ZRANGE", _, 0, int(last)):
                return [room.encode() for room in self.rooms[: last + 1]]
            case ("ZREM", _, *names):
                self.rooms = [room for room in self.rooms if room not in names]
                return len(names)
            case _:
                return [b"epoch", 0, 0, []]

    def kinds(self) -> list[Part]:
        return [command[0] for command in self.asked]


def log_on(redis: Redis) -> StreamLog:
    return StreamLog(cast(Connection, redis), length=100, seconds=60)


@in_virtual_time
async def test_clients_read_a_few_at_a_time_and_nothing_else_waits_for_them() -> None:
    redis = Redis()
    log = log_on(redis)
    paging = [asyncio.create_task(log.before("lobby", None, 100)) for _ in range(50)]
    resuming = [asyncio.create_task(log.read("lobby", after=1)) for _ in range(50)]
    await settle()
    assert redis.kinds().count("XREVRANGE") == READINGS
    assert redis.kinds().count("EVALSHA") == READINGS
    others: list[asyncio.Future[Any]] = [
        log.append("lobby", Draft("Ada", "hello", "ref")),
        asyncio.create_task(log.read("lobby", NOTHING_SEEN, limit=0)),
        asyncio.create_task(log.read("lobby", Position("epoch", 1, 1))),
    ]
    await settle()
    assert redis.kinds().count("EVALSHA") == READINGS + len(others)
    for task in others:
        task.cancel()
    redis.answers.set()
    await asyncio.gather(*paging, *resuming)
    assert redis.kinds().count("XREVRANGE") == 50


@in_virtual_time
async def test_who_gets_no_turn_is_told_so_in_time_and_takes_none_from_others() -> None:
    redis = Redis()
    log = log_on(redis)
    reading = [asyncio.create_task(log.before("lobby", None, 100)) for _ in range(READINGS)]
    await settle()
    begun = now()
    with pytest.raises(Unavailable, match="no turn came within 3 s"):
        await log.before("lobby", None, 100)
    assert now() - begun == DEADLINE
    gone = asyncio.create_task(log.before("lobby", None, 100))
    await passes(1)
    gone.cancel()
    redis.answers.set()
    await asyncio.gather(*reading)
    assert await log.before("lobby", None, 100) == []


@in_virtual_time
async def test_nothing_is_dropped_for_what_fills_redis_for_a_moment() -> None:
    redis = Redis()
    redis.answers.set()
    redis.used = [FULL + 0.1, FULL]
    assert await log_on(redis).relieve() == []
    assert len(redis.rooms) == 100


@in_virtual_time
async def test_what_was_dropped_has_time_to_be_freed_before_more_is_and_more_of_little_ones() -> None:
    redis = Redis()
    redis.answers.set()
    redis.used = [*[FULL + 0.1] * 4, FULL]
    begun = now()
    assert await log_on(redis).relieve() == [f"room-{n}" for n in range(30)]
    assert now() - begun == 2 * FREED_SECONDS
    changes = [command for command in redis.asked if command[0] in ("ZREM", "UNLINK")]
    assert [command[0] for command in changes] == ["ZREM", "UNLINK"] * 2, "who speaks meanwhile is listed again"
    assert changes[0] == ("ZREM", ROOMS_KEY, *(f"room-{n}" for n in range(10)))


@in_virtual_time
async def test_all_is_dropped_at_most() -> None:
    redis = Redis()
    redis.answers.set()
    redis.used = [1.0]
    assert len(await log_on(redis).relieve()) == 100
