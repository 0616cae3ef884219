"""A pytest plugin: our WebSocket, and our HTTP connection that becomes one, in the place of uvicorn's."""

from __future__ import annotations

import importlib
import socket
from typing import TYPE_CHECKING, Any

import pytest
from uvicorn.protocols.http import httptools_impl
from uvicorn.protocols.websockets import websockets_sansio_impl

from app.servers.uvicorn import HttpProtocol
from app.servers.uvicorn_websocket import WebSocketProtocol

if TYPE_CHECKING:
    from collections.abc import Iterator


class WebSocketsSansIOProtocol(WebSocketProtocol):
    """By stock's name, by which tests skip what its library decides."""


vars(httptools_impl)["HttpToolsProtocol"] = HttpProtocol
vars(websockets_sansio_impl)["WebSocketsSansIOProtocol"] = WebSocketsSansIOProtocol


class Wire:
    """In the place of the tests' own transport, which has no socket: ours writes past its transport to that."""

    opened: list[socket.socket] = []  # noqa: RUF012 - of all

    def __init__(self) -> None:
        self.ours, self.peers = socket.socketpair()
        self.opened += (self.ours, self.peers)
        for end in (self.ours, self.peers):
            end.setblocking(False)
        self.taken = b""
        self.closed = False
        self.reading_paused = False

    @property
    def buffer(self) -> bytes:
        """All that was written."""
        try:
            while part := self.peers.recv(65536):
                self.taken += part
        except BlockingIOError:
            pass
        return self.taken

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return {"socket": self.ours}.get(name, default)

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        self.reading_paused = True

    def resume_reading(self) -> None:
        self.reading_paused = False


def pytest_collection_modifyitems() -> None:
    module: Any = importlib.import_module("tests.protocols.test_websocket")
    module.MockWriteTransport = Wire


@pytest.fixture(autouse=True)
def wires() -> Iterator[None]:
    yield
    while Wire.opened:
        Wire.opened.pop().close()
