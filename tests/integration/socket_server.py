"""A real server of either kind on a port of its own, for the tests of app/servers/, and the peer's side of the wire.

Each of those test modules is also the application that its server runs: the server imports it, and it reports what
happened to it, and what was logged, as JSON lines on its standard output; one line on its standard input is a
go-ahead from the test.
"""

import asyncio
import json
import logging
import os
import queue
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import pytest
from twisted.logger import globalLogPublisher
from websockets.sync.client import ClientConnection, connect

MODULES = {"daphne": "app.servers.daphne", "uvicorn": "tests.integration.uvicorn_server"}
LIMIT = 1000
DEADLINE = 15.0
PUT_OFF = 3.0  # less than the 5 s for which the server waits for a peer's answer to its close
CONTINUATION, TEXT, BINARY, RESERVED, CLOSE, PING, PONG = 0, 1, 2, 3, 8, 9, 10


# --- The application, in the server's process -------------------------------------------------------------------------


TEST = ContextVar("TEST", default="")  # the test that opened the connection: the query string of its address


def report(**fields: Any) -> None:
    print(json.dumps({**fields, "test": TEST.get()}), flush=True)


class ReportingHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        report(log=record.getMessage(), level=record.levelname)


async def go_ahead() -> None:
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)


async def poll(reached: Callable[[], bool]) -> None:
    """For what nothing announces; the test that waits for the report has the deadline."""
    while not reached():  # noqa: ASYNC110
        await asyncio.sleep(0.01)


def routed(routes: dict[str, Callable[..., Any]]) -> Callable[..., Any]:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        TEST.set(scope["query_string"].decode())
        await routes[scope["path"]](scope, receive, send)

    return application


if os.environ.get("TEST_SERVER_LOGS"):  # "the application's own logging configuration"
    logging.getLogger().addHandler(ReportingHandler())
    logging.getLogger().setLevel(logging.INFO)

    @globalLogPublisher.addObserver  # type: ignore[arg-type]
    def observe(event: Any) -> None:
        """Of Twisted, whose own log Daphne throws away."""
        if failure := event.get("log_failure") or event.get("failure"):
            report(log=failure.getTraceback(), level="ERROR")


# --- The server, from the test's side ---------------------------------------------------------------------------------


class Server:
    def __init__(self, kind: str, application: Path, stderr: Path, *options: str, **settings: str) -> None:
        self.kind = kind
        root = application.parents[2]
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join([str(root), str(application.parent)]),
            "TEST_SERVER_LOGS": "1",
            # What the settings demand; nothing here connects.
            **dict.fromkeys(("SECRET_KEY", "REDIS_URL", "REDIS_PASSWORD"), "unused"),
            "PUBLIC_URL": "http://localhost",
            "DJANGO_SETTINGS_MODULE": "app.settings",
            **settings,
        }
        command = [sys.executable, "-m", MODULES[kind], "-p", "0", "--websocket-max-message-size", str(LIMIT), *options]
        self.stderr = stderr
        with stderr.open("wb") as errors:
            self.process = subprocess.Popen(
                [*command, f"{application.stem}:application"],
                cwd=root,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                bufsize=0,
            )
        self.test = 0
        self.lines: list[str] = []
        self.reports: queue.Queue[dict[str, Any]] = queue.Queue()
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()
        listening = self.wait_for(lambda seen: str(seen.get("log", "")).startswith("Listening on TCP address"))
        self.port = int(listening["log"].rpartition(":")[2])

    def read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.lines.append(line.decode())
            if line.startswith(b"{"):
                self.reports.put(json.loads(line))

    def wait_for(self, wanted: str | Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The next report of this test that has the key, or that the function accepts."""
        deadline = time.monotonic() + DEADLINE
        while True:
            try:
                seen = self.reports.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                pytest.fail(f"not reported in {DEADLINE} s: {wanted}; seen {self.lines}, {self.stderr.read_text()}")
            if seen.pop("test") not in ("", str(self.test)):
                continue
            if wanted in seen if isinstance(wanted, str) else wanted(seen):
                return seen

    def go_ahead(self) -> None:
        assert self.process.stdin
        self.process.stdin.write(b"\n")

    def connect(self, path: str, **options: Any) -> ClientConnection:
        client: ClientConnection = connect(
            f"ws://127.0.0.1:{self.port}{path}?{self.test}", open_timeout=DEADLINE, proxy=None, **options
        )
        return client

    def tcp(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=DEADLINE)

    def handshake(self, path: str, headers: bytes = b"") -> socket.socket:
        """A raw socket that has asked to become a WebSocket."""
        peer = self.tcp()
        peer.sendall(
            f"GET {path}?{self.test} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n".encode()
            + headers
            + b"\r\n"
        )
        return peer

    def open(self, path: str) -> socket.socket:
        """A raw socket that is a WebSocket."""
        peer = self.handshake(path)
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += peer.recv(1) or pytest.fail(f"closed in the handshake: {head!r}")
        assert head.startswith(b"HTTP/1.1 101 ")
        return peer

    def stop(self) -> None:
        with self.process:
            self.process.kill()
            self.reader.join(DEADLINE)  # before the pipe is closed under it


@contextmanager
def running(kind: str, application: Path, folder: Path, *options: str, **settings: str) -> Iterator[Server]:
    """With `settings` in its environment, in the place of those that it demands and does not use."""
    server = Server(kind, application, folder / "stderr", *options, **settings)
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="module", name="kind", params=MODULES)
def kind_of_server(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module", name="shared")
def shared_server(
    kind: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    with running(kind, request.path, tmp_path_factory.mktemp(kind)) as server:
        yield server


@pytest.fixture(name="server")
def this_tests_server(shared: Server) -> Server:
    """The shared server; what earlier tests' connections still report does not count."""
    shared.test += 1
    return shared


@pytest.fixture(name="own")
def own_server(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    """A server that the test may stop."""
    with running(kind, request.path, tmp_path) as server:
        yield server


def frame(opcode: int, payload: bytes, final: bool = True) -> bytes:
    length = len(payload)
    size = bytes([0x80 | length]) if length < 126 else b"\xfe" + struct.pack("!H", length)
    return bytes([opcode | (0x80 if final else 0)]) + size + b"\0\0\0\0" + payload  # masked with zeros


def to_the_end(peer: socket.socket, seconds: float = DEADLINE) -> bytes:
    """Everything until the server ends the connection, which it has to do by the deadline."""
    deadline = time.monotonic() + seconds
    received = b""
    while True:
        peer.settimeout(max(0.001, deadline - time.monotonic()))
        try:
            part = peer.recv(65536)
        except ConnectionResetError:
            return received
        if not part:
            return received
        received += part


def close_frame(peer: socket.socket) -> int:
    """The code of the close frame that comes next."""
    data = b""
    while len(data) < 4:
        data += peer.recv(4 - len(data)) or pytest.fail(f"the connection ended without a close frame: {data!r}")
    assert data[0] == 0x80 | CLOSE
    return int.from_bytes(data[2:4], "big")


def exactly(peer: socket.socket, count: int) -> bytes:
    data = bytearray()
    while len(data) < count:
        data += peer.recv(min(65536, count - len(data))) or pytest.fail(f"the connection ended in {bytes(data[:20])!r}")
    return bytes(data)


def next_frame(peer: socket.socket) -> tuple[int, bytes]:
    """The opcode and the payload of what comes next, which has to be a whole frame of a server's."""
    first, size = exactly(peer, 2)
    assert first & 0x80
    if size > 125:
        size = int.from_bytes(exactly(peer, 2 if size == 126 else 8), "big")
    return first & 0x0F, exactly(peer, size)
