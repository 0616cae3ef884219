"""The queue between a server and the application, which asyncio's has set the example for."""

import asyncio
from collections.abc import Iterator

import pytest

from app.servers.websocket import INCOMING, ReceiveQueue


@pytest.fixture(autouse=True)
def all_let_go() -> Iterator[None]:
    """What a queue was counted with, it has given back at its end."""
    assert INCOMING.held == 0
    yield
    assert INCOMING.held == 0


def said(text: str) -> dict[str, str]:
    return {"type": "websocket.receive", "text": text}


async def test_messages_come_in_order_to_who_waited_and_who_did_not() -> None:
    queue = ReceiveQueue()
    waiting = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    for text in ("one", "two"):
        queue.put_nowait({"text": text})
    assert [await waiting, await queue.get()] == [{"text": "one"}, {"text": "two"}]
    assert (queue.qsize(), queue.waiting_bytes) == (0, 0)


async def test_a_message_is_not_lost_with_a_receiver_that_is_cancelled_as_it_comes() -> None:
    queue = ReceiveQueue()
    first, second = (asyncio.create_task(queue.get()) for _ in range(2))
    await asyncio.sleep(0)
    queue.put_nowait({"text": "one"})
    first.cancel()
    assert await second == {"text": "one"}


async def test_each_of_several_receivers_gets_a_message() -> None:
    queue = ReceiveQueue()
    receivers = [asyncio.create_task(queue.get()) for _ in range(3)]
    await asyncio.sleep(0)
    for number in range(3):
        queue.put_nowait({"bytes": bytes([number])})
    assert sorted([(await receiver)["bytes"] for receiver in receivers]) == [b"\0", b"\1", b"\2"]


async def test_what_waits_is_counted_until_the_application_asks_for_what_follows() -> None:
    queue = ReceiveQueue()
    for text in ("x" * 10_000, "y" * 20_000):
        queue.put_nowait(said(text))
        queue.count(lambda: None)
    assert INCOMING.held > 30_000
    await queue.get()
    assert INCOMING.held > 30_000, "the application still has it"
    await queue.get()
    assert 20_000 < INCOMING.held < 21_000
    waiting = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    assert INCOMING.held == 0
    waiting.cancel()


async def test_a_text_counts_with_the_memory_that_it_takes() -> None:
    queue = ReceiveQueue()
    queue.put_nowait(said("x" * 9_999 + "\N{GRINNING FACE}"))
    assert queue.waiting_bytes > 40_000


async def test_what_is_little_is_not_counted() -> None:
    queue = ReceiveQueue()
    queue.put_nowait(said("hello"))
    queue.count(lambda: None)
    assert INCOMING.held == 0


async def test_an_application_that_ends_has_nothing_to_handle() -> None:
    queue = ReceiveQueue()
    queue.put_nowait(said("x" * 10_000))
    queue.count(lambda: None)
    queue.end()
    assert INCOMING.held == 0


async def test_nothing_is_kept_of_what_comes_when_the_application_has_ended() -> None:
    """A peer may go on until it has read the close frame, or for as long as it likes where there is none."""
    queue = ReceiveQueue()
    queue.put_nowait(said("x" * 10_000))
    queue.count(lambda: None)
    queue.end(object())
    for text in ("x" * 10_000, "small", "x" * 2**21):
        queue.put_nowait(said(text))
        queue.count(lambda: None)
        assert INCOMING.held == 0
        assert queue.waiting_bytes < 4096
    assert not queue.holds(1), "else its peer's close frame would not be read"


async def test_what_is_dropped_is_what_was_said_and_not_that_the_peer_has_gone() -> None:
    queue = ReceiveQueue()
    queue.put_nowait(said("x" * 10_000))
    queue.put_nowait({"type": "websocket.disconnect", "code": 1006})
    queue.drop()
    assert await queue.get() == {"type": "websocket.disconnect", "code": 1006}
    assert queue.waiting_bytes == 0
