"""What a user adds: a page and a socket of their own, which show what reached the application.

conftest.py copies this file into the clone as MyChannels/own.py.
"""

import asyncio
import json
import logging
import socket
import time
from collections.abc import Iterator
from typing import Any

from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.http import HttpRequest, JsonResponse, StreamingHttpResponse
from django.views.decorators.csrf import csrf_exempt

logger = logging.getLogger(__name__)


def shown(scope: dict[str, Any]) -> dict[str, Any]:
    return {
        "worker": socket.gethostname(),
        "path": scope["path"],
        "root_path": scope.get("root_path", ""),
        "scheme": scope.get("scheme"),
        "client": scope["client"],
        "headers": [[name.decode("latin1"), value.decode("latin1")] for name, value in scope["headers"]],
    }


def page(request: HttpRequest) -> JsonResponse:
    return JsonResponse(
        shown(request.scope)  # type: ignore[attr-defined]  # an ASGIRequest
        | {"host": request.get_host(), "secure": request.is_secure(), "remote": request.META["REMOTE_ADDR"]}
    )


def begun(work: str) -> int:
    """Notes that this work has begun, and says how often it has."""
    with (settings.DATA_DIR / f"begun-{work}").open("a+") as file:
        file.write("x")
        return file.tell()


def times(request: HttpRequest) -> JsonResponse:
    path = settings.DATA_DIR / f"begun-{request.GET['work']}"
    return JsonResponse({"begun": path.stat().st_size if path.exists() else 0})


def slow(request: HttpRequest) -> JsonResponse:
    count = begun(request.GET["work"])
    # How slow the page is, is what its test is about.
    time.sleep(float(request.GET["seconds"]))
    return JsonResponse({"begun": count})


@csrf_exempt
def upload(request: HttpRequest) -> JsonResponse:
    """The number of bytes that arrived, of files or of the whole body."""
    files = [len(file.read()) for file in request.FILES.values()]  # type: ignore[union-attr]  # one of each name
    return JsonResponse({"bytes": sum(files) if files else len(request.body)})


def download(request: HttpRequest) -> StreamingHttpResponse:
    def parts() -> Iterator[bytes]:
        for _ in range(int(request.GET["mebibytes"]) * 16):
            yield bytes(65536)

    return StreamingHttpResponse(parts())


class Slow(AsyncWebsocketConsumer):
    async def connect(self) -> None:
        begun("socket")
        # Longer than Daphne grants a handshake, and than nginx goes on trying workers.
        await asyncio.sleep(8)
        await self.accept()


class Fault(AsyncWebsocketConsumer):
    async def connect(self) -> None:
        raise RuntimeError("the own socket's fault")


class Socket(AsyncWebsocketConsumer):
    async def connect(self) -> None:
        await self.accept()
        logger.warning("own socket opened")
        await self.send(json.dumps(shown(self.scope)))
