"""What is slow is waited for, and not done a second time; what the log says of it names no token."""

import json
from concurrent.futures import ThreadPoolExecutor

from tests.stack.clone import Clone
from tests.stack.wire import Headers, handshake, request

TOKEN, REFERER = "token-5f3a", "https://example.com/?referred=token-5f3a"


def page_status(clone: Clone, path: str, headers: Headers) -> int:
    return request(clone, path, headers, seconds=20).status


def socket_status(clone: Clone, path: str, headers: Headers) -> int:
    return handshake(clone, path, headers).status


def times(clone: Clone, work: str) -> int:
    return int(json.loads(request(clone, f"/own/times?work={work}").body)["begun"])


def test_a_slow_page_or_handshake_is_done_once(neighbour: Clone):
    """With PING_SECONDS=2, which says nothing of pages, and PAGE_SECONDS=10. Daphne gives up a handshake after 5 s,
    nginx after three pings."""
    headers = [("Referer", REFERER)]
    with ThreadPoolExecutor() as threads:
        page, late, socket = (
            threads.submit(ask, neighbour, path, headers)
            for ask, path in (
                (page_status, f"/own/slow?work=page&seconds=8&token={TOKEN}"),
                (page_status, f"/own/slow?work=late&seconds=14&token={TOKEN}"),
                (socket_status, f"/own/slow?token={TOKEN}"),
            )
        )
    assert page.result() == 200
    assert late.result() == 504
    assert socket.result() in {502, 504}
    assert [times(neighbour, work) for work in ("page", "late", "socket")] == [1, 1, 1]
    logs = neighbour.compose("logs", "--no-log-prefix").stdout
    assert "upstream timed out" in logs
    assert TOKEN not in logs
