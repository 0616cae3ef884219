"""How the servers in app/servers/ end HTTP responses while they drain; this module is also what they run."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from functools import cache
from http.client import HTTPConnection, HTTPResponse, IncompleteRead
from pathlib import Path
from typing import Any

import pytest

from app.drain import draining
from tests.integration.socket_server import (  # noqa: F401 - a fixture among them
    DEADLINE,
    Server,
    go_ahead,
    kind_of_server,
    report,
    routed,
    running,
)

SECONDS = 1.0  # of draining
FINISH_SECONDS = 1.0  # that other responses have
AT_ONCE = 5.0  # longer than an end takes for which nothing is waited, on a busy machine
EVENT_SECONDS = 0.05

# --- The applications, in the server's process ------------------------------------------------------------------------

START: dict[str, Any] = {"type": "http.response.start", "status": 200}
EVENTS = {**START, "headers": [(b"Content-Type", b"Text/Event-Stream; charset=utf-8")]}
EVENT = b"data: tick\n\n"


def part(body: bytes) -> dict[str, Any]:
    return {"type": "http.response.body", "body": body, "more_body": True}


async def listening(scope: Any, receive: Any, send: Any) -> None:
    """Hears that its client has left."""
    await send(EVENTS)
    await send(part(EVENT))
    while (message := await receive())["type"] != "http.disconnect":
        pass
    await send(part(b"data: more\n\n"))
    report(left=message["type"])


async def deaf(scope: Any, receive: Any, send: Any) -> None:
    await send(EVENTS)
    try:
        while True:
            await send(part(EVENT))
            await asyncio.sleep(EVENT_SECONDS)
    except asyncio.CancelledError:
        report(cancelled=True)
        raise


async def late(scope: Any, receive: Any, send: Any) -> None:
    report(asked=True)
    await go_ahead()
    await listening(scope, receive, send)


async def consumer(scope: Any, receive: Any, send: Any) -> None:
    """As in Channels' documentation: https://channels.readthedocs.io/en/stable/topics/consumers.html"""
    from channels.generic.http import AsyncHttpConsumer

    class ServerSentEventsConsumer(AsyncHttpConsumer):
        channel_layer_alias = "none"

        async def handle(self, body: bytes) -> None:
            headers = [(b"Cache-Control", b"no-cache"), (b"Content-Type", b"text/event-stream")]
            await self.send_headers(headers=[*headers, (b"Transfer-Encoding", b"chunked")])
            while True:
                await self.send_body(EVENT, more_body=True)
                await asyncio.sleep(EVENT_SECONDS)

    await ServerSentEventsConsumer.as_asgi()(scope, receive, send)


async def ticks() -> AsyncIterator[bytes]:
    while True:
        yield EVENT
        await asyncio.sleep(EVENT_SECONDS)


def slow_ticks() -> Iterator[bytes]:
    while True:
        yield EVENT
        time.sleep(EVENT_SECONDS)  # the pace of an endless stream; no assertion waits for it


def page(request: Any) -> Any:
    from django.http import StreamingHttpResponse

    content: Any = slow_ticks() if request.path == "/django-sync" else ticks()
    return StreamingHttpResponse(content, content_type="text/event-stream")


async def download(scope: Any, receive: Any, send: Any) -> None:
    await send({**START, "headers": [(b"content-length", b"8")]})
    await send(part(b"down"))
    report(asked=True)
    await go_ahead()
    await send({"type": "http.response.body", "body": b"load"})


async def computed(scope: Any, receive: Any, send: Any) -> None:
    report(asked=True)
    await go_ahead()
    await send({**START, "headers": []})
    await send({"type": "http.response.body", "body": b"computed"})


async def poll(scope: Any, receive: Any, send: Any) -> None:
    """Waits for something to answer."""
    report(asked=True)
    while (await receive())["type"] != "http.disconnect":
        pass
    report(left=True)


async def endless(scope: Any, receive: Any, send: Any) -> None:
    await send({**START, "headers": [(b"content-type", b"application/x-ndjson")]})
    await send(part(b"{}\n"))
    await poll(scope, receive, send)


urlpatterns: list[Any] = []


@cache
def django() -> Any:
    from django.conf import settings
    from django.core.asgi import get_asgi_application
    from django.urls import path

    settings.LOGGING_CONFIG = None  # what is logged is the test's
    settings.ROOT_URLCONF = __name__
    urlpatterns.append(path("django-sync", page))
    urlpatterns.append(path("django", page))
    return get_asgi_application()


async def view(scope: Any, receive: Any, send: Any) -> None:
    await django()(scope, receive, send)


application = routed(
    {
        "/listening": listening,
        "/deaf": deaf,
        "/late": late,
        "/consumer": consumer,
        "/django": view,
        "/django-sync": view,
        "/download": download,
        "/computed": computed,
        "/poll": poll,
        "/endless": endless,
    }
)
if "TEST_SERVER_LOGS" in os.environ:  # in the server's process
    draining.seconds = float(sys.argv[sys.argv.index("--server-name") + 1])

# --- The tests --------------------------------------------------------------------------------------------------------


@pytest.fixture
def server(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    """One that drains within the seconds that the test is parametrized by."""
    seconds, finish = getattr(request, "param", (SECONDS, 10))
    options = ("--server-name", str(seconds), "--application-close-timeout", f"{finish:g}")
    with running(kind, Path(__file__), tmp_path, *options) as server:
        yield server


patient = pytest.mark.parametrize("server", [(SECONDS, 10)], indirect=True)
impatient = pytest.mark.parametrize("server", [(SECONDS, FINISH_SECONDS)], indirect=True)
very_slow = pytest.mark.parametrize("server", [(60.0, 10)], indirect=True)


class Client:
    """One request, whose answer is read beside the test."""

    def __init__(self, server: Server, path: str, stack: ExitStack) -> None:
        self.connection = stack.enter_context(closing(HTTPConnection("127.0.0.1", server.port, DEADLINE)))
        self.connection.request("GET", path)
        self.response: HTTPResponse | None = None
        self.ended = 0.0

    def begin(self) -> "Client":
        self.response = self.connection.getresponse()
        return self

    def read(self) -> bytes:
        """The body, which has to be complete: http.client raises IncompleteRead otherwise."""
        try:
            return (self.response or self.connection.getresponse()).read()
        finally:
            self.ended = time.monotonic()


def stop(server: Server) -> float:
    server.process.terminate()
    begun = time.monotonic()
    server.wait_for(lambda seen: str(seen.get("log", "")).startswith("Draining: closing"))
    return begun


def read_all(clients: list[Client]) -> list[bytes]:
    with ThreadPoolExecutor(len(clients)) as threads:
        return list(threads.map(Client.read, clients))


def assert_spread(clients: list[Client], begin: float) -> None:
    """40 random moments lie within half of the time once in 10¹⁰ times."""
    ends = sorted(client.ended for client in clients)
    assert begin <= ends[0]
    assert ends[-1] - ends[0] > SECONDS / 2
    assert ends[-1] < begin + SECONDS + AT_ONCE


def ended(server: Server) -> None:
    assert server.process.wait(DEADLINE) == 0
    assert not [line for line in server.lines if "ERROR" in line or "Traceback" in line]
    assert server.stderr.read_text() == ""


@patient
def test_event_streams_end_properly_and_spread_over_the_seconds(server: Server) -> None:
    """Also of applications that never hear that their client has left."""
    paths = ["/listening"] * 10 + ["/deaf"] * 10 + ["/consumer"] * 10 + ["/django"] * 10 + ["/django-sync"] * 2
    with ExitStack() as stack:
        clients = [Client(server, path, stack) for path in paths]
        for client in clients:
            assert client.begin().response.read(len(EVENT)) == EVENT  # type: ignore[union-attr]
        begun = stop(server)
        bodies = read_all(clients)
        assert set(bodies[:10]) == {b""}, "what is sent after the end goes nowhere"
        assert all(body == EVENT * (len(body) // len(EVENT)) for body in bodies)
        assert_spread(clients, begun)
        for _ in range(10):
            assert server.wait_for("left") == {"left": "http.disconnect"}
        for _ in range(10):
            assert server.wait_for("cancelled")
        ended(server)
    assert time.monotonic() - begun < SECONDS + AT_ONCE


@patient
def test_what_ends_by_itself_is_not_cut_and_an_event_stream_that_begins_while_draining_has_its_turn(
    server: Server,
) -> None:
    with ExitStack() as stack:
        stream = Client(server, "/listening", stack).begin()
        waiting = []
        for path in ("/download", "/computed", "/late"):
            waiting.append(Client(server, path, stack))
            assert server.wait_for("asked")
        stop(server)
        assert stream.read() == EVENT
        for client, body in zip(waiting, (b"download", b"computed", EVENT), strict=True):
            assert server.process.poll() is None
            server.go_ahead()
            assert client.read() == body
        ended(server)


@impatient
def test_what_has_no_end_has_its_time_and_is_then_cut_spread_over_the_seconds(server: Server) -> None:
    """A long poll gets no answer that would be wrong, and a body that was cut does not look complete."""

    def cut(client: Client, reason: Any) -> None:
        with pytest.raises(reason):
            client.read()

    with ExitStack() as stack:
        clients = [Client(server, path, stack) for path in ["/poll"] * 40 + ["/endless"] * 10]
        for _ in clients:
            assert server.wait_for("asked")
        begun = stop(server)
        with ThreadPoolExecutor(len(clients)) as threads:
            list(threads.map(cut, clients, [ConnectionError] * 40 + [(IncompleteRead, ConnectionError)] * 10))
        assert_spread(clients[:40], begun + FINISH_SECONDS)
        assert_spread(clients, begun + FINISH_SECONDS)
        for _ in clients:
            assert server.wait_for("left")
        ended(server)
    assert time.monotonic() - begun < FINISH_SECONDS + SECONDS + AT_ONCE


@very_slow
def test_a_second_signal_ends_event_streams_at_once(server: Server) -> None:
    with ExitStack() as stack:
        streams = [Client(server, "/listening", stack).begin() for _ in range(3)]
        begun = stop(server)
        server.process.terminate()
        assert read_all(streams) == [EVENT] * 3
        ended(server)
    assert time.monotonic() - begun < AT_ONCE
