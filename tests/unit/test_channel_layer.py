"""What a channel's messages are given to in the place of a queue."""

import json

import pytest

from app import channel_layer
from app.channel_layer import Delivery, Waiting
from MyChannels.limits import Pool


def test_an_event_that_cannot_be_read_is_told_of_and_costs_no_other(caplog: pytest.LogCaptureFixture) -> None:
    heard: list[object] = []
    delivery = Delivery(heard.append, json.loads)
    for data in (b'{"n": 1}', b"what no layer has written", b'{"n": 2}'):
        delivery.put_nowait(data)
    assert heard == [{"n": 1}, {"n": 2}]
    assert "an event could not be read: b'what no layer has written'" in caplog.text


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> Pool:
    pool = Pool(100_000)
    monkeypatch.setattr(channel_layer, "EVENTS", pool)
    return pool


def test_when_too_much_waits_for_all_consumers_the_one_with_most_loses_it_and_no_other(
    events: Pool, caplog: pytest.LogCaptureFixture
) -> None:
    slow, slower = Waiting(), Waiting()
    for _ in range(30):
        slow.put_nowait(bytes(1000))
    for _ in range(75):
        slower.put_nowait(bytes(1000))
    assert (slow.qsize(), slower.qsize()) == (30, 4)
    assert events.held == 30_000
    assert "dropped 71 events" in caplog.text


async def test_what_was_received_waits_no_more(events: Pool) -> None:
    queue = Waiting()
    for number in range(10):
        queue.put_nowait(bytes([number]) * 1000)
    assert events.held == 10_000
    assert [(await queue.get())[0] for _ in range(10)] == list(range(10))
    assert (events.held, queue.waiting_bytes) == (0, 0)
