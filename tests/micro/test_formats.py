"""MyChannels/formats.py and writer.py: one frame for all members of a kind."""

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from MyChannels.formats import CHAT_V1
from MyChannels.messages import Message
from MyChannels.writer import FrameWriter
from tests.micro import EACH_PROCESS, EACH_PROCESS_TOGETHER, TEXT


def encoded(number: int) -> list[Message]:
    said = [Message(offset, "c1", TEXT, 1_700_000_000_000) for offset in range(number)]
    assert all(message.line for message in said)
    return said


@pytest.mark.benchmark(group=EACH_PROCESS)
def test_frame_of_a_message(benchmark: BenchmarkFixture) -> None:
    [message] = said = encoded(1)
    assert benchmark(CHAT_V1[FrameWriter].messages, said).endswith(message.line.encode())


@pytest.mark.benchmark(group=EACH_PROCESS_TOGETHER)
def test_frame_of_10_messages(benchmark: BenchmarkFixture) -> None:
    said = encoded(10)
    assert benchmark(CHAT_V1[FrameWriter].messages, said).count(b"\n") == 9
