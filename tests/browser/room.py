"""What a visitor does in a room, in terms of the page."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlencode
from uuid import uuid4

from playwright.sync_api import Error, expect
from websockets.sync.client import connect
from websockets.typing import Subprotocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Locator, Page, Request
    from websockets.sync.client import ClientConnection

    from tests.stack.clone import Clone


NETWORK_CHANGED = "net::ERR_NETWORK_CHANGED"


def load(page: Page, path: str | None = None) -> Page:
    """Goes there, or loads the page again.

    A container that starts beside changes the host's network, and Chromium drops what it is loading: then once more.
    """
    dropped: list[str] = []

    def note(asked: Request) -> None:
        if asked.failure == NETWORK_CHANGED:
            dropped.append(asked.url)

    page.on("requestfailed", note)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        dropped.clear()
        try:
            page.goto(path) if path else page.reload()
        except Error as fault:
            if NETWORK_CHANGED not in fault.message:
                raise
            continue
        if not dropped:
            page.remove_listener("requestfailed", note)
            return page
    raise AssertionError(f"expected a network that rests within 60 s; dropped: {dropped}")


def new_room() -> str:
    return f"/chat/test-{uuid4().hex[:12]}/"


def connected(page: Page) -> Page:
    expect(page.locator("#room")).to_have_attribute("data-state", "connected")
    return page


def say(page: Page, text: str) -> None:
    page.locator("#text").fill(text)
    page.keyboard.press("Enter")


def hears(page: Page, text: str) -> None:
    expect(page.locator("#entries")).to_contain_text(text)


def said(page: Page, text: str) -> Locator:
    """The messages of the conversation that hold `text`."""
    return page.locator("#entries .said", has_text=text)


def word(page: Page, name: str, **places: object) -> str:
    """One of the page's own words, in its language."""
    text = page.evaluate(
        "name => document.querySelector('#texts').content.querySelector(`[data-text=${name}]`).textContent", name
    )
    return str(text).format(**places)


def named(page: Page, name: str) -> Page:
    """Chooses a name."""
    page.locator("#name").click()
    page.locator("#wanted").fill(name)
    page.locator("#naming button").click()
    expect(page.locator("#name")).to_have_text(name)
    return connected(page)


def _scroll(page: Page, to: str) -> None:
    """Until the page has noticed: a scroll event comes with the next frame."""
    page.locator("#log").evaluate(
        f"log => new Promise(done => {{ log.scrollTop = {to};"
        " requestAnimationFrame(() => requestAnimationFrame(() => done())); })"
    )


def scroll_to_start(page: Page) -> None:
    _scroll(page, "0")


def scroll_to_end(page: Page) -> None:
    _scroll(page, "log.scrollHeight")


def until(page: Page, holds: Callable[[], object], what: str, every: int = 20) -> None:
    """Waits, as `expect` does, for what the wire has seen; it speaks while the page is waited for."""
    deadline = time.monotonic() + 15
    while not holds():
        assert time.monotonic() < deadline, f"waited 15 s in vain for {what}"
        page.wait_for_timeout(every)


def look_away(page: Page, *, hidden: bool = True) -> None:
    """As if another tab were in front: headless, none ever is."""
    page.evaluate(
        """hidden => {
            Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
            document.dispatchEvent(new Event("visibilitychange"));
        }""",
        hidden,
    )


class Speaker:
    """A client program in a room."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._refs = 0

    def say(self, *texts: str) -> None:
        """Returns once all of them are in the log."""
        expected = self._refs + len(texts)
        for text in texts:
            self._refs += 1
            self._socket.send(json.dumps({"type": "send", "text": text, "ref": str(self._refs)}))
        while self._acked() != str(expected):
            pass

    def _acked(self) -> str:
        while True:
            for line in str(self._socket.recv(timeout=10)).split("\n"):
                content = json.loads(line)
                assert content["type"] != "error", content
                if content["type"] == "ack":
                    return str(content["ref"])

    def types(self) -> None:
        self._socket.send(json.dumps({"type": "typing"}))


@contextmanager
def speaker(stack: Clone, room: str, name: str = "Speaker") -> Iterator[Speaker]:
    """Somebody else, in the room of a page."""
    address = f"ws://{stack.host}/ws{room}?{urlencode({'name': name, 'client': uuid4().hex})}"
    with connect(address, subprotocols=[Subprotocol("chat.v1")], proxy=None) as socket:
        yield Speaker(socket)
