"""What has come for a channel, until somebody takes it, or where it is handled as it comes."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from app import channel_layer, core_layer
from app.behind import behind
from app.channel_layer import MOST_BYTES, MOST_EVENTS, ConfirmedPubSubChannelLayer, ConsumerQueue, Delivery, Events


def test_an_event_that_cannot_be_read_is_told_of_and_costs_no_other(caplog: pytest.LogCaptureFixture) -> None:
    heard: list[object] = []
    delivery = Delivery(heard.append, json.loads)
    for data in (b'{"n": 1}', b"what no layer has written", b'{"n": 2}'):
        delivery.put_nowait(data)
    assert heard == [{"n": 1}, {"n": 2}]
    assert "an event could not be read: b'what no layer has written'" in caplog.text


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> Events:
    pool = Events(100_000)
    monkeypatch.setattr(channel_layer, "EVENTS", pool)
    return pool


def test_when_too_much_waits_for_all_consumers_the_one_with_most_loses_it_and_no_other(
    events: Events, caplog: pytest.LogCaptureFixture
) -> None:
    slow, slower = ConsumerQueue(), ConsumerQueue()
    for _ in range(30):
        slow.put_nowait(bytes(1000))
    for _ in range(75):
        slower.put_nowait(bytes(1000))
    assert (slow.qsize(), slower.qsize()) == (30, 4)
    assert events.held == 34_000
    assert "dropped 71 events" in caplog.text


def test_it_loses_all_of_it_however_many_they_are(events: Events) -> None:
    slow, slower = ConsumerQueue(), ConsumerQueue()
    for _ in range(9000):
        slower.put_nowait(bytes(10))
    slow.put_nowait(bytes(60_000))
    assert (slow.qsize(), slower.qsize(), slower.waiting_bytes) == (1, 0, 0)
    assert events.held == 60_000
    slower.put_nowait(bytes(10_000))
    assert events.held == 70_000


async def test_a_layer_that_ends_with_its_loop_has_nothing_waiting(events: Events) -> None:
    layer = ConfirmedPubSubChannelLayer(hosts=["redis://unused"])._get_layer()
    layer.channels["never received on"] = waiting = ConsumerQueue()
    waiting.put_nowait(bytes(10_000))
    assert events.held == 10_000
    await layer.flush()
    assert events.held == 0


def test_an_event_takes_its_memory_once_however_many_members_are_given_it(events: Events) -> None:
    """One client's burst into a large room costs none of the members a message."""
    members = [ConsumerQueue() for _ in range(100)]
    for _ in range(20):
        event = bytes(4000)
        for member in members:
            member.put_nowait(event)
    assert {member.qsize() for member in members} == {20}
    assert events.held == 80_000
    for member in members[1:]:
        member.clear()
    assert events.held == 80_000, "one member still has it all"
    members[0].get_nowait()
    assert events.held == 76_000
    members[0].clear()
    assert events.held == 0


def test_when_many_hold_too_much_of_the_same_all_of_them_lose_it(events: Events) -> None:
    members: list[Any] = [ConsumerQueue() for _ in range(3)]
    for _ in range(30):
        event = bytes(4000)
        for member in members:
            member.put_nowait(event)
    left = {id(event): event for member in members for event in member._queue}
    assert events.held == sum(map(len, left.values())) <= events.size


async def test_what_was_received_waits_no_more(events: Events) -> None:
    queue = ConsumerQueue()
    for number in range(10):
        queue.put_nowait(bytes([number]) * 1000)
    assert events.held == 10_000
    assert [(await queue.get())[0] for _ in range(10)] == list(range(10))
    assert (events.held, queue.waiting_bytes) == (0, 0)


# ── A consumer's queue ─────────────────────────────────────────────────────────────────────────


@contextmanager
def client_behind() -> Iterator[list[str]]:
    """Whether the socket was closed of the application that the present task is, whose client is behind."""
    task = asyncio.current_task()
    assert task
    closed: list[str] = []

    def close() -> bool:
        closed.append("closed")
        return True

    behind[task] = close
    try:
        yield closed
    finally:
        del behind[task]


def own_queue(layer: str) -> Any:
    task = asyncio.current_task()
    assert task
    return ConsumerQueue(task) if layer == "pubsub" else core_layer.ConsumerQueue(MOST_EVENTS, task)


@pytest.mark.parametrize("layer", ["pubsub", "core"])
async def test_the_client_of_a_consumer_that_takes_no_events_is_closed_when_too_many_wait(layer: str) -> None:
    queue = own_queue(layer)
    with client_behind() as closed:
        for _ in range(MOST_EVENTS):
            queue.put_nowait(b"{}")
        assert not closed
        queue.put_nowait(b"{}")
        assert closed
        assert queue.empty()


async def test_and_when_they_are_too_large_together() -> None:
    queue = own_queue("pubsub")
    with client_behind() as closed:
        for _ in range(2):
            queue.put_nowait(bytes(MOST_BYTES // 2))
        assert not closed
        assert len(queue.get_nowait()) == MOST_BYTES // 2
        queue.put_nowait(bytes(MOST_BYTES // 2))
        assert not closed
        queue.put_nowait(b"{}")
        assert closed
        assert (queue.qsize(), queue.waiting_bytes) == (0, 0)


async def test_events_wait_as_with_stock_for_a_consumer_that_is_slow_for_another_reason() -> None:
    pubsub, core = own_queue("pubsub"), own_queue("core")
    for number in range(MOST_EVENTS + 5):
        pubsub.put_nowait(b"%d" % number)
        core.put_nowait({"number": number})
    assert (pubsub.qsize(), pubsub.get_nowait()) == (MOST_EVENTS + 5, b"0")
    assert (core.qsize(), core.get_nowait()) == (MOST_EVENTS, {"number": 5})
