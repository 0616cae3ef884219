"""HTTP that lasts: Channels' own consumers and django-eventstream, fed by sockets on each worker."""

import asyncio
import json

from websockets.asyncio.client import ClientConnection

from tests.stack.clone import Clone
from tests.stack.wire import SECONDS
from tests.third_party.stack.workers import Stream, heard, on_each_worker, page, tell


async def publish(socket: ClientConnection, to: str, text: str) -> None:
    await tell(socket, to=to, text=text)
    assert await heard(socket) == {"sent": text}


async def test_a_consumer_streams_events(stack: Clone) -> None:
    async with on_each_worker(stack, "/sender") as sockets:
        with page(stack, "/events") as first, page(stack, "/events") as second:
            for number, socket in enumerate(sockets):
                await publish(socket, "group", f"hello {number}")
                for stream in (Stream(first), Stream(second)):
                    assert await asyncio.to_thread(stream.event) == ("message", f"hello {number}")
            await publish(sockets[0], "group", "end")
            assert (first.read(), second.read()) == (b"", b"")


async def test_a_consumer_answers_a_long_poll(stack: Clone) -> None:
    async with on_each_worker(stack, "/sender") as sockets:
        for number, socket in enumerate(sockets):
            with page(stack, "/poll") as answer:
                await publish(socket, "group", f"hello {number}")
                body = await asyncio.to_thread(answer.read)
                assert json.loads(body) == {"type": "stream.text", "text": f"hello {number}"}


async def test_eventstream_tells_of_events_from_other_containers(stack: Clone) -> None:
    async with on_each_worker(stack, "/sender") as sockets:
        with page(stack, "/news") as response:
            stream = Stream(response)
            assert await asyncio.to_thread(stream.event) == ("stream-open", "")
            # The package does not say when it has subscribed at Redis.
            first = asyncio.create_task(asyncio.to_thread(stream.event))
            async with asyncio.timeout(SECONDS):
                while not first.done():
                    await publish(sockets[0], "eventstream", "first")
                    await asyncio.wait([first], timeout=0.2)
            for number, socket in enumerate(sockets):
                await publish(socket, "eventstream", f"hello {number}")
                while (event := await asyncio.to_thread(stream.event)) == first.result():
                    pass
                assert event == ("message", json.dumps({"text": f"hello {number}"}))
