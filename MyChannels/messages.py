"""The documented wire vocabulary: what a frame may hold, in both directions. No I/O, no Django."""

import json
from typing import NoReturn


class Malformed(ValueError):
    """A client's frame that holds no text; its message tells the client what was expected."""


def parse(frame: str | bytes | None, max_length: int) -> str:
    """The text of a client's `{"message": "text"}`, received as text or as UTF-8 bytes.

    `max_length` is in code points. Raises Malformed.
    """
    try:
        text = frame.decode() if isinstance(frame, bytes) else frame or ""  # given bytes, json would take UTF-16 too
        content = json.loads(text, parse_constant=_refuse)
    except UnicodeDecodeError:
        raise Malformed("expected UTF-8, received other bytes") from None
    except (ValueError, RecursionError):
        raise Malformed('expected JSON such as {"message": "text"}, received something else') from None
    if not isinstance(content, dict):
        raise Malformed(f"expected a JSON object, received {_kind(content)}")
    if "message" not in content:
        raise Malformed('expected a "message" in the object, received none')
    return check(content["message"], max_length)


def check(text: object, max_length: int) -> str:
    """`text` itself if a member may say it: a string of at most `max_length` code points. Raises Malformed."""
    if not isinstance(text, str):
        raise Malformed(f'expected "message" to be a string, received {_kind(text)}')
    if len(text) > max_length:
        raise Malformed(f"expected at most {max_length} characters, received {len(text)}")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Malformed("expected text, received a lone surrogate") from None
    return text


def _refuse(constant: str) -> NoReturn:
    """NaN and Infinity are Python's, not JSON's."""
    raise ValueError(constant)


def _kind(value: object) -> str:
    """What JavaScript calls it, since the reader is a client's author."""
    kinds = {
        bool: "a boolean",
        int: "a number",
        float: "a number",
        str: "a string",
        list: "an array",
        dict: "an object",
    }
    return kinds.get(type(value), "null")


def joined(name: str) -> str:
    """The sentence that announces a new member."""
    return f"Server: {name}加入了."


def said(name: str, text: str) -> str:
    """The sentence that carries a member's text."""
    return f"{name}说: {text}"


def event(sentence: str) -> dict[str, str]:
    """The only event ever sent to a room's group: an unknown type would close its documented members."""
    return {"type": "chat_message", "message": sentence}


def encode(sentence: str) -> str:
    """The server's frame for a sentence."""
    return json.dumps({"message": sentence})


def encode_error(fault: Malformed) -> str:
    """The server's answer to a malformed frame; the socket stays open."""
    return json.dumps({"error": str(fault)})
