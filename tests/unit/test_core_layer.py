"""What a process keeps of what came for channels that have ended."""

import pytest

from app import core_layer
from app.core_layer import Buffers

EXPIRY = 60


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr(core_layer, "monotonic", lambda: now[0])
    return now


def test_nothing_is_kept_for_a_channel_that_has_ended(clock: list[float]) -> None:
    buffers = Buffers(10)
    buffers["gone"].put_nowait("before")
    buffers.end("gone", EXPIRY)
    buffers["gone"].put_nowait("after")
    assert not buffers


def test_what_comes_for_an_unused_channel_is_kept_until_its_time_is_over(clock: list[float]) -> None:
    buffers = Buffers(10)
    buffers.end_later("unused", EXPIRY)
    buffers["unused"].put_nowait("first")
    assert buffers["unused"].get_nowait() == "first"
    del buffers["unused"]  # as `receive` does
    clock[0] += EXPIRY
    buffers["unused"].put_nowait("too late")
    assert not buffers


def test_an_unused_channel_with_messages_is_dropped_with_them(clock: list[float]) -> None:
    buffers = Buffers(10)
    buffers.end_later("unused", EXPIRY)
    buffers["unused"].put_nowait("never read")
    clock[0] += 2 * EXPIRY + 1
    buffers.end("another", EXPIRY)
    assert not buffers
    assert list(buffers.ended) == ["another"]


def test_a_channel_is_there_again_when_it_is_received_on(clock: list[float]) -> None:
    buffers = Buffers(10)
    buffers.end("gone", EXPIRY)
    buffers.revive("gone")
    buffers["gone"].put_nowait("hello")
    assert buffers["gone"].get_nowait() == "hello"
