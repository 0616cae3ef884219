"""What waits for a Redis that is away; that it is asked as it should is for tests/integration/test_log_redis.py."""

import asyncio
import socket
from itertools import pairwise
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from MyChannels.connection import DEADLINE, Connection, GuardedConnection
from MyChannels.log import Unavailable
from MyChannels.tick import CALM_SECONDS, TICK_SECONDS
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


class There:
    """One to a Redis that answers at once, and notes when it was asked how much."""

    is_connected = True

    def __init__(self) -> None:
        self.writes: list[tuple[float, int]] = []
        self.unanswered = 0

    def write(self, commands: list[Any]) -> None:
        self.writes.append((now(), len(commands)))
        self.unanswered = len(commands)

    async def arrived(self) -> list[Any]:
        await asyncio.sleep(0)
        return [b"PONG"] * self.unanswered

    async def disconnect(self, nowait: bool = False) -> None:
        pass


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


def test_questions_go_at_moments_that_all_processes_have_in_common(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    @in_virtual_time
    async def run() -> None:
        wall = 1_763_000_000.0 - now()  # a loop's own clock begins anywhere
        late = iter([0.0, -0.9, 0.0, 0.9] * 1000)  # milliseconds: a timer may be before its time, or after it
        clock = SimpleNamespace(time=lambda: wall + now() + next(late) / 1000)
        monkeypatch.setattr("MyChannels.tick.time", clock)
        connection._connection = there = There()
        answers = []
        for _ in range(300):
            answers.append(connection.ask("PING"))
            await passes(0.003)
        await asyncio.gather(*answers)
        (_, first), *following = there.writes
        assert first == 1, "who asks on an idle connection waits for nothing"
        assert sum(count for _, count in following) == 299
        for at, _ in following:
            beyond = (wall + at + 0.001) % TICK_SECONDS - 0.001
            assert abs(beyond) < 0.001
        assert all(later - earlier > TICK_SECONDS / 2 for (earlier, _), (later, _) in pairwise(following))
        await connection.close()

    run()


def test_who_asks_seldom_waits_for_nothing(connection: Connection) -> None:
    @in_virtual_time
    async def run() -> None:
        connection._connection = there = There()
        for _ in range(10):
            await passes(1.1 * CALM_SECONDS)
            asked = now()
            await connection.ask("PING")
            assert there.writes[-1] == (asked, 1)
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
