"""Applications whose peer is behind, so that a channel layer can end those that fall too far behind.

The servers enter and remove them; a layer asks about the application that owns a channel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

# By the application's task: closes its socket, and says whether it did.
behind: dict[asyncio.Task[Any], Callable[[], bool]] = {}


def close_if_behind(application: asyncio.Task[Any] | None) -> bool:
    """Closes the application's socket with 4408 if its peer still has to take what it was sent."""
    close = behind.get(application) if application else None
    return close() if close else False
