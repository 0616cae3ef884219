from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.browser.room import connected, hears, new_room

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page


def focused(page: Page) -> str:
    return str(page.evaluate("document.activeElement.id || document.activeElement.textContent.trim()"))


def test_from_the_first_page_to_a_message_by_keyboard_alone(visitor: Callable[..., Page]) -> None:
    page = visitor("/")
    page.keyboard.type("test-keyboard")
    page.keyboard.press("Enter")
    connected(page)
    page.keyboard.type("first line")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("second line")
    page.keyboard.press("Enter")
    hears(page, "second line")
    expect(page.locator("#text")).to_have_value("")
    assert focused(page) == "text"


def test_a_name_is_chosen_and_the_members_are_read_by_keyboard_alone(visitor: Callable[..., Page]) -> None:
    page = connected(visitor(new_room()))
    page.locator("#name").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#wanted")).to_be_focused()
    page.keyboard.type("Ann")
    page.keyboard.press("Enter")
    expect(page.locator("#name")).to_have_text("Ann")
    assert focused(page) == "text"
    page.locator("#people").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#members")).to_have_text("Ann")
    page.keyboard.press("Escape")
    expect(page.locator("#members")).to_be_hidden()
    assert focused(page) == "people"


def test_every_control_of_a_room_is_reached_and_seen(visitor: Callable[..., Page]) -> None:
    page = connected(visitor(new_room()))
    page.locator("body").evaluate("document.activeElement.blur()")
    seen = set()
    for _ in range(11):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement === document.body"):
            continue  # between the last control and the first
        seen.add(focused(page))
        outline = page.evaluate(
            "(() => { const s = getComputedStyle(document.activeElement);"
            " return s.outlineStyle !== 'none' || s.boxShadow !== 'none'"
            " || getComputedStyle(document.activeElement.parentElement).outlineStyle !== 'none'"
            " || getComputedStyle(document.activeElement.parentElement).boxShadow !== 'none'; })()"
        )
        assert outline, f"no visible focus on {focused(page)!r}"
    assert {"people", "copy", "log", "text", "send", "name"} <= seen
