"""The queue between a server and the application, which asyncio's has set the example for."""

import asyncio

from app.servers.websocket import ReceiveQueue


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
