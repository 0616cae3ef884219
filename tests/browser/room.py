"""What a visitor does in a room, in terms of the page."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

from playwright.sync_api import expect

if TYPE_CHECKING:
    from playwright.sync_api import Page


def new_room() -> str:
    return f"/chat/test-{uuid4().hex[:12]}/"


def connected(page: Page) -> Page:
    expect(page.locator("#room")).to_have_attribute("data-state", "connected")
    return page


def say(page: Page, text: str) -> None:
    page.locator("#text").fill(text)
    page.keyboard.press("Enter")


def hears(page: Page, text: str) -> None:
    expect(page.locator("#entries")).to_contain_text(text)
