"""Metrics of one process, and of gunicorn's workers together."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from channels.testing import HttpCommunicator
from prometheus_client import REGISTRY

from app import metrics
from app.channel_layer import NamingMemoryChannelLayer
from MyChannels import metrics as rooms


async def application(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 418, "headers": []})
    await send({"type": "http.response.body", "body": b"the application"})


async def get(path: str) -> dict[str, Any]:
    return dict(await HttpCommunicator(metrics.Metrics(application), "GET", path).get_response(timeout=5))


async def test_metrics_come_in_prometheus_text_format() -> None:
    answer = await get("/metrics")
    assert answer["status"] == 200
    assert dict(answer["headers"])[b"content-type"].startswith(b"text/plain; version=")
    assert b"# TYPE room_messages_appended_total counter" in answer["body"]
    rooms.APPENDED.inc()
    later = await get("/metrics")
    assert later["body"] != answer["body"]


async def test_what_a_process_holds_is_told_as_it_is_now(monkeypatch: pytest.MonkeyPatch) -> None:
    layer = NamingMemoryChannelLayer()
    monkeypatch.setattr(metrics, "get_channel_layer", lambda: layer)

    async def told(name: str) -> int:
        (line,) = [line for line in (await get("/metrics"))["body"].splitlines() if line.startswith(name.encode())]
        return int(float(line.split()[1]))

    tasks = await told("asyncio_tasks ")
    assert (await told("channel_layer_channels "), await told("channel_layer_groups ")) == (0, 0)
    receiving = asyncio.create_task(layer.receive("a"))
    await layer.group_add("all", "b")
    assert await told("asyncio_tasks ") == tasks + 1
    assert (await told("channel_layer_channels "), await told("channel_layer_groups ")) == (1, 1)
    receiving.cancel()


@pytest.mark.parametrize("path", ["/", "/metrics/", "/metrics/more", "/Metrics"])
async def test_other_paths_are_the_applications(path: str) -> None:
    assert (await get(path))["body"] == b"the application"


def test_one_process_tells_its_own() -> None:
    assert metrics.registry() is REGISTRY


def test_gunicorns_workers_are_told_together(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    assert metrics.registry() is not REGISTRY
