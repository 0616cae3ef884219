"""Names of rooms, of groups and of Redis keys; the only place where they are spelled."""

import re

# Channels permits group names of fewer than 100 characters, and `chat_` goes in front.
ROOM_NAME_LENGTH = 80
# Browsers get it as a form's pattern, and compile that with the flag `v`: there a hyphen is escaped.
ROOM_NAME = rf"[a-zA-Z0-9_\-]{{1,{ROOM_NAME_LENGTH}}}"

_ROOM_NAME = re.compile(ROOM_NAME)

# What the hubs tell each other: who came and went, who is typing. One group for all rooms, since
# a second one per room would double what a room costs in subscriptions.
HUBS = "hubs"

# The rooms that have a log, by the time of their newest message.
ROOMS_KEY = "rooms"
# The processes that serve rooms, by the time until which they are believed alive.
PROCESSES_KEY = "processes"


def check_room_name(room_name: str) -> str:
    """The name itself. Raises ValueError for one that no socket could have joined."""
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
    """A room's keys: position, stream, idempotency keys, and those in order of age."""
    key = f"room:{room_name}"
    return key, f"{key}:log", f"{key}:refs", f"{key}:order"


def process_key(process: str) -> str:
    """The members whom a process serves, by room."""
    return f"process:{process}"
