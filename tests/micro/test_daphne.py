"""app/servers/daphne.py: from what the kernel has given to the application's queue."""

import asyncio
import json

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from app.servers.daphne import OPEN, WebSocketProtocol
from app.servers.websocket import ReceiveQueue
from tests.micro import ONCE, SENT, TEXT

MASK = b"\x12\x34\x56\x78"


def masked(text: str) -> bytes:
    """As a client sends it: final, of less than 64 KiB (RFC 6455, 5.2)."""
    payload = text.encode()
    length = bytes([0x80 | 126]) + len(payload).to_bytes(2, "big")
    return b"\x81" + length + MASK + bytes(byte ^ MASK[i % 4] for i, byte in enumerate(payload))


@pytest.mark.benchmark(group=ONCE)
def test_read_a_text_frame(benchmark: BenchmarkFixture) -> None:
    socket = WebSocketProtocol()
    socket.longest = 65_536
    socket.state, socket.current_frame, socket.inside_message = OPEN, None, False
    socket.autoPingTimeoutCall = None
    socket.client_addr = "127.0.0.1:1"
    frame = masked(SENT)

    def read() -> ReceiveQueue:
        queue = socket.application_queue = ReceiveQueue()  # full of them, it would hold the peer back
        socket.data = frame
        socket.process_whole_text()
        return queue

    message = asyncio.run(benchmark(read).get())
    assert json.loads(message["text"])["text"] == TEXT
