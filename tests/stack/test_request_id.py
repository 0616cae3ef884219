"""One id for a request: in the answer, in nginx's log, and in the application's."""

from typing import Any

from tests.stack.clone import WEBSOCKETS, Clone
from tests.stack.waiting import wait_until
from tests.stack.wire import access, handshake, open_socket, request, request_id


def told(stack: Clone, service: str, number: str) -> list[dict[str, Any]]:
    def lines() -> list[dict[str, Any]]:
        return [line for line in stack.logs(service) if line.get("request_id") == number]

    return wait_until(lines, 10, f"a line of {service} about {number}")


def test_a_page_has_one_id_everywhere(stack: Clone):
    answer = request(stack, "/no/such/page")
    (number,) = answer.headers.get_all("X-Request-ID") or []
    entry = access(stack, [number])[number]
    assert (entry["path"], entry["status"]) == ("/no/such/page", 404)
    (line,) = told(stack, "web", number)
    assert (line["logger"], line["level"], line["service"]) == ("django.request", "WARNING", "web")
    assert "/no/such/page" in line["message"]


async def test_a_socket_has_one_id_everywhere(stack: Clone):
    async with open_socket(stack, "/own/socket") as socket:
        await socket.recv()
    number = request_id(socket)
    entry = access(stack, [number])[number]
    assert (entry["path"], entry["status"], entry["upstream"]) == ("/own/socket", 101, WEBSOCKETS)
    lines = told(stack, WEBSOCKETS, number)
    assert [(line["service"], line["message"]) for line in lines] == [(WEBSOCKETS, "own socket opened")]


def test_an_unhandled_exception_is_logged_with_its_requests_id(stack: Clone):
    number = handshake(stack, "/own/fault").headers["X-Request-ID"]
    lines = told(stack, WEBSOCKETS, number)
    assert [line["level"] for line in lines] == ["ERROR"]
    assert "the own socket's fault" in lines[0]["exc_info"]


def test_no_two_requests_share_one(stack: Clone):
    numbers = [request(stack, path).headers["X-Request-ID"] for path in ("/", "/", "/static/nothing", "/admin/")]
    assert len(set(numbers)) == len(numbers)


def test_what_nginx_refuses_itself_has_one_too(stack: Clone):
    assert request(stack, "/", [("Host", "evil.example")]).headers["X-Request-ID"]


def test_every_line_of_the_applications_logs_is_one_json_object(stack: Clone):
    for service in ("web", WEBSOCKETS):
        text = stack.compose("logs", "--no-color", "--no-log-prefix", service).stdout.splitlines()
        assert text
        assert [line for line in text if not line.startswith("{")] == []
