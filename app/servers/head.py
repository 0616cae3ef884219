"""How long the head of a request may be, its request line and its headers: the same for pages and sockets."""

from __future__ import annotations

import logging
import os

from django.conf import settings

from app.servers.websocket import http_response

logger = logging.getLogger(__name__)

# nginx is stricter, and adds headers of its own (app/settings.py).
HEAD_BYTES = settings.MAX_HEADER_BYTES + 8192
MOST_HEADERS = HEAD_BYTES // 4  # an empty one has four bytes: their size bounds their number

# The library that has uvicorn's sockets reads them when it is imported, and its own limits are lower:
# https://websockets.readthedocs.io/en/stable/reference/variables.html
os.environ["WEBSOCKETS_MAX_LINE_LENGTH"] = str(HEAD_BYTES)
os.environ["WEBSOCKETS_MAX_NUM_HEADERS"] = str(MOST_HEADERS)


def refusal() -> bytes:
    """The answer to a longer one."""
    logger.warning("Refused with 431: headers above MAX_HEADER_BYTES, %d", settings.MAX_HEADER_BYTES)
    return http_response(431, [], b"")
