from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.room import connected, hears, new_room, say

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Page


@pytest.mark.parametrize(
    ("locale", "lang", "opens", "state"),
    [("en-GB", "en", "Open", "Connected"), ("zh-CN", "zh-Hans", "进入", "已连接")],
)
def test_the_pages_speak_the_browsers_language(
    visitor: Callable[..., Page], locale: str, lang: str, opens: str, state: str
) -> None:
    page = visitor("/", locale=locale)
    expect(page.locator("html")).to_have_attribute("lang", lang)
    page.locator("input[name=room_name]").fill("test-language")
    page.get_by_role("button", name=opens, exact=True).click()
    connected(page)
    expect(page.locator("#state")).to_have_text(state)


def test_a_browser_of_neither_language_gets_english(visitor: Callable[..., Page]) -> None:
    expect(visitor("/", locale="fi-FI").locator("html")).to_have_attribute("lang", "en")


def test_a_chinese_conversation(visitor: Callable[..., Page], screenshots: Path) -> None:
    page = connected(visitor(new_room(), locale="zh-CN", color_scheme="dark"))
    say(page, "大家好,我来了。")
    hears(page, "大家好,我来了。")
    page.screenshot(path=screenshots / "room-chinese.png")
