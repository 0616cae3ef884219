"""Visitors: headless Chromium on the published port of the shared stack."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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


@pytest.fixture(scope="package")  # its event loop runs all the while, and no other can beside it
def chromium() -> Iterator[Browser]:
    executable = shutil.which("chromium")
    assert executable, "expected Debian's chromium, as tests/Dockerfile installs it"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def visitor(chromium: Browser, stack: Clone) -> Iterator[Callable[..., Page]]:
    """Opens a page in a browser context of its own; at the end, nothing may have gone wrong in any."""
    contexts: list[BrowserContext] = []
    faults: list[str] = []

    def visit(path: str, **options: Any) -> Page:
        options = {"locale": "en-GB", "viewport": DESKTOP} | options
        context = chromium.new_context(base_url=f"http://{stack.host}", **options)
        context.set_default_timeout(MILLISECONDS)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(path)
        return page

    yield visit
    for context in contexts:
        context.close()
    assert faults == []


@pytest.fixture(scope="session")
def screenshots() -> Path:
    """Where pictures go: SCREENSHOTS, as `make screenshots` sets it for README and docs, or a scratch folder."""
    folder = Path(os.environ.get("SCREENSHOTS") or ".state/screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
