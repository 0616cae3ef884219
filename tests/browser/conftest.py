"""Visitors: headless Chromium on the published port of the shared stack."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.browser.room import load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.browser.wire import Wire
    from tests.stack.clone import Clone

# No sandbox: the test container has no user namespaces. The others keep it from calling home.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PHONE = {"width": 360, "height": 740}
DESKTOP = {"width": 1200, "height": 800}
MILLISECONDS = 15_000  # for whatever a visitor waits for


# Journeys are made in both of the pages' languages, on a desk and in a hand.
LOOKS: dict[str, dict[str, Any]] = {
    "english-desktop": {"locale": "en-GB", "viewport": DESKTOP},
    "english-phone": {"locale": "en-GB", "viewport": PHONE, "has_touch": True, "is_mobile": True},
    "chinese-phone": {"locale": "zh-CN", "viewport": PHONE, "has_touch": True, "is_mobile": True},
}


@pytest.fixture(scope="package")  # its event loop runs all the while, and no other can beside it
def chromium() -> Iterator[Browser]:
    executable = shutil.which("chromium")
    assert executable, "expected Debian's chromium, as tests/Dockerfile installs it"
    expect.set_options(timeout=MILLISECONDS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def visitor(chromium: Browser, stack: Clone) -> Iterator[Callable[..., Page]]:
    """Opens a page in a browser context of its own; at the end, nothing may have gone wrong in any.

    A test that breaks the page's script takes `fails` as its own.
    """
    contexts: list[BrowserContext] = []
    faults: list[str] = []

    def visit(path: str, wire: Wire | None = None, *, fails: bool = False, **options: Any) -> Page:
        options = LOOKS["english-desktop"] | options
        context = chromium.new_context(base_url=f"http://{stack.host}", **options)
        context.set_default_timeout(MILLISECONDS)
        contexts.append(context)
        page = context.new_page()
        if not fails:
            page.on("pageerror", lambda error: faults.append(str(error)))
        if wire:
            wire.attach(page)
        return load(page, path)

    yield visit
    for context in contexts:
        context.close()
    assert faults == []


@pytest.fixture(params=LOOKS)
def look(request: pytest.FixtureRequest) -> dict[str, Any]:
    """What a visitor's browser context is like."""
    return LOOKS[request.param]


@pytest.fixture(scope="session")
def screenshots() -> Path:
    """Where pictures go: SCREENSHOTS, as `make screenshots` sets it for README and docs, or a scratch folder."""
    folder = Path(os.environ.get("SCREENSHOTS") or ".state/screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
