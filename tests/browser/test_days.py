"""Days, between the messages."""

from __future__ import annotations

from itertools import chain, repeat
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from tests.browser.room import connected, hears, load, new_room, speaker
from tests.browser.wire import Wire

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from tests.stack.clone import Clone

DAY = 24 * 60 * 60 * 1000  # milliseconds
NOON = 1_773_316_800_000  # of 12 March 2026, so that no midnight comes between


class Dated(Wire):
    """The first two messages of a history were sent two days before, the third the day before, all others at noon."""

    def __init__(self) -> None:
        super().__init__()
        self.down = self.date

    def date(self, said: dict[str, Any]) -> dict[str, Any]:
        if "sent_at" in said:
            said["sent_at"] = NOON
        for message, days in zip(said.get("messages", []), chain((2, 2, 1), repeat(0)), strict=False):
            message["sent_at"] = NOON - days * DAY
        return said


def at_noon(visitor: Callable[..., Page], room: str, **options: Any) -> Page:
    page = visitor("/", wire=Dated(), **options)
    page.clock.set_fixed_time(NOON / 1000)
    return connected(load(page, room))


@pytest.mark.parametrize(("locale", "yesterday", "today"), [("en-GB", "Yesterday", "Today"), ("zh-CN", "昨天", "今天")])
def test_a_day_is_named_where_it_begins(
    visitor: Callable[..., Page], stack: Clone, locale: str, yesterday: str, today: str
) -> None:
    room = new_room()
    with speaker(stack, room) as other:
        other.say("first", "second", "third", "fourth", "fifth")
        page = at_noon(visitor, room, locale=locale)
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
    page = at_noon(visitor, room)
    with speaker(stack, room) as other:
        other.say("before midnight")
        expect(page.locator("#entries .day")).to_have_text("Today")
        page.clock.set_fixed_time((NOON + DAY) / 1000)
        other.say("whatever makes the page write")
        expect(page.locator("#entries .day")).to_have_text("Yesterday")
