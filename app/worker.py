"""The process of `runworker`. On SIGTERM it takes no more events, finishes the ones that it has, and exits.

Channels' own worker stops in the middle of a job.
"""

import asyncio
import signal
from typing import Any

from channels.worker import Worker as ChannelsWorker

LOOK_SECONDS = 0.05


class Worker(ChannelsWorker):
    def __init__(self, application: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(self._watched, *args, **kwargs)
        self._consumers = application
        self._waiting: set[str] = set()  # channels whose consumers wait for their next event
        self._listening: list[asyncio.Future[None]] = []

    async def handle(self) -> None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self.stop)
        await super().handle()
        while any(self._busy(*instance) for instance in self.application_instances.items()):  # noqa: ASYNC110  # consumers do not signal when they are done
            await asyncio.sleep(LOOK_SECONDS)

    def stop(self) -> None:
        for listening in self._listening:
            listening.cancel()

    async def listener(self, channel: str) -> None:
        listening = asyncio.ensure_future(super().listener(channel))
        self._listening.append(listening)
        await asyncio.wait([listening])
        if not listening.cancelled():
            self.stop()  # otherwise the others would go on without this channel
            listening.result()

    async def _watched(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        channel = scope["channel"]

        async def waiting() -> Any:
            self._waiting.add(channel)
            event = await receive()
            self._waiting.discard(channel)
            return event

        await self._consumers(scope, waiting, send)

    def _busy(self, channel: str, instance: dict[str, Any]) -> bool:
        waits = channel in self._waiting and instance["input_queue"].empty()
        return not waits and not instance["future"].done()
