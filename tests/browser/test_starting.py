"""A page whose script does not run says so, and promises nothing; one that runs needs no new browser."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from tests.browser.room import connected, load, new_room, said, say, until

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page, Route

# What browsers have had only since 2022.
NEWER = """
    delete URL.canParse;
    delete HTMLElement.prototype.popover;
    delete HTMLFormElement.prototype.requestSubmit;
    for (const name of ["ariaLive", "role"]) delete Element.prototype[name];
"""


def says_that_it_has_not_started(page: Page) -> None:
    expect(page.locator("#unstarted")).to_be_visible()
    expect(page.locator("#unstarted a")).to_be_visible()
    for promise in ("#composer", "#cut", "#copy", "#state"):
        expect(page.locator(promise)).to_be_hidden()


def not_found(route: Route) -> None:
    route.fulfill(status=404)


def blocked(route: Route) -> None:
    route.abort()


def unreadable(route: Route) -> None:
    route.fulfill(body="(", content_type="text/javascript")


def broken(route: Route) -> None:
    route.fulfill(body="throw new Error('broken');", content_type="text/javascript")


@pytest.mark.parametrize(
    ("module", "answer"),
    [("links", unreadable), ("room", not_found), ("tab", blocked), ("chat-client", broken)],
)
def test_a_page_that_lost_a_module_says_so_and_promises_nothing(
    visitor: Callable[..., Page], module: str, answer: Callable[[Route], None]
) -> None:
    page = visitor("/", fails=True)
    page.route(f"**/MyChannels/{module}.*js", answer)
    load(page, new_room())
    says_that_it_has_not_started(page)


def test_a_page_whose_browser_has_no_websocket_says_so(visitor: Callable[..., Page]) -> None:
    page = visitor("/", fails=True, locale="zh-CN")
    page.add_init_script("delete window.WebSocket")
    load(page, new_room())
    says_that_it_has_not_started(page)
    expect(page.locator("#unstarted")).to_contain_text("对话尚未开始")


def test_a_page_without_javascript_says_so(visitor: Callable[..., Page]) -> None:
    page = visitor(new_room(), java_script_enabled=False)
    expect(page.locator("noscript p")).to_be_visible()
    expect(page.locator("noscript p")).to_contain_text("needs JavaScript, which is off")
    for promise in ("#composer", "#copy", "#unstarted"):
        expect(page.locator(promise)).to_be_hidden()


def test_a_page_whose_script_comes_late_says_so_until_it_has_come(visitor: Callable[..., Page]) -> None:
    page = visitor("/")
    late: list[Route] = []
    page.route("**/MyChannels/links.*js", lambda route: late.append(route))
    page.goto(new_room(), wait_until="commit")
    until(page, lambda: late, "the request for a module")
    says_that_it_has_not_started(page)
    late[0].continue_()
    connected(page)
    expect(page.locator("#unstarted")).to_have_count(0)
    expect(page.locator("#text")).to_be_focused()


def test_a_browser_of_the_stated_age_has_the_whole_room(visitor: Callable[..., Page], look: dict[str, Any]) -> None:
    page = visitor("/", **look)
    page.add_init_script(NEWER)
    room = new_room()
    connected(load(page, room))
    say(page, "see https://a.example/b.")
    expect(said(page, "see").locator("a")).to_have_attribute("href", "https://a.example/b")
    popover = page.locator("#naming")
    expect(popover).to_be_hidden()
    page.locator("#name").click()
    expect(page.locator("#wanted")).to_be_focused()
    page.locator("#wanted").fill("Ann")
    page.keyboard.press("Enter")
    expect(popover).to_be_hidden()
    expect(page.locator("#name")).to_have_text("Ann")
    page.locator("#people").click()
    expect(page.locator("#members")).to_have_text("Ann")
    page.keyboard.press("Escape")
    expect(page.locator("#members")).to_be_hidden()
    page.locator("#people").click()
    page.locator("#who button").click()
    expect(page.locator("#members")).to_be_hidden()
    page.locator("#people").click()
    page.locator("#log").click(position={"x": 5, "y": 5})
    expect(page.locator("#members")).to_be_hidden()
