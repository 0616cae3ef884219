"""What each kind of member is told of what happens in a room."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from MyChannels import messages
from MyChannels.writer import FrameWriter, SendWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from MyChannels.messages import Message, ServerObject


class Format(Protocol):
    """Each answers with what the `write` of such a member takes, made once for all of them; None is nothing."""

    def messages(self, said: Sequence[Message]) -> Any: ...

    def notice(self, sentence: str, *, joined: bool) -> Any:
        """`joined`: the documented sentence about a member of the room, whom chat.v1 announces otherwise."""

    def other(self, content: ServerObject) -> Any: ...


class Documented:
    """Each message a sentence in a frame of its own."""

    def __init__(self, pack: Callable[..., Any]) -> None:
        self.pack = pack

    def messages(self, said: Sequence[Message]) -> Any:
        return self.pack(*[messages.encode(messages.said(each.sender, each.text)) for each in said])

    def notice(self, sentence: str, *, joined: bool) -> Any:
        return self.pack(messages.encode(sentence))

    def other(self, content: ServerObject) -> Any:
        return None


class ChatV1:
    """Everything."""

    def __init__(self, pack: Callable[..., Any]) -> None:
        self.pack = pack

    def messages(self, said: Sequence[Message]) -> Any:
        return self.pack("\n".join([message.line for message in said]))

    def notice(self, sentence: str, *, joined: bool) -> Any:
        return None if joined else self.other({"type": "notice", "text": sentence})

    def other(self, content: ServerObject) -> Any:
        return self.pack(messages.encode_v1(content))


class Objects:
    """For Python code: messages as they are."""

    def messages(self, said: Sequence[Message]) -> Any:
        return said

    def notice(self, sentence: str, *, joined: bool) -> Any:
        return None

    def other(self, content: ServerObject) -> Any:
        return None


OBJECTS = Objects()
DOCUMENTED: dict[Any, Format] = {kind: Documented(kind.pack) for kind in (FrameWriter, SendWriter)}
CHAT_V1: dict[Any, Format] = {kind: ChatV1(kind.pack) for kind in (FrameWriter, SendWriter)}
