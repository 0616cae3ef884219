"""What came while nobody looked."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from playwright.sync_api import expect

from tests.browser.room import connected, hears, look_away, new_room, say, scroll_to_start, speaker, word

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from tests.stack.clone import Clone


def test_a_page_that_nobody_looks_at_counts_in_its_title_and_marks_where_the_new_begins(
    visitor: Callable[..., Page], stack: Clone, look: dict[str, Any]
) -> None:
    room = new_room()
    page = connected(visitor(room, **look))
    title = page.title()
    with speaker(stack, room) as other:
        other.say("seen")
        hears(page, "seen")
        look_away(page)
        other.say("one", "two")
        expect(page).to_have_title(f"(2) {title}")
        look_away(page, hidden=False)
        expect(page).to_have_title(title)
        marker = page.locator("#entries .marker")
        expect(marker).to_have_text(word(page, "marker"))
        assert page.evaluate(
            "[...document.querySelectorAll('#entries > :is(.said, .marker)')]"
            ".map(node => node.querySelector('.text')?.textContent ?? 'marker')"
        ) == ["seen", "marker", "one", "two"]
        look_away(page)
        other.say("three")
        expect(page).to_have_title(f"(1) {title}")
        expect(marker).to_have_count(1)
        expect(page.locator("#entries .marker + .said")).to_contain_text("three")
        look_away(page, hidden=False)
        say(page, "answered")
        expect(marker).to_have_count(0)


def test_who_reads_further_up_is_told_of_new_messages_and_led_to_them(
    visitor: Callable[..., Page], stack: Clone, look: dict[str, Any]
) -> None:
    room = new_room()
    page = connected(visitor(room, **look))
    with speaker(stack, room) as other:
        other.say(*(f"line {number}" for number in range(50)))
        hears(page, "line 49")
        scroll_to_start(page)
        expect(page.locator("#entries .said").first).to_be_in_viewport()
        other.say("news")
        newer = page.locator("#newer")
        expect(newer).to_have_text(word(page, "newer", count=1))
        assert not re.match(r"\(\d+\)", page.title())  # the page is in view
        newer.click()
        expect(newer).to_be_hidden()
        expect(page.locator("#entries .marker + .said")).to_contain_text("news")
        expect(page.locator("#entries .said").last).to_be_in_viewport()


def test_ones_own_message_is_no_news(visitor: Callable[..., Page]) -> None:
    page = connected(visitor(new_room()))
    title = page.title()
    page.locator("#text").fill("mine")
    look_away(page)
    page.keyboard.press("Enter")
    hears(page, "mine")
    expect(page.locator("#entries .own .outcome")).to_be_visible()
    expect(page).to_have_title(title)
    expect(page.locator("#entries .marker")).to_have_count(0)
