"""Clients of the published port: raw requests, handshakes, and sockets."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket as sockets
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

from websockets.asyncio.client import ClientConnection, connect

from tests.stack.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from tests.stack.clone import Clone

SECONDS = 10.0
UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}
Headers = list[tuple[str, str]]


class Answer:
    """Status, headers and body of an answer."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()


def request(
    clone: Clone, path: str, headers: Headers | None = None, method: str = "GET", seconds: float = SECONDS
) -> Answer:
    """One request with exactly this path; `Host` is the clone's unless given."""
    connection = http.client.HTTPConnection("127.0.0.1", clone.port, timeout=seconds)
    try:
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        given = headers or []
        for name, value in [*given, *([] if any(n == "Host" for n, _ in given) else [("Host", clone.host)])]:
            connection.putheader(name, value)
        connection.endheaders()
        return Answer(connection.getresponse())
    finally:
        connection.close()


def send(clone: Clone, path: str, body: bytes, headers: Headers, chunked: bool = False) -> Answer:
    """A POST with a body, all at once or in parts that do not say how many they are."""
    connection = http.client.HTTPConnection("127.0.0.1", clone.port, timeout=SECONDS)
    try:
        parts = (body[start : start + 65536] for start in range(0, len(body), 65536))
        connection.request(
            "POST",
            path,
            body=parts if chunked else body,
            headers=dict([("Host", clone.host), *headers]),
            encode_chunked=chunked,
        )
        return Answer(connection.getresponse())
    finally:
        connection.close()


def handshake(clone: Clone, path: str, headers: Headers | None = None) -> Answer:
    """Asks to become a WebSocket, and leaves; status 101 is yes."""
    return request(clone, path, [*UPGRADE.items(), *(headers or [])])


def raw(clone: Clone, text: str) -> int:
    """The status that these very bytes are answered with."""
    with sockets.create_connection(("127.0.0.1", clone.port), timeout=SECONDS) as connection:
        connection.sendall(text.encode())
        response = http.client.HTTPResponse(connection)
        response.begin()
        return response.status


def open_socket(clone: Clone, path: str, **options: Any) -> connect:
    """A client's WebSocket, to be awaited or entered."""
    return connect(
        f"ws://{clone.host}{path}", host="127.0.0.1", proxy=None, open_timeout=SECONDS, ping_interval=None, **options
    )


async def join(clone: Clone, path: str) -> ClientConnection:
    """A room's member whose joining came back to it: from now on it hears everything."""
    member = await open_socket(clone, path)
    try:
        async with asyncio.timeout(SECONDS):
            assert "加入了." in json.loads(await member.recv())["message"]
    except BaseException:
        await member.close()
        raise
    return member


@asynccontextmanager
async def room(*places: tuple[Clone, str]) -> AsyncIterator[list[ClientConnection]]:
    """Members who joined there one after the other; all have left at the end."""
    async with AsyncExitStack() as members:
        yield [await members.enter_async_context(await join(clone, path)) for clone, path in places]


async def receive(member: ClientConnection, key: str, ending: str = "") -> str:
    """What the next frame with `key` says, if it ends like this; others are passed over."""
    async with asyncio.timeout(SECONDS):
        while True:
            text = json.loads(await member.recv()).get(key)
            if text is not None and text.endswith(ending):
                return str(text)


def request_id(member: ClientConnection) -> str:
    assert member.response
    return member.response.headers["X-Request-ID"]


def access(clone: Clone, ids: Iterable[str]) -> dict[str, dict[str, Any]]:
    """nginx's log entries by request id; it writes a socket's when the socket has ended."""
    wanted = set(ids)

    def found() -> dict[str, dict[str, Any]] | None:
        entries = {entry["request_id"]: entry for entry in clone.logs("nginx") if entry.get("request_id") in wanted}
        return entries if entries.keys() == wanted else None

    return wait_until(found, 15, f"access log entries of {wanted}") or {}


def served_by(entry: dict[str, Any]) -> str:
    """The address of the container that answered: the last one where nginx had to try several."""
    return str(entry["worker"]).split(", ")[-1].split(" : ")[-1]
