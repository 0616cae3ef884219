"""Applications whose clients are behind, so that a channel layer can close those that fall too far behind.

The servers add and remove them. A channel layer looks up the application that owns a channel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

# By the application's task: a function that closes its socket and returns whether it did.
behind: dict[asyncio.Task[Any], Callable[[], bool]] = {}


def close_if_behind(application: asyncio.Task[Any] | None) -> bool:
    """Closes the application's socket with 4408 if data for its client is still queued."""
    close = behind.get(application) if application else None
    return close() if close else False
