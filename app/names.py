"""Which names of groups and channels are refused, by every channel layer alike, and how a handshake is answered then.

Channels has a rule for names. Its in-memory layer and channels_redis' core layer apply it, the pub/sub layer takes
whatever it is given: a name that worked on one failed on another.
"""

from __future__ import annotations

import logging
from typing import Any, Literal

from channels.layers import BaseChannelLayer

from app.handshake import deny

logger = logging.getLogger(__name__)

INTERNAL_ERROR = 1011  # with which a server closes a socket whose application has failed
SHOWN = 120  # characters of a name: clients may have chosen it


class UnusableName(TypeError):
    """No channel layer takes this name. A TypeError, as Channels' own layers raise it."""


class StrictNames(BaseChannelLayer):
    """Refuses what Channels refuses, and says which name it was."""

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
    # Channels' expressions end with $, which lets a final line feed pass.
    if str(name).endswith("\n"):
        raise UnusableName(f"{BaseChannelLayer.invalid_name_error.format(kind)} Received {name!r:.{SHOWN}}")
    return True


async def refuse(fault: UnusableName, scope: dict[str, Any], send: Any) -> None:
    """Answers 404 to a handshake whose address led to such a name; a socket that is open already is closed.

    One line in the log instead of a traceback: the address is at fault, and the consumer only if its route should have
    been stricter.
    """
    logger.warning("%s: %s", scope["path"], fault)
    try:
        await deny(scope, send, 404)
    except (ValueError, RuntimeError):  # servers raise this once the handshake has been answered
        await send({"type": "websocket.close", "code": INTERNAL_ERROR})
