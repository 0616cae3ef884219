"""Sockets on each of the stack's workers, and streams of server-sent events."""

from __future__ import annotations

import asyncio
import http.client
import json
from contextlib import AsyncExitStack, asynccontextmanager, closing, contextmanager
from typing import TYPE_CHECKING, Any

from tests.stack.wire import SECONDS, access, open_socket, request_id, served_by
from tests.third_party.stack.conftest import WORKERS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from websockets.asyncio.client import ClientConnection

    from tests.stack.clone import Clone


@asynccontextmanager
async def on_each_worker(stack: Clone, *paths: str, **options: Any) -> AsyncIterator[list[ClientConnection]]:
    """A browser's sockets, at these paths or all at one. nginx gives each to another worker, as its log says."""
    async with AsyncExitStack() as opened:
        sockets = [
            await opened.enter_async_context(open_socket(stack, path, origin=f"http://{stack.host}", **options))
            for path in (paths if len(paths) > 1 else paths * WORKERS)
        ]
        yield sockets
    entries = await asyncio.to_thread(access, stack, [request_id(socket) for socket in sockets])
    assert len({served_by(entry) for entry in entries.values()}) == WORKERS == len(sockets)


async def tell(socket: ClientConnection, **content: Any) -> None:
    await socket.send(json.dumps(content))


async def heard(socket: ClientConnection) -> dict[str, Any]:
    async with asyncio.timeout(SECONDS):
        return dict(json.loads(await socket.recv()))


class Stream:
    """What a browser's EventSource makes of a stream: kinds and texts of events."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        assert response.status == 200
        assert response.headers["Content-Type"] == "text/event-stream"
        self.response = response

    def event(self) -> tuple[str, str]:
        kind, text = "message", []
        while line := self.response.readline().decode():
            field, _, value = line.rstrip("\n").partition(":")
            if field == "event":
                kind = value.removeprefix(" ")
            elif field == "data":
                text.append(value.removeprefix(" "))
            elif line == "\n" and text:
                return kind, "\n".join(text)
        raise EOFError


@contextmanager
def page(stack: Clone, path: str) -> Iterator[http.client.HTTPResponse]:
    """An answer that may not have ended."""
    with closing(http.client.HTTPConnection("127.0.0.1", stack.port, timeout=SECONDS)) as connection:
        connection.request("GET", path, headers={"Host": stack.host, "Accept": "text/event-stream"})
        yield connection.getresponse()
