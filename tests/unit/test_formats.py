"""What each kind of member hears of what happens in a room."""

import json
from typing import Any

import pytest

from MyChannels.formats import CHAT_V1, DOCUMENTED, OBJECTS, ChatV1, Documented
from MyChannels.messages import Message, ServerObject
from MyChannels.writer import FrameWriter, SendWriter, frame

MESSAGE, NEXT = Message(7, "Ada", "你好\n", 99), Message(8, "Ada", "again", 99)
OTHERS: list[Any] = [
    {"type": "joined", "names": ["Ada"], "more": 0, "members": 1},
    {"type": "left", "names": ["Ada"], "more": 0, "members": 1},
    {"type": "typing", "name": "Ada"},
    {"type": "pong"},
]


def sentences(texts: tuple[str, ...]) -> list[str]:
    return [json.loads(text)["message"] for text in texts]


def test_documented_member_hears_each_message_as_its_sentence() -> None:
    assert sentences(DOCUMENTED[SendWriter].messages([MESSAGE, NEXT])) == ["Ada说: 你好\n", "Ada说: again"]


@pytest.mark.parametrize("joined", [True, False])
def test_documented_member_hears_every_sentence_that_others_send(joined: bool) -> None:
    assert sentences(DOCUMENTED[SendWriter].notice("Server: Ada加入了.", joined=joined)) == ["Server: Ada加入了."]


@pytest.mark.parametrize("content", OTHERS, ids=lambda content: content["type"])
def test_documented_member_hears_nothing_else(content: ServerObject) -> None:
    assert DOCUMENTED[SendWriter].other(content) is None


def test_chat_v1_hears_a_message_as_an_object_with_its_offset() -> None:
    assert CHAT_V1[SendWriter].messages([MESSAGE]) == (MESSAGE.line,)


def test_chat_v1_hears_many_messages_in_one_frame() -> None:
    assert CHAT_V1[SendWriter].messages([MESSAGE, NEXT]) == (f"{MESSAGE.line}\n{NEXT.line}",)


def test_chat_v1_hears_what_came_without_the_log_as_a_notice() -> None:
    assert json.loads(*CHAT_V1[SendWriter].notice("hello", joined=False)) == {"type": "notice", "text": "hello"}


def test_chat_v1_does_not_hear_the_join_sentence_since_it_hears_who_joined() -> None:
    assert CHAT_V1[SendWriter].notice("Server: Ada加入了.", joined=True) is None


@pytest.mark.parametrize("content", OTHERS, ids=lambda content: content["type"])
def test_chat_v1_hears_everything_else(content: ServerObject) -> None:
    assert json.loads(*CHAT_V1[SendWriter].other(content)) == content


def test_python_code_hears_messages_as_they_are() -> None:
    assert OBJECTS.messages([MESSAGE, NEXT]) == [MESSAGE, NEXT]


def test_python_code_hears_messages_alone() -> None:
    assert OBJECTS.notice("hello", joined=False) is None
    assert OBJECTS.notice("hello", joined=True) is None
    assert [OBJECTS.other(content) for content in OTHERS] == [None] * len(OTHERS)


@pytest.mark.parametrize("formats", [DOCUMENTED, CHAT_V1])
def test_server_with_the_fanout_extension_gets_finished_frames_of_the_same_text(formats: Any) -> None:
    frames, texts = formats[FrameWriter], formats[SendWriter]
    assert frames.messages([MESSAGE, NEXT]) == b"".join(map(frame, texts.messages([MESSAGE, NEXT])))
    assert frames.notice("a", joined=False) == b"".join(map(frame, texts.notice("a", joined=False)))


def test_every_kind_of_writer_has_both_formats() -> None:
    assert all(isinstance(DOCUMENTED[kind], Documented) for kind in (FrameWriter, SendWriter))
    assert all(isinstance(CHAT_V1[kind], ChatV1) for kind in (FrameWriter, SendWriter))
