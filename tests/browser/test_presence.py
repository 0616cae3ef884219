"""Who is here, who comes and goes, who is typing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from playwright.sync_api import expect

from tests.browser.room import connected, load, named, new_room, say, speaker, until, word

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from tests.stack.clone import Clone


def plain(text: str) -> str:
    """Without the marks that isolate a name's direction."""
    return text.replace("\u2068", "").replace("\u2069", "")


def test_who_is_here_is_counted_and_listed_and_who_comes_and_goes_is_told(
    visitor: Callable[..., Page], stack: Clone, look: dict[str, Any]
) -> None:
    room = new_room()
    page = named(connected(visitor(room, **look)), "Ann")
    expect(page.locator("#people")).to_have_text(word(page, "here", count=1))
    with speaker(stack, room, "Bob"):
        expect(page.locator("#people")).to_have_text(word(page, "here", count=2))
        expect(page.locator("#entries .presence").last).to_contain_text("Bob")
        page.locator("#people").click()
        expect(page.locator("#members li")).to_have_text(["Ann", "Bob"])
        with speaker(stack, room, "Cid"):
            expect(page.locator("#members li")).to_have_text(["Ann", "Bob", "Cid"])
    expect(page.locator("#members li")).to_have_text(["Ann"])
    page.keyboard.press("Escape")
    expect(page.locator("#members")).to_be_hidden()
    expect(page.locator("#people")).to_have_text(word(page, "here", count=1))
    expect(page.locator("#entries .presence")).to_have_count(1)
    line = plain(page.locator("#entries .presence").inner_text())
    for name in ("joined", "left"):
        said = word(page, name, names="|").split("|")[-1]
        assert said in line


def test_who_loads_the_page_anew_was_never_away(visitor: Callable[..., Page], stack: Clone) -> None:
    room = new_room()
    page, other = connected(visitor(room)), connected(visitor(room))
    name = str(page.locator("#name").inner_text())
    expect(other.locator("#people")).to_have_text(word(other, "here", count=2))
    load(page)
    expect(page.locator("#name")).to_have_text(name)
    with speaker(stack, room, "Cid"):
        expect(other.locator("#entries .presence")).to_contain_text("Cid")
    # Who has left is told after a while: when Cid's leaving is, so would have been the page's.
    expect(other.locator("#entries .presence")).to_contain_text(word(other, "left", names="\u2068Cid\u2069"))
    assert name not in other.locator("#entries").inner_text()


def test_who_is_typing_is_told_until_it_is_said_or_forgotten(
    visitor: Callable[..., Page], stack: Clone, look: dict[str, Any]
) -> None:
    room = new_room()
    page, other = connected(visitor(room, **look)), named(connected(visitor(room)), "Bob")
    line = page.locator("#typing")
    other.locator("#text").press_sequentially("Good m")
    expect(line).to_have_text(word(page, "types", names="\u2068Bob\u2069"))
    expect(other.locator("#typing")).to_be_hidden()  # nobody is told of oneself
    with speaker(stack, room, "Cid") as cid:

        def both_are_shown() -> bool:
            """Each word of it is forgotten after 4 s, so both say it until both are there."""
            other.keyboard.type("o")
            cid.types()
            told = line.inner_text()
            return "Bob" in told and "Cid" in told

        until(page, both_are_shown, "both names", every=500)
        expect(line).not_to_contain_text("Bob")  # 4 s after the last word
        say(other, "hello")
    expect(line).to_be_hidden()
