"""Limits the head of a request (request line and headers), for pages and sockets alike."""

from __future__ import annotations

import logging
import os

from django.conf import settings

from app.servers.websocket import http_response

logger = logging.getLogger(__name__)

# nginx is stricter, and adds headers of its own (app/settings.py).
HEAD_BYTES = settings.MAX_HEADER_BYTES + 8192
MOST_HEADERS = HEAD_BYTES // 4  # an empty header takes four bytes, so the size limit implies this one

# websockets, which uvicorn uses for its sockets, reads these when it is imported. Its defaults are lower:
# https://websockets.readthedocs.io/en/stable/reference/variables.html
os.environ["WEBSOCKETS_MAX_LINE_LENGTH"] = str(HEAD_BYTES)
os.environ["WEBSOCKETS_MAX_NUM_HEADERS"] = str(MOST_HEADERS)


def refusal() -> bytes:
    """The response to a request with a longer head."""
    logger.warning("Refused with 431: headers above MAX_HEADER_BYTES, %d", settings.MAX_HEADER_BYTES)
    return http_response(431, [], b"")
