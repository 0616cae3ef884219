"""A request for another host than ours is misdirected: 421, before any container sees it."""

import json

import pytest

from tests.stack.clone import Clone
from tests.stack.wire import access, handshake, raw, request

FOREIGN = ["evil.example", "evil.example:{port}", "localhost.evil.example", "10.0.0.1", "[::2]:{port}", "web", "daphne"]
ABSOLUTE = "GET http://{line}/ HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize("host", FOREIGN)
def test_a_foreign_host_gets_no_page_and_no_socket(stack: Clone, host: str):
    header = [("Host", host.format(port=stack.port))]
    page, socket = request(stack, "/", header), handshake(stack, "/ws/chat/hosts/", header)
    assert (page.status, socket.status) == (421, 421)
    entries = access(stack, [page.headers["X-Request-ID"], socket.headers["X-Request-ID"]])
    assert {entry["worker"] for entry in entries.values()} == {""}, "nobody behind nginx was asked"


@pytest.mark.parametrize("path", ["/health/live", "/health/ready"])
def test_a_load_balancer_gets_health_whatever_it_calls_us(stack: Clone, path: str):
    """By an address as Host, or by HTTP/1.0 without any; the answer is a status alone."""
    for host in ("10.0.3.17:8080", "[fd00::7]", "evil.example"):
        answer = request(stack, path, [("Host", host)])
        assert (answer.status, answer.body) == (200, b"")
    assert raw(stack, f"GET {path} HTTP/1.0\r\n\r\n") == 200


@pytest.mark.parametrize(
    "path", ["/static/", "/admin/", "/health/", "/health/ready/", "/health/ready/../../", "/metrics"]
)
def test_no_other_path_is_an_exception(stack: Clone, path: str):
    assert request(stack, path, [("Host", "evil.example")]).status == 421


@pytest.mark.parametrize("host", ["localhost", "localhost:{port}", "LOCALHOST", "127.0.0.1:{port}", "[::1]:{port}"])
def test_an_own_host_gets_a_page(stack: Clone, host: str):
    assert request(stack, "/", [("Host", host.format(port=stack.port))]).status == 200


def test_a_request_line_that_names_a_foreign_host_is_misdirected(stack: Clone):
    assert raw(stack, ABSOLUTE.format(line="evil.example", host="evil.example")) == 421
    assert raw(stack, ABSOLUTE.format(line="evil.example", host=stack.host)) == 421


def test_a_host_that_disagrees_with_the_request_line_is_not_believed(stack: Clone):
    """RFC 9112, 3.2.2: the request line wins."""
    assert raw(stack, ABSOLUTE.format(line=stack.host, host="evil.example")) == 200


def test_a_name_with_its_final_dot_is_the_same_host(stack: Clone):
    """The application sees it without the dot, as it is listed."""
    answer = request(stack, "/own/page", [("Host", f"localhost.:{stack.port}")])
    assert json.loads(answer.body)["host"] == stack.host


def test_nginx_takes_hosts_however_long_and_with_names_that_are_words_of_its_own(stack: Clone):
    longest = ".".join(["x" * 62] * 4) + ".x"
    hosts = f"ALLOWED_HOSTS=localhost,{longest},.{longest[1:]},default,include,hostnames"
    tried = stack.compose("run", "--rm", "--no-deps", "-T", "--env", hosts, "nginx", "nginx", "-t", check=False)
    assert tried.returncode == 0, tried.stderr


def test_no_host_is_refused(stack: Clone):
    assert raw(stack, "GET / HTTP/1.1\r\nConnection: close\r\n\r\n") == 400
    assert raw(stack, "GET / HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n") == 400
    assert raw(stack, "GET / HTTP/1.0\r\n\r\n") == 421


def test_two_hosts_are_refused(stack: Clone):
    two = f"Host: {stack.host}\r\nHost: evil.example\r\n"
    assert raw(stack, f"GET / HTTP/1.1\r\n{two}Connection: close\r\n\r\n") == 400
