"""Reading what was said before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from playwright.sync_api import expect

from tests.browser.room import connected, hears, new_room, said, say, scroll_to_end, scroll_to_start, speaker, word

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Locator, Page

    from tests.stack.clone import Clone


def number(count: int) -> str:
    return f"message {count:04}."


def top(node: Locator) -> float:
    return float(node.evaluate("node => node.querySelector('.text').getBoundingClientRect().top"))


def numbers(page: Page) -> list[str]:
    return page.locator("#entries .text").all_inner_texts()


def test_who_comes_later_sees_the_latest_and_reads_back_to_the_beginning(
    visitor: Callable[..., Page], stack: Clone, look: dict[str, Any]
) -> None:
    room = new_room()
    with speaker(stack, room) as other:
        other.say(*map(number, range(1, 121)))
        page = connected(visitor(room, **look))
        hears(page, number(120))
        assert numbers(page) == [number(count) for count in range(71, 121)]
        expect(said(page, number(120))).to_be_in_viewport()
        for oldest in (21, 1):
            scroll_to_start(page)
            hears(page, number(oldest))
        assert numbers(page) == [number(count) for count in range(1, 121)]
        expect(page.locator("#earlier")).to_be_hidden()
        expect(page.locator("#start")).to_be_visible()


def test_what_is_read_stays_where_it_is_while_earlier_and_new_messages_come(
    visitor: Callable[..., Page], stack: Clone, look: dict[str, Any]
) -> None:
    room = new_room()
    with speaker(stack, room) as other:
        other.say(*map(number, range(1, 121)))
        page = connected(visitor(room, **look))
        hears(page, number(120))
        reading = said(page, number(71))
        scroll_to_start(page)
        before = top(reading)
        hears(page, number(21))
        # The day stood above it, and now stands above the first of the earlier ones.
        assert abs(top(reading) - before) < 1
        other.say(number(121))
        expect(page.locator("#newer")).to_have_text(word(page, "newer", count=1))
        assert abs(top(reading) - before) < 1


def test_earlier_messages_can_be_asked_for_by_keyboard(visitor: Callable[..., Page], stack: Clone) -> None:
    room = new_room()
    with speaker(stack, room) as other:
        other.say(*map(number, range(1, 61)))
        page = connected(visitor(room))
        hears(page, number(60))
        page.locator("#earlier").focus()
        page.keyboard.press("Enter")
        hears(page, number(1))
        assert page.evaluate("document.activeElement.id") == "log"


def test_a_page_holds_so_many_messages_and_loads_the_others_again(visitor: Callable[..., Page], stack: Clone) -> None:
    room, last = new_room(), 570
    for first in range(1, last, 190):
        with speaker(stack, room) as other:  # each has a rate of its own
            other.say(*map(number, range(first, first + 190)))
    page = connected(visitor(room))
    hears(page, number(last))
    for oldest in [*range(last - 99, 0, -50), 1]:
        scroll_to_start(page)
        hears(page, number(oldest))
    assert numbers(page) == [number(count) for count in range(1, 501)]
    # Downwards, without a hole, until the end follows again.
    for newest in (550, last):
        scroll_to_end(page)
        hears(page, number(newest))
    assert numbers(page) == [number(count) for count in range(71, last + 1)]
    with speaker(stack, room) as other:
        scroll_to_end(page)
        expect(page.locator("#newer")).to_be_hidden()
        other.say("live again")
        expect(said(page, "live again")).to_be_in_viewport()


def test_from_far_back_one_leap_leads_to_the_newest(visitor: Callable[..., Page], stack: Clone) -> None:
    room, last = new_room(), 570
    for first in range(1, last, 190):
        with speaker(stack, room) as other:
            other.say(*map(number, range(first, first + 190)))
    page = connected(visitor(room))
    hears(page, number(last))
    for oldest in [*range(last - 99, 0, -50), 1]:
        scroll_to_start(page)
        hears(page, number(oldest))
    expect(page.locator("#newer")).to_have_text(word(page, "toNewest"))
    page.locator("#newer").click()
    expect(said(page, number(last))).to_be_in_viewport()
    assert numbers(page) == [number(count) for count in range(last - 49, last + 1)]


def test_writing_while_reading_back_leads_to_the_newest(visitor: Callable[..., Page], stack: Clone) -> None:
    room = new_room()
    with speaker(stack, room) as other:
        other.say(*map(number, range(1, 121)))
        page = connected(visitor(room))
        hears(page, number(120))
        scroll_to_start(page)
        hears(page, number(21))
        say(page, "my answer")
        expect(said(page, "my answer")).to_be_in_viewport()
