"""Room and group names; the only place where they are spelled."""

# Channels permits group names of fewer than 100 characters, and `chat_` goes in front.
ROOM_NAME_LENGTH = 80
# Browsers get it as a form's pattern, and compile that with the flag `v`: there a hyphen is escaped.
ROOM_NAME = rf"[a-zA-Z0-9_\-]{{1,{ROOM_NAME_LENGTH}}}"


def room_group(room_name: str) -> str:
    """The channel-layer group of a room's members."""
    return f"chat_{room_name}"
