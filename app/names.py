"""Makes every channel layer refuse the same names of groups and channels, and answers handshakes that lead to one.

Channels has a rule for names. Its in-memory layer and channels_redis' core layer apply it, but the pub/sub layer
accepts any name. So a name that worked on one layer failed on another.
"""

from __future__ import annotations

import logging
from typing import Any, Literal

from channels.layers import BaseChannelLayer

from app.handshake import deny

logger = logging.getLogger(__name__)

INTERNAL_ERROR = 1011  # the code with which a server closes a socket whose application failed
SHOWN = 120  # characters of a name in messages, because clients may have chosen it


class UnusableName(TypeError):
    """Raised for a name that no channel layer accepts. A TypeError, as in Channels' own layers."""


class StrictNames(BaseChannelLayer):
    """Refuses what Channels refuses, with the name in the message."""

    def require_valid_group_name(self, name: object) -> Literal[True]:
        return _require("Group", super().require_valid_group_name, name)

    def require_valid_channel_name(self, name: object, receive: bool = False) -> Literal[True]:
        return _require(
            "Channel", lambda name: super(StrictNames, self).require_valid_channel_name(name, receive), name
        )


def _require(kind: str, rule: Any, name: object) -> Literal[True]:
    try:
        rule(name)
    except TypeError as fault:
        raise UnusableName(f"{fault} Received {name!r:.{SHOWN}}") from None
    # Channels' expressions end with $, which also matches before a final line feed.
    if str(name).endswith("\n"):
        raise UnusableName(f"{BaseChannelLayer.invalid_name_error.format(kind)} Received {name!r:.{SHOWN}}")
    return True


async def refuse(fault: UnusableName, scope: dict[str, Any], send: Any) -> None:
    """Answers 404 to a handshake whose address led to such a name. Closes a socket that is already open.

    Logs one line instead of a traceback: the address is at fault, unless the consumer's route should be stricter.
    """
    logger.warning("%s: %s", scope["path"], fault)
    try:
        await deny(scope, send, 404)
    except (ValueError, RuntimeError):  # servers raise this once the handshake has been answered
        await send({"type": "websocket.close", "code": INTERNAL_ERROR})
