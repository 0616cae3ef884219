"""After a lost connection: what is missing is said, and only then."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from playwright.sync_api import expect

from tests.browser.room import connected, hears, new_room, scroll_to_start, speaker, word
from tests.browser.wire import Wire

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from tests.stack.clone import Clone


def texts(page: Page) -> list[str]:
    return page.locator("#entries :is(.text, .gap)").all_inner_texts()


def away(page: Page, wire: Wire, meanwhile: Callable[[], None]) -> None:
    wire.refuses = True
    wire.cut()
    expect(page.locator("#room")).to_have_attribute("data-state", "waiting")
    meanwhile()
    wire.refuses = False
    connected(page)


def test_what_was_said_meanwhile_is_replayed_and_nothing_is_said_about_it(
    visitor: Callable[..., Page], stack: Clone, look: dict[str, Any]
) -> None:
    room, wire = new_room(), Wire()
    page = connected(visitor(room, wire=wire, **look))
    with speaker(stack, room) as other:
        other.say("before")
        hears(page, "before")
        away(page, wire, lambda: other.say(*map(str, range(150))))
        hears(page, "149")
        assert texts(page) == ["before", *map(str, range(150))]


def test_what_may_be_missing_is_said_and_the_latest_is_loaded(
    visitor: Callable[..., Page], stack: Clone, look: dict[str, Any]
) -> None:
    """The room says `recovered: false`, as it does when its log does not reach back."""
    room, wire = new_room(), Wire()
    page = connected(visitor(room, wire=wire, **look))

    wire.down = lambda said: said | {"recovered": False} if said["type"] == "welcome" else said
    missed = [f"missed {count}" for count in range(60)]
    with speaker(stack, room) as other:
        other.say("before")
        hears(page, "before")
        away(page, wire, lambda: other.say(*missed))
        hears(page, missed[-1])
        gap, *shown = texts(page)
        assert gap == word(page, "gap")
        assert shown == ["before", *missed][-len(shown) :]
        scroll_to_start(page)
        hears(page, "before")


def test_a_new_epoch_goes_on_below_what_was_read(visitor: Callable[..., Page], stack: Clone) -> None:
    room, wire = new_room(), Wire()
    page = connected(visitor(room, wire=wire))
    with speaker(stack, room) as other:
        other.say("one", "two")
        hears(page, "two")
        wire.tell_page({"type": "welcome", "room": "x", "name": "x", "worker": "x", "epoch": "new", "offset": 2,
                        "members": 2, "recovered": False})  # fmt: skip
        expect(page.locator("#entries .gap")).to_have_text(word(page, "gap"))
        other.say("three")
        hears(page, "three")
        assert texts(page) == ["one", "two", word(page, "gap"), "one", "two", "three"]
