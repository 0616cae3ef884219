"""What a user adds: a page and a socket of their own, which show what reached the application.

conftest.py copies this file into the clone as MyChannels/own.py.
"""

import json
import logging
import socket
from typing import Any

from channels.generic.websocket import AsyncWebsocketConsumer
from django.http import HttpRequest, JsonResponse

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


class Fault(AsyncWebsocketConsumer):
    async def connect(self) -> None:
        raise RuntimeError("the own socket's fault")


class Socket(AsyncWebsocketConsumer):
    async def connect(self) -> None:
        await self.accept()
        logger.warning("own socket opened")
        await self.send(json.dumps(shown(self.scope)))
