"""A connection that has died without a word."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from playwright.sync_api import expect

from tests.browser.room import connected, hears, load, new_room, say, until
from tests.browser.wire import Wire

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page


def test_a_silent_connection_is_noticed_replaced_and_nothing_is_missing(
    visitor: Callable[..., Page], look: dict[str, Any]
) -> None:
    room, wire = new_room(), Wire()
    asked: list[dict[str, Any]] = []
    answered: list[dict[str, Any]] = []

    def up(sent: dict[str, Any]) -> dict[str, Any]:
        if sent["type"] == "ping":
            asked.append(sent)
        return sent

    def down(said: dict[str, Any]) -> dict[str, Any]:
        if said["type"] == "pong":
            answered.append(said)
        return said

    wire.up, wire.down = up, down
    page, other = connected(visitor(room, wire=wire, **look)), connected(visitor(room))
    say(other, "before")
    hears(page, "before")
    page.clock.install()  # from here on the page's time is the test's
    connected(load(page))
    hears(page, "before")
    page.clock.run_for(20_000)
    until(page, lambda: asked, "a ping")
    until(page, lambda: answered, "a pong")
    page.clock.run_for(5_000)
    expect(page.locator("#room")).to_have_attribute("data-state", "connected")  # the server answered
    connections = len(wire.addresses)
    wire.down = lambda said: said if len(wire.addresses) > connections else None
    say(other, "into the silence")
    hears(other, "into the silence")
    page.clock.run_for(26_000)  # 20 s of silence, 5 s for an answer, at most 0.5 s until the next attempt
    until(page, lambda: len(wire.addresses) > connections, "another connection")
    connected(page)
    page.clock.run_for(1_000)
    hears(page, "into the silence")
    expect(page.locator("#entries .gap")).to_have_count(0)
