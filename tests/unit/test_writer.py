"""One connection's outgoing side: finished frames, or ASGI's `send` in order and bounded."""

import asyncio
from typing import Any

import pytest

from MyChannels import metrics
from MyChannels.writer import OUTGOING_BYTES, TOO_SLOW, FrameWriter, SendWriter, frame
from tests.unit.virtual_time import in_virtual_time, settle

# ── Frames ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("length", "header"),
    [  # RFC 6455, 5.2 and 5.7: final, text; the shortest of three ways to write the length; not masked
        (0, "8100"),
        (5, "8105"),
        (125, "817d"),
        (126, "817e007e"),
        (256, "817e0100"),
        (65535, "817effff"),
        (65536, "817f0000000000010000"),
    ],
)
def test_frame_is_the_one_of_the_rfc(length: int, header: str) -> None:
    assert frame("x" * length) == bytes.fromhex(header) + b"x" * length


def test_frame_of_the_rfcs_example() -> None:
    assert frame("Hello") == bytes([0x81, 0x05, 0x48, 0x65, 0x6C, 0x6C, 0x6F])


def test_length_of_a_frame_is_in_bytes_of_utf8() -> None:
    assert frame("你" * 42) == b"\x81\x7e\x00\x7e" + "你".encode() * 42


async def test_frame_writer_hands_over_to_the_server() -> None:
    written: list[bytes] = []
    waited = []

    async def drained() -> bool:
        waited.append(True)
        return False

    together: list[bool] = []
    writer = FrameWriter({"write": written.append, "drained": drained, "read_together": lambda: together.append(True)})
    writer.read_together()
    assert together == [True]
    writer.write(writer.pack("a"))
    assert await writer.drained() is False
    writer.close()
    assert (written, waited) == ([frame("a")], [True])


# ── ASGI's send ────────────────────────────────────────────────────────────────────────────────


class Peer:
    """The server's `send`: takes messages while `reads` is set."""

    def __init__(self, *, reads: bool = True) -> None:
        self.taken: list[dict[str, Any]] = []
        self.begun = 0
        self.reads = asyncio.Event()
        if reads:
            self.reads.set()

    async def send(self, message: dict[str, Any]) -> None:
        self.begun += 1
        await self.reads.wait()
        self.taken.append(message)

    @property
    def texts(self) -> list[str]:
        return [message["text"] for message in self.taken if message["type"] == "websocket.send"]


CLOSE = {"type": "websocket.close", "code": TOO_SLOW, "reason": "too slow"}


@in_virtual_time
async def test_texts_are_sent_in_order() -> None:
    peer = Peer()
    writer = SendWriter(peer.send)
    for number in range(100):
        writer.write(writer.pack(str(number)))
        if number == 50:
            await settle()
    await writer.drained()
    assert peer.texts == [str(number) for number in range(100)]
    assert len(peer.taken) == 100


@in_virtual_time
async def test_write_does_not_wait_and_sends_one_at_a_time() -> None:
    peer = Peer(reads=False)
    writer = SendWriter(peer.send)
    for text in "abc":
        writer.write((text,))
    await settle()
    assert (peer.begun, peer.taken) == (1, [])
    writer.close()


@in_virtual_time
async def test_drained_waits_until_all_is_sent() -> None:
    peer = Peer(reads=False)
    writer = SendWriter(peer.send)
    await writer.drained()  # nothing waits
    writer.write(("a",))
    writer.write(("b",))
    drained = asyncio.ensure_future(writer.drained())
    await settle()
    assert not drained.done()
    peer.reads.set()
    await drained
    assert peer.texts == ["a", "b"]


@in_virtual_time
async def test_peer_that_is_too_slow_is_closed_after_what_was_begun() -> None:
    """The frame begun is finished, the backlog dropped, the close frame written, and nothing else."""
    before = metrics.SLOW._value.get()
    peer = Peer(reads=False)
    writer = SendWriter(peer.send)
    writer.write(("begun",))
    await settle()
    for _ in range(3):
        writer.write(("x" * (OUTGOING_BYTES // 2),))
    writer.write(("late",))
    peer.reads.set()
    await writer.drained()
    writer.write(("later",))
    await settle()
    assert peer.texts == ["begun"]
    assert peer.taken[1:] == [CLOSE]
    assert metrics.SLOW._value.get() == before + 1


@in_virtual_time
async def test_backlog_up_to_the_bound_is_kept() -> None:
    peer = Peer(reads=False)
    writer = SendWriter(peer.send)
    writer.write(("begun",))
    await settle()
    half = "x" * (OUTGOING_BYTES // 2)
    writer.write((half,))
    writer.write((half,))
    peer.reads.set()
    await writer.drained()
    assert peer.texts == ["begun", half, half]
    assert CLOSE not in peer.taken


@in_virtual_time
async def test_single_text_above_the_bound_is_sent() -> None:
    peer = Peer()
    writer = SendWriter(peer.send)
    writer.write(("x" * (OUTGOING_BYTES + 1),))
    await writer.drained()
    assert [len(text) for text in peer.texts] == [OUTGOING_BYTES + 1]
    assert CLOSE not in peer.taken


@in_virtual_time
async def test_what_was_sent_counts_no_longer() -> None:
    peer = Peer()
    writer = SendWriter(peer.send)
    for _ in range(10):
        writer.write(("x" * (OUTGOING_BYTES // 2),))
        writer.write(("y" * (OUTGOING_BYTES // 2),))
        await writer.drained()
    assert len(peer.texts) == 20
    assert CLOSE not in peer.taken


@in_virtual_time
async def test_after_close_nothing_is_written_nor_the_peer_closed_again() -> None:
    peer = Peer(reads=False)
    writer = SendWriter(peer.send)
    writer.write(("a",))
    await settle()
    writer.write(("b",))
    writer.close()
    writer.write(("c",))
    peer.reads.set()
    await settle()
    assert peer.taken == []


@in_virtual_time
async def test_close_before_anything_was_written_is_quiet() -> None:
    peer = Peer()
    writer = SendWriter(peer.send)
    writer.close()
    await writer.drained()
    assert peer.taken == []


@in_virtual_time
async def test_backlog_is_bounded_in_bytes() -> None:
    peer = Peer(reads=False)
    writer = SendWriter(peer.send)
    writer.write(("begun",))
    await settle()
    for _ in range(2):
        writer.write(("你" * (OUTGOING_BYTES // 4),))  # three quarters of the bound each
    peer.reads.set()
    await writer.drained()
    assert peer.taken[1:] == [CLOSE]


def test_peer_that_has_gone_ends_the_writing_quietly() -> None:
    """uvicorn's `send` raises an OSError then; the consumer hears of it by its own disconnect."""

    @in_virtual_time
    async def run() -> None:
        async def gone(message: dict[str, Any]) -> None:
            raise OSError("the peer has gone")

        writer = SendWriter(gone)
        for text in "abc":
            writer.write((text,))
            await settle()

    run()
