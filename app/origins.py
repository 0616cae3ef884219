"""Decides whether an origin is our own, for sockets and forms alike."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable

SAME_AS = {"ws": "http", "wss": "https"}  # a socket's address, as some clients send it
DEFAULT_PORTS = {"http": 80, "https": 443}

Origin = tuple[str, str, int | None]


def normal(origin: str) -> Origin | None:
    """Scheme, host and port of an origin, normalized for comparison. None for anything else, including `null`.

    A final dot does not make another host: https://www.rfc-editor.org/rfc/rfc3986#section-3.2.2. Browsers send hosts
    in ASCII only.
    """
    try:
        parts = urlsplit(origin.lower())
        port = parts.port
    except ValueError:
        return None
    host = (parts.hostname or "").removesuffix(".")
    # urlsplit drops tabs and line breaks, and spaces at both ends.
    if not (parts.scheme and host and origin.isascii()) or any(character < "!" for character in origin):
        return None
    if parts.path or parts.query or parts.fragment or parts.username is not None:
        return None
    scheme = SAME_AS.get(parts.scheme, parts.scheme)
    return scheme, host, DEFAULT_PORTS.get(scheme) if port is None else port


class OwnOrigins:
    """The listed origins, and the one that a request was sent to."""

    def __init__(self, listed: Iterable[str]) -> None:
        self._listed = {normal(origin) for origin in listed}

    def include(self, origin: str, requested: str) -> bool:
        found = normal(origin)
        return found is not None and (found in self._listed or found == normal(requested))
