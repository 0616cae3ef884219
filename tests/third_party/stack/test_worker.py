"""`runworker`, by deploy/overlays/worker.yaml: each job is done once, and answered to who asked for it."""

import asyncio
from typing import Any

import pytest

from tests.stack.clone import Clone, docker
from tests.stack.waiting import wait_until
from tests.stack.wire import open_socket
from tests.third_party.stack.conftest import CORE
from tests.third_party.stack.workers import heard, on_each_worker, tell

pytestmark = pytest.mark.parametrize("stack", [CORE], indirect=True)
JOBS = 20  # from each socket


async def done(stack: Clone, job: str) -> int:
    async with open_socket(stack, "/ask") as socket:
        await tell(socket, count=job)
        return int((await heard(socket))["done"])


async def test_jobs_are_done_once_and_answered_to_who_asked(stack: Clone) -> None:
    async with on_each_worker(stack, "/ask") as sockets:
        asked = [[f"job {number}.{count}" for count in range(JOBS)] for number, _ in enumerate(sockets)]
        for side_by_side in zip(*asked, strict=True):
            for socket, job in zip(sockets, side_by_side, strict=True):
                await tell(socket, job=job)
        for socket, jobs in zip(sockets, asked, strict=True):
            assert [(await heard(socket))["job"] for _ in jobs] == jobs
        for job in (job for jobs in asked for job in jobs):
            await tell(sockets[0], count=job)
            assert await heard(sockets[0]) == {"done": 1}


async def test_a_deployment_waits_for_the_job_and_replaces_the_worker(stack: Clone) -> None:
    (before,) = stack.containers("worker")
    async with open_socket(stack, "/ask") as socket:
        await tell(socket, job="held", held="go")
    deployment = asyncio.create_task(asyncio.to_thread(stack.make, "deploy"))
    try:
        await asyncio.to_thread(wait_until, lambda: told_to_stop(before) or deployment.done(), 600, "a signal")
        assert not deployment.done()
        assert [container["Id"] for container in running(stack)] == [before["Id"]]
        assert await done(stack, "held") == 0
    finally:
        async with open_socket(stack, "/ask") as socket:
            await tell(socket, release="go")
            await tell(socket, count="held")
            await heard(socket)  # it was released before
        await deployment
    assert await done(stack, "held") == 1
    (after,) = running(stack)
    assert after["Id"] != before["Id"]
    async with open_socket(stack, "/ask") as socket:
        await tell(socket, job="afterwards")
        assert await heard(socket) == {"job": "afterwards"}


def told_to_stop(container: dict[str, Any]) -> bool:
    """The engine's account of signals since the container was made."""
    of_it = ("--filter", f"container={container['Id']}", "--filter", "event=kill")
    return bool(docker("events", "--since", container["Created"], "--until", "0s", *of_it))


def running(stack: Clone) -> list[dict[str, Any]]:
    return [container for container in stack.containers("worker") if container["State"]["Running"]]
