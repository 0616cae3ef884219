from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.browser.room import connected, hears, load, new_room, say, speaker

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from tests.stack.clone import Clone


def serious(page: Page) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [
        f"{violation['id']}: {[node['html'] for node in violation['nodes']]}"
        for violation in found
        if violation["impact"] in {"serious", "critical"}
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", ["/", "/?room_name=no+spaces", "/nowhere/"])
def test_axe_finds_nothing_serious_on_a_page(visitor: Callable[..., Page], path: str, scheme: str) -> None:
    assert serious(visitor(path, color_scheme=scheme, bypass_csp=True)) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_in_a_conversation(visitor: Callable[..., Page], scheme: str) -> None:
    page = connected(visitor(new_room(), color_scheme=scheme, bypass_csp=True))
    say(page, "hello")
    hears(page, "hello")
    assert serious(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_in_what_opens_and_what_fails(visitor: Callable[..., Page], scheme: str) -> None:
    page = connected(visitor(new_room(), color_scheme=scheme, bypass_csp=True))
    say(page, "sent")
    hears(page, "sent")
    page.locator("#text").evaluate("node => { node.value = 'refused: \\ud83d'; }")
    page.locator("#send").click()
    expect(page.locator("#outbox [role=alert]")).to_be_visible()
    assert serious(page) == []
    for button, dialog in (("#people", "#who"), ("#name", "#naming")):
        page.locator(button).click()
        expect(page.locator(dialog)).to_be_visible()
        assert serious(page) == []
        page.keyboard.press("Escape")


def test_what_is_loaded_is_no_news_to_a_screen_reader(visitor: Callable[..., Page], stack: Clone) -> None:
    """Fifty messages at once are not read out; what is said from then on is."""
    room = new_room()
    with speaker(stack, room) as other:
        other.say(*map(str, range(60)))
        page = visitor("/")
        page.add_init_script(
            "addEventListener('DOMContentLoaded', () => {"
            " const log = document.getElementById('log'); window.heard = [];"
            " new MutationObserver(changes => changes.forEach(change => change.addedNodes.forEach(node => {"
            "  if (log.ariaLive !== 'off') window.heard.push(node.querySelector?.('.text')?.textContent); })))"
            " .observe(document.getElementById('entries'), { childList: true }); })"
        )
        load(page, room)
        hears(page, "59")
        expect(page.locator("#log")).not_to_have_attribute("aria-live", "off")
        other.say("news")
        hears(page, "news")
        assert page.evaluate("window.heard") == ["news"]
