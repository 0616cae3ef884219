"""What waits for a Redis that is away; that it is asked as it should is for tests/integration/test_log_redis.py."""

import asyncio
from typing import Any
from unittest.mock import Mock

import pytest

from MyChannels.connection import DEADLINE, Connection
from MyChannels.log import Unavailable
from tests.unit.virtual_time import in_virtual_time, now, passes


class Away:
    """Stands in for redis-py's connection to a Redis that cannot be reached."""

    is_connected = False

    async def connect(self) -> None:
        raise ConnectionRefusedError("nobody listens")

    async def disconnect(self, nowait: bool = False) -> None:
        pass


@pytest.fixture
def connection() -> Connection:
    connection = Connection("redis://localhost", "")
    connection._connection = Away()
    return connection


async def told_at(answer: asyncio.Future[Any]) -> float:
    with pytest.raises(Unavailable, match=r"did not answer PING within 3 s \(nobody listens\)"):
        await answer
    return now()


def test_each_is_told_in_its_time_that_redis_is_away(connection: Connection) -> None:
    @in_virtual_time
    async def run() -> None:
        begun = now()
        connection._hold()
        held = asyncio.create_task(told_at(connection.ask("PING", held=True)))
        await passes(0.5)
        asked = [asyncio.create_task(told_at(connection.ask("PING"))) for _ in range(3)]
        await passes(1)
        late = asyncio.create_task(told_at(connection.ask("PING")))
        times = [at - begun for at in await asyncio.gather(held, *asked, late)]
        assert times == pytest.approx([DEADLINE, *[DEADLINE + 0.5] * 3, DEADLINE + 1.5])
        await connection.close()

    run()


def test_who_does_not_wait_any_longer_is_told_nothing(connection: Connection) -> None:
    @in_virtual_time
    async def run() -> None:
        gone, stays = connection.ask("PING"), asyncio.create_task(told_at(connection.ask("PING")))
        gone.cancel()
        await stays
        assert gone.cancelled()
        await connection.close()

    run()


def test_a_thousand_questions_have_one_timer(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    @in_virtual_time
    async def run() -> None:
        loop = asyncio.get_running_loop()
        timers = Mock(wraps=loop.call_at)
        monkeypatch.setattr(loop, "call_at", timers)
        answers = [connection.ask("PING") for _ in range(1000)]
        timers.assert_called_once()
        for answer in answers:
            answer.cancel()
        await connection.close()

    run()
