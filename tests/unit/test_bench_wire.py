"""How the benchmark speaks with each system: what it sends, and what it takes from what it hears."""

import json

import pytest

from tests.bench.text import text
from tests.bench.wire import START, WIRES, Heard, Position, wire

ROOM = "bench-1"
ONE, TWO = text(1, 1000), text(2, 2000)
BOTH = ((1, 1000), (2, 2000))


def heard(name: str, frame: str, *, resuming: bool = False) -> Heard:
    return wire(name, resuming=resuming).hear(frame, ROOM)


@pytest.mark.parametrize("name", WIRES)
def test_path_is_one_that_a_url_may_hold(name: str) -> None:
    for since in (START, Position("1700000000:0", 7)):
        path = wire(name, resuming=True).path(ROOM, "c12", since)
        assert path.startswith("/")
        assert path.isascii()
        assert " " not in path


def test_documented_sentences_with_and_without_a_text() -> None:
    assert json.loads(wire("documented", resuming=False).publish(ROOM, ONE, 1)) == {"message": ONE}
    assert heard("documented", json.dumps({"message": f"c说: {ONE}"})).messages == BOTH[:1]
    assert heard("documented", json.dumps({"message": "Server: c加入了."})) == Heard()


def test_chat_v1_several_objects_in_one_frame() -> None:
    message = {"type": "message", "offset": 7, "sender": "c", "text": ONE, "sent_at": 1}
    frame = "\n".join(map(json.dumps, [message, message | {"offset": 8, "text": TWO}]))
    assert heard("chat.v1", frame) == Heard(BOTH, Position(offset=8))
    assert heard("chat.v1", frame).of_all


def test_chat_v1_welcome_ack_and_error_concern_one_member() -> None:
    welcome = {"type": "welcome", "epoch": "e", "offset": 6, "members": 1}
    assert heard("chat.v1", json.dumps(welcome)) == Heard(position=Position("e", 6), joined=True)
    assert heard("chat.v1", json.dumps(welcome | {"recovered": False})).error == "not recovered"
    assert heard("chat.v1", json.dumps({"type": "ack", "ref": "1", "offset": 7})) == Heard(acknowledged=1)
    refused = heard("chat.v1", json.dumps({"type": "error", "code": "rate_limited", "detail": "slower"}))
    assert refused.error == "rate_limited: slower"
    assert not refused.of_all
    assert heard("chat.v1", json.dumps({"type": "joined", "names": ["c"], "members": 2})) == Heard()


def test_chat_v1_resumes_from_where_it_was() -> None:
    v1 = wire("chat.v1", resuming=True)
    assert v1.headers(START) == {"Sec-WebSocket-Protocol": "chat.v1"}
    assert v1.path(ROOM, "c12", Position("e", 7)).endswith("&since=e:7")
    assert "client=-------------c12" in v1.path(ROOM, "c12", START)  # 16 characters at least
    assert json.loads(v1.publish(ROOM, ONE, 5)) == {"type": "send", "text": ONE, "ref": "5"}


def test_socketio_from_its_opening_to_a_message() -> None:
    assert heard("socketio", '0{"sid":"a","pingInterval":25000}').answer == "40"
    assert heard("socketio", '40{"sid":"b"}').answer == f'420["join", "{ROOM}"]'
    assert heard("socketio", "430[]").joined
    assert heard("socketio", "2").answer == "3"
    assert heard("socketio", f'42["message","{ONE}"]') == Heard(BOTH[:1])
    assert heard("socketio", '44{"message":"no"}').error
    assert wire("socketio", resuming=False).publish(ROOM, ONE, 1) == f'42["message", "{ROOM}", "{ONE}"]'


def test_nchan_bare_and_with_an_id_to_resume_from() -> None:
    assert heard("nchan", ONE) == Heard(BOTH[:1])
    assert heard("nchan", f"id: 1700000000:3\n\n{ONE}", resuming=True) == Heard(BOTH[:1], Position("1700000000:3"))
    assert (
        wire("nchan", resuming=True)
        .path(ROOM, "c1", Position("1700000000:3"))
        .endswith("?last_event_id=1700000000%3A3")
    )


def test_centrifugo_commands_and_replies() -> None:
    centrifugo = wire("centrifugo", resuming=True)
    commands = [json.loads(line) for line in centrifugo.greeting(ROOM, Position("e", 7)).split("\n")]
    assert commands == [
        {"id": 1, "connect": {}},
        {"id": 2, "subscribe": {"channel": ROOM, "recover": True, "epoch": "e", "offset": 7}},
    ]
    assert "recover" not in centrifugo.greeting(ROOM, START)
    publications = [{"data": {"text": said}, "offset": offset} for offset, said in ((8, ONE), (9, TWO))]
    subscribed = {"recoverable": True, "epoch": "e", "offset": 9, "was_recovering": True}
    reply = {"id": 2, "subscribe": subscribed | {"recovered": True, "publications": publications}}
    assert heard("centrifugo", f'{{"id":1,"connect":{{}}}}\n{json.dumps(reply)}') == Heard(
        BOTH, Position("e", 9), joined=True
    )
    assert heard("centrifugo", json.dumps({"id": 2, "subscribe": subscribed})).error == "not recovered"
    pushes = "\n".join(json.dumps({"push": {"channel": ROOM, "pub": publication}}) for publication in publications)
    assert heard("centrifugo", pushes) == Heard(BOTH, Position(offset=9))
    assert heard("centrifugo", "{}").answer == "{}"
    assert heard("centrifugo", '{"id":5,"publish":{}}').acknowledged == 1
    assert heard("centrifugo", '{"id":5,"error":{"code":103}}').error
