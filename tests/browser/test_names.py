"""A visitor's name: chosen, remembered, refused, given up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from tests.browser.room import connected, hears, load, named, new_room, said, say, word
from tests.browser.wire import Wire

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page, WebSocketRoute


def test_without_a_choice_the_server_makes_a_name(visitor: Callable[..., Page]) -> None:
    page = connected(visitor(new_room()))
    expect(page.locator("#name")).to_contain_text("guest-")


def test_others_read_the_chosen_name_and_the_browser_remembers_it(
    visitor: Callable[..., Page], look: dict[str, Any]
) -> None:
    room = new_room()
    page, other = connected(visitor(room, **look)), connected(visitor(room))
    named(page, "安妮 Ann")
    say(page, "it is me")
    hears(other, "it is me")
    expect(said(other, "it is me").locator(".name")).to_have_text("安妮 Ann")
    load(page)
    expect(page.locator("#name")).to_have_text("安妮 Ann")


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("x" * 41, "nameLong"),
        ("Server room", "nameReserved"),
        ("a说:b", "nameReserved"),
        ("a\u202eb", "nameCharacters"),
    ],
)
def test_a_name_that_cannot_be_is_refused_beside_it(visitor: Callable[..., Page], name: str, fault: str) -> None:
    page = connected(visitor(new_room()))
    page.locator("#name").click()
    page.locator("#wanted").fill(name)
    page.keyboard.press("Enter")
    expect(page.locator("#wrong")).to_have_text(word(page, fault))
    page.keyboard.press("Escape")
    expect(page.locator("#name")).to_contain_text("guest-")


def test_a_name_that_the_server_refuses_is_dropped_and_the_page_works_again(visitor: Callable[..., Page]) -> None:
    class Choosy(Wire):
        def _opened(self, socket: WebSocketRoute) -> None:
            if "name=Ann" in socket.url:
                socket.close(code=4400)
            else:
                super()._opened(socket)

    page = connected(visitor(new_room(), wire=Choosy()))
    page.locator("#name").click()
    page.locator("#wanted").fill("Ann")
    page.keyboard.press("Enter")
    expect(page.locator("#wrong")).to_have_text(word(page, "nameRefused"))
    expect(page.locator("#wanted")).to_have_value("Ann")
    page.keyboard.press("Escape")
    connected(page)
    expect(page.locator("#name")).to_contain_text("guest-")
    say(page, "still here")
    hears(page, "still here")


def test_a_name_can_be_given_up(visitor: Callable[..., Page]) -> None:
    page = named(connected(visitor(new_room())), "Ann")
    page.locator("#name").click()
    page.locator("#wanted").fill("")
    page.keyboard.press("Enter")
    expect(page.locator("#name")).to_contain_text("guest-")
