"""What waits for a Redis that is away; that it is asked as it should is for tests/integration/test_log_redis.py."""

import asyncio
import socket
from itertools import pairwise
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from MyChannels.connection import (
    DEADLINE,
    MOST_WAITING,
    MOST_WAITING_OF_ROOM,
    QUESTION_CHARACTERS,
    TOGETHER,
    TOGETHER_CHARACTERS,
    Connection,
    GuardedConnection,
    Share,
)
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


SEEN = ("epoch", 7, 0)


class Echo(There):
    """Answers a command by its name, and SAY, which has a room and is shared, with each one's part."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[Any, ...]] = []
        self.fault: Exception | None = None

    def write(self, commands: list[Any]) -> None:
        super().write(commands)
        self.asked += commands

    async def arrived(self) -> list[Any]:
        await asyncio.sleep(0)
        fault, self.fault = self.fault, None
        if isinstance(fault, RedisConnectionError):
            raise fault
        commands = self.asked[-self.unanswered :]
        if fault:
            return [fault for _ in commands]
        return [[*command[2:]] if command[0] == "SAY" else command[0] for command in commands]


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


def say(connection: Connection, room: str, text: str, seen: tuple[str, int, int] = SEEN) -> asyncio.Future[Any]:
    return connection.ask("SAY", room, share=Share(room, seen, len(text), (text,)), held=True)


def test_no_more_texts_wait_for_a_redis_that_is_away_than_may_and_others_can_when_those_have_been_given_up(
    connection: Connection,
) -> None:
    @in_virtual_time
    async def run() -> None:
        text = "x" * 4000
        of_room = MOST_WAITING_OF_ROOM // (len(text) + QUESTION_CHARACTERS)
        waiting = [say(connection, "flooded", text) for _ in range(of_room)]
        with pytest.raises(Unavailable, match="too much waits"):
            await say(connection, "flooded", text)
        most = MOST_WAITING // (len(text) + QUESTION_CHARACTERS)
        waiting += [say(connection, f"room-{number}", text) for number in range(most - of_room)]
        with pytest.raises(Unavailable, match="too much waits"):
            await say(connection, "lobby", text)
        assert not any(one.done() for one in waiting)
        await passes(DEADLINE + 0.1)
        assert all(isinstance(one.exception(), Unavailable) for one in waiting)
        again = say(connection, "lobby", text)
        await passes(0.1)
        assert not again.done()
        await connection.close()

    run()


def test_what_a_room_is_told_at_once_is_one_command_and_each_has_its_own_answer(connection: Connection) -> None:
    @in_virtual_time
    async def run() -> None:
        connection._connection = there = Echo()
        asked = [
            say(connection, "a", "1"),
            connection.ask("PING"),
            say(connection, "b", "2"),
            say(connection, "a", "3"),
            gone := say(connection, "a", "4"),
            say(connection, "a", "5"),
        ]
        gone.cancel()
        answers = await asyncio.gather(*asked, return_exceptions=True)
        assert there.asked == [("SAY", "a", "1", "3", "5"), ("PING",), ("SAY", "b", "2")]
        assert [answer for answer in answers if isinstance(answer, str)] == ["1", "PING", "2", "3", "5"]
        await connection.close()

    run()


def test_who_has_seen_something_else_asks_alone_and_nobody_overtakes(connection: Connection) -> None:
    """The command says for all what they have seen, and the log may begin an epoch for it."""

    @in_virtual_time
    async def run() -> None:
        connection._connection = there = Echo()
        later = ("epoch", 8, 0)
        seen = [SEEN, SEEN, later, SEEN, SEEN]
        asked = [say(connection, "a", str(n), each) for n, each in enumerate(seen)]
        assert await asyncio.gather(*asked) == ["0", "1", "2", "3", "4"]
        assert there.asked == [("SAY", "a", "0", "1"), ("SAY", "a", "2"), ("SAY", "a", "3", "4")]
        await connection.close()

    run()


def test_a_command_is_shared_by_so_many_that_redis_is_not_held_up(connection: Connection) -> None:
    @in_virtual_time
    async def run() -> None:
        connection._connection = there = Echo()
        texts = [str(n) for n in range(2 * TOGETHER + 1)]
        assert await asyncio.gather(*(say(connection, "a", text) for text in texts)) == texts
        assert [len(command) - 2 for command in there.asked] == [TOGETHER, TOGETHER, 1]
        await connection.close()

    run()


def test_long_texts_share_a_command_up_to_its_bound_and_a_longer_one_goes_alone(connection: Connection) -> None:
    @in_virtual_time
    async def run() -> None:
        connection._connection = there = Echo()
        lengths = [TOGETHER_CHARACTERS // 2, TOGETHER_CHARACTERS // 2, 1, TOGETHER_CHARACTERS + 1, 1]
        texts = [str(n) * length for n, length in enumerate(lengths)]
        assert await asyncio.gather(*(say(connection, "a", text) for text in texts)) == texts
        assert [command[2:] for command in there.asked] == [(*texts[:2],), (texts[2],), (texts[3],), (texts[4],)]
        await connection.close()

    run()


def test_those_who_share_a_command_count_as_many_and_the_next_waits_for_the_tick(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    @in_virtual_time
    async def run() -> None:
        monkeypatch.setattr("MyChannels.tick.time", SimpleNamespace(time=now))
        connection._connection = there = Echo()
        for _ in range(2):  # the second at a tick
            await asyncio.gather(*(say(connection, "a", text) for text in "12"))
        await passes(1.1 * CALM_SECONDS)
        await say(connection, "a", "3")
        *_, second, third = (at for at, _ in there.writes)
        assert third - second > 0.9 * TICK_SECONDS
        await connection.close()

    run()


def test_a_refusal_is_everybodys(connection: Connection) -> None:
    @in_virtual_time
    async def run() -> None:
        connection._connection = there = Echo()
        there.fault = ResponseError("OOM")
        asked = [say(connection, "a", text) for text in "12"]
        for fault in await asyncio.gather(*asked, return_exceptions=True):
            assert isinstance(fault, Unavailable)
        await connection.close()

    run()


def test_what_was_lost_with_the_connection_is_asked_again_in_its_order(connection: Connection) -> None:
    @in_virtual_time
    async def run() -> None:
        connection._connection = there = Echo()
        there.fault = RedisConnectionError("gone")
        asked = [say(connection, room, text) for room, text in ("a1", "b2", "a3")]
        assert await asyncio.gather(*asked) == ["1", "2", "3"]
        assert there.asked == [("SAY", "a", "1", "3"), ("SAY", "b", "2")] * 2
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
