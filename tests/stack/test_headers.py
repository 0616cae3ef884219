"""A request's headers: how large they may be, and how they reach the application."""

import json
from collections.abc import Callable

import pytest

from tests.stack.clone import Clone
from tests.stack.wire import Answer, Headers, access, handshake, open_socket, request

KIB = 1024
LARGE: list[Headers] = [
    [("Cookie", "sso=" + "x" * 16 * KIB)],
    [("Cookie", "a=" + "x" * 7000), ("Authorization", "Bearer " + "x" * 7000), ("X-Id-Token", "x" * 4000)],
]
TOO_LARGE: Headers = [("Cookie", "sso=" + "x" * 22 * KIB)]


@pytest.mark.parametrize("headers", LARGE, ids=["one", "several"])
def test_a_page_takes_16_kib_of_headers(stack: Clone, headers: Headers):
    assert request(stack, "/", headers).status == 200


@pytest.mark.parametrize("ask", [request, handshake])
def test_headers_that_are_too_large_are_refused_and_the_log_says_why(
    stack: Clone, ask: Callable[[Clone, str, Headers], Answer]
):
    answer = ask(stack, "/ws/chat/headers/", TOO_LARGE)
    assert answer.status == 431
    request_id = answer.headers["X-Request-ID"]
    entry = access(stack, [request_id])[request_id]
    assert (entry["status"], entry["refusal"], entry["worker"]) == (431, "headers above MAX_HEADER_BYTES", "")


COOKIES = [("theme", "dark"), ("sessionid", "abc"), ("csrftoken", "def")]


@pytest.mark.parametrize("cookies", [COOKIES, COOKIES[::-1]])
async def test_cookies_in_several_lines_arrive_in_one(stack: Clone, cookies: Headers):
    """A proxy that speaks HTTP/2 outside may split them (RFC 9113, 8.2.3)."""
    pairs = [f"{name}={value}" for name, value in cookies]
    lines = [("Cookie", pair) for pair in pairs]
    page = json.loads(request(stack, "/own/page", lines).body)
    async with open_socket(stack, "/own/socket", additional_headers=lines) as opened:
        socket = json.loads(await opened.recv())
    for shown in (page, socket):
        assert [value for name, value in shown["headers"] if name == "cookie"] == ["; ".join(pairs)]
