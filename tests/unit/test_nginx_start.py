"""services/nginx/nginx-start.sh: what is left of nginx's error log, whose lines end with all that a client sent."""

import re
import subprocess
from pathlib import Path

import pytest

SCRIPT = (Path(__file__).parents[2] / "services/nginx/nginx-start.sh").read_text()
REQUEST = 'client: 192.0.2.9, server: , request: "GET /ws/chat/a/?token=abc, x HTTP/1.1"'
ENDS = 'host: "chat.example", referrer: "https://chat.example/?secret=abc"'
REFUSED = "connect() failed (111: Connection refused) while connecting to upstream"


def logged(line: str) -> str:
    found = re.search(r"sed -E '([^']*)'", SCRIPT)
    assert found
    done = subprocess.run(["sed", "-E", found[1]], input=f"{line}\n", capture_output=True, text=True, check=True)
    return done.stdout.removesuffix("\n")


@pytest.mark.parametrize(
    ("line", "left"),
    [
        (
            f'{REFUSED}, {REQUEST}, upstream: "http://172.18.0.4:8000/ws/chat/a/?token=abc", {ENDS}',
            f'{REFUSED}, client: 192.0.2.9, server: , upstream: "http://172.18.0.4:8000"',
        ),
        (
            f'{REFUSED}, {REQUEST}, upstream: "http://[fd00::4]:8000/ws/chat/a/?token=abc", {ENDS}',
            f'{REFUSED}, client: 192.0.2.9, server: , upstream: "http://[fd00::4]:8000"',
        ),
        (
            f'no live upstreams while connecting to upstream, {REQUEST}, upstream: "http://web/?token=abc", {ENDS}',
            "no live upstreams while connecting to upstream, client: 192.0.2.9, server: ",
        ),
        (
            f"client intended to send too large body: 2097152 bytes, {REQUEST}, {ENDS}",
            "client intended to send too large body: 2097152 bytes, client: 192.0.2.9, server: ",
        ),
        (
            f"a client sent nothing more, client: 192.0.2.9, server: , {ENDS}",
            "a client sent nothing more, client: 192.0.2.9, server: ",
        ),
        ("worker process 34 exited on signal 9", "worker process 34 exited on signal 9"),
    ],
    ids=["a worker", "by IPv6", "no worker", "a body", "no request line", "no request"],
)
def test_no_query_and_no_referrers_query_is_left_and_what_helps_is(line: str, left: str) -> None:
    assert logged(f"2026/11/30 01:00:00 [error] 22#22: *7 {line}") == f"2026/11/30 01:00:00 [error] 22#22: *7 {left}"


def test_what_a_client_writes_is_not_taken_for_a_workers_address() -> None:
    """nginx writes a quotation mark of the request line as it came."""
    forged = 'request: "GET /?x=", upstream: "http://abcdef&token=abc HTTP/1.1"'
    line = f"{REFUSED}, client: 192.0.2.9, server: , {forged}"
    assert "token" not in logged(line)
    assert "token" not in logged(f'{line}, upstream: "http://172.18.0.4:8000/?token=abc", {ENDS}')
