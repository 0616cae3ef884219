"""What is written while there is no connection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from playwright.sync_api import expect

from tests.browser.room import connected, hears, new_room, say, word
from tests.browser.wire import Wire

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page


def test_what_was_written_while_disconnected_is_sent_once_and_in_order(
    visitor: Callable[..., Page], look: dict[str, Any]
) -> None:
    room, wire = new_room(), Wire()
    page, other = connected(visitor(room, wire=wire, **look)), connected(visitor(room))
    wire.refuses = True
    wire.cut()
    expect(page.locator("#room")).to_have_attribute("data-state", "waiting")
    expect(page.locator("#cut")).to_be_visible()
    for text in ("first", "second", "third"):
        say(page, text)
    expect(page.locator("#outbox .said")).to_have_count(3)
    expect(page.locator("#outbox .outcome").first).to_have_text(word(page, "queued"))
    say(other, "meanwhile")
    hears(other, "meanwhile")
    wire.refuses = False
    connected(page)
    for each in (page, other):
        hears(each, "third")
        expect(each.locator("#entries .text")).to_have_text(["meanwhile", "first", "second", "third"])
    expect(page.locator("#outbox .said")).to_have_count(0)
    expect(page.locator("#entries .gap")).to_have_count(0)
