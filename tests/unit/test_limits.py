"""How much one connection may ask for, and for how long it may ask for more."""

import json
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from MyChannels.consumers import RoomConsumer
from MyChannels.formats import CHAT_V1
from MyChannels.limits import BURST_SECONDS, CALM, PATIENCE, UNLIMITED, Pool, Rate, memory_limit
from MyChannels.writer import SendWriter

RATE = 50


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def rate(clock: Clock) -> Rate:
    return Rate(RATE, clock)


def ask(rate: Rate, clock: Clock, every: float, seconds: float) -> list[bool]:
    """What is answered to somebody who asks so often for so long."""
    answers = []
    for _ in range(round(seconds / every)):
        clock.now += every
        answers.append(rate.permits())
    return answers


def test_burst_of_four_seconds_worth_is_permitted_and_no_more(rate: Rate) -> None:
    assert [rate.permits() for _ in range(RATE * BURST_SECONDS + 1)] == [True] * 200 + [False]


def test_steady_stream_at_the_rate_is_permitted_for_ever(rate: Rate, clock: Clock) -> None:
    assert all(ask(rate, clock, 1 / RATE, seconds=60))


def test_empty_bucket_fills_at_the_rate(rate: Rate, clock: Clock) -> None:
    ask(rate, clock, 0.001, seconds=1)
    clock.now += 0.5
    assert [rate.permits() for _ in range(30)].count(True) in (25, 26)  # and what a fraction of one was left


def test_full_bucket_does_not_overflow(rate: Rate, clock: Clock) -> None:
    clock.now += 3600
    assert [rate.permits() for _ in range(300)].count(True) == RATE * BURST_SECONDS


def test_twice_the_rate_is_permitted_half_the_time(rate: Rate, clock: Clock) -> None:
    ask(rate, clock, 0.01, seconds=5)  # the burst
    assert ask(rate, clock, 0.01, seconds=10).count(True) == pytest.approx(RATE * 10, abs=2)


def test_who_never_asked_for_too_much_is_not_exhausted(rate: Rate, clock: Clock) -> None:
    assert not rate.exhausted
    ask(rate, clock, 1 / RATE, seconds=60)
    assert not rate.exhausted


def test_limited_for_ten_seconds_on_end_is_exhausted_and_not_before(rate: Rate, clock: Clock) -> None:
    for _ in range(RATE * BURST_SECONDS):
        rate.permits()
    assert not rate.permits()
    ask(rate, clock, 0.01, seconds=PATIENCE - 0.1)
    assert not rate.exhausted
    ask(rate, clock, 0.01, seconds=0.2)
    assert rate.exhausted


def test_permission_now_and_then_is_no_end_to_being_limited(rate: Rate, clock: Clock) -> None:
    """At twice the rate every second object is permitted."""
    ask(rate, clock, 0.01, seconds=5)
    assert True in ask(rate, clock, 0.01, seconds=PATIENCE)
    assert rate.exhausted


def test_a_second_of_calm_begins_the_count_anew(rate: Rate, clock: Clock) -> None:
    ask(rate, clock, 0.001, seconds=9)
    clock.now += CALM + 0.1
    answers = ask(rate, clock, 0.001, seconds=9)
    assert False in answers
    assert not rate.exhausted


def test_limited_again_and_again_but_never_on_end_is_not_exhausted(rate: Rate, clock: Clock) -> None:
    for _ in range(20):
        assert False in ask(rate, clock, 0.001, seconds=1)
        clock.now += CALM + 0.1
    assert not rate.exhausted


def test_slowest_rate_permits_one_a_second(clock: Clock) -> None:
    rate = Rate(1, clock)
    assert [rate.permits() for _ in range(5)] == [True] * 4 + [False]
    clock.now += 1
    assert [rate.permits() for _ in range(2)] == [True, False]


# ── What the room makes of it ──────────────────────────────────────────────────────────────────


def member(rate: Rate, send: Any) -> Any:
    """A room's consumer that has joined."""
    consumer: Any = RoomConsumer()
    consumer.base_send = send
    consumer.channel_name = "unused"
    consumer.v1, consumer.format, consumer.rate = True, CHAT_V1[SendWriter], rate
    consumer.writer = SendWriter(send)
    consumer.write = consumer.writer.write
    consumer.room, consumer.hub, consumer.typed_at = mock.Mock(), mock.Mock(), 0.0
    return consumer


@pytest.mark.parametrize(("slowest", "rest"), [(0.001, "ping"), (RATE, "typing")], ids=["refused", "permitted again"])
async def test_who_is_closed_for_it_is_closed_once_whatever_else_its_frame_held(
    clock: Clock, slowest: float, rest: str
) -> None:
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)
        clock.now += 1  # in which a permission may be earned

    rate = Rate(slowest, clock)
    ask(rate, clock, 0.001, seconds=PATIENCE + 1)
    while rate.permits():
        pass
    await member(rate, send).receive(text_data='{"type": "ping"}\n' + f'{{"type": "{rest}"}}')
    assert [message["type"] for message in sent] == ["websocket.close"]


@pytest.mark.parametrize("frame", [b"\xff", "\n \n", ""])
async def test_frames_without_an_object_are_limited_as_others_are(clock: Clock, frame: bytes | str) -> None:
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    consumer = member(Rate(RATE, clock), send)
    for _ in range(RATE * BURST_SECONDS + 1):
        await consumer.receive(**{"bytes_data" if isinstance(frame, bytes) else "text_data": frame})
    await consumer.writer.drained()
    assert json.loads(sent[-1]["text"])["code"] == "rate_limited"
    assert [json.loads(each["text"])["code"] for each in sent].count("rate_limited") == 1


async def test_malformed_objects_are_limited_as_others_are(clock: Clock) -> None:
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    consumer = member(Rate(RATE, clock), send)
    await consumer.receive(text_data="\n".join(["{}"] * (RATE * BURST_SECONDS + 1)))
    await consumer.writer.drained()
    assert json.loads(sent[-2]["text"])["code"] == "malformed"
    assert json.loads(sent[-1]["text"])["code"] == "rate_limited"


def test_the_largest_holder_of_a_full_pool_lets_go() -> None:
    pool, told = Pool(100), list[str]()
    for name, count in {"a": 20, "b": 50, "c": 30}.items():
        pool.hold(name, count, partial(told.append, name))
    assert (pool.held, told) == (100, [])
    pool.hold("a", 21, lambda: told.append("a"))
    assert (pool.held, told) == (51, ["b"])


def test_as_many_let_go_as_it_takes() -> None:
    pool, told = Pool(100), list[str]()
    for name in "abc":
        pool.hold(name, 30, partial(told.append, name))
    pool.hold("d", 99, lambda: told.append("d"))
    pool.hold("e", 95, lambda: told.append("e"))
    assert told == ["d", "e"], "each is itself the largest"
    assert pool.held == 90


def test_a_holder_that_lets_go_of_a_part_keeps_the_rest() -> None:
    pool = Pool(100)
    pool.hold("a", 90, lambda: pool.hold("a", 10, lambda: None))
    pool.hold("b", 50, lambda: None)
    assert pool.held == 60


def test_what_is_released_is_held_no_more() -> None:
    pool = Pool(100)
    pool.hold("a", 90, lambda: None)
    pool.release("a")
    pool.release("a")
    assert pool.held == 0


@pytest.mark.parametrize(
    ("content", "limit"),
    [("536870912\n", 2**29), ("max\n", UNLIMITED), ("9223372036854771712\n", UNLIMITED), (None, UNLIMITED)],
)
def test_the_containers_memory_is_read_where_either_cgroup_version_has_it(
    tmp_path: Path, content: str | None, limit: int
) -> None:
    file = tmp_path / "limit"
    if content:
        file.write_text(content)
    assert memory_limit((tmp_path / "none", file)) == limit
