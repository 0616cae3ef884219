"""The formats in which members receive a room's events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from MyChannels import messages
from MyChannels.writer import FrameWriter, SendWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from MyChannels.messages import Message, ServerObject


class Format(Protocol):
    """Each method makes a payload for `write`, once for all members of this format. None means: write nothing."""

    def messages(self, said: Sequence[Message]) -> Any: ...

    def notice(self, sentence: str, *, joined: bool) -> Any:
        """`joined`: the sentence announces a new member, which chat.v1 announces with an object of its own."""

    def other(self, content: ServerObject) -> Any: ...


class Documented:
    """The documented format: each message is a sentence in its own frame."""

    def __init__(self, pack: Callable[..., Any]) -> None:
        self.pack = pack

    def messages(self, said: Sequence[Message]) -> Any:
        return self.pack(*[messages.encode(messages.said(each.sender, each.text)) for each in said])

    def notice(self, sentence: str, *, joined: bool) -> Any:
        return self.pack(messages.encode(sentence))

    def other(self, content: ServerObject) -> Any:
        return None


class ChatV1:
    """The subprotocol chat.v1, which receives all objects."""

    def __init__(self, pack: Callable[..., Any]) -> None:
        self.pack = pack

    def messages(self, said: Sequence[Message]) -> Any:
        return self.pack("\n".join([message.line for message in said]))

    def notice(self, sentence: str, *, joined: bool) -> Any:
        return None if joined else self.other({"type": "notice", "text": sentence})

    def other(self, content: ServerObject) -> Any:
        return self.pack(messages.encode_v1(content))


class Objects:
    """For Python code: Message objects."""

    def messages(self, said: Sequence[Message]) -> Any:
        return said

    def notice(self, sentence: str, *, joined: bool) -> Any:
        return None

    def other(self, content: ServerObject) -> Any:
        return None


OBJECTS = Objects()
DOCUMENTED: dict[Any, Format] = {kind: Documented(kind.pack) for kind in (FrameWriter, SendWriter)}
CHAT_V1: dict[Any, Format] = {kind: ChatV1(kind.pack) for kind in (FrameWriter, SendWriter)}
