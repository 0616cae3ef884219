"""MyChannels/room.py: from a message of the log to one write for each member."""

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from MyChannels.formats import CHAT_V1, Format
from MyChannels.log.memory import MemoryLog
from MyChannels.messages import Message
from MyChannels.room import Room
from MyChannels.writer import FrameWriter
from tests.micro import EACH_PROCESS, EACH_PROCESS_TOGETHER, TEXT

MEMBERS = 100


class Somebody:
    """A member whose socket costs nothing."""

    format: Format = CHAT_V1[FrameWriter]
    key = "key"

    def __init__(self) -> None:
        self.newest = b""

    @property
    def write(self) -> Callable[[Any], None]:
        return self.take

    def take(self, payload: bytes) -> None:
        self.newest = payload

    def begin_anew(self) -> None:
        raise AssertionError("expected the log without a gap")


async def crowd() -> tuple[Room, list[Somebody]]:
    room = Room("lobby", MemoryLog(length=10, seconds=60))
    await room.open()
    members = [Somebody() for _ in range(MEMBERS)]
    for member in members:
        room.add(member)
    return room, members


@pytest.mark.benchmark(group=EACH_PROCESS)
async def test_hear_a_message_and_write_it_to_100(benchmark: BenchmarkFixture) -> None:
    """A write for each message: the most that one can cost."""
    room, members = await crowd()
    offsets = count(room.offset + 1)

    def hear() -> None:
        room.hear(room.epoch, Message(next(offsets), "c1", TEXT, 1_700_000_000_000))
        room.write()

    benchmark(hear)
    assert {len(member.newest) > len(TEXT) for member in members} == {True}


@pytest.mark.benchmark(group=EACH_PROCESS_TOGETHER)
async def test_hear_10_messages_and_write_them_to_100(benchmark: BenchmarkFixture) -> None:
    """As in a busy room: all of them in one write."""
    room, members = await crowd()
    offsets = count(room.offset + 1)

    def hear() -> None:
        for _ in range(10):
            room.hear(room.epoch, Message(next(offsets), "c1", TEXT, 1_700_000_000_000))
        room.write()

    benchmark(hear)
    assert {member.newest.count(b"\n") for member in members} == {9}
