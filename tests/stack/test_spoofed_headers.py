"""What a client claims about itself and its way here reaches no application."""

import asyncio
import json
from typing import Any

import pytest

from tests.stack.clone import Clone
from tests.stack.wire import access, open_socket, request

SPOOFED = [
    ("X-Forwarded-For", "203.0.113.7"),
    ("X-Forwarded-Proto", "https"),
    ("X-Forwarded-Host", "evil.example"),
    ("X-Forwarded-Port", "4711"),
    ("X-Request-ID", "spoofed"),
    ("Forwarded", "for=203.0.113.7;host=evil.example;proto=https"),
    ("Daphne-Root-Path", "/evil"),
    ("Proxy", "http://evil.example"),
    # Django reads an underscore as a hyphen.
    ("X_Forwarded_For", "203.0.113.7"),
    ("X_Forwarded_Proto", "https"),
    ("X_Request_ID", "spoofed"),
    ("Daphne_Root_Path", "/evil"),
]
EVIL = ("203.0.113.7", "evil", "spoofed", "https", "4711")


async def from_page(stack: Clone, headers: list[tuple[str, str]]) -> tuple[str, dict[str, Any]]:
    answer = request(stack, "/own/page", headers)
    return answer.headers["X-Request-ID"], json.loads(answer.body)


async def from_socket(stack: Clone, headers: list[tuple[str, str]]) -> tuple[str, dict[str, Any]]:
    async with open_socket(stack, "/own/socket", additional_headers=headers) as socket, asyncio.timeout(10):
        assert socket.response
        return socket.response.headers["X-Request-ID"], json.loads(await socket.recv())


SOURCES = pytest.mark.parametrize("source", [from_page, from_socket])


@SOURCES
async def test_nothing_spoofed_arrives(stack: Clone, source: Any):
    _, shown = await source(stack, SPOOFED)
    assert not [evil for evil in EVIL if evil in json.dumps(shown)], shown
    assert shown["root_path"] == ""


@SOURCES
@pytest.mark.parametrize("header", SPOOFED, ids=lambda header: header[0])
async def test_one_spoofed_header_changes_nothing_that_arrives(stack: Clone, source: Any, header: tuple[str, str]):
    """A header that is passed on unchanged beside its true value would show here too."""
    _, honest = await source(stack, [])
    _, shown = await source(stack, [header])
    for seen in (honest, shown):
        seen["headers"] = sorted(h for h in seen["headers"] if h[0] not in {"x-request-id", "sec-websocket-key"})
        seen["client"] = seen["client"][0]
        del seen["worker"]
    assert shown == honest


@SOURCES
async def test_what_arrives_is_nginxs_own_word(stack: Clone, source: Any):
    number, shown = await source(stack, SPOOFED)
    entry = access(stack, [number])[number]
    headers = dict(shown["headers"])
    assert shown["client"][0] == headers["x-forwarded-for"] == entry["remote_addr"]
    assert headers["x-forwarded-proto"] == "http"
    assert headers["x-request-id"] == number
    assert headers["host"] == stack.host
    assert len(headers) == len(shown["headers"]), "no header twice"


async def test_django_believes_nginx_alone(stack: Clone):
    number, shown = await from_page(stack, SPOOFED)
    assert shown["host"] == stack.host
    assert shown["secure"] is False
    assert shown["remote"] == access(stack, [number])[number]["remote_addr"]
