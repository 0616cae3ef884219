"""A route that a user adds works without touching nginx, whatever its path."""

import asyncio
import json

from tests.stack.clone import WEBSOCKETS, Clone
from tests.stack.wire import access, handshake, open_socket, request


def hostnames(stack: Clone, service: str) -> set[str]:
    return {container["Config"]["Hostname"] for container in stack.containers(service)}


async def test_an_own_socket_is_served_by_daphne(stack: Clone):
    async with open_socket(stack, "/own/socket") as socket, asyncio.timeout(10):
        shown = json.loads(await socket.recv())
    assert shown["path"] == "/own/socket"
    assert shown["worker"] in hostnames(stack, WEBSOCKETS)


def test_an_own_page_is_served_by_web(stack: Clone):
    shown = json.loads(request(stack, "/own/page").body)
    assert shown["worker"] in hostnames(stack, "web")


def test_the_upgrade_header_chooses_the_service_not_the_path(stack: Clone):
    page, socket = request(stack, "/own/socket"), handshake(stack, "/own/page")
    ids = page.headers["X-Request-ID"], socket.headers["X-Request-ID"]
    entries = access(stack, ids)
    assert [entries[name]["upstream"] for name in ids] == ["web", WEBSOCKETS]
    assert (page.status, socket.status) == (404, 404)


def test_an_upgrade_to_another_protocol_is_a_page(stack: Clone):
    answer = request(stack, "/own/page", [("Connection", "Upgrade, HTTP2-Settings"), ("Upgrade", "h2c")])
    assert answer.status == 200
    assert json.loads(answer.body)["worker"] in hostnames(stack, "web")
