"""The wire formats: what frames contain, in both formats and directions. No I/O, no Django."""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NoReturn, NotRequired, TypedDict
from urllib.parse import parse_qs

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# ── The documented format ──────────────────────────────────────────────────────────────────────


class Malformed(ValueError):
    """A client's frame cannot be used. The exception's message tells the client what was expected."""


def parse(frame: str | bytes | None, max_length: int) -> str:
    """The text of a client's `{"message": "text"}`, received as text or as UTF-8 bytes.

    `max_length` is in code points. Raises Malformed.
    """
    try:
        text = frame.decode() if isinstance(frame, bytes) else frame or ""  # json would also accept UTF-16 bytes
        content = _decode(text)
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
    """Returns `text` if a member may send it: a string of at most `max_length` code points. Raises Malformed."""
    if not isinstance(text, str):
        raise Malformed(f'expected "message" to be a string, received {_kind(text)}')
    if len(text) > max_length:
        raise Malformed(f"expected at most {max_length} characters, received {len(text)}")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Malformed("expected text, received a lone surrogate") from None
    return text


def check_name(name: str) -> str:
    """Returns `name` if other code may send under it: any name that can be encoded. Raises ValueError."""
    if _holds_surrogate(name):
        raise ValueError("expected a name, received a lone surrogate in it")
    return name


def _refuse(constant: str) -> NoReturn:
    """Python's parser accepts NaN and Infinity; JSON has neither."""
    raise ValueError(constant)


_decode_whatever = json.JSONDecoder(parse_constant=_refuse).decode


def _decode(text: str) -> Any:
    """Falls back to Python's parser, since orjson also refuses some valid JSON: a lone surrogate, a number beyond a
    double, or deep nesting. Callers then report the actual fault. Raises ValueError, RecursionError."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return _decode_whatever(text)


def _kind(value: object) -> str:
    """The JavaScript name of the value's type, since the authors of clients read it."""
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
    """The only event type sent to a room's group: any other type would close the documented consumers in it."""
    return {"type": "chat_message", "message": sentence}


def announcement(sender: str, text: str, *, user: bool) -> dict[str, Any]:
    """A message's event without epoch, offset and time, which are known only after the append."""
    extra: dict[str, Any] = {"sender": sender, "text": text}
    if user:
        extra["user"] = True
    return event(said(sender, text)) | extra


def encode(sentence: str) -> str:
    """The server's frame for a sentence."""
    return json.dumps({"message": sentence})


def encode_error(fault: Malformed) -> str:
    """The server's answer to a malformed frame; the socket stays open."""
    return json.dumps({"error": str(fault)})


# ── Subprotocol chat.v1 ────────────────────────────────────────────────────────────────────────

SUBPROTOCOL = "chat.v1"
LARGEST_OFFSET = 2**53 - 1  # JavaScript's largest safe integer
LONGEST_REF = 64
HISTORY = 50  # messages, unless the client asks for another number
MOST_HISTORY = 100
MOST_NAMES = 100

ErrorCode = Literal["malformed", "unknown_type", "too_long", "rate_limited", "unavailable", "ref_reused", "forbidden"]


class Message:
    """A message of a room's log. `sent_at` is in milliseconds since 1970. `user` is True if an account sent it."""

    __slots__ = ("_line", "deleted", "offset", "sender", "sent_at", "text", "user")

    def __init__(
        self, offset: int, sender: str, text: str, sent_at: int, *, user: bool = False, deleted: bool = False
    ) -> None:
        self.offset = offset
        self.sender = sender
        self.text = text
        self.sent_at = sent_at
        self.user = user
        self.deleted = deleted
        self._line: str | None = None

    @property
    def line(self) -> str:
        """The message in chat.v1, encoded once for all members and later readers."""
        if self._line is None:
            self._line = encode_v1(self.content())
        return self._line

    def content(self) -> MessageObject:
        content: MessageObject = {
            "type": "message",
            "offset": self.offset,
            "sender": self.sender,
            "text": self.text,
            "sent_at": self.sent_at,
        }
        if self.user:
            content["user"] = True
        if self.deleted:
            content["deleted"] = True
        return content

    def event(self, epoch: str) -> dict[str, Any]:
        """The event for the room's group: the documented sentence and the additional fields of chat.v1."""
        where = {"epoch": epoch, "offset": self.offset, "time": self.sent_at}
        return announcement(self.sender, self.text, user=self.user) | where

    @classmethod
    def from_event(cls, content: Mapping[str, Any]) -> Message | None:
        """None if the event did not come from the log."""
        try:
            return (
                cls(
                    content["offset"],
                    content["sender"],
                    content["text"],
                    content["time"],
                    user=content.get("user", False),
                )
                if "epoch" in content
                else None
            )
        except KeyError:
            return None


# What the server sends. docs/protocol.md has the same table, and a test compares the two.


class Welcome(TypedDict):
    type: Literal["welcome"]
    room: str
    name: str
    worker: str
    epoch: str
    offset: int
    members: int
    recovered: NotRequired[bool]


class MessageObject(TypedDict):
    type: Literal["message"]
    offset: int
    sender: str
    text: str
    sent_at: int
    user: NotRequired[bool]
    deleted: NotRequired[bool]


class Notice(TypedDict):
    type: Literal["notice"]
    text: str


class CameOrWent(TypedDict):
    type: Literal["joined", "left"]
    names: list[str]
    more: int
    members: int


class SomebodyTypes(TypedDict):
    type: Literal["typing"]
    name: str


class Ack(TypedDict):
    type: Literal["ack"]
    ref: str
    offset: int


class MemberList(TypedDict):
    type: Literal["members"]
    names: list[str]
    count: int


class HistoryPage(TypedDict):
    type: Literal["history"]
    messages: list[MessageObject]
    more: bool


class Pong(TypedDict):
    type: Literal["pong"]


class ErrorObject(TypedDict):
    type: Literal["error"]
    code: ErrorCode
    detail: str
    ref: NotRequired[str]


ServerObject = (
    Welcome | MessageObject | Notice | CameOrWent | SomebodyTypes | Ack | MemberList | HistoryPage | Pong | ErrorObject
)


def encode_v1(content: ServerObject) -> str:
    """One object as one line: JSON escapes line feeds inside strings."""
    return orjson.dumps(content).decode()


# What a client sends.


@dataclass(frozen=True, slots=True)
class Send:
    text: str
    ref: str | None = None


@dataclass(frozen=True, slots=True)
class Typing:
    pass


@dataclass(frozen=True, slots=True)
class Members:
    pass


@dataclass(frozen=True, slots=True)
class Ping:
    pass


@dataclass(frozen=True, slots=True)
class History:
    before: int | None = None
    limit: int = HISTORY
    ref: str | None = None  # only an error names it, the answer does not


ClientObject = Send | Typing | Members | Ping | History


@dataclass(eq=False)
class Fault(Exception):
    """What is wrong with one object of a client; becomes the answer to that object."""

    code: ErrorCode
    detail: str
    ref: str | None = None

    def content(self) -> ErrorObject:
        content: ErrorObject = {"type": "error", "code": self.code, "detail": self.detail}
        if self.ref is not None:
            content["ref"] = self.ref
        return content


def lines(frame: str | bytes) -> Iterator[str]:
    """The unparsed objects of a frame, without blank lines. Raises Fault.

    A generator: a list would be twenty times as large as the frame, and live until all its objects are handled.
    """
    try:
        text = frame.decode() if isinstance(frame, bytes) else frame
    except UnicodeDecodeError:
        raise Fault("malformed", "expected UTF-8, received other bytes") from None
    return (line for line in _split(text) if line and not line.isspace())


def _split(text: str) -> Iterator[str]:
    begin = 0
    while (end := text.find("\n", begin)) >= 0:
        yield text[begin:end]
        begin = end + 1
    yield text[begin:]


def parse_v1(line: str, max_length: int) -> ClientObject:
    """Parses one object of a client. `max_length` of a text is in code points. Raises Fault."""
    try:
        content = _decode(line)
    except (ValueError, RecursionError):
        raise Fault("malformed", "expected a JSON object on each line, received something else") from None
    if not isinstance(content, dict):
        raise Fault("malformed", f"expected a JSON object, received {_kind(content)}")
    ref = _ref(content)
    match content.get("type"):
        case "send":
            if ref is None and content.get("ref") is not None:
                raise Fault("malformed", f'expected "ref" to be a string of 1 to {LONGEST_REF} characters')
            return Send(_text(content, max_length, ref), ref)
        case "typing":
            return Typing()
        case "members":
            return Members()
        case "ping":
            return Ping()
        case "history":
            before = content.get("before")
            return History(
                None if before is None else _whole(content, "before", LARGEST_OFFSET, ref),
                min(_whole(content, "limit", LARGEST_OFFSET, ref), MOST_HISTORY) if "limit" in content else HISTORY,
                ref,
            )
        case str():
            raise Fault("unknown_type", "expected send, typing, members, history or ping", ref)
        case other:
            raise Fault("malformed", f'expected a "type" that is a string, received {_kind(other)}', ref)


def _ref(content: dict[str, Any]) -> str | None:
    """The object's ref, or None if it has no valid one."""
    ref = content.get("ref")
    good = isinstance(ref, str) and 1 <= len(ref) <= LONGEST_REF and not _holds_surrogate(ref)
    return ref if good else None


def _text(content: dict[str, Any], max_length: int, ref: str | None) -> str:
    text = content.get("text")
    if not isinstance(text, str):
        raise Fault("malformed", f'expected "text" to be a string, received {_kind(text)}', ref)
    if len(text) > max_length:
        raise Fault("too_long", f"expected at most {max_length} characters, received {len(text)}", ref)
    if _holds_surrogate(text):
        raise Fault("malformed", "expected text, received a lone surrogate", ref)
    return text


def _whole(content: dict[str, Any], name: str, most: int, ref: str | None) -> int:
    number = content[name]
    if type(number) is not int or not 1 <= number <= most:
        raise Fault("malformed", f'expected "{name}" to be a whole number from 1 to {most}', ref)
    return number


def _holds_surrogate(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


# ── Connecting ─────────────────────────────────────────────────────────────────────────────────

LONGEST_NAME = 40  # code points
# Characters that Unicode classifies as letters, marks or symbols, but that fonts render as nothing.
INVISIBLE = "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800"
CLIENT = re.compile(r"[A-Za-z0-9_-]{16,64}")
SINCE = re.compile(r"([A-Za-z0-9_-]{1,64}):([0-9]{1,16})")


@dataclass(frozen=True, slots=True)
class Connect:
    """What a client asks for in the query string of its URL."""

    name: str | None = None
    client: str | None = None
    since: tuple[str, int] | None = None  # epoch, offset


def parse_query(query: bytes) -> Connect:
    """Parses `name=…&client=…&since=<epoch>:<offset>`, each at most once. Ignores other names. Raises Malformed."""
    try:
        given = parse_qs(query.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=100)
    except ValueError:
        raise Malformed("expected a query string of percent-encoded UTF-8, received something else") from None

    def only(name: str) -> str | None:
        values = given.get(name, [])
        if len(values) > 1:
            raise Malformed(f"expected {name} once, received it {len(values)} times")
        return values[0] if values else None

    name, client, since = only("name"), only("client"), only("since")
    if client is not None and not CLIENT.fullmatch(client):
        raise Malformed("expected client to be 16 to 64 characters of A-Z, a-z, 0-9, _ and -")
    return Connect(None if name is None else guest_name(name), client, None if since is None else _since(since))


def guest_name(given: str) -> str:
    """The name as displayed: NFKC, trimmed. Raises Malformed for a name that could be mistaken for something else."""
    name = unicodedata.normalize("NFKC", given).strip()
    if not 1 <= len(name) <= LONGEST_NAME:
        raise Malformed(f"expected a name of 1 to {LONGEST_NAME} characters, received {len(name)}")
    # Control characters; direction marks and zero-width; line and paragraph separators; surrogates; invisible ones.
    if any(unicodedata.category(c) in {"Cc", "Cf", "Zl", "Zp", "Cs"} or c in INVISIBLE for c in name):
        raise Malformed("expected a name of visible characters, received an invisible one")
    if "说:" in name or name.startswith("Server"):
        raise Malformed("expected a name that does not read like the server's sentences")
    return name


def _since(given: str) -> tuple[str, int]:
    found = SINCE.fullmatch(given)
    if not found or int(found[2]) > LARGEST_OFFSET:
        raise Malformed("expected since to be <epoch>:<offset>")
    return found[1], int(found[2])
