"""The container health check, against a small server of its own."""

import http.client
import importlib
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest


class Server(ThreadingHTTPServer):
    """Answers each path with the status in `answers`; None is no answer until the end."""

    def __init__(self) -> None:
        self.answers: dict[str, int | None] = {"/health/live": 200, "/health/ready": 200}
        self.asked: list[str] = []
        self.ending = threading.Event()
        super().__init__(("127.0.0.1", 0), Handler)


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        status = self.server.answers[self.path]
        if status is None:
            self.server.ending.wait(5)
            return
        if status < 0:
            self.wfile.write(b"no HTTP\r\n\r\n")
            return
        self.send_response(status)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.ending.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch, server: Server, tmp_path: Path) -> Any:
    """The module, asking `server` in place of the container's port 8000."""
    module = importlib.import_module("services.web.healthcheck")
    connect = http.client.HTTPConnection

    def connection(host: str, port: int, **options: Any) -> http.client.HTTPConnection:
        assert (host, port) == ("127.0.0.1", 8000)
        return connect(host, server.server_port, **options)

    monkeypatch.setattr(module.http.client, "HTTPConnection", connection)
    monkeypatch.setattr(module, "MARK", tmp_path / "ready-once")
    return module


def test_it_asks_for_readiness_until_that_was_so_once_and_for_liveness_from_then_on(check: Any, server: Server) -> None:
    server.answers["/health/ready"] = 503
    assert check.main() == "/health/ready: expected 200, received 503"
    assert check.main() is not None
    server.answers["/health/ready"] = 200
    assert check.main() is None
    server.answers["/health/ready"] = 503
    assert check.main() is None
    assert server.asked == ["/health/ready"] * 3 + ["/health/live"]


def test_it_can_be_asked_for_readiness_after_that_too(check: Any, server: Server) -> None:
    assert check.main() is None
    server.answers["/health/ready"] = 503
    assert check.main("/health/ready") == "/health/ready: expected 200, received 503"


@pytest.mark.parametrize("once_ready", [False, True])
@pytest.mark.parametrize("status", [204, 301, 404, 500, 503])
def test_anything_but_200_fails_with_the_reason(check: Any, server: Server, once_ready: bool, status: int) -> None:
    path = "/health/live" if once_ready else "/health/ready"
    if once_ready:
        check.MARK.touch()
    server.answers[path] = status
    assert check.main() == f"{path}: expected 200, received {status}"


def test_refused_connection_fails_with_the_reason(check: Any, server: Server) -> None:
    with socket.socket() as bound:  # without listening: it refuses, and nobody else gets the port
        bound.bind(("127.0.0.1", 0))
        server.server_port = bound.getsockname()[1]
        assert "refused" in check.main()
    assert not check.MARK.exists()


def test_silence_fails_with_the_reason(check: Any, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "TIMEOUT", 0.1)
    server.answers["/health/ready"] = None
    assert check.main() == "/health/ready: timed out"


def test_answer_that_is_no_http_fails_with_the_reason(check: Any, server: Server) -> None:
    server.answers["/health/ready"] = -1
    assert check.main().startswith("/health/ready: ")
