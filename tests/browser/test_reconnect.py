from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.room import connected, hears, load, new_room, said, say, until, word
from tests.browser.wire import Wire
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


@pytest.mark.parametrize("code", [1000, 1001])
def test_a_socket_that_the_server_ends_normally_is_a_lost_connection(visitor: Callable[..., Page], code: int) -> None:
    """A day's end, a proxy, or a consumer's own `close()`: the page said no goodbye."""
    room, wire = new_room(), Wire()
    page, other = connected(visitor(room, wire=wire)), connected(visitor(room))
    wire.refuses = True
    wire.cut(code=code)
    expect(page.locator("#state")).to_contain_text("trying again")
    say(page, "written meanwhile")
    wire.refuses = False
    hears(other, "written meanwhile")
    connected(page)
    expect(said(page, "written meanwhile")).to_have_count(1)


def test_a_reader_whose_login_has_ended_sees_so_and_goes_on_by_a_click(visitor: Callable[..., Page]) -> None:
    wire = Wire()
    page = connected(visitor(new_room(), wire=wire))
    wire.cut(code=4401)
    expect(page.locator("#state")).to_have_text(word(page, "closed4401"))
    page.locator("#retry").click()
    connected(page)
    expect(page.locator("#retry")).to_be_hidden()
    say(page, "as a guest")
    hears(page, "as a guest")


def test_a_device_that_says_it_is_offline_delays_the_page_and_does_not_stop_it(
    visitor: Callable[..., Page],
) -> None:
    room, wire = new_room(), Wire()
    page = visitor("/", wire=wire)
    page.add_init_script("Object.defineProperty(navigator, 'onLine', { get: () => false })")
    page.clock.install()
    connected(load(page, room))
    wire.refuses = True
    wire.cut()
    expect(page.locator("#state")).to_have_text(word(page, "offline"))
    expect(page.locator("#retry")).to_be_visible()
    say(page, "written meanwhile")
    attempts = len(wire.addresses)
    page.clock.run_for(15_000)
    until(page, lambda: len(wire.addresses) > attempts, "an attempt in spite of the device")
    wire.refuses = False
    expect(page.locator("#room")).to_have_attribute("data-state", "offline")
    page.clock.run_for(15_000)
    connected(page)
    hears(page, "written meanwhile")


def test_a_page_that_still_hears_the_room_is_not_offline(visitor: Callable[..., Page]) -> None:
    """A device may say `offline` and never take it back: the socket knows better."""
    room, wire = new_room(), Wire()
    page, other = connected(visitor(room, wire=wire)), connected(visitor(room))
    wire.down = lambda told: None if told["type"] == "pong" else told
    page.evaluate("dispatchEvent(new Event('offline'))")
    expect(page.locator("#state")).to_have_text(word(page, "offline"))
    say(other, "still here")
    hears(page, "still here")
    connected(page)
    wire.down = lambda told: told
    page.evaluate("dispatchEvent(new Event('offline'))")
    connected(page)  # by the answer to its question
