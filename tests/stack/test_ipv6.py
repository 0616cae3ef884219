"""On a network with IPv6 too, whatever a name leads to answers."""

import json
import os
from datetime import UTC, datetime

import pytest

from tests.stack.clone import WEBSOCKETS, Clone
from tests.stack.stacks import IPV6_IS_THERE
from tests.stack.wire import handshake, request

pytestmark = pytest.mark.skipif(
    not IPV6_IS_THERE and "CI" not in os.environ, reason="a laptop's kernel may lack IPv6; CI's has it"
)

ASK = """
import http.client, json, socket, sys
answers = {}
for service, port in (("nginx", 8080), ("web", 8000), (sys.argv[1], 8000)):
    for *_, (address, *_) in socket.getaddrinfo(service, port, proto=socket.IPPROTO_TCP):
        connection = http.client.HTTPConnection(address, port, timeout=5)
        connection.request("GET", "/health/live")
        answers[f"{service} {address}"] = connection.getresponse().status
print(json.dumps(answers))
"""


def test_every_address_of_nginx_and_its_workers_answers(neighbour: Clone):
    answers = json.loads(neighbour.compose("exec", "-T", "web", "python", "-c", ASK, WEBSOCKETS).stdout)
    families = {(name.split()[0], ":" in name) for name in answers}
    assert families == {(service, ipv6) for service in ("nginx", "web", WEBSOCKETS) for ipv6 in (False, True)}
    assert set(answers.values()) == {200}


def test_nginx_tries_no_address_in_vain(neighbour: Clone):
    begun = datetime.now(UTC)
    tried = [handshake(neighbour, "/ws/chat/ipv6/").status for _ in range(20)]
    tried += [request(neighbour, "/").status for _ in range(20)]
    assert set(tried) == {101, 200}
    log = neighbour.compose("logs", "--no-log-prefix", "--since", begun.isoformat(), "nginx").stdout
    assert "refused" not in log
