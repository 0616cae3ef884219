"""One's own messages: on their way, sent, failed and sent again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from tests.browser.room import connected, hears, new_room, said, say, until, word
from tests.browser.wire import Wire

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page


class Waiting(Wire):
    """Keeps what the page sends until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[dict[str, Any]] = []
        self.up = self.keep

    def keep(self, sent: dict[str, Any]) -> dict[str, Any] | None:
        if sent["type"] != "send":
            return sent
        self.kept.append(sent)
        return None


def test_a_message_is_on_its_way_until_the_room_has_it(visitor: Callable[..., Page], look: dict[str, Any]) -> None:
    room, wire = new_room(), Waiting()
    page, other = connected(visitor(room, wire=wire, **look)), connected(visitor(room))
    say(page, "hello")
    outgoing = page.locator("#outbox .said")
    expect(outgoing).to_contain_text("hello")
    expect(outgoing.locator(".outcome")).to_have_text(word(page, "sending"))
    expect(page.locator("#text")).to_have_value("")
    wire.tell_server(wire.kept[0])
    hears(other, "hello")
    expect(said(page, "hello")).to_have_count(1)
    expect(outgoing).to_have_count(0)
    expect(said(page, "hello").locator(".name")).to_have_text(word(page, "you"))
    expect(said(page, "hello").locator(".outcome")).to_have_text(word(page, "sent"))


@pytest.mark.parametrize("late", ["ack", "message"])
def test_whichever_comes_first_a_message_and_its_acknowledgement_are_one(
    visitor: Callable[..., Page], late: str
) -> None:
    wire = Wire()
    kept: list[dict[str, Any]] = []

    def keep(content: dict[str, Any]) -> dict[str, Any] | None:
        if content["type"] != late:
            return content
        kept.append(content)
        return None

    wire.down = keep
    page = connected(visitor(new_room(), wire=wire))
    say(page, "once")
    until(page, lambda: kept, f"the {late} from the server")
    wire.tell_page(kept[0])
    expect(page.locator("#entries .own .outcome")).to_have_text(word(page, "sent"))
    expect(page.locator("#outbox .said")).to_have_count(0)
    assert page.get_by_text("once", exact=True).count() == 1


def test_a_failed_message_says_why_and_can_be_sent_again(visitor: Callable[..., Page], look: dict[str, Any]) -> None:
    wire = Waiting()
    page = connected(visitor(new_room(), wire=wire, **look))
    say(page, "refused at first")
    failed = page.locator("#outbox .said")
    expect(failed.locator(".outcome")).to_have_text(word(page, "sending"))
    wire.tell_page({"type": "error", "code": "forbidden", "detail": "no", "ref": wire.kept[0]["ref"]})
    expect(failed).to_contain_text(word(page, "failed", reason=word(page, "failed_forbidden")))
    wire.up = lambda sent: sent
    failed.get_by_role("button", name=word(page, "again")).click()
    expect(said(page, "refused at first")).to_have_count(1)
    expect(failed).to_have_count(0)


def test_a_failed_message_can_be_discarded(visitor: Callable[..., Page]) -> None:
    """A lone surrogate is what the server itself refuses."""
    page = connected(visitor(new_room()))
    page.locator("#text").evaluate("node => { node.value = 'half a character: \\ud83d'; }")
    page.locator("#send").click()
    failed = page.locator("#outbox .said")
    expect(failed).to_contain_text(word(page, "failed_malformed"))
    failed.get_by_role("button", name=word(page, "drop")).click()
    expect(failed).to_have_count(0)
    say(page, "goes on")
    hears(page, "goes on")


def test_a_message_whose_socket_was_lost_on_the_way_is_in_the_room_once(visitor: Callable[..., Page]) -> None:
    """The server has taken it, and the page does not know: it sends again, with the same ref."""
    room, wire = new_room(), Wire()
    wire.down = lambda said: None if said["type"] in {"ack", "message"} else said
    page, other = connected(visitor(room, wire=wire)), connected(visitor(room))
    say(page, "only once")
    hears(other, "only once")
    wire.down = lambda said: said
    wire.cut()
    expect(said(page, "only once").locator(".outcome")).to_have_text(word(page, "sent"))
    say(page, "after it")
    hears(other, "after it")
    for each in (page, other):
        expect(said(each, "only once")).to_have_count(1)
    expect(page.locator("#entries .gap")).to_have_count(0)
