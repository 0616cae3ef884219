"""`/metrics` in Prometheus' text format, answered before Django; nginx does not pass it on."""

from __future__ import annotations

import asyncio
from typing import Any

from channels.layers import get_channel_layer
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Gauge, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

TASKS = Gauge("asyncio_tasks", "Tasks of this process' event loop", multiprocess_mode="livesum")
CHANNELS = Gauge("channel_layer_channels", "Channels that the layer keeps in this process", multiprocess_mode="livesum")
GROUPS = Gauge("channel_layer_groups", "Groups that the layer keeps in this process", multiprocess_mode="livesum")


def registry() -> CollectorRegistry:
    """This process' metrics, or those of all gunicorn's workers together."""
    together = CollectorRegistry()
    try:
        MultiProcessCollector(together)  # type: ignore[no-untyped-call]
    except ValueError:  # no multiprocess folder is set, as services/web/gunicorn.conf.py does: not gunicorn
        return REGISTRY
    return together


def look() -> None:
    """Sets the metrics that are not updated continuously."""
    layer = get_channel_layer()
    TASKS.set(len(asyncio.all_tasks()))
    CHANNELS.set(len(getattr(layer, "channels", ())))
    GROUPS.set(len(getattr(layer, "groups", ())))


class Metrics:
    """ASGI application that answers `/metrics` and passes everything else on."""

    def __init__(self, application: Any) -> None:
        self.application = application

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> Any:
        if scope["path"] != "/metrics":
            return await self.application(scope, receive, send)
        look()
        body = generate_latest(registry())
        headers = [(b"content-type", CONTENT_TYPE_LATEST.encode()), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        return await send({"type": "http.response.body", "body": body})
