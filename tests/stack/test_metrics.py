"""Each container of `web` and `daphne` tells Prometheus what it counts; nobody gets it through nginx."""

import asyncio
import re
from uuid import uuid4

import pytest

from tests.chat.client import ChatClient
from tests.stack.clone import WEBSOCKETS, Clone, docker
from tests.stack.wire import handshake, request


def metrics(container: str) -> dict[str, float]:
    program = "import urllib.request; print(urllib.request.urlopen('http://localhost:8000/metrics').read().decode())"
    text = docker("exec", container, "python", "-c", program)
    return {name: float(value) for name, value in re.findall(r"^(\w+) (\S+)$", text, re.MULTILINE)}


async def test_what_is_said_in_a_room_is_counted_by_the_worker_that_serves_it(stack: Clone):
    before = {container["Id"]: metrics(container["Id"]) for container in stack.containers(WEBSOCKETS)}
    address = f"ws://{stack.host}/ws/chat/metrics-{uuid4().hex[:8]}/"
    async with ChatClient(address, name="Ada", host="127.0.0.1") as client:
        await client.send("hello")
        after = {container: await asyncio.to_thread(metrics, container) for container in before}
    said = {container: after[container]["room_messages_appended_total"] for container in before}
    assert sum(said.values()) == sum(b["room_messages_appended_total"] for b in before.values()) + 1
    assert sum(a["room_members"] for a in after.values()) >= 1


def test_web_answers_too(stack: Clone):
    (web,) = stack.containers("web")
    assert metrics(web["Id"])["room_members"] == 0


@pytest.mark.parametrize("path", ["/metrics", "/%6detrics", "//metrics", "/chat/../metrics", "/metrics?x=1"])
def test_nobody_gets_them_through_nginx(stack: Clone, path: str):
    answer = request(stack, path)
    assert answer.status == 404
    assert b"room_" not in answer.body
    assert handshake(stack, path).status == 404
