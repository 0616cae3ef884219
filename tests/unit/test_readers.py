"""When Daphne reads the sockets of a room's members."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest

from app.servers.readers import SOON_SECONDS, Readers
from MyChannels.tick import TICK_SECONDS
from tests.unit.virtual_time import in_virtual_time, now, passes


class Reader:
    """One end of a connection, as a transport would be; `say` is the other's."""

    def __init__(self, stack: ExitStack) -> None:
        here, there = socket.socketpair()
        self.here, self.there = stack.enter_context(here), stack.enter_context(there)
        self.here.setblocking(False)

    def fileno(self) -> int:
        return self.here.fileno()

    def say(self) -> None:
        self.there.send(b"?")


class Reactor:
    """As much of Twisted's as reading takes."""

    name = "Twisted's"

    def __init__(self) -> None:
        self._asyncioEventloop = asyncio.get_running_loop()
        self.reads: list[tuple[float, Any]] = []

    def _readOrWrite(self, reader: Reader, reading: bool) -> None:  # noqa: N802 - Twisted's name
        assert reading
        reader.here.recv(100)
        self.reads.append((now(), reader))

    @property
    def times(self) -> list[float]:
        return [at for at, _ in self.reads]


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock on the wall that goes with the loop's."""
    monkeypatch.setattr("MyChannels.tick.time", SimpleNamespace(time=lambda: now() + 762_000_000))


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def crowd_of(size: int, stack: ExitStack) -> tuple[Reactor, Readers, list[Reader]]:
    reactor = Reactor()
    readers = Readers(reactor)
    crowd = [Reader(stack) for _ in range(size)]
    for reader in crowd:
        readers.addReader(reader)
    return reactor, readers, crowd


def at_a_tick(moment: float) -> bool:
    beyond = (moment + 762_000_000 + 0.0005) % TICK_SECONDS - 0.0005
    return abs(beyond) < 0.0005


@pytest.mark.usefixtures("wall")
def test_who_speaks_seldom_is_read_at_once(stack: ExitStack) -> None:
    @in_virtual_time
    async def run() -> None:
        reactor, _, (reader,) = crowd_of(1, stack)
        for _ in range(20):
            await passes(1.01 * SOON_SECONDS)
            reader.say()
            said = now()
            await passes(0)
            await passes(0.0001)
            assert reactor.times[-1] == said
        assert len(reactor.reads) == 20

    run()


@pytest.mark.usefixtures("wall")
def test_what_many_say_is_read_at_ticks_and_nothing_of_it_is_left(stack: ExitStack) -> None:
    @in_virtual_time
    async def run() -> None:
        reactor, _, crowd = crowd_of(20, stack)
        await passes(1)
        for turn in range(200):
            crowd[turn % 20].say()
            await passes(0.002)
        await passes(2 * TICK_SECONDS)
        assert len(reactor.reads) == 200
        first, second, *later = reactor.times
        assert second - first < SOON_SECONDS, "of the first two nothing says that more will come"
        assert all(at_a_tick(moment) for moment in later)
        assert all(between == 0 or between > 0.9 * TICK_SECONDS for between in (b - a for a, b in pairwise(later)))
        said = now()
        crowd[0].say()
        await passes(0.0001)
        assert reactor.times[-1] == said, "when the crowd is quiet again, nobody waits"

    run()


@pytest.mark.usefixtures("wall")
def test_who_is_not_to_be_read_is_not_even_by_a_reading_under_way(stack: ExitStack) -> None:
    @in_virtual_time
    async def run() -> None:
        reactor, readers, pair = crowd_of(2, stack)
        for reader in pair:
            readers.addReader(reader)  # a second time, as Twisted may
            reader.say()
        read = reactor._readOrWrite

        def read_and_pause(reader: Reader, reading: bool) -> None:
            read(reader, reading)
            for other in pair:
                if other is not reader:
                    readers.removeReader(other)
                    readers.removeReader(other)

        reactor._readOrWrite = read_and_pause  # type: ignore[method-assign]
        await passes(1)
        ((_, only),) = reactor.reads
        (other,) = set(pair) - {only}
        readers.addReader(other)
        await passes(TICK_SECONDS)
        assert [reader for _, reader in reactor.reads] == [only, other], "it comes when it may be read again"

    run()


@pytest.mark.usefixtures("wall")
def test_a_fault_in_one_reading_keeps_nobody_else_from_being_read(stack: ExitStack) -> None:
    faults: list[Any] = []

    @in_virtual_time
    async def run() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context["exception"]))
        reactor, _, crowd = crowd_of(5, stack)
        for reader in crowd:
            reader.say()
        read, fault = reactor._readOrWrite, ZeroDivisionError()

        def read_or_fail(reader: Reader, reading: bool) -> None:
            read(reader, reading)
            if not faults:
                raise fault

        reactor._readOrWrite = read_or_fail  # type: ignore[method-assign]
        await passes(2 * TICK_SECONDS)
        assert faults == [fault]
        assert {reader for _, reader in reactor.reads} == set(crowd)

    run()


@pytest.mark.usefixtures("wall")
def test_one_who_speaks_again_and_again_keeps_the_others_waiting_for_two_ticks_at_most(stack: ExitStack) -> None:
    @in_virtual_time
    async def run() -> None:
        reactor, _, pair = crowd_of(2, stack)
        for reader in pair:
            reader.say()  # two at once: ticks begin
        for _ in range(10):
            await passes(0.9 * TICK_SECONDS)
            pair[0].say()
        await passes(0.0001)
        said = now()
        pair[1].say()
        await passes(0.0001)
        assert reactor.reads[-1] == (said, pair[1])

    run()


async def test_what_a_transport_asks_of_a_reactor_besides_is_the_reactors(stack: ExitStack) -> None:
    _, readers, (reader,) = crowd_of(1, stack)
    assert readers.name == "Twisted's"
    assert readers.getReaders() == [reader]
