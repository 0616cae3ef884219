"""chat.v1: what a client may send, and what it is sent."""

import json
import tracemalloc
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from MyChannels import messages
from MyChannels.messages import Fault, History, Members, Message, Ping, Send, Typing, encode_v1, lines, parse_v1

LIMIT = 10
texts = st.text(st.characters(exclude_categories=["Cs"]))
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda value: st.lists(value, max_size=3) | st.dictionaries(st.text(), value, max_size=3),
    max_leaves=8,
)


def shown(value: object) -> str:
    return ascii(value)[:50]


def line(**content: object) -> str:
    return json.dumps(content)


def refusal(received: str) -> Fault:
    with pytest.raises(Fault) as refused:
        parse_v1(received, LIMIT)
    return refused.value


# ── A client's objects ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("received", "asked"),
    [
        ('{"type": "send", "text": "你好"}', Send("你好")),
        ('{"type": "send", "text": "你好", "ref": "r"}', Send("你好", "r")),
        ('{"type": "send", "text": "a", "ref": null}', Send("a")),
        ('{"type": "send", "text": ""}', Send("")),
        ('{"type": "send", "text": "a\\nb\\u0000"}', Send("a\nb\0")),
        ('{"type": "send", "text": "\\ud83d\\udc69"}', Send("👩")),  # a pair of escapes is one code point
        (line(type="send", text="x" * LIMIT), Send("x" * LIMIT)),
        (line(type="send", text="👩" * LIMIT), Send("👩" * LIMIT)),  # code points, not UTF-16 units or bytes
        (line(type="send", text="a", ref="x" * 64), Send("a", "x" * 64)),
        (line(type="send", text="a", ref="👩" * 64), Send("a", "👩" * 64)),
        ('{"type": "typing"}', Typing()),
        ('{"type": "members"}', Members()),
        ('{"type": "ping"}', Ping()),
        ('{"type": "history"}', History(None, 50)),
        ('{"type": "history", "before": null}', History(None, 50)),
        ('{"type": "history", "before": 1}', History(1, 50)),
        (line(type="history", before=2**53 - 1), History(2**53 - 1, 50)),
        ('{"type": "history", "before": 7, "limit": 1}', History(7, 1)),
        ('{"type": "history", "limit": 100}', History(None, 100)),
        ('{"type": "history", "limit": 101}', History(None, 100)),
        (line(type="history", limit=2**53 - 1), History(None, 100)),
        (' \t{"type": "ping"}\r', Ping()),
        ('{"type": "ping", "unknown": [1, {"a": null}]}', Ping()),
        ('{"type": "pong", "type": "ping"}', Ping()),  # the last one counts, as in JavaScript
    ],
    ids=shown,
)
def test_object_is_read(received: str, asked: messages.ClientObject) -> None:
    assert parse_v1(received, LIMIT) == asked


NOT_JSON = "expected a JSON object on each line"
NO_REF = 'expected "ref" to be a string of 1 to 64 characters'
NO_BEFORE = f'expected "before" to be a whole number from 1 to {2**53 - 1}'
NO_LIMIT = f'expected "limit" to be a whole number from 1 to {2**53 - 1}'


@pytest.mark.parametrize(
    ("received", "detail"),
    [
        ("", NOT_JSON),
        ("hello", NOT_JSON),
        ('{"type": "ping"', NOT_JSON),
        ('{"type": "ping"} {"type": "ping"}', NOT_JSON),
        ("{'type': 'ping'}", NOT_JSON),
        ('\ufeff{"type": "ping"}', NOT_JSON),
        ('{"type": "send", "text": "a\0b"}', NOT_JSON),
        ('{"type": "ping", "a": NaN}', NOT_JSON),
        ('{"type": "ping", "a": Infinity}', NOT_JSON),
        ('{"type": "ping", "a": -Infinity}', NOT_JSON),
        ("[" * 200_000, NOT_JSON),
        ('{"a":' * 200_000, NOT_JSON),
        ('{"type": "history", "before": ' + "9" * 10_000 + "}", NOT_JSON),  # quadratic to read
        ("null", "expected a JSON object, received null"),
        ("true", "expected a JSON object, received a boolean"),
        ("1", "expected a JSON object, received a number"),
        ("1.5", "expected a JSON object, received a number"),
        ('"ping"', "expected a JSON object, received a string"),
        ('[{"type": "ping"}]', "expected a JSON object, received an array"),
        ("{}", 'expected a "type" that is a string, received null'),
        ('{"Type": "ping"}', 'expected a "type" that is a string, received null'),
        ('{"type": null}', 'expected a "type" that is a string, received null'),
        ('{"type": true}', 'expected a "type" that is a string, received a boolean'),
        ('{"type": 1}', 'expected a "type" that is a string, received a number'),
        ('{"type": ["ping"]}', 'expected a "type" that is a string, received an array'),
        ('{"type": {"a": 1}}', 'expected a "type" that is a string, received an object'),
        ('{"type": "send"}', 'expected "text" to be a string, received null'),
        (line(type="send", text=None), 'expected "text" to be a string, received null'),
        (line(type="send", text=False), 'expected "text" to be a string, received a boolean'),
        (line(type="send", text=1.5), 'expected "text" to be a string, received a number'),
        (line(type="send", text=["a"]), 'expected "text" to be a string, received an array'),
        (line(type="send", text={"a": "b"}), 'expected "text" to be a string, received an object'),
        (line(type="send", text="\ud800"), "expected text, received a lone surrogate"),
        ('{"type": "send", "text": "\ud800"}', "expected text, received a lone surrogate"),
        (line(type="send", text="\udc69\ud83d"), "expected text, received a lone surrogate"),
        *[
            (line(type="send", text="a", ref=ref), NO_REF)
            for ref in ["", "x" * 65, "\ud800", 1, 1.5, True, False, ["r"], {"r": 1}]
        ],
        *[(line(type="history", before=before), NO_BEFORE) for before in [0, -1, 2**53, 10**400, 1.0, True, "1", [1]]],
        ('{"type": "history", "before": 1e400}', NO_BEFORE),
        *[(line(type="history", limit=limit), NO_LIMIT) for limit in [0, -1, 2**53, 50.0, True, "50", [], None]],
    ],
    ids=shown,
)
def test_malformed_object_is_refused_with_what_was_expected(received: str, detail: str) -> None:
    fault = refusal(received)
    assert (fault.code, fault.ref) == ("malformed", None)
    assert fault.detail.startswith(detail)


def test_text_is_too_long_by_code_points_not_by_bytes() -> None:
    for letter in "x你👩":
        fault = refusal(line(type="send", text=letter * (LIMIT + 1), ref="r"))
        assert (fault.code, fault.detail) == ("too_long", "expected at most 10 characters, received 11")


@pytest.mark.parametrize("kind", ["", "Send", "send ", "message", "pong", "说", "\ud800"], ids=shown)
def test_unknown_type_is_refused_by_a_code_of_its_own(kind: str) -> None:
    fault = refusal(line(type=kind))
    assert (fault.code, fault.detail) == ("unknown_type", "expected send, typing, members, history or ping")


@pytest.mark.parametrize(
    "content",
    [
        {"type": "send"},
        {"type": "send", "text": "x" * (LIMIT + 1)},
        {"type": "send", "text": "\ud800"},
        {"type": "history", "before": 0},
        {"type": "history", "limit": 0},
        {"type": "unheard"},
        {"type": None},
    ],
    ids=shown,
)
def test_fault_carries_the_ref_of_its_object(content: dict[str, Any]) -> None:
    fault = refusal(line(**content, ref="r-1"))
    assert fault.content() == {"type": "error", "code": fault.code, "detail": fault.detail, "ref": "r-1"}


def test_fault_without_a_ref_has_none() -> None:
    assert refusal("{}").content().keys() == {"type", "code", "detail"}


# ── Frames ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("frame", "objects"),
    [
        ("", []),
        (b"", []),
        ("\n", []),
        (" \n\t\n\r\n", []),
        ("a", ["a"]),
        ("a\nb\n", ["a", "b"]),
        ("\n\na\n\n \nb", ["a", "b"]),
        ("a\r\nb", ["a\r", "b"]),  # JSON takes the carriage return for white space
        ('{"text":"\u2028\u2029\x85\x0b"}', ['{"text":"\u2028\u2029\x85\x0b"}']),  # no separators in JSON either
        ("你\n好".encode(), ["你", "好"]),
    ],
    ids=shown,
)
def test_frame_holds_an_object_a_line(frame: str | bytes, objects: list[str]) -> None:
    assert list(lines(frame)) == objects


def test_reading_a_frame_line_by_line_takes_little_more_memory_than_the_frame() -> None:
    frame = "xx\n" * 20_000
    tracemalloc.start()
    count = sum(1 for _ in lines(frame))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (count, most < len(frame)) == (20_000, True)


@pytest.mark.parametrize("frame", [b"\xff", b'{"type":"ping"}\n\xe4\xbd', b"\xed\xa0\x80"], ids=shown)
def test_bytes_that_are_not_utf8_are_malformed_as_a_frame(frame: bytes) -> None:
    with pytest.raises(Fault, match="expected UTF-8") as refused:
        lines(frame)
    assert refused.value.code == "malformed"


@given(st.text() | st.binary() | anything.map(json.dumps) | st.dictionaries(
    st.sampled_from(["type", "text", "ref", "before", "limit"]),
    anything | st.sampled_from(["send", "history", "typing", "members", "ping"]),
).map(json.dumps))  # fmt: skip
def test_whatever_arrives_is_an_object_or_a_fault_that_can_be_told(frame: str | bytes) -> None:
    try:
        objects = list(lines(frame))
    except Fault:
        objects = []
    for one in objects:
        try:
            assert isinstance(parse_v1(one, LIMIT), get_args(messages.ClientObject))
        except Fault as fault:
            encode_v1(fault.content()).encode()


@given(st.lists(texts))
def test_every_text_is_read_from_the_line_it_was_sent_in(said: list[str]) -> None:
    frame = "\n".join(encode_v1({"type": "send", "text": text}) for text in said)  # type: ignore[typeddict-item]
    for received in frame, frame.encode():
        assert [parse_v1(one, 10**6) for one in lines(received)] == [Send(text) for text in said]


# ── The server's objects ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("content", "encoded"),
    [
        ({"type": "pong"}, '{"type":"pong"}'),
        ({"type": "notice", "text": "一\n二\r\u2028"}, '{"type":"notice","text":"一\\n二\\r\u2028"}'),
        ({"type": "ack", "ref": "r", "offset": 2**53 - 1}, '{"type":"ack","ref":"r","offset":9007199254740991}'),
        ({"type": "typing", "name": '"'}, r'{"type":"typing","name":"\""}'),
    ],
    ids=shown,
)
def test_object_is_one_line_of_compact_json(content: Any, encoded: str) -> None:
    assert encode_v1(content) == encoded


@given(texts, texts, st.lists(texts))
def test_no_encoded_object_holds_a_line_feed_and_each_is_read_as_it_was(a: str, b: str, c: list[str]) -> None:
    objects: list[Any] = [
        {"type": "notice", "text": a},
        {"type": "typing", "name": a},
        {"type": "ack", "ref": a, "offset": 1},
        {"type": "joined", "names": c, "more": 0, "members": 1},
        {"type": "members", "names": c, "count": 1},
        {"type": "history", "messages": [Message(1, a, b, 2).content()], "more": False},
        Fault("malformed", a, b).content(),
    ]
    for content in objects:
        assert "\n" not in encode_v1(content)
        assert json.loads(encode_v1(content)) == content


def test_message_has_the_contracts_keys() -> None:
    message = Message(7, "Ada", "你好", 1_700_000_000_000)
    assert json.loads(message.line) == {
        "type": "message",
        "offset": 7,
        "sender": "Ada",
        "text": "你好",
        "sent_at": 1_700_000_000_000,
    }


def test_message_says_only_what_is_true_of_it() -> None:
    assert json.loads(Message(1, "Ada", "", 2, user=True, deleted=True).line).items() >= {
        ("user", True),
        ("deleted", True),
    }
    assert not Message(1, "Ada", "", 2, user=False, deleted=False).content().keys() & {"user", "deleted"}


def test_message_is_encoded_once_however_often_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = []

    def counted(content: Any) -> str:
        runs.append(content)
        return json.dumps(content)

    monkeypatch.setattr(messages, "encode_v1", counted)
    message = Message(1, "Ada", "hello", 2)
    assert message.line is message.line
    assert len(runs) == 1


# ── By way of the group ────────────────────────────────────────────────────────────────────────


def test_messages_event_is_the_documented_one_with_extra_keys() -> None:
    """Whoever listens with a documented consumer hears the sentence."""
    assert Message(7, "Ada", "hello", 99).event("e1") == {
        "type": "chat_message",
        "message": "Ada说: hello",
        "epoch": "e1",
        "offset": 7,
        "sender": "Ada",
        "text": "hello",
        "time": 99,
    }
    assert Message(7, "Ada", "hello", 99, user=True).event("e1")["user"] is True


@given(st.integers(1, 2**53 - 1), texts, texts, st.integers(0, 2**53 - 1), st.booleans())
def test_message_survives_its_way_through_the_group(offset: int, sender: str, text: str, at: int, user: bool) -> None:
    sent = Message(offset, sender, text, at, user=user)
    received = Message.from_event(json.loads(json.dumps(sent.event("e"))))
    assert received is not None
    assert received.content() == sent.content()


@pytest.mark.parametrize("missing", ["offset", "sender", "text", "time"])
def test_event_that_did_not_come_by_way_of_the_log_is_no_message(missing: str) -> None:
    event = Message(7, "Ada", "hello", 99).event("e1")
    del event[missing]
    assert Message.from_event(event) is None
    assert Message.from_event(messages.event("Ada加入了")) is None
