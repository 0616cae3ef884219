"""What waits for a Redis that is away; that it is asked as it should is for tests/integration/test_log_redis.py."""

import asyncio
import socket
from typing import Any
from unittest.mock import Mock

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from MyChannels.connection import DEADLINE, Connection, GuardedConnection
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


def test_what_is_asked_of_a_closed_connection_ends_too(connection: Connection) -> None:
    @in_virtual_time
    async def run() -> None:
        connection.ask("PING").cancel()
        await connection.close()
        begun = now()
        assert await told_at(connection.ask("PING")) - begun == pytest.approx(DEADLINE)
        await connection.close()

    run()


async def test_who_reads_a_connection_that_is_given_up_ends_though_the_peer_takes_nothing() -> None:
    """A half-open connection with something unsent: to close it would wait for the peer."""

    async def introduce(connection: Any) -> None:
        connection._parser.on_connect(connection)

    with socket.create_server(("127.0.0.1", 0)) as deaf:
        connection = GuardedConnection(host="127.0.0.1", port=deaf.getsockname()[1], redis_connect_func=introduce)
        await connection.connect()  # type: ignore[no-untyped-call]
        connection.write([("SUBSCRIBE", b"x" * 2**24)])
        assert connection._writer is not None
        assert connection._writer.transport.get_write_buffer_size() > 0
        reading = asyncio.create_task(connection.arrived())
        await asyncio.sleep(0)
        await connection.disconnect(nowait=True)
        await asyncio.wait([reading], timeout=5)
        assert reading.done()
        assert isinstance(reading.exception(), (RedisConnectionError, OSError))
