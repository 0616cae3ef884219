"""What a channel's messages are given to in the place of a queue."""

import json

import pytest

from app.channel_layer import Delivery


def test_an_event_that_cannot_be_read_is_told_of_and_costs_no_other(caplog: pytest.LogCaptureFixture) -> None:
    heard: list[object] = []
    delivery = Delivery(heard.append, json.loads)
    for data in (b'{"n": 1}', b"what no layer has written", b'{"n": 2}'):
        delivery.put_nowait(data)
    assert heard == [{"n": 1}, {"n": 2}]
    assert "an event could not be read: b'what no layer has written'" in caplog.text
