"""`/metrics` in Prometheus' text format, answered before Django; nginx does not pass it on."""

from __future__ import annotations

from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector


def registry() -> CollectorRegistry:
    """This process' metrics, or those of all gunicorn's workers together."""
    together = CollectorRegistry()
    try:
        MultiProcessCollector(together)  # type: ignore[no-untyped-call]
    except ValueError:  # services/web/gunicorn.conf.py named no folder for the counts: not gunicorn
        return REGISTRY
    return together


class Metrics:
    """ASGI application that answers `/metrics` and passes all else on."""

    def __init__(self, application: Any) -> None:
        self.application = application

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> Any:
        if scope["path"] != "/metrics":
            return await self.application(scope, receive, send)
        body = generate_latest(registry())
        headers = [(b"content-type", CONTENT_TYPE_LATEST.encode()), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        return await send({"type": "http.response.body", "body": body})
