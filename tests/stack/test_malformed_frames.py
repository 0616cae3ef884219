"""A malformed frame is answered with an error, and the socket still works afterwards."""

import json

import pytest

from tests.stack.clone import Clone
from tests.stack.wire import open_socket, receive

GOOD = json.dumps({"message": "still here"})
MALFORMED: dict[str, str | bytes] = {
    "empty": "",
    "empty bytes": b"",
    "not JSON": "hello",
    "cut off": '{"message": "hel',
    "more than one": GOOD + GOOD,
    "deep arrays": "[" * 30_000,
    "deep objects": '{"a":' * 10_000,
    "deep message": '{"message":' + "[" * 20_000 + "]" * 20_000 + "}",
    "array": '["message"]',
    "string": '"message"',
    "null": "null",
    "no message": '{"text": "hello"}',
    "message is a number": '{"message": 7}',
    "message is null": '{"message": null}',
    "message is an object": '{"message": {"message": "hello"}}',
    "a number of 5000 digits": '{"message": ' + "9" * 5000 + "}",
    "high surrogate": r'{"message": "\ud83d"}',
    "low surrogate": r'{"message": "a\ude00b"}',
    "surrogates in the wrong order": r'{"message": "\ude00\ud83d"}',
    "NUL": "\0",
    "NUL in a string": '{"message": "\0"}',
    "bytes not UTF-8": b'{"message": "\xff\xfe"}',
    "bytes cut within a character": '{"message": "界'.encode()[:-1],
    "encoded surrogate": b'{"message": "\xed\xa0\xbd"}',
    "encoded surrogate beside the message": b'{"message": "hello", "a": "\xed\xa0\xbd"}',
    "UTF-16": GOOD.encode("utf-16"),
    "UTF-16 without a mark": GOOD.encode("utf-16-le"),
    "UTF-32": GOOD.encode("utf-32"),
    "too long": json.dumps({"message": "a" * 4001}),
}


@pytest.mark.parametrize("route", ["chat", "echo", "sync", "async"])
@pytest.mark.parametrize("frame", MALFORMED.values(), ids=MALFORMED)
async def test_a_malformed_frame_gets_an_error_and_closes_nothing(stack: Clone, frame: str | bytes, route: str):
    async with open_socket(stack, f"/ws/{route}/malformed/") as socket:
        await socket.send(frame)
        assert await receive(socket, "error")
        await socket.send(GOOD)
        assert await receive(socket, "message", "still here")
