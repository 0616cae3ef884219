"""What a client's frame may hold, and what it is told otherwise."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from MyChannels import messages

LIMIT = 10
texts = st.text(st.characters(exclude_categories=["Cs"]))


def shown(value: object) -> str:
    return ascii(value)[:40]


def frame(value: object) -> str:
    return json.dumps({"message": value})


@pytest.mark.parametrize(
    ("received", "text"),
    [
        ('{"message": "你好"}', "你好"),
        ('{"message": "你好"}'.encode(), "你好"),
        ('{"message": "👩‍👩‍👧"}', "👩‍👩‍👧"),
        ('{"message": "\\ud83d\\udc69"}', "👩"),  # a pair of escapes is one code point
        (' \n{"message": "a"}\n', "a"),
        ('{"message": ""}', ""),
        ('{"message": "a\\u0000b"}', "a\0b"),
        ('{"message": "a", "message": "b"}', "b"),  # as in JavaScript
        ('{"message": "a", "unknown": [1, null]}', "a"),
        (frame("x" * LIMIT), "x" * LIMIT),
        (frame("👩" * LIMIT), "👩" * LIMIT),  # code points, not UTF-16 units or bytes
    ],
    ids=shown,
)
def test_text_is_read_from_text_and_from_utf8_bytes(received: str | bytes, text: str) -> None:
    assert messages.parse(received, LIMIT) == text


@pytest.mark.parametrize(
    ("received", "told"),
    [
        (None, "expected JSON"),
        ("", "expected JSON"),
        (b"", "expected JSON"),
        ("hello", "expected JSON"),
        ('{"message": "a"', "expected JSON"),
        ('{"message": "a"} {"message": "b"}', "expected JSON"),
        ("{'message': 'a'}", "expected JSON"),
        ('{"message": "a\0b"}', "expected JSON"),
        ('{"message": "a", "b": NaN}', "expected JSON"),
        ('{"message": "a", "b": -Infinity}', "expected JSON"),
        ("\ufeff" + frame("a"), "expected JSON"),
        (("\ufeff" + frame("a")).encode(), "expected JSON"),
        ("[" * 200_000, "expected JSON"),
        ('{"message":' * 200_000, "expected JSON"),
        ('{"message": ' + "9" * 10_000 + "}", "expected JSON"),
        (frame("a").encode("utf-16"), "expected UTF-8"),
        (frame("a").encode("utf-32"), "expected UTF-8"),
        (frame("a").encode("utf-16-le"), "expected JSON"),
        (frame("a").encode("utf-32-be"), "expected JSON"),
        (b'{"message": "\xff"}', "expected UTF-8"),
        (b'{"message": "\xe4\xbd"}', "expected UTF-8"),
        (b'{"message": "\xed\xa0\x80"}', "expected UTF-8"),  # a surrogate in bytes is not UTF-8
        (b'{"message": "a", "b": "\xed\xa0\x80"}', "expected UTF-8"),
        ('{"message": "\ud800"}', "lone surrogate"),
        ('{"message": "\\ud800"}', "lone surrogate"),
        ('{"message": "\\udc69\\ud83d"}', "lone surrogate"),
        ("null", "object, received null"),
        ("true", "object, received a boolean"),
        ("1", "object, received a number"),
        ("1.5", "object, received a number"),
        ('"a"', "object, received a string"),
        ("[]", "object, received an array"),
        ("{}", 'expected a "message"'),
        ('{"Message": "a"}', 'expected a "message"'),
        (frame(None), "string, received null"),
        (frame(False), "string, received a boolean"),
        (frame(1), "string, received a number"),
        (frame(["a"]), "string, received an array"),
        (frame({"a": "b"}), "string, received an object"),
        (frame("x" * (LIMIT + 1)), f"at most {LIMIT} characters, received {LIMIT + 1}"),
        (frame("👩" * (LIMIT + 1)), f"at most {LIMIT} characters, received {LIMIT + 1}"),
    ],
    ids=shown,
)
def test_malformed_frame_is_refused_with_what_was_expected(received: str | bytes | None, told: str) -> None:
    with pytest.raises(messages.Malformed) as refused:
        messages.parse(received, LIMIT)
    assert told in str(refused.value)
    assert json.loads(messages.encode_error(refused.value)) == {"error": str(refused.value)}


@given(texts)
def test_every_text_without_surrogates_survives_the_round_trip(text: str) -> None:
    assert messages.parse(messages.encode(text), 10**6) == text
    assert messages.parse(messages.encode(text).encode(), 10**6) == text


@given(st.binary() | st.text() | st.recursive(st.none() | texts, lambda t: st.lists(t) | st.dictionaries(texts, t)))
def test_anything_else_is_text_or_malformed(received: object) -> None:
    anything = received if isinstance(received, bytes | str) else json.dumps(received)
    try:
        assert isinstance(messages.parse(anything, LIMIT), str)
    except messages.Malformed as fault:
        messages.encode_error(fault).encode()


def test_sentences_are_the_documented_ones() -> None:
    assert messages.joined("n") == "Server: n加入了."
    assert messages.said("n", "t") == "n说: t"
    assert messages.event("s") == {"type": "chat_message", "message": "s"}
    assert json.loads(messages.encode("你好")) == {"message": "你好"}
