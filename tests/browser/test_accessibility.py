from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.browser.room import connected, hears, new_room, say

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page


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
