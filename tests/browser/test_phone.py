from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser.conftest import PHONE
from tests.browser.room import connected, hears, new_room, say

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Page

LONG = "https://example.com/" + "very-long-address/" * 20


def fits(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


@pytest.mark.parametrize("path", ["/", "/?room_name=no+spaces", "/nowhere/"])
def test_a_page_fits_a_phone(visitor: Callable[..., Page], path: str) -> None:
    assert fits(visitor(path, viewport=PHONE, has_touch=True, is_mobile=True))


def test_a_conversation_fits_a_phone_and_its_composer_stays_in_view(
    visitor: Callable[..., Page], screenshots: Path
) -> None:
    page = connected(visitor(new_room(), viewport=PHONE, has_touch=True, is_mobile=True))
    for text in ["One", LONG, *map(str, range(30)), "The last"]:
        say(page, text)
    hears(page, "The last")
    assert fits(page)
    box = page.locator("#send").bounding_box()
    assert box is not None
    assert box["y"] + box["height"] <= PHONE["height"]
    assert min(box["width"], box["height"]) >= 44  # WCAG 2.5.5
    page.screenshot(path=screenshots / "phone.png")
