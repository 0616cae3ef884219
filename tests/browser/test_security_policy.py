from __future__ import annotations

from typing import TYPE_CHECKING

from tests.browser.room import connected, hears, new_room, say

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page


def test_what_somebody_says_never_becomes_html(visitor: Callable[..., Page]) -> None:
    page = connected(visitor(new_room()))
    say(page, "<img src=x onerror=document.title='owned'><b>bold</b>")
    hears(page, "<b>bold</b>")
    assert page.locator("#entries img, #entries b").count() == 0


def test_the_pages_allow_no_inline_script(visitor: Callable[..., Page]) -> None:
    page = visitor("/")
    page.evaluate(
        "() => { const s = document.createElement('script');"
        " s.textContent = 'window.ran = true'; document.head.append(s); }"
    )
    assert page.evaluate("window.ran") is None
