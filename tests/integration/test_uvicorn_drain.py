"""What gunicorn with `app.servers.uvicorn` promises of its end; this module is also the application."""

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from app.drain import draining
from app.servers.uvicorn import IDLE_SECONDS

ROOT = Path(__file__).parents[2]
DEADLINE = 15.0
SETTINGS = {"DJANGO_SETTINGS_MODULE": "app.settings"}  # as in the image
SECONDS = 2.0  # of draining
AT_ONCE = 4.0  # longer than an end takes for which nothing is waited, on a busy machine

# --- The application, in the server's process -------------------------------------------------------------------------


async def go_ahead() -> None:
    print("asked", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, os.read, int(os.environ["GO_AHEAD"]), 1)


async def application(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "websocket":
        if scope["path"] == "/slow":
            await go_ahead()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] != "websocket.disconnect":
            pass
        print("disconnected", message["code"], flush=True)
        return
    while (await receive()).get("more_body"):
        pass
    if scope["path"] == "/never":
        print("asked", flush=True)
        await asyncio.Event().wait()
    if scope["path"] == "/slow":
        await go_ahead()
    if scope["path"] == "/events":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        await send({"type": "http.response.body", "body": b"data: tick\n\n", "more_body": True})
        await receive()
        return
    body = b"draining" if draining.begun else b"serving"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


async def leave() -> None:
    print("last", flush=True)


if "GO_AHEAD" in os.environ:  # in the server's process
    draining.seconds = SECONDS
    draining.at_end(leave)


HANDSHAKE = (
    b"GET /slow HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)

# --- The tests --------------------------------------------------------------------------------------------------------


class Gunicorn:
    def __init__(self, environment: dict[str, str], stderr: Path) -> None:
        reading, self.writing = os.pipe()
        module = Path(__file__).stem
        # The folder's own configuration, but for where it listens and what it serves.
        command = [sys.executable, "-m", "gunicorn", "--config", "services/web/gunicorn.conf.py", "--workers", "1"]
        command += ["--worker-class", "app.servers.uvicorn.SocketWorker", f"{module}:application"]
        with socket.create_server(("127.0.0.1", 0)) as listening, stderr.open("w") as errors:
            self.port = listening.getsockname()[1]
            self.process = subprocess.Popen(
                [*command, "--bind", f"fd://{listening.fileno()}"],
                cwd=ROOT,
                env={**environment, "PYTHONPATH": str(Path(__file__).parent), "GO_AHEAD": str(reading)} | SETTINGS,
                stdout=subprocess.PIPE,
                stderr=errors,
                pass_fds=[listening.fileno(), reading],
                text=True,
            )
        os.close(reading)

    def told(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline().strip()

    def go_ahead(self) -> None:
        os.write(self.writing, b".")

    def connection(self) -> closing[HTTPConnection]:
        return closing(HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE))

    def stop(self, number: signal.Signals = signal.SIGTERM) -> float:
        self.process.send_signal(number)
        return time.monotonic()

    def refuses(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), DEADLINE).close()
        except (ConnectionRefusedError, ConnectionResetError):  # reset: it stopped listening just then
            return True
        return False

    def close(self) -> None:
        with self.process:
            self.process.kill()
        os.close(self.writing)  # a worker without its master ends by itself


@pytest.fixture
def server(environment: dict[str, str], tmp_path: Path) -> Iterator[Gunicorn]:
    with closing(Gunicorn(environment, tmp_path / "stderr")) as server:
        with server.connection() as first:  # waits until a worker accepts
            assert ask(first) == "serving"
        yield server


def ask(connection: HTTPConnection, method: str = "GET", path: str = "/") -> str:
    connection.request(method, path, body=b"form" if method == "POST" else None)
    answer = connection.getresponse()
    assert answer.status == 200
    return answer.read().decode()


def test_a_worker_without_connections_ends_at_once_and_leaves_what_is_left_last(server: Gunicorn) -> None:
    begun = server.stop()
    assert server.told() == "last"
    assert server.process.wait(DEADLINE) == 0
    assert time.monotonic() - begun < AT_ONCE


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_idle_connection_still_takes_a_request_and_is_told_that_it_was_the_last(
    server: Gunicorn, method: str
) -> None:
    """nginx may be sending one, and repeats no POST."""
    with server.connection() as busy, server.connection() as idle:
        assert ask(busy) == ask(idle) == "serving"
        busy.request("GET", "/slow")
        assert server.told() == "asked"
        server.stop()
        wait_for(server.refuses)
        idle.request(method, "/", body=b"form")
        answer = idle.getresponse()
        assert (answer.status, answer.read(), answer.headers["Connection"]) == (200, b"draining", "close")
        server.go_ahead()
        answer = busy.getresponse()
        assert (answer.status, answer.read()) == (200, b"draining")
        assert server.process.wait(DEADLINE) == 0


def test_an_idle_connection_is_closed_once_its_peer_should_have(server: Gunicorn) -> None:
    with server.connection() as idle:
        assert ask(idle) == "serving"
        begun = server.stop()
        assert idle.sock.recv(1) == b""
        assert IDLE_SECONDS <= time.monotonic() - begun < IDLE_SECONDS + AT_ONCE
        assert server.process.wait(DEADLINE) == 0


def test_connections_that_the_kernel_had_accepted_are_answered(server: Gunicorn) -> None:
    (worker,) = children(server.process.pid)
    os.kill(worker, signal.SIGSTOP)
    with ExitStack() as stack:
        waiting = [stack.enter_context(server.connection()) for _ in range(50)]
        for connection in waiting:
            connection.request("POST", "/", body=b"form")
        server.stop()
        wait_for(lambda: stopping(worker))
        os.kill(worker, signal.SIGCONT)
        for connection in waiting:
            assert connection.getresponse().status == 200
        assert server.process.wait(DEADLINE) == 0


def test_sockets_are_closed_with_1012_within_the_seconds_and_applications_told_so(server: Gunicorn) -> None:
    with ExitStack() as stack:
        peers = [stack.enter_context(connect(f"ws://127.0.0.1:{server.port}/", proxy=None)) for _ in range(20)]
        begun = server.stop()
        closed = []
        for peer in peers:
            with pytest.raises(ConnectionClosed) as close:
                peer.recv(timeout=DEADLINE)
            assert close.value.rcvd
            assert close.value.rcvd.code == 1012
            closed.append(time.monotonic() - begun)
        assert [server.told() for _ in peers] == ["disconnected 1012"] * 20
        # Of 20 random instants all lie in one half of the time once in a million times.
        assert SECONDS / 2 < max(closed) < SECONDS + AT_ONCE
        assert server.told() == "last"
        assert server.process.wait(DEADLINE) == 0


def test_event_streams_end_properly_and_spread_over_the_seconds(server: Gunicorn) -> None:
    with ExitStack() as stack:
        clients = [stack.enter_context(server.connection()) for _ in range(40)]
        for client in clients:
            client.request("GET", "/events")
        streams = [client.getresponse() for client in clients]
        begun = server.stop()
        with ThreadPoolExecutor(len(streams)) as threads:
            ends = list(threads.map(lambda stream: (stream.read(), time.monotonic()), streams))
        assert {body for body, _ in ends} == {b"data: tick\n\n"}
        moments = sorted(moment for _, moment in ends)
        # 40 random moments lie within half of the time once in 10¹⁰ times.
        assert moments[-1] - moments[0] > SECONDS / 2
        assert moments[-1] < begun + SECONDS + AT_ONCE
        assert server.told() == "last"
        assert server.process.wait(DEADLINE) == 0


def test_a_handshake_under_way_is_finished_though_its_turn_has_passed(server: Gunicorn) -> None:
    with socket.create_connection(("127.0.0.1", server.port), DEADLINE) as peer:
        peer.sendall(HANDSHAKE)
        assert server.told() == "asked"
        server.stop()
        peer.settimeout(SECONDS + 0.2)
        with pytest.raises(TimeoutError):
            peer.recv(1)
        server.go_ahead()
        peer.settimeout(DEADLINE)
        received = b""
        while not received.endswith(b"\r\n\r\n\x88\x0c\x03\xf4going away"):
            received += peer.recv(1024) or pytest.fail(f"ended after {received!r}")
        assert received.startswith(b"HTTP/1.1 101 ")
        assert server.told() == "disconnected 1012"
        assert server.process.wait(DEADLINE) == 0


@pytest.mark.parametrize("signals", [1, 2])
def test_who_is_cancelled_before_an_answer_gets_none(server: Gunicorn, signals: int) -> None:
    """nginx then asks another worker."""
    with socket.create_connection(("127.0.0.1", server.port), DEADLINE) as peer:
        peer.sendall(b"GET /never HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert server.told() == "asked"
        server.stop()
        if signals > 1:
            wait_for(server.refuses)
            server.stop()
        with suppress(ConnectionResetError):
            assert peer.recv(1) == b""
        assert server.process.wait(DEADLINE) == 0


def test_a_second_signal_gives_up_who_is_at_work_after_a_second(server: Gunicorn) -> None:
    with server.connection() as busy:
        busy.request("GET", "/never")
        assert server.told() == "asked"
        server.stop()
        wait_for(server.refuses)
        begun = server.stop()
        assert server.told() == "last"
        assert server.process.wait(DEADLINE) == 0
        assert time.monotonic() - begun < 1 + AT_ONCE


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def stopping(pid: int) -> bool:
    """Whether SIGTERM waits for a process that is held."""
    found = re.search(r"^ShdPnd:\s*(\w+)$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert found
    return bool(int(found[1], 16) & 1 << signal.SIGTERM - 1)


def wait_for(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE
    while not reached():
        assert time.monotonic() < deadline
