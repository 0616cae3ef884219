"""The one answer to "is this origin ours?", for sockets and forms alike."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable

SAME_AS = {"ws": "http", "wss": "https"}  # a socket's address, as some clients send it
DEFAULT_PORTS = {"http": 80, "https": 443}

Origin = tuple[str, str, int | None]


def normal(origin: str) -> Origin | None:
    """Scheme, host and port of an origin in the form in which two are compared; None for anything else, `null` too.

    A final dot is no other host: https://www.rfc-editor.org/rfc/rfc3986#section-3.2.2. A browser sends a host in
    ASCII only.
    """
    try:
        parts = urlsplit(origin.lower())
        port = parts.port
    except ValueError:
        return None
    host = (parts.hostname or "").removesuffix(".")
    # urlsplit drops tabs and line ends, and blanks at the ends.
    if not (parts.scheme and host and origin.isascii()) or any(character < "!" for character in origin):
        return None
    if parts.path or parts.query or parts.fragment or parts.username is not None:
        return None
    scheme = SAME_AS.get(parts.scheme, parts.scheme)
    return scheme, host, DEFAULT_PORTS.get(scheme) if port is None else port


class OwnOrigins:
    """Those that are listed, and the one that a request was sent to."""

    def __init__(self, listed: Iterable[str]) -> None:
        self._listed = {normal(origin) for origin in listed}

    def include(self, origin: str, requested: str) -> bool:
        found = normal(origin)
        return found is not None and (found in self._listed or found == normal(requested))
