"""/admin/ is for ADMIN_NETWORKS alone; by default for loopback and private addresses."""

import pytest

from tests.stack.clone import Clone
from tests.stack.wire import handshake, request

SPOOFED = [("X-Forwarded-For", "203.0.113.7"), ("X-Real-IP", "203.0.113.7"), ("Forwarded", "for=203.0.113.7")]
PATHS = [
    "/admin/",
    "/admin/login/",
    "/admin/auth/user/",
    "/%61dmin/login/",
    "/chat/../admin/login/",
    "//admin/login/",
    "/admin/auth/user/1/../../../../room",
]


def test_a_private_network_sees_it(stack: Clone):
    answer = request(stack, "/admin/")
    assert (answer.status, answer.headers["Location"]) == (302, "/admin/login/?next=/admin/")
    assert b"csrfmiddlewaretoken" in request(stack, "/admin/login/").body


@pytest.mark.parametrize("path", PATHS)
def test_an_excluded_network_does_not(neighbour: Clone, path: str):
    for headers in ([], SPOOFED):
        answer = request(neighbour, path, headers)
        assert answer.status in {403, 404}
        assert b"csrfmiddlewaretoken" not in answer.body
    assert handshake(neighbour, path).status in {403, 404}


def test_everything_else_is_open_to_it(neighbour: Clone):
    assert request(neighbour, "/").status == 200
    assert request(neighbour, "/chat/room/").status == 200
