"""Names of rooms, groups and Redis keys. No other module spells them out."""

import re

# Channels allows group names of fewer than 100 characters, and room groups begin with `chat_`.
ROOM_NAME_LENGTH = 80
# Also a form's pattern. Browsers compile that with the flag `v`, which requires the hyphen to be escaped.
ROOM_NAME = rf"[a-zA-Z0-9_\-]{{1,{ROOM_NAME_LENGTH}}}"

_ROOM_NAME = re.compile(ROOM_NAME)

# For events between hubs: who came and went, who is typing. One group serves all rooms, since a second
# group per room would double the subscriptions.
HUBS = "hubs"

# The rooms that have a log, by the time of their newest message.
ROOMS_KEY = "rooms"
# The processes that serve rooms, by the time until which they count as alive.
PROCESSES_KEY = "processes"


def check_room_name(room_name: str) -> str:
    """Returns the name. Raises ValueError for a name that no socket could join."""
    if not _ROOM_NAME.fullmatch(room_name):
        raise ValueError(
            f"expected a room name of 1 to {ROOM_NAME_LENGTH} letters, digits, hyphens or underscores, "
            f"received {room_name!r}"
        )
    return room_name


def room_group(room_name: str) -> str:
    """The channel-layer group of a room's members."""
    return f"chat_{room_name}"


def log_keys(room_name: str) -> tuple[str, str, str, str]:
    """A room's Redis keys: position, stream, idempotency keys, and the idempotency keys in order of age."""
    key = f"room:{room_name}"
    return key, f"{key}:log", f"{key}:refs", f"{key}:order"


def process_key(process: str) -> str:
    """The Redis key of the members that a process serves, by room."""
    return f"process:{process}"
