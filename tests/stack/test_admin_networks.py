"""/admin/ is for ADMIN_NETWORKS alone; by default for loopback and private addresses."""

import re
from ipaddress import ip_address, ip_network

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


PRIVATE = "172.16.0.0/12,192.168.0.0/16,10.0.0.0/8"


LOCAL, PUBLIC = "http://localhost:8080", "https://chat.example"


@pytest.mark.parametrize(
    ("bind_address", "public_url", "networks", "sees"),
    [
        ("127.0.0.1", LOCAL, PRIVATE, True),
        ("[::1]", LOCAL, PRIVATE, True),
        ("127.0.0.1", "http://127.0.0.1", PRIVATE, True),
        ("127.0.0.1", "http://[::1]:8080", PRIVATE, True),
        ("127.0.0.1", PUBLIC, PRIVATE, False),
        ("127.0.0.1", "https://127.chat.example:8443", PRIVATE, False),
        ("127.0.0.1", "https://localhost.example", PRIVATE, False),
        ("127.0.0.1", PUBLIC, f"{PRIVATE},gateway", True),
        ("0.0.0.0", LOCAL, PRIVATE, False),  # noqa: S104
        ("[::]", LOCAL, PRIVATE, False),
        ("192.0.2.7", LOCAL, PRIVATE, False),
        ("[::]", LOCAL, f"{PRIVATE},gateway", True),
        ("[::]", LOCAL, f"{PRIVATE},{{gateway}}", True),
        ("[::]", PUBLIC, "0.0.0.0/0,::/0", True),
        ("127.0.0.1", LOCAL, "203.0.113.0/24", False),
    ],
)
def test_a_client_that_comes_as_the_gateway_is_private_only_where_no_other_machine_can_come(
    stack: Clone, bind_address: str, public_url: str, networks: str, sees: bool
):
    """The engine forwards such clients itself: by IPv6 the whole world, where the network has none. So does a proxy on
    this machine."""
    (container,) = stack.containers("nginx")
    (network,) = container["NetworkSettings"]["Networks"].values()
    given = {
        "BIND_ADDRESS": bind_address,
        "PUBLIC_URL": public_url,
        "ADMIN_NETWORKS": networks.format(gateway=network["Gateway"]),
    }
    options = [option for name, value in given.items() for option in ("--env", f"{name}={value}")]
    written = ("cat", "/run/nginx/environment.conf")
    environment = stack.compose("run", "--rm", "--no-deps", "-T", *options, "nginx", *written).stdout
    entries = re.findall(r"^\s*([0-9.]+(?:/\d+)?) ([01]);$", environment, re.MULTILINE)
    gateway = ip_address(network["Gateway"])
    holding = [(ip_network(entry), verdict) for entry, verdict in entries if gateway in ip_network(entry)]
    # nginx' geo goes by the narrowest.
    verdict = max(holding, key=lambda entry: entry[0].prefixlen)[1] if holding else "0"
    assert (verdict == "1") is sees


def test_everything_else_is_open_to_it(neighbour: Clone):
    assert request(neighbour, "/").status == 200
    assert request(neighbour, "/chat/room/").status == 200
