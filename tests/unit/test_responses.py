"""One HTTP response in `app.servers.responses`, while its worker drains or does not."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from app.drain import draining
from app.servers import responses
from app.servers.responses import LAST, is_event_stream, respond

EVENTS = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]}
PAGE = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/html")]}
MORE = {"type": "http.response.body", "body": b"x", "more_body": True}


class Server:
    """What a server does for one request."""

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.cut = False
        self.held = asyncio.Event()  # while the client takes nothing
        self.held.set()

    async def send(self, message: Any) -> None:
        await self.held.wait()
        self.sent.append(message)

    def run(self, application: Any) -> "asyncio.Task[None]":
        def cut() -> None:
            self.cut = True

        return asyncio.create_task(respond(application, cut, {"type": "http"}, None, self.send))


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture(autouse=True)
def not_draining(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("begun", "cancelled", "finish_end", "last_turn", "seconds"):
        monkeypatch.setattr(draining, name, getattr(draining, name))
    draining.seconds = 0.0
    monkeypatch.setattr(responses, "ENDING_SECONDS", 0.05)
    yield
    assert not responses.under_way


def drain(finish_seconds: float = 0.0) -> None:
    draining.begin(finish_seconds)
    responses.take_turns()


async def stream(scope: Any, receive: Any, send: Any) -> None:
    await send(EVENTS)
    await send(MORE)
    await asyncio.Event().wait()


async def begun(server: Server, messages: int) -> None:
    async with asyncio.timeout(5):
        while len(server.sent) < messages:  # noqa: ASYNC110 - nothing announces it
            await asyncio.sleep(0)


async def test_an_event_stream_ends_properly_and_an_application_that_stays_is_cancelled(server: Server) -> None:
    task = server.run(stream)
    await begun(server, 2)
    drain(finish_seconds=60)
    await asyncio.wait_for(task, 5)
    assert server.sent == [EVENTS, MORE, LAST]
    assert not server.cut
    assert draining.cancelled == 1


async def test_nothing_is_sent_after_the_end(server: Server) -> None:
    ended = asyncio.Event()

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await send(EVENTS)
        await ended.wait()
        await send(MORE)
        await send({**MORE, "more_body": False})

    task = server.run(application)
    await begun(server, 1)
    drain()
    await begun(server, 2)
    ended.set()
    await asyncio.wait_for(task, 5)
    assert server.sent == [EVENTS, LAST]
    assert draining.cancelled == 0


async def test_what_its_client_has_still_to_take_comes_before_the_end(server: Server) -> None:
    task = server.run(stream)
    server.held.clear()
    await asyncio.sleep(0)
    drain()
    await asyncio.sleep(0.01)
    server.held.set()
    await asyncio.wait_for(task, 5)
    assert server.sent[0] == EVENTS
    assert server.sent.index(LAST) == len(server.sent) - 1


async def test_a_client_that_takes_nothing_is_cut(server: Server) -> None:
    task = server.run(stream)
    await begun(server, 2)
    server.held.clear()
    drain()
    await asyncio.wait_for(task, 5)
    assert server.cut
    assert LAST not in server.sent


async def test_any_other_response_is_left_alone_until_its_time_is_over(server: Server) -> None:
    go_on = asyncio.Event()

    async def page(scope: Any, receive: Any, send: Any) -> None:
        await send(PAGE)
        await go_on.wait()
        await send(LAST)

    task = server.run(page)
    await begun(server, 1)
    drain(finish_seconds=60)
    assert 0 < responses.seconds_left() <= 60 + responses.ENDING_SECONDS
    await asyncio.sleep(0.1)
    assert not server.cut
    go_on.set()
    await asyncio.wait_for(task, 5)
    assert server.sent == [PAGE, LAST]
    assert responses.seconds_left() == 0


@pytest.mark.parametrize("first", [[], [PAGE]], ids=["unanswered", "answered in part"])
async def test_then_it_is_cut_without_another_byte(server: Server, first: list[Any]) -> None:
    begun = asyncio.Event()

    async def application(scope: Any, receive: Any, send: Any) -> None:
        for message in first:
            await send(message)
        begun.set()
        await asyncio.Event().wait()

    task = server.run(application)
    await begun.wait()
    drain()
    await asyncio.wait_for(task, 5)
    assert server.cut
    assert server.sent == first


async def test_one_that_begins_while_draining_has_its_turn_too(server: Server) -> None:
    drain(finish_seconds=60)
    await asyncio.wait_for(server.run(stream), 5)
    assert server.sent[-1] == LAST
    assert not server.cut


async def test_a_completed_response_is_not_ended_again_while_its_application_goes_on(server: Server) -> None:
    go_on = asyncio.Event()

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await send(EVENTS)
        await send(LAST)
        await go_on.wait()

    task = server.run(application)
    await begun(server, 2)
    drain()
    await asyncio.sleep(0.1)
    go_on.set()
    await asyncio.wait_for(task, 5)
    assert server.sent == [EVENTS, LAST]
    assert not server.cut


async def test_hurried_event_streams_end_at_once(server: Server) -> None:
    task = server.run(stream)
    await begun(server, 2)
    draining.seconds = 60
    drain(finish_seconds=60)
    responses.end_all()
    await asyncio.wait_for(task, 5)
    assert server.sent[-1] == LAST


@pytest.mark.parametrize("error", [TimeoutError, RuntimeError])
async def test_an_applications_fault_is_the_servers_to_handle(server: Server, error: type[Exception]) -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        raise error

    with pytest.raises(error):
        await server.run(application)


async def test_a_cancellation_by_the_server_is_passed_on(server: Server) -> None:
    task = server.run(stream)
    await begun(server, 2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([(b"content-type", b"text/event-stream")], True),
        ([(b"vary", b"x"), (b"Content-Type", b"Text/Event-Stream; charset=utf-8")], True),
        ([(b"content-type", b"text/event-stream"), (b"content-length", b"9")], False),
        ([(b"content-type", b"text/event-streams")], False),
        ([(b"content-type", b"text/html")], False),
        ([], False),
    ],
)
def test_what_is_an_event_stream(headers: Any, expected: bool) -> None:
    assert is_event_stream(headers) is expected
