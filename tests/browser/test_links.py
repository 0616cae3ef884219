"""Links in what is said, and that nothing else becomes more than text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from playwright.sync_api import expect

from tests.browser.room import connected, hears, named, new_room, said, say, speaker

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from tests.stack.clone import Clone

HOSTILE = [
    "<img src=x onerror=document.title='owned'>",
    "<script>document.title='owned'</script>",
    "https://a.example/\"onmouseover=\"document.title='owned'",
    "https://a.example/'><svg/onload=document.title='owned'>",
    "javascript:document.title='owned'",
    "JAVASCRIPT://a.example/%0adocument.title='owned'",
    "data:text/html,<script>document.title='owned'</script>",
    "&lt;b&gt; &#60;b&#62;",
    "${document.title='owned'} {{7*7}} {name}",
]


def test_an_address_is_a_link_that_gives_nothing_away(visitor: Callable[..., Page], look: dict[str, Any]) -> None:
    page = connected(visitor(new_room(), **look))
    say(page, "看https://example.com/a_(b)?c=d。And (http://example.org/), too.")
    links = said(page, "And").locator("a")
    expect(links).to_have_text(["https://example.com/a_(b)?c=d", "http://example.org/"])
    for link in links.all():
        expect(link).to_have_attribute("href", link.inner_text())
        expect(link).to_have_attribute("rel", "noopener noreferrer nofollow")
        expect(link).to_have_attribute("target", "_blank")
    hears(page, "看https://example.com/a_(b)?c=d。And (http://example.org/), too.")


def test_what_is_said_or_what_somebody_is_called_never_becomes_html(
    visitor: Callable[..., Page], stack: Clone, look: dict[str, Any]
) -> None:
    room = new_room()
    page = named(connected(visitor(room, **look)), "<b onclick=alert(1)>Ann")
    title = page.title()
    with speaker(stack, room, "<img src=x onerror=alert(1)>") as other:
        other.say(*HOSTILE)
        other.types()
        expect(page.locator("#typing")).to_contain_text("<img src=x onerror=alert(1)>")
        page.locator("#people").click()
        expect(page.locator("#members")).to_contain_text("<img src=x onerror=alert(1)>")
    expect(page.locator("#entries .text")).to_have_text(HOSTILE)
    assert page.title() == title
    assert page.locator(":is(#entries, #members, #typing, #name) :is(img, svg, script, b)").count() == 0
    addresses = page.locator("#entries a").evaluate_all("links => links.map(link => link.href)")
    assert addresses == ["https://a.example/", "https://a.example/"]
    inline = (
        "[...document.querySelectorAll('#room *')].flatMap(n => n.getAttributeNames()).filter(a => a.startsWith('on'))"
    )
    assert page.evaluate(inline) == []
