"""A room name is a slug of 1 to 80 characters; the application says so, not an nginx list."""

import pytest

from tests.stack.clone import WEBSOCKETS, Clone
from tests.stack.wire import Answer, access, handshake, raw, request

GOOD = {"one": "a", "eighty": "a" * 80, "every kind": "-aZ_09-", "a file's": "index_html"}
BAD = {
    "none": "",
    "eighty-one": "a" * 81,
    "three hundred": "a" * 300,
    "dot": "a.b",
    "dots": "...",
    "encoded dot": "%2e",
    "space": "a%20b",
    "plus": "a+b",
    "slash": "a/b",
    "encoded slash": "a%2Fb",
    "encoded line end": "a%0A",
    "chinese": "%E6%88%BF%E9%97%B4",
    "not UTF-8": "%FF",
    "full-width digit": "%EF%BC%91",
    "encoded parent": "%2e%2e%2Fchat%2Fa",
    "per cent": "%25",
}


@pytest.mark.parametrize("name", GOOD.values(), ids=GOOD)
def test_a_slug_is_a_room(stack: Clone, name: str):
    assert request(stack, f"/chat/{name}/").status == 200
    for consumer in ("chat", "echo", "sync", "async"):
        assert handshake(stack, f"/ws/{consumer}/{name}/").status == 101


@pytest.mark.parametrize("name", BAD.values(), ids=BAD)
def test_anything_else_is_no_page(stack: Clone, name: str):
    assert from_the_application(stack, request(stack, f"/chat/{name}/"), "web") == 404


@pytest.mark.parametrize("name", BAD.values(), ids=BAD)
def test_anything_else_is_no_socket(stack: Clone, name: str):
    assert from_the_application(stack, handshake(stack, f"/ws/chat/{name}/"), WEBSOCKETS) == 404


@pytest.mark.parametrize("path", ["/", "/ws/", "/ws/nobody/room/", "/chat/room/", "/static/room", "/admin/room"])
def test_a_path_without_a_socket_is_no_socket(stack: Clone, path: str):
    if path.startswith("/static/"):
        assert handshake(stack, path).status == 404
    else:
        assert from_the_application(stack, handshake(stack, path), WEBSOCKETS) == 404


@pytest.mark.parametrize("path", ["/chat/a%00b/", "/chat/a b/", "/chat/%zz/"])
def test_what_is_no_request_target_is_refused_by_nginx_already(stack: Clone, path: str):
    """RFC 9112, 3.2: such a request line is invalid, whatever the route."""
    assert raw(stack, f"GET {path} HTTP/1.1\r\nHost: {stack.host}\r\nConnection: close\r\n\r\n") == 400


def from_the_application(stack: Clone, answer: Answer, service: str) -> int:
    """The status, once the log says that this service's containers gave it."""
    entry = access(stack, [answer.headers["X-Request-ID"]]).popitem()[1]
    assert (entry["upstream"], entry["upstream_status"]) == (service, str(answer.status))
    return answer.status
