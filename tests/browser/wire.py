"""What lies between a page's socket and the server, where a test can disturb it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page, WebSocketRoute

    Object = dict[str, Any]


def objects(frame: str | bytes) -> list[Object]:
    return [json.loads(line) for line in str(frame).split("\n")]


class Wire:
    """Passes everything on, until told otherwise.

    `up` and `down` see each object that the page and the server send, and answer what takes its
    place: itself, something else, or None.
    """

    def __init__(self) -> None:
        self.up: Callable[[Object], Object | None] = lambda sent: sent
        self.down: Callable[[Object], Object | None] = lambda said: said
        self.refuses = False
        self.addresses: list[str] = []
        self._page: WebSocketRoute | None = None
        self._server: WebSocketRoute | None = None

    def attach(self, page: Page) -> None:
        page.route_web_socket("**/ws/chat/**", self._opened)

    def _opened(self, socket: WebSocketRoute) -> None:
        self.addresses.append(socket.url)
        if self.refuses:
            socket.close(code=1012)
            return
        server = socket.connect_to_server()
        self._page, self._server = socket, server
        socket.on_message(lambda frame: self._pass(frame, server, self.up))
        server.on_message(lambda frame: self._pass(frame, socket, self.down))

    def _pass(self, frame: str | bytes, to: WebSocketRoute, change: Callable[[Object], Object | None]) -> None:
        for content in objects(frame):
            if (changed := change(content)) is not None:
                to.send(json.dumps(changed))

    def tell_page(self, content: Object) -> None:
        assert self._page
        self._page.send(json.dumps(content))

    def tell_server(self, content: Object) -> None:
        assert self._server
        self._server.send(json.dumps(content))

    def cut(self, code: int = 1012) -> None:
        """The connection is lost; the page may come back unless `refuses`."""
        assert self._page
        assert self._server
        self._page.close(code=code)
        self._server.close()
