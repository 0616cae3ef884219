"""A pytest plugin: our WebSocket, and our HTTP connection that becomes one, in the place of uvicorn's."""

from uvicorn.protocols.http import httptools_impl
from uvicorn.protocols.websockets import websockets_sansio_impl

from app.servers.uvicorn import HttpProtocol
from app.servers.uvicorn_websocket import WebSocketProtocol


class WebSocketsSansIOProtocol(WebSocketProtocol):
    """By stock's name, by which tests skip what its library decides."""


vars(httptools_impl)["HttpToolsProtocol"] = HttpProtocol
vars(websockets_sansio_impl)["WebSocketsSansIOProtocol"] = WebSocketsSansIOProtocol
