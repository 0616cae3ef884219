"""Foreign origins are refused with 403 at the handshake; own ones and none are let in."""

import pytest

from tests.stack.clone import Clone
from tests.stack.wire import handshake, request

FOREIGN = {
    "another host": "http://evil.example",
    "another host, our port": "http://evil.example:{port}",
    "another port": "http://localhost:1",
    "the scheme's port": "http://localhost",
    "another scheme": "https://localhost:{port}",
    "no web scheme": "file://localhost:{port}",
    "null": "null",
    "empty": "",
    "ours as a prefix": "http://localhost:{port}.evil.example",
    "ours as a user": "http://localhost:{port}@evil.example",
    "ours as a subdomain's end": "http://evil-localhost:{port}",
    "our other name": "http://127.0.0.1:{port}",
    "no scheme": "localhost:{port}",
    "not a port": "http://localhost:{port}x",
    "not one": "http://[",
}


@pytest.mark.parametrize("origin", FOREIGN.values(), ids=FOREIGN)
def test_a_foreign_origin_is_refused(stack: Clone, origin: str):
    assert handshake(stack, "/ws/chat/origins/", [("Origin", origin.format(port=stack.port))]).status == 403


def test_two_origins_are_refused(stack: Clone):
    own = ("Origin", f"http://{stack.host}")
    assert handshake(stack, "/ws/chat/origins/", [own, own]).status == 403


@pytest.mark.parametrize("host", ["localhost:{port}", "127.0.0.1:{port}", "[::1]:{port}", "LocalHost:{port}"])
def test_the_requests_own_origin_is_let_in(stack: Clone, host: str):
    host = host.format(port=stack.port)
    headers = [("Host", host), ("Origin", f"http://{host.lower()}")]
    assert handshake(stack, "/ws/chat/origins/", headers).status == 101


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:{port}", "[::1]"])
def test_the_origin_of_public_url_is_let_in_whatever_host_a_proxy_sends(stack: Clone, host: str):
    headers = [("Host", host.format(port=stack.port)), ("Origin", f"http://{stack.host}")]
    assert handshake(stack, "/ws/chat/origins/", headers).status == 101


def test_a_sockets_address_is_the_origin_of_its_page(stack: Clone):
    assert handshake(stack, "/ws/chat/origins/", [("Origin", f"ws://{stack.host}")]).status == 101
    assert handshake(stack, "/ws/chat/origins/", [("Origin", f"wss://{stack.host}")]).status == 403


def test_a_final_dot_is_no_other_host(stack: Clone):
    dotted = f"localhost.:{stack.port}"
    headers = [("Host", dotted), ("Origin", f"http://{dotted}")]
    assert request(stack, "/chat/origins/", headers).status == 200
    assert handshake(stack, "/ws/chat/origins/", headers).status == 101


def test_no_origin_is_let_in(stack: Clone):
    assert handshake(stack, "/ws/chat/origins/").status == 101


def test_a_listed_origin_is_let_in(neighbour: Clone):
    assert handshake(neighbour, "/ws/chat/origins/", [("Origin", "https://friend.example")]).status == 101
    assert handshake(neighbour, "/ws/chat/origins/", [("Origin", "http://friend.example")]).status == 403


def test_an_unknown_path_has_the_same_guard(stack: Clone):
    """Whether a route exists is nothing that a foreign page may learn."""
    assert handshake(stack, "/ws/nowhere/", [("Origin", "http://evil.example")]).status == 403
