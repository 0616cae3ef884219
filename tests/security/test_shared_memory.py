"""No client decides over memory that all share: a client that holds thousands of requests harms no other."""

from __future__ import annotations

import asyncio
import json
import resource
import socket
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import TYPE_CHECKING

from tests.stack.wire import open_socket

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.stack.clone import Clone

SOCKETS = 20
MIB = 2**20
SECONDS = 30.0  # for an answer, on a machine that has just been given all this
CONNECTIONS = 4000


def requests(host: str) -> Iterator[bytes]:
    """What each connection sends, and then nothing more; none is complete but the downloads."""
    for length, sent, number in ((MIB, 20_000, 1000), (MIB, MIB - 1, 130), (9000, 8999, 500)):
        head = f"POST /admin/login/ HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\n\r\n".encode()
        for _ in range(number):
            yield head + bytes(sent)
    for _ in range(1000):
        yield f"GET / HTTP/1.1\r\nHost: {host}\r\nX-Slow: ".encode() + b"x" * 16_000
    for _ in range(100):
        yield f"GET /own/download?mebibytes=300 HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()


@asynccontextmanager
async def held(stack: Clone) -> AsyncIterator[None]:
    """All of them at once; each has been sent, as far as it was not refused before."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, CONNECTIONS)), hard))
    writers: list[asyncio.StreamWriter] = []

    async def hold(data: bytes) -> None:
        # What comes is not read. The kernel would take up to 32 MB of it, as soon as it could.
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32768)
        connection.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", stack.port))
        _, writer = await asyncio.open_connection(sock=connection, limit=1024)
        writers.append(writer)
        writer.write(data)
        with suppress(ConnectionError):  # refused
            await writer.drain()

    try:
        await asyncio.gather(*(hold(data) for data in requests(stack.host)))
        yield
    finally:
        for writer in writers:
            writer.transport.abort()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def status(stack: Clone, path: str) -> int:
    async with asyncio.timeout(SECONDS):
        reader, writer = await asyncio.open_connection("127.0.0.1", stack.port)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {stack.host}\r\nConnection: close\r\n\r\n".encode())
        line = await reader.readline()
        writer.close()
    return int(line.split()[1])


async def test_half_uploads_slow_headers_and_slow_downloads_leave_sockets_and_pages_alone(stack: Clone):
    before = stack.containers()
    async with AsyncExitStack() as opened:
        sockets = [
            await opened.enter_async_context(open_socket(stack, f"/ws/echo/held{number}/")) for number in range(SOCKETS)
        ]
        async with held(stack):
            for path in ("/", "/chat/held/", "/admin/login/", "/static/MyChannels/page.css") * 3:
                assert await status(stack, path) == 200, path
            async with open_socket(stack, "/ws/echo/late/") as late:
                for member in (*sockets, late):
                    await member.send(json.dumps({"message": "here"}))
                    async with asyncio.timeout(SECONDS):
                        await member.recv()
    states = {container["Id"]: container["State"]["StartedAt"] for container in before}
    assert {container["Id"]: container["State"]["StartedAt"] for container in stack.containers()} == states
    for service in ("nginx", "web"):
        # Neither OOMKilled nor RestartCount has to show that the kernel killed a process.
        log = stack.compose("logs", "--no-log-prefix", service).stdout
        assert "exited on signal" not in log
        assert "SIGKILL" not in log
