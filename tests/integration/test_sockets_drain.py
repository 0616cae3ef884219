"""What either server in app/servers/ promises of its end; this module is also the application that drains."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import SyncToAsync, sync_to_async

from app.drain import draining
from tests.integration.socket_server import (  # noqa: F401 - a fixture among them
    CLOSE,
    DEADLINE,
    TEXT,
    Server,
    close_frame,
    exactly,
    frame,
    go_ahead,
    kind_of_server,
    next_frame,
    report,
    routed,
    running,
    to_the_end,
)

SECONDS = 2.0  # of draining, where a test is about them
RETURNING_SECONDS = 1.0  # that a worker stays from the last turn on
AT_ONCE = 5.0  # longer than an end takes for which nothing is waited, on a busy machine

# --- The application, in the server's process -------------------------------------------------------------------------


async def echo(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "websocket.accept"})
    report(opened=True)
    while (message := await receive())["type"] != "websocket.disconnect":
        if message["type"] == "websocket.receive":
            report(received=message["text"])
            await send({**message, "type": "websocket.send"})
    report(disconnected=message["code"])


async def hold(scope: Any, receive: Any, send: Any) -> None:
    """Its `disconnect` takes as long as the test wants."""
    await send({"type": "websocket.accept"})
    try:
        while (await receive())["type"] != "websocket.disconnect":
            pass
        report(leaving=True)
        await go_ahead()
        report(left=True)
    except asyncio.CancelledError:
        report(cancelled=True)
        raise


async def slow_handshake(scope: Any, receive: Any, send: Any) -> None:
    report(asked=True)
    await go_ahead()
    await echo(scope, receive, send)


async def sync_handshake(scope: Any, receive: Any, send: Any) -> None:
    """As behind Channels' AuthMiddleware: a step of it runs in the thread that all share."""
    await sync_to_async(lambda: None)()
    await echo(scope, receive, send)


class Stopping(ThreadPoolExecutor):
    """The signal comes just as the thread gets something to do."""

    def submit(self, *args: Any, **options: Any) -> Any:
        SyncToAsync.single_thread_executor = shared_thread
        report(asked=True)
        sys.stdin.readline()
        os.kill(os.getpid(), signal.SIGTERM)
        return super().submit(*args, **options)


async def stop_in_handshake(scope: Any, receive: Any, send: Any) -> None:
    SyncToAsync.single_thread_executor = Stopping(1)
    await sync_handshake(scope, receive, send)


async def slow_page(scope: Any, receive: Any, send: Any) -> None:
    report(asked=True)
    await go_ahead()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
    await send({"type": "http.response.body", "body": b"page"})


async def ready(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 503 if draining.begun else 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def leave_slowly(scope: Any, receive: Any, send: Any) -> None:
    draining.at_end(go_ahead)
    await ready(scope, receive, send)


async def fail_when_cancelled(scope: Any, receive: Any, send: Any) -> None:
    report(asked=True)
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        raise ConnectionError from None


async def stay_when_cancelled(scope: Any, receive: Any, send: Any) -> None:
    report(asked=True)
    with suppress(asyncio.CancelledError):
        await asyncio.Event().wait()
    await asyncio.Event().wait()


async def leave() -> None:
    report(last=True)


shared_thread = SyncToAsync.single_thread_executor
routes = {
    "/echo": echo,
    "/hold": hold,
    "/slow-handshake": slow_handshake,
    "/sync-handshake": sync_handshake,
    "/stop-in-handshake": stop_in_handshake,
    "/slow-page": slow_page,
    "/ready": ready,
    "/leave-slowly": leave_slowly,
    "/fail-when-cancelled": fail_when_cancelled,
    "/stay-when-cancelled": stay_when_cancelled,
}
application = routed(routes)
if "TEST_SERVER_LOGS" in os.environ:  # in the server's process
    draining.seconds = float(sys.argv[sys.argv.index("--server-name") + 1])
    draining.at_end(leave)


HANDSHAKE = (
    b"GET /echo HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)

# --- The tests --------------------------------------------------------------------------------------------------------


@pytest.fixture
def server(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    """One that drains within the seconds that the test is parametrized by, or at once."""
    seconds = getattr(request, "param", 0.0)
    # Of Daphne's options one that changes nothing here: the server's environment is not the test's.
    with running(kind, Path(__file__), tmp_path, "--server-name", str(seconds)) as server:
        with closing(HTTPConnection("127.0.0.1", server.port, DEADLINE)) as first:
            first.request("GET", "/ready")  # before that it would end without draining
            assert first.getresponse().status == 200
        yield server


slowly = pytest.mark.parametrize("server", [SECONDS], indirect=True)
very_slowly = pytest.mark.parametrize("server", [60.0], indirect=True)


def refuses(server: Server) -> bool:
    try:
        server.tcp().close()
    except ConnectionRefusedError:
        return True
    return False


def stop(server: Server) -> float:
    """Returns when draining has begun: nobody is accepted any more."""
    server.process.terminate()
    begun = time.monotonic()
    server.wait_for(lambda seen: str(seen.get("log", "")).startswith("Draining: closing"))
    return begun


def ended(server: Server) -> None:
    assert server.process.wait(DEADLINE) == 0
    assert not [line for line in server.lines if "ERROR" in line or "Traceback" in line]
    assert server.stderr.read_text() == ""


def answer_close(peer: socket.socket) -> int:
    code = close_frame(peer)
    reason = peer.recv(100)
    assert reason == b"going away"
    peer.sendall(frame(CLOSE, code.to_bytes(2, "big")))
    assert to_the_end(peer) == b""
    return code


def drained(server: Server) -> str:
    return str(server.wait_for(lambda seen: str(seen.get("log", "")).startswith("Drained in"))["log"])


@very_slowly
def test_a_worker_without_sockets_ends_at_once(server: Server) -> None:
    begun = time.monotonic()
    server.process.terminate()
    ended(server)
    assert time.monotonic() - begun < AT_ONCE


@slowly
def test_sockets_are_closed_with_1012_spread_over_the_seconds_and_applications_told_so(server: Server) -> None:
    with ExitStack() as stack:
        peers = [stack.enter_context(server.open("/echo")) for _ in range(40)]
        begun = stop(server)
        assert refuses(server)
        closed = []
        waiting = dict.fromkeys(peers)
        while waiting:
            for peer in list(waiting):
                peer.settimeout(0.001)
                with suppress(TimeoutError):
                    assert peer.recv(1, socket.MSG_PEEK)
                    peer.settimeout(DEADLINE)
                    assert answer_close(peer) == 1012
                    closed.append(time.monotonic() - begun)
                    del waiting[peer]
        for _ in peers:
            assert server.wait_for("disconnected") == {"disconnected": 1012}
        ended(server)
    assert closed[-1] < SECONDS + AT_ONCE
    # Of 40 random instants all lie in one half of the time once in 5·10¹¹ times.
    assert closed[0] < SECONDS / 2 < closed[-1]
    assert "40 sockets, 0 applications cancelled" in "".join(server.lines)


def test_until_clients_have_come_back_they_are_refused_at_once(server: Server) -> None:
    """nginx would wait for a worker that is gone."""
    with server.open("/echo") as peer:
        begun = stop(server)
        assert answer_close(peer) == 1012
    assert server.wait_for("last")
    assert refuses(server)
    ended(server)
    assert time.monotonic() - begun >= RETURNING_SECONDS


def test_every_application_is_awaited_and_none_cancelled_that_ends_in_time(server: Server) -> None:
    with server.open("/hold") as first, server.open("/hold") as second:
        stop(server)
        for peer in (first, second):
            assert answer_close(peer) == 1012
            assert server.wait_for("leaving")
        for _ in range(2):
            assert server.process.poll() is None
            server.go_ahead()
            assert server.wait_for("left")
        assert server.wait_for("last"), "what is left last comes after the last application"
        ended(server)
    assert not [line for line in server.lines if '"cancelled"' in line]


def test_what_was_sent_before_the_close_was_read_is_handled(server: Server) -> None:
    with server.open("/echo") as peer:
        server.process.send_signal(signal.SIGSTOP)
        os.waitpid(server.process.pid, os.WUNTRACED)
        server.process.terminate()
        for text in (b"one", b"two"):
            peer.sendall(frame(TEXT, text))
        server.process.send_signal(signal.SIGCONT)
        assert [server.wait_for("received")["received"] for _ in range(2)] == ["one", "two"]
        received = b""
        while not received.endswith(b"going away"):
            received += peer.recv(100)
        peer.sendall(frame(CLOSE, b"\x03\xf4"))
        assert server.wait_for("disconnected") == {"disconnected": 1012}
        ended(server)


def test_a_handshake_under_way_is_finished_and_its_socket_gets_its_turn(server: Server) -> None:
    with server.handshake("/slow-handshake") as peer:
        assert server.wait_for("asked")
        stop(server)
        assert refuses(server)
        server.go_ahead()
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += exactly(peer, 1)
        assert head.startswith(b"HTTP/1.1 101 ")
        assert answer_close(peer) == 1012
        assert server.wait_for("disconnected") == {"disconnected": 1012}
        ended(server)


def test_connections_that_the_kernel_had_accepted_are_served(server: Server) -> None:
    """Closing the listening socket would reset them."""
    server.process.send_signal(signal.SIGSTOP)
    os.waitpid(server.process.pid, os.WUNTRACED)
    with ExitStack() as stack:
        peers = [stack.enter_context(server.handshake("/echo")) for _ in range(150)]
        server.process.terminate()
        server.process.send_signal(signal.SIGCONT)
        for peer in peers:
            assert exactly(peer, 12) == b"HTTP/1.1 101"
        for peer in peers:
            peer.shutdown(socket.SHUT_WR)
        assert server.process.wait(DEADLINE) == 0


def test_whatever_the_signal_interrupts_handshakes_succeed(server: Server) -> None:
    """Python runs a signal's handler in the context of the application that it interrupts."""
    with server.handshake("/stop-in-handshake") as interrupted, ExitStack() as stack:
        assert server.wait_for("asked")
        peers = [stack.enter_context(server.handshake("/sync-handshake")) for _ in range(150)]
        server.go_ahead()
        for peer in (interrupted, *peers):
            assert exactly(peer, 12) == b"HTTP/1.1 101"
        for peer in (interrupted, *peers):
            peer.shutdown(socket.SHUT_WR)
        ended(server)


def test_a_handshake_that_comes_when_all_have_left_is_not_answered(server: Server) -> None:
    """nginx then tries another worker."""
    with closing(HTTPConnection("127.0.0.1", server.port, DEADLINE)) as page, server.tcp() as late:
        page.request("GET", "/leave-slowly")
        assert page.getresponse().read() == b""
        stop(server)
        assert server.wait_for("last")
        with suppress(ConnectionError):  # it has noticed before
            late.sendall(HANDSHAKE)
        assert to_the_end(late) == b""
        server.go_ahead()
        ended(server)


@pytest.mark.parametrize("upgrade", ["websocket", "none"])
def test_who_is_cancelled_before_an_answer_gives_none(kind: str, tmp_path: Path, upgrade: str) -> None:
    """Also if the application makes a fault of it, and others give the server the time to see that."""
    options = ("--application-close-timeout", "0", "--server-name", "0")
    with running(kind, Path(__file__), tmp_path, *options) as server, server.tcp() as other, server.tcp() as peer:
        other.sendall(b"GET /stay-when-cancelled HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert server.wait_for("asked")
        peer.sendall(HANDSHAKE.replace(b"/echo", b"/fail-when-cancelled").replace(b"websocket", upgrade.encode()))
        assert server.wait_for("asked")
        stop(server)
        if upgrade == "websocket":
            server.process.terminate()  # for which a socket's application would be waited 6 s longer
        assert to_the_end(peer) == b""
        assert server.process.wait(DEADLINE) == 0


def test_a_request_under_way_is_answered_and_readiness_is_off(server: Server) -> None:
    address = ("127.0.0.1", server.port)
    with closing(HTTPConnection(*address, DEADLINE)) as page, closing(HTTPConnection(*address, DEADLINE)) as probe:
        probe.request("GET", "/ready")
        assert probe.getresponse().read() == b""
        page.request("GET", "/slow-page")
        assert server.wait_for("asked")
        stop(server)
        probe.request("GET", "/ready")
        assert probe.getresponse().status == 503
        server.go_ahead()
        answer = page.getresponse()
        assert (answer.status, answer.read()) == (200, b"page")
        ended(server)


def test_a_request_still_arriving_keeps_nobody(server: Server) -> None:
    with server.tcp() as slow, server.open("/echo") as peer:
        slow.sendall(b"GET / HTTP/1.1\r\nHost: local")
        begun = stop(server)
        assert answer_close(peer) == 1012
        ended(server)
        assert time.monotonic() - begun < 1 + AT_ONCE


def test_a_peer_that_does_not_answer_is_cut_and_its_application_told_1012(server: Server) -> None:
    with server.open("/echo") as peer:
        stop(server)
        assert server.wait_for("disconnected") == {"disconnected": 1012}
        assert next_frame(peer) == (CLOSE, b"\x03\xf4going away")
        ended(server)


@very_slowly
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_closes_the_rest_at_once_and_cancels_who_stays(server: Server, number: signal.Signals) -> None:
    with server.open("/hold") as staying, server.open("/echo") as peer:
        server.process.send_signal(number)
        server.wait_for(lambda seen: str(seen.get("log", "")).startswith("Draining: closing"))
        begun = time.monotonic()
        server.process.send_signal(number)
        assert answer_close(peer) == 1012
        assert answer_close(staying) == 1012
        assert server.wait_for("cancelled")
        assert server.wait_for("last")
        assert server.process.wait(DEADLINE) == 0
        assert time.monotonic() - begun < 2 + AT_ONCE


def test_who_does_not_end_is_cancelled_after_the_close_timeout(kind: str, tmp_path: Path) -> None:
    options = ("--application-close-timeout", "1", "--server-name", "0")
    with running(kind, Path(__file__), tmp_path, *options) as server, server.open("/hold") as peer:
        stop(server)
        assert answer_close(peer) == 1012
        assert server.wait_for("cancelled")
        assert drained(server).endswith("1 sockets, 1 applications cancelled")
        # `go_ahead` waits in a thread, which nobody can cancel.
        assert server.process.wait(DEADLINE) == 0


def test_a_worker_that_is_still_starting_ends_at_once(tmp_path: Path) -> None:
    """The first process of a container is deaf to a signal that it does not handle."""
    module = tmp_path / "starting.py"
    module.write_text("import signal; print(signal.getsignal(signal.SIGTERM), flush=True); input()")
    with subprocess.Popen(
        [sys.executable, "-m", "app.servers.daphne", "starting:application"],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": f"{Path(__file__).parents[2]}{os.pathsep}{tmp_path}"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout
        assert process.stdout.readline()
        process.terminate()
        assert process.wait(DEADLINE) == 0
