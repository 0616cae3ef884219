"""MyChannels/messages.py: what was said is read, encoded, acknowledged, and understood when another process says it."""

from itertools import count

import pytest
from channels_redis.pubsub import RedisPubSubChannelLayer
from pytest_benchmark.fixture import BenchmarkFixture

from MyChannels.messages import Message, Send, encode_v1, parse_v1
from tests.micro import EACH_PROCESS, ONCE, SENT, TEXT


@pytest.mark.benchmark(group=ONCE)
def test_parse_a_send(benchmark: BenchmarkFixture) -> None:
    assert benchmark(parse_v1, SENT, 1000) == Send(TEXT, "123456")


@pytest.mark.benchmark(group=ONCE)
def test_encode_an_ack(benchmark: BenchmarkFixture) -> None:
    line = benchmark(lambda: encode_v1({"type": "ack", "ref": "123456", "offset": 123_456}))
    assert line == '{"type":"ack","ref":"123456","offset":123456}'


@pytest.mark.benchmark(group=EACH_PROCESS)
def test_decode_an_event(benchmark: BenchmarkFixture) -> None:
    """From the bytes that Redis published to a message."""
    layer = RedisPubSubChannelLayer(["redis://unused"])
    published = layer.serialize(Message(7, "c1", TEXT, 1_700_000_000_000).event("epoch"))
    message = benchmark(lambda: Message.from_event(layer.deserialize(published)))
    assert (message.offset, message.sender, message.text) == (7, "c1", TEXT)


@pytest.mark.benchmark(group=EACH_PROCESS)
def test_encode_a_message(benchmark: BenchmarkFixture) -> None:
    offsets = count(1)
    line = benchmark(lambda: Message(next(offsets), "c1", TEXT, 1_700_000_000_000).line)
    assert TEXT in line
