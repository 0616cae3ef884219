from __future__ import annotations

from typing import TYPE_CHECKING

from tests.browser.room import connected, hears, load, new_room, say
from tests.stack.wire import access, served_by

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Page

    from tests.stack.clone import Clone


def sockets_of(page: Page) -> list[str]:
    """The request ids of the sockets that the page opens from now on."""
    ids: list[str] = []
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    session.on(
        "Network.webSocketHandshakeResponseReceived",
        lambda event: ids.append(event["response"]["headers"]["X-Request-ID"]),
    )
    return ids


def test_two_visitors_on_different_workers_read_each_other(
    visitor: Callable[..., Page], stack: Clone, screenshots: Path
) -> None:
    room = new_room()
    first, second = visitor("/"), visitor("/")
    ids = [sockets_of(page) for page in (first, second)]
    for page in (first, second):
        connected(load(page, room))
    say(first, "Hello from the first window")
    say(second, "第二个窗口也听到了 🎉")
    for page in (first, second):
        hears(page, "Hello from the first window")
        hears(page, "第二个窗口也听到了 🎉")
    first.screenshot(path=screenshots / "room.png")
    for page in (first, second):
        page.close()
    entries = access(stack, [seen[0] for seen in ids])
    assert len({served_by(entry) for entry in entries.values()}) == 2
