"""app/worker.py: `runworker` ends its jobs before it leaves."""

import asyncio
from typing import Any

import pytest
from channels.layers import InMemoryChannelLayer

from app.worker import Worker

SECONDS = 5


class Jobs:
    """A consumer that does one job after the other."""

    def __init__(self) -> None:
        self.begun, self.may_end = asyncio.Event(), asyncio.Event()
        self.done: asyncio.Queue[int] = asyncio.Queue()

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        while True:
            event = await receive()
            self.begun.set()
            await self.may_end.wait()
            await self.done.put(event["number"])


def started(jobs: Jobs, layer: InMemoryChannelLayer) -> tuple[Worker, asyncio.Task[None]]:
    worker = Worker(jobs, ["jobs", "others"], layer)
    return worker, asyncio.create_task(worker.arun())


async def test_the_jobs_that_it_has_are_ended_and_no_other_is_begun() -> None:
    jobs, layer = Jobs(), InMemoryChannelLayer()
    for number in range(3):
        await layer.send("jobs", {"type": "job.do", "number": number})
    worker, running = started(jobs, layer)
    async with asyncio.timeout(SECONDS):
        await jobs.begun.wait()
        instance = worker.application_instances["jobs"]["input_queue"]
        while instance.qsize() < 2:  # noqa: ASYNC110  # no event tells of it
            await asyncio.sleep(0)
        worker.stop()
        await layer.send("jobs", {"type": "job.do", "number": 3})
        jobs.may_end.set()
        await running
    assert [await jobs.done.get() for _ in range(jobs.done.qsize())] == [0, 1, 2]
    assert layer.channels["jobs"].qsize() == 1


async def test_an_idle_one_leaves_at_once() -> None:
    jobs, layer = Jobs(), InMemoryChannelLayer()
    jobs.may_end.set()
    worker, running = started(jobs, layer)
    await layer.send("jobs", {"type": "job.do", "number": 0})
    async with asyncio.timeout(SECONDS):
        await jobs.done.get()
        worker.stop()
        await running


async def test_what_its_layer_raises_ends_it() -> None:
    layer = InMemoryChannelLayer()
    await layer.send("jobs", {"number": 0})
    _, running = started(Jobs(), layer)
    async with asyncio.timeout(SECONDS):
        with pytest.raises(ValueError, match="no type"):
            await running
