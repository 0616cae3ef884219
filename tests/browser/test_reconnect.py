from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.browser.room import connected, hears, new_room, say
from tests.stack.clone import WEBSOCKETS
from tests.stack.processes import kill
from tests.stack.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from tests.stack.clone import Clone


def test_a_page_whose_worker_is_killed_says_so_keeps_the_text_and_loses_no_message(
    visitor: Callable[..., Page], stack: Clone
) -> None:
    page = connected(visitor(new_room()))
    say(page, "before")
    hears(page, "before")
    page.locator("#text").fill("only begun")
    kill(stack.containers(WEBSOCKETS))
    expect(page.locator("#state")).to_contain_text("trying again")
    expect(page.locator("#text")).to_have_value("only begun")
    say(page, "written while nobody listens")
    # No worker at all for some seconds, and the page's delays double up to 15 s meanwhile.
    expect(page.locator("#room")).to_have_attribute("data-state", "connected", timeout=60_000)
    hears(page, "written while nobody listens")
    expect(page.locator("#entries .text")).to_have_text(["before", "written while nobody listens"])
    expect(page.locator("#entries .gap")).to_have_count(0)
    wait_until(
        lambda: all(c["State"]["Health"]["Status"] == "healthy" for c in stack.containers(WEBSOCKETS)),
        60,
        "healthy workers for the tests that follow",
    )
