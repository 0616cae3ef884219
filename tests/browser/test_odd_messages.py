"""One message that cannot be shown as it should be hides none of the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from tests.browser.room import connected, hears, load, new_room, said, say, speaker, word
from tests.browser.wire import Wire

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from tests.stack.clone import Clone

ODD: dict[str, Any] = {
    "no sender": {"sender": None},
    "a sender that is no text": {"sender": {"toString": 1}},
    "no text": {"text": None},
    "a time of another age": {"sent_at": 1e20},
    "a time that is no number": {"sent_at": "yesterday"},
    "nothing": {"sender": None, "text": 7, "sent_at": None, "user": 1, "deleted": 0},
}


class Distorting(Wire):
    """Distorts each message whose text names an odd one, as that one is."""

    def __init__(self) -> None:
        super().__init__()
        self.down = self.distort

    def distort(self, told: dict[str, Any]) -> dict[str, Any]:
        for message in [told, *told.get("messages", [])]:
            message.update(ODD.get(message.get("text", ""), {}))
        return told


@pytest.mark.parametrize("live", [False, True])
def test_a_message_that_cannot_be_shown_hides_no_other(visitor: Callable[..., Page], stack: Clone, live: bool) -> None:
    room = new_room()
    with speaker(stack, room, "Bob") as bob:
        page = connected(visitor(room, wire=Distorting())) if live else None
        for kind in ODD:
            bob.say(f"before {kind}", kind)
        bob.say("last")
        page = page or connected(visitor(room, wire=Distorting()))
        hears(page, "last")
        for kind in ODD:
            expect(said(page, f"before {kind}")).to_have_count(1)
        expect(page.locator("#entries .said")).to_have_count(2 * len(ODD) + 1)
        expect(page.locator("#entries .removed")).to_have_text([word(page, "unshowable")] * 2)
        expect(page.locator("#start")).to_be_visible()  # nothing is loading any more
        say(page, "mine")
        expect(said(page, "mine").locator(".outcome")).to_have_text(word(page, "sent"))


@pytest.mark.parametrize(
    "broken",
    [
        "Intl.DateTimeFormat.prototype.formatToParts = null;"
        " Object.defineProperty(Intl.DateTimeFormat.prototype, 'format', { get() { throw new RangeError('zone'); } })",
        "Intl.DateTimeFormat = Intl.RelativeTimeFormat = Intl.ListFormat = undefined",
        "Object.defineProperty(navigator, 'languages', { get: () => ['en-US@posix'] })",
        "Object.defineProperty(navigator, 'languages', { get: () => undefined })",
        "window.URL = new Proxy(URL, { construct(to, [given, ...more]) {"
        " if (String(given).includes('a.example')) throw new Error('odd'); return new to(given, ...more); } })",
    ],
    ids=["times", "no Intl", "posix", "no languages", "addresses"],
)
def test_a_browser_that_cannot_format_shows_the_messages(
    visitor: Callable[..., Page], stack: Clone, broken: str
) -> None:
    room = new_room()
    with speaker(stack, room, "Bob") as bob:
        bob.say("before", "https://a.example/")
        page = visitor("/")
        page.add_init_script(broken)
        connected(load(page, room))
        hears(page, "before")
        hears(page, "https://a.example/")
        bob.types()
        bob.say("live")
        hears(page, "live")
        say(page, "mine")
        expect(said(page, "mine").locator(".outcome")).to_have_text(word(page, "sent"))
