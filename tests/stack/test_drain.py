"""Whatever stops a worker, it drains: sockets are closed with 1012, nothing is lost, and the exit status is 0.

Larger: `tests/image.sh env DRAIN_CLIENTS=1000 pytest tests/stack/test_drain.py -s -k moved`.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections import Counter
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from time import monotonic, time
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from tests.chat.client import CHAT_V1
from tests.chat.crowd import Crowd
from tests.stack.catching_up import assert_soon
from tests.stack.clone import WEBSOCKETS, Clone, docker
from tests.stack.scaling import WORKERS, restored, workers
from tests.stack.wire import open_socket, request

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from websockets.asyncio.client import ClientConnection

CLIENTS = int(os.environ.get("DRAIN_CLIENTS", "100"))
SENDERS, RATE = 10, 10.0  # messages a second, of all senders together
DRAIN_SECONDS = 10.0  # the default
BACK = DRAIN_SECONDS + 2.0
LEFT = 3.0  # until others are told, of which 2 are granted for coming back
GRACE = 30.0  # for all to come back to workers that have come back
EXIT_CODE = "{{.Actor.Attributes.exitCode}}"


@pytest.fixture(autouse=True)
def two_workers_afterwards(stack: Clone) -> Iterator[None]:
    with restored(stack):
        yield


@asynccontextmanager
async def talking(stack: Clone, seconds: float) -> AsyncIterator[Crowd]:
    """A crowd that talks for so long from now on; at the end all of it has received everything."""
    address = f"ws://{stack.host}/ws/chat/drain-{uuid4().hex[:8]}/"
    async with Crowd(address, CLIENTS, host="127.0.0.1", cap=2.0) as crowd:
        talk = asyncio.create_task(crowd.talk(SENDERS, RATE, seconds))
        try:
            yield crowd
        finally:
            await talk
        await crowd.catch_up(GRACE)
        verdict = crowd.verdict()
        codes = Counter(reconnect.code for member in crowd.members for reconnect in member.record.reconnects)
        print(f"\n{verdict}\nlost sockets  {dict(codes)}")
        assert verdict.faults == {}
        assert verdict.told_gaps == 0
        assert verdict.acknowledged == verdict.sent == int(RATE * seconds / SENDERS) * SENDERS
        assert codes.keys() == {1012}


@contextmanager
def exit_codes(project: str) -> Iterator[list[int]]:
    """Of the Daphne containers that end meanwhile, also of those that are removed; complete when it is left."""
    labels = (
        f"label=com.docker.compose.project={project}",
        f"label=com.docker.compose.service={WEBSOCKETS}",
        "event=die",
    )
    filters = [f"--filter={label}" for label in labels]
    # Followed, because the engine keeps few: each health check of each container is three.
    command = ["docker", "events", "--since", f"{time():.3f}", *filters, "--format", EXIT_CODE]
    codes: list[int] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as events:
        try:
            yield codes
        finally:
            events.terminate()
            assert events.stdout
            codes += [int(code) for code in events.stdout]


async def test_clients_of_workers_that_leave_are_moved_within_moments_and_lose_nothing(stack: Clone):
    await asyncio.to_thread(stack.make, "scale", "N=4")
    async with talking(stack, seconds=20) as crowd:
        begun = monotonic()
        with exit_codes(stack.project) as codes:
            await asyncio.to_thread(stack.make, "scale", "N=1")
        assert codes == [0, 0, 0]
        (staying,) = workers(stack).values()
        await asyncio.gather(*(member.wait_for(lambda it: it.connected) for member in crowd.members))
    moves = [reconnect for member in crowd.members for reconnect in member.record.reconnects]
    assert len(moves) > CLIENTS / 2
    assert {move.attempts for move in moves} == {1}, "nginx knows a worker that stays"
    assert {member.worker for member in crowd.members} == {staying["Config"]["Hostname"]}
    first = min(move.cut for move in moves)
    assert max(move.caught_up or 0 for move in moves) - first < BACK
    assert first - begun < BACK
    assert_soon(crowd.verdict().caught_up)


@pytest.mark.parametrize(
    "commands",
    [
        [["restart", WEBSOCKETS]],
        [["stop", WEBSOCKETS], ["up", "--detach", "--wait"]],
        [["stop"], ["up", "--detach", "--wait"]],
        [["down"], ["up", "--detach", "--wait"]],
    ],
    ids=lambda commands: " ".join(commands[0]),
)
async def test_whatever_stops_all_workers_closes_properly_and_loses_nothing(stack: Clone, commands: list[list[str]]):
    assert len(workers(stack)) == WORKERS
    async with talking(stack, seconds=5):
        with exit_codes(stack.project) as codes:
            for command in commands:
                await asyncio.to_thread(stack.compose, *command)
        assert codes == [0] * WORKERS


async def test_others_are_told_who_has_left_with_a_worker(stack: Clone):
    path = f"/ws/chat/drain-{uuid4().hex[:8]}/"
    leaving, *_ = workers(stack).values()
    hostname = leaving["Config"]["Hostname"]
    async with Crowd(f"ws://{stack.host}{path}", 8, host="127.0.0.1") as crowd, AsyncExitStack() as opened:
        left = next(member for member in crowd.members if member.worker != hostname).queue("left")
        # These do not come back.
        guests: dict[str, ClientConnection] = {}
        for name in (f"guest{number}" for number in range(8)):
            address = f"{path}?name={name}"
            guest = await opened.enter_async_context(open_socket(stack, address, subprotocols=[CHAT_V1]))
            if json.loads(str(await guest.recv()).split("\n")[0])["worker"] == hostname:
                guests[name] = guest
        assert guests
        begun = monotonic()
        await asyncio.to_thread(docker, "restart", leaving["Id"])
        assert {guest.close_code for guest in guests.values()} == {1012}
        told: set[str] = set()
        async with asyncio.timeout(LEFT):
            while not told >= guests.keys():
                told.update((await left.get())["names"])
        assert told == guests.keys(), "who came back was never away"
        assert monotonic() - begun < BACK + LEFT
    await asyncio.to_thread(stack.compose, "up", "--detach", "--wait", "--no-recreate")


async def test_no_request_fails_while_each_of_two_web_containers_is_restarted(stack: Clone):
    """Nor one that nginx would not repeat, in a connection that it had kept."""
    await asyncio.to_thread(stack.compose, "up", "--detach", "--wait", "--no-recreate", "--scale", "web=2")
    enough = asyncio.Event()
    answers: Counter[tuple[str, int]] = Counter()

    async def visit(method: str, path: str) -> None:
        while not enough.is_set():
            answer = await asyncio.to_thread(request, stack, path, None, method)
            answers[method, answer.status] += 1

    try:
        # Without its token the form is refused, by Django.
        visitors = [asyncio.create_task(visit(*page)) for page in [("GET", "/"), ("POST", "/admin/login/")] * 2]
        for container in stack.containers("web"):
            await asyncio.to_thread(docker, "restart", container["Id"])
            await asyncio.to_thread(stack.compose, "up", "--detach", "--wait", "--no-recreate", "--scale", "web=2")
        enough.set()
        await asyncio.gather(*visitors)
    finally:
        enough.set()
        await asyncio.to_thread(stack.compose, "up", "--detach", "--wait", "--no-recreate", "--scale", "web=1")
    assert answers.keys() == {("GET", 200), ("POST", 403)}
    assert min(answers.values()) > 50
