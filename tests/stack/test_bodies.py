"""A request's body: how large it may be, and that it reaches the application whole."""

import json

import pytest

from tests.stack.clone import Clone
from tests.stack.wire import UPGRADE, Headers, access, send

LIMIT = 2**20  # MAX_BODY_BYTES
BINARY = ("Content-Type", "application/octet-stream")


@pytest.mark.parametrize("size", [100, 9_999, 10_000, 100_000, LIMIT])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_up_to_the_limit_arrives_whole(stack: Clone, size: int, chunked: bool):
    answer = send(stack, "/own/upload", bytes(size), [BINARY], chunked=chunked)
    assert (answer.status, json.loads(answer.body)) == (200, {"bytes": size})


@pytest.mark.parametrize("chunked", [False, True])
def test_a_larger_one_is_refused_and_the_log_says_why(stack: Clone, chunked: bool):
    answer = send(stack, "/own/upload", bytes(LIMIT + 1), [BINARY], chunked=chunked)
    assert answer.status == 413
    request_id = answer.headers["X-Request-ID"]
    entry = access(stack, [request_id])[request_id]
    assert (entry["status"], entry["refusal"]) == (413, "a body above MAX_BODY_BYTES")


@pytest.mark.parametrize("headers", [[], [("Transfer-Encoding", "chunked")]])
def test_a_handshake_with_a_body_is_a_page(stack: Clone, headers: Headers):
    """No worker with sockets has to hold what a client says it will send."""
    body = b"" if not headers else b"0\r\n\r\n"
    answer = send(stack, "/own/upload", body or bytes(100), [*UPGRADE.items(), BINARY], chunked=bool(headers))
    assert answer.status == 200
