"""Days, between the messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from tests.browser.room import connected, hears, new_room, speaker
from tests.browser.wire import Wire

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from tests.stack.clone import Clone

DAY = 24 * 60 * 60 * 1000  # milliseconds


class Backdating(Wire):
    """The first two messages of a history were sent two days ago, the third yesterday."""

    def __init__(self) -> None:
        super().__init__()
        self.down = self.backdate

    def backdate(self, said: dict[str, Any]) -> dict[str, Any]:
        for message, days in zip(said.get("messages", []), (2, 2, 1), strict=False):
            message["sent_at"] -= days * DAY
        return said


@pytest.mark.parametrize(("locale", "yesterday", "today"), [("en-GB", "Yesterday", "Today"), ("zh-CN", "昨天", "今天")])
def test_a_day_is_named_where_it_begins(
    visitor: Callable[..., Page], stack: Clone, locale: str, yesterday: str, today: str
) -> None:
    room = new_room()
    with speaker(stack, room) as other:
        other.say("first", "second", "third", "fourth", "fifth")
        page = connected(visitor(room, wire=Backdating(), locale=locale))
        hears(page, "fifth")
        days = page.locator("#entries .day")
        expect(days).to_have_count(3)
        two_days_ago = page.evaluate(
            "locale => new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'long' })"
            ".format(Date.now() - 2 * 864e5)",
            locale,
        )
        expect(days.nth(0)).to_contain_text(two_days_ago)
        expect(days.nth(1)).to_have_text(yesterday)
        expect(days.nth(2)).to_have_text(today)
        expect(page.locator("#entries .said", has=page.locator(".day"))).to_contain_text(["first", "third", "fourth"])


def test_at_midnight_today_becomes_yesterday(visitor: Callable[..., Page], stack: Clone) -> None:
    room = new_room()
    page = connected(visitor(room))
    with speaker(stack, room) as other:
        other.say("before midnight")
        expect(page.locator("#entries .day")).to_have_text("Today")
        page.clock.set_fixed_time(page.evaluate("Date.now() / 1000 + 86_400"))
        other.say("whatever makes the page write")
        expect(page.locator("#entries .day")).to_have_text("Yesterday")
