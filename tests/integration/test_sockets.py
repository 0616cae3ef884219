"""What both servers promise of handshakes, messages and closes; this module is also their application."""

import copy
import http.client
import json
import pickle
import random
import select
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from app.headers import joined
from app.names import UnusableName, refuse
from tests.integration.socket_server import (  # noqa: F401 - fixtures among them
    BINARY,
    CLOSE,
    CONTINUATION,
    DEADLINE,
    LIMIT,
    PING,
    PONG,
    PUT_OFF,
    RESERVED,
    TEXT,
    Server,
    close_frame,
    exactly,
    frame,
    go_ahead,
    kind_of_server,
    next_frame,
    own_server,
    report,
    routed,
    running,
    shared_server,
    this_tests_server,
    to_the_end,
)

# --- The application, in the server's process -------------------------------------------------------------------------


async def echo(scope: Any, receive: Any, send: Any) -> None:
    assert (await receive())["type"] == "websocket.connect"
    await send({"type": "websocket.accept", "subprotocol": next(iter(scope["subprotocols"]), None)})
    while (message := await receive())["type"] == "websocket.receive":
        report(received=message.get("text"), binary=message.get("bytes") is not None)
        await send({**message, "type": "websocket.send"})
    report(disconnected=message["code"])


async def show_scope(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "websocket.accept"})
    shown = {"extensions": sorted(scope["extensions"]), "subprotocols": scope["subprotocols"]}
    await send({"type": "websocket.send", "text": json.dumps(shown)})
    await send({"type": "websocket.close"})


async def write_by_copies(scope: Any, receive: Any, send: Any) -> None:
    """Sends `message` by what a copied scope has of the extension."""
    before = sorted(scope)
    copies = copy.copy(scope), copy.deepcopy(scope), copy.deepcopy({**scope, "extensions": {**scope["extensions"]}})
    pickles = [pickle.dumps(scope, protocol) for protocol in range(pickle.HIGHEST_PROTOCOL + 1)]
    pickled = [pickle.loads(one) for one in pickles]  # noqa: S301 - our own
    await send({"type": "websocket.accept"})
    for number, one in enumerate(copies):
        one["extensions"]["channels.fanout"]["write"](b"\x81\x01%d" % number)
    left = [one["extensions"].pop("channels.fanout") for one in pickled]
    same = all(one == {**scope, "extensions": {"websocket.http.response": {}}} for one in pickled)
    await send({"type": "websocket.send", "text": json.dumps({"left": left, "same": same and sorted(scope) == before})})
    await send({"type": "websocket.close"})


async def cookies(scope: Any, receive: Any, send: Any) -> None:
    """Tells a page or a socket which cookies came."""
    found = next(value for name, value in joined(scope["headers"]) if name == b"cookie")
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(found))]})
        await send({"type": "http.response.body", "body": found})
        return
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.send", "text": found.decode()})
    await send({"type": "websocket.close"})


async def set_clock_back(scope: Any, receive: Any, send: Any) -> None:
    hour_ago = time.time() - 3600
    time.time = lambda: hour_ago  # its server is the test's own
    await send({"type": "websocket.accept"})
    await receive()
    await receive()


async def show_clocks(scope: Any, receive: Any, send: Any) -> None:
    """What Twisted and Daphne take for the time."""
    from daphne import http_protocol, server, ws_protocol
    from twisted.internet import reactor as installed

    reactor: Any = installed
    modules = http_protocol, server, ws_protocol
    report(clocks=[reactor.seconds(), *(module.time.time() for module in modules)])
    await send({"type": "websocket.accept"})
    await receive()
    await receive()


async def large(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.send", "text": "x" * (LIMIT + 1)})


async def speak_on_command(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "websocket.accept"})
    await go_ahead()
    await send({"type": "websocket.send", "text": "to a socket that is closing"})
    report(spoken=True)
    while (message := await receive())["type"] != "websocket.disconnect":
        pass
    report(disconnected=message["code"])


async def show_disconnect(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "websocket.accept"})
    await receive()
    report(message=await receive())


def closing(code: int, reason: str) -> Callable[..., Any]:
    async def close(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.close", "code": code, "reason": reason})

    return close


def denying(status: int, headers: list[tuple[bytes, bytes]], *parts: bytes) -> Callable[..., Any]:
    async def deny(scope: Any, receive: Any, send: Any) -> None:
        assert (await receive())["type"] == "websocket.connect"
        await send({"type": "websocket.http.response.start", "status": status, "headers": headers})
        for part in parts[:-1]:
            await send({"type": "websocket.http.response.body", "body": part, "more_body": True})
        last = {"body": parts[-1]} if parts else {}
        await send({"type": "websocket.http.response.body", **last})
        report(after_denial=(await receive())["type"])

    return deny


async def accept_what_was_not_offered(scope: Any, receive: Any, send: Any) -> None:
    try:
        await send({"type": "websocket.accept", "subprotocol": "chat.v2"})
    except ValueError as refusal:
        report(refusal=str(refusal))
        raise


def accepting(*headers: tuple[bytes, bytes]) -> Callable[..., Any]:
    async def accept(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept", "headers": headers})

    return accept


async def reject(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "websocket.close"})


async def fail(scope: Any, receive: Any, send: Any) -> None:
    raise RuntimeError("before the handshake is answered")


async def fail_when_open(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.send", "text": "the last word"})
    raise RuntimeError("on an open socket")


def misnaming(open_before: bool) -> Callable[..., Any]:
    """What becomes of an application that asks a channel layer for a group whose name none takes."""

    async def misname(scope: Any, receive: Any, send: Any) -> None:
        if open_before:
            await send({"type": "websocket.accept"})
        await refuse(UnusableName("no layer takes this"), scope, send)

    return misname


ROUTES: dict[str, Callable[..., Any]] = {
    "/unusable-name": misnaming(open_before=False),
    "/unusable-name-when-open": misnaming(open_before=True),
    "/echo": echo,
    "/scope": show_scope,
    "/copies": write_by_copies,
    "/cookies": cookies,
    "/set-back": set_clock_back,
    "/clocks": show_clocks,
    "/large": large,
    "/speak": speak_on_command,
    "/404": denying(404, []),
    "/410": denying(
        410, [(b"content-type", b"text/plain"), (b"Content-Length", b"99")], b"gone ", "für immer".encode()
    ),
    "/large-denial": denying(404, [], bytes(1 << 24)),  # 16 MB: more than two kernels hold for a peer
    "/split-value": denying(404, [(b"x", b"1\r\nset-cookie: a=b")]),
    "/split-name": denying(404, [(b"x: 1\r\nset-cookie", b"a=b")]),
    "/700": denying(700, []),
    "/101": denying(101, [(b"upgrade", b"websocket")]),
    "/1012": closing(1012, "going away"),
    "/1013": closing(1013, ""),
    "/4408": closing(4408, "too slow"),
    "/disconnect": show_disconnect,
    "/403": reject,
    "/not-offered": accept_what_was_not_offered,
    "/headers": accepting(
        (b"set-cookie", b"a=1"), (b"set-cookie", b"b=2"), (b"x-room", "Küche 厨房".encode()), (b"connection", b"close")
    ),
    "/split-accept": accepting((b"x", b"1\r\nset-cookie: a=b")),
    "/subprotocol-header": accepting((b"Sec-WebSocket-Protocol", b"chat.v1")),
    "/500": fail,
    "/1011": fail_when_open,
}

application = routed(ROUTES)


# --- The peer's side --------------------------------------------------------------------------------------------------


def pieces(payload: bytes) -> list[bytes]:
    """A text message in three fragments, as bytes on the wire."""
    third = len(payload) // 3 + 1
    parts = [payload[start : start + third] for start in range(0, len(payload), third)]
    opcodes = [TEXT, *[CONTINUATION] * (len(parts) - 1)]
    return [frame(code, part, part is parts[-1]) for code, part in zip(opcodes, parts, strict=True)]


# --- Denials ----------------------------------------------------------------------------------------------------------


def test_the_scope_offers_the_denial_response_and_the_peers_subprotocols(server: Server) -> None:
    with server.connect("/scope", subprotocols=["chat.v1", "other"]) as client:
        scope = json.loads(client.recv(timeout=DEADLINE))
    assert scope == {"extensions": ["channels.fanout", "websocket.http.response"], "subprotocols": ["chat.v1", "other"]}


def test_a_copy_of_the_scope_writes_to_the_same_socket_and_a_pickled_one_has_nothing_to_write_by(
    server: Server,
) -> None:
    with server.connect("/copies") as client:
        assert [client.recv(timeout=DEADLINE) for _ in range(3)] == ["0", "1", "2"]
        assert json.loads(client.recv(timeout=DEADLINE)) == {"left": [{}] * 6, "same": True}


def test_the_applications_choice_of_subprotocol_reaches_the_peer(server: Server) -> None:
    with server.connect("/echo", subprotocols=["chat.v1", "other"]) as client:
        assert client.subprotocol == "chat.v1"


def test_the_peers_subprotocols_reach_the_application_and_come_back_as_they_were_sent(server: Server) -> None:
    with server.connect("/scope", subprotocols=["chat%2Ev1", "b"]) as client:
        assert json.loads(client.recv(timeout=DEADLINE))["subprotocols"] == ["chat%2Ev1", "b"]
    with server.connect("/echo", subprotocols=["chat%2Ev1", "b"]) as client:
        assert client.subprotocol == "chat%2Ev1"


def test_subprotocols_may_come_in_several_lines(server: Server) -> None:
    lines = [("Sec-WebSocket-Protocol", "other"), ("Sec-WebSocket-Protocol", "chat.v1, third")]
    with server.connect("/scope", additional_headers=lines) as client:
        assert json.loads(client.recv(DEADLINE))["subprotocols"] == ["other", "chat.v1", "third"]


COOKIES = [("Cookie", "theme=dark"), ("Cookie", "sessionid=1; csrftoken=2"), ("Cookie", "last=3")]
JOINED = "theme=dark; sessionid=1; csrftoken=2; last=3"


def test_the_cookies_of_a_socket_may_come_in_several_lines(server: Server) -> None:
    with server.connect("/cookies", additional_headers=COOKIES) as client:
        assert client.recv(DEADLINE) == JOINED


def test_the_cookies_of_a_page_may_come_in_several_lines(server: Server) -> None:
    with server.tcp() as peer:
        lines = "".join(f"{name}: {value}\r\n" for name, value in COOKIES)
        peer.sendall(f"GET /cookies?{server.test} HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n".encode())
        answer = http.client.HTTPResponse(peer)
        answer.begin()
        assert answer.read().decode() == JOINED


UPGRADE = (
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {}==\r\n".format(
        "A" * 22
    )
)
HEADS = {
    "one long cookie": [("Cookie", "a=" + "x" * 16000)],
    "some long headers": [("Cookie", "a=" + "x" * 7000), ("Authorization", "x" * 7000), ("X-Id-Token", "x" * 4000)],
    "many short headers": [(f"X-{number}", "1") for number in range(900)],
    "as much as nginx passes on": [("Cookie", "x" * 16384), ("X-Added", "x" * 6000)],
}


def ask(server: Server, what: str, headers: list[tuple[str, str]]) -> int:
    """The status of a page or of a handshake."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
    path, upgrade = ("/echo", UPGRADE) if what == "socket" else ("/cookies", "Cookie: a=1\r\n")
    with server.tcp() as peer:
        peer.sendall(f"GET {path}?{server.test} HTTP/1.1\r\nHost: localhost\r\n{upgrade}{lines}\r\n".encode())
        answer = http.client.HTTPResponse(peer)
        answer.begin()
        return answer.status


@pytest.mark.parametrize("headers", HEADS.values(), ids=HEADS)
@pytest.mark.parametrize(("what", "status"), [("page", 200), ("socket", 101)])
def test_pages_and_sockets_take_the_same_headers(
    server: Server, what: str, status: int, headers: list[tuple[str, str]]
) -> None:
    assert ask(server, what, headers) == status


@pytest.mark.parametrize("headers", [[("Cookie", "x" * 30_000)], [(f"X-{number}", "x" * 90) for number in range(300)]])
@pytest.mark.parametrize("what", ["page", "socket"])
def test_more_headers_are_refused_and_the_log_says_why(
    server: Server, what: str, headers: list[tuple[str, str]]
) -> None:
    assert ask(server, what, headers) == 431
    server.wait_for(lambda seen: seen.get("log") == "Refused with 431: headers above MAX_HEADER_BYTES, 16384")


def test_a_subprotocol_that_was_not_offered_is_an_error_where_the_application_accepts_it(server: Server) -> None:
    with pytest.raises(InvalidStatus) as denied:
        server.connect("/not-offered", subprotocols=["chat.v1"])
    assert denied.value.response.status_code == 500
    refusal = server.wait_for("refusal")["refusal"]
    assert "['chat.v1']" in refusal
    assert "'chat.v2'" in refusal


def test_a_subprotocol_that_is_not_ascii_is_a_bad_request_and_no_error_is_logged(own: Server) -> None:
    with own.handshake("/echo", b"Sec-WebSocket-Protocol: caf\xe9\r\n") as peer:
        assert to_the_end(peer).startswith(b"HTTP/1.1 400 ")
    with own.connect("/echo"):
        pass
    own.wait_for("disconnected")
    own.process.terminate()
    assert own.process.wait(DEADLINE) == 0
    assert not [line for line in own.lines if "ERROR" in line or "Traceback" in line]


def test_the_headers_of_an_accept_are_in_the_response(server: Server) -> None:
    with server.connect("/headers") as client:
        assert client.response
        headers = client.response.headers
    assert headers.get_all("Set-Cookie") == ["a=1", "b=2"]
    assert headers["X-Room"].encode("latin-1").decode() == "Küche 厨房"
    assert headers.get_all("Connection") == ["Upgrade"]


def test_the_response_to_a_socket_names_the_server_and_uvicorns_dates_it_once(server: Server) -> None:
    with server.connect("/headers") as client:
        assert client.response
        found = [client.response.headers.get_all(name) for name in ("Server", "Date")]
    assert [len(values) for values in found] == [1, server.kind == "uvicorn"]


@pytest.mark.parametrize("path", ["/split-accept", "/subprotocol-header"])
def test_a_header_that_would_break_the_handshake_is_an_error_of_the_application(server: Server, path: str) -> None:
    with pytest.raises(InvalidStatus) as denied:
        server.connect(path, subprotocols=["chat.v1"])
    assert denied.value.response.status_code == 500


def test_a_denial_without_body_is_a_complete_http_response_and_ends_the_connection(server: Server) -> None:
    with server.handshake("/404") as peer:
        raw = to_the_end(peer, PUT_OFF)
    assert raw.split(b"\r\n") == [b"HTTP/1.1 404 Not Found", b"Content-Length: 0", b"Connection: close", b"", b""]


def test_a_denial_needs_no_end_of_connection_to_be_read(server: Server) -> None:
    """A proxy that keeps connections open has to know from the headers where the response ends."""
    with server.handshake("/410") as peer:
        response = http.client.HTTPResponse(peer)
        response.begin()
        assert response.length == len("gone für immer".encode())
        assert response.read().decode() == "gone für immer"


def test_a_denial_has_the_applications_status_headers_and_body_of_several_parts(server: Server) -> None:
    with pytest.raises(InvalidStatus) as denied:
        server.connect("/410")
    response = denied.value.response
    assert (response.status_code, response.headers["Content-Type"]) == (410, "text/plain")
    assert response.body.decode() == "gone für immer"


def test_an_application_that_denied_is_told_of_the_disconnect_and_nothing_is_logged(own: Server) -> None:
    with pytest.raises(InvalidStatus):
        own.connect("/404")
    assert own.wait_for("after_denial") == {"after_denial": "websocket.disconnect"}
    own.process.terminate()
    assert own.process.wait(DEADLINE) == 0
    assert not [line for line in own.lines if "WARNING" in line or "ERROR" in line or "too long" in line]


def test_a_peer_that_does_not_read_its_denial_is_cut_and_the_application_told(server: Server) -> None:
    with server.handshake("/large-denial") as peer:
        assert peer.recv(12) == b"HTTP/1.1 404"
        assert server.wait_for("after_denial") == {"after_denial": "websocket.disconnect"}


@pytest.mark.parametrize("path", ["/split-value", "/split-name"])
def test_a_header_that_would_split_the_response_is_an_error_of_the_application(server: Server, path: str) -> None:
    with pytest.raises(InvalidStatus) as denied:
        server.connect(path)
    assert denied.value.response.status_code == 500
    assert "set-cookie" not in denied.value.response.headers


@pytest.mark.parametrize("path", ["/700", "/101"])
def test_a_denial_whose_status_is_none_of_an_answer_is_an_error_of_the_application(server: Server, path: str) -> None:
    with pytest.raises(InvalidStatus) as denied:
        server.connect(path)
    assert denied.value.response.status_code == 500


@pytest.mark.parametrize(("path", "status"), [("/403", 403), ("/500", 500)])
def test_close_before_accept_stays_403_and_an_exception_500(server: Server, path: str, status: int) -> None:
    with pytest.raises(InvalidStatus) as denied:
        server.connect(path)
    assert denied.value.response.status_code == status


# --- Faults of the peer -----------------------------------------------------------------------------------------------

BAD_TEXT = [
    pytest.param([frame(TEXT, b"good until \xff here")], id="one frame"),
    pytest.param([frame(TEXT, "fü".encode()[:2], False), frame(CONTINUATION, b"x")], id="broken across fragments"),
    pytest.param([frame(TEXT, "fü".encode()[:2])], id="ends inside a code point"),
    pytest.param([frame(TEXT, b"\xed\xa0\x80")], id="surrogate"),
]
TOO_LONG = [
    pytest.param([frame(TEXT, b"x" * (LIMIT + 1))], id="text frame"),
    pytest.param([frame(BINARY, b"x" * (LIMIT + 1))], id="binary frame"),
    pytest.param(pieces(b"x" * (LIMIT + 1)), id="fragments"),
    pytest.param([b"\x82\xff" + struct.pack("!Q", 1 << 40) + b"\0\0\0\0"], id="only announced"),
]
FAULTS = [pytest.param(1007, *case.values, id=f"1007 {case.id}") for case in BAD_TEXT]
FAULTS += [pytest.param(1009, *case.values, id=f"1009 {case.id}") for case in TOO_LONG]


@pytest.mark.parametrize(("code", "frames"), FAULTS)
def test_a_fault_is_answered_with_a_close_frame_and_told_to_the_application(
    server: Server, code: int, frames: list[bytes]
) -> None:
    with server.open("/echo") as peer:
        for each in frames:
            peer.sendall(each)
        assert close_frame(peer) == code
        peer.sendall(frame(CLOSE, code.to_bytes(2, "big")))
        to_the_end(peer)
    assert server.wait_for("disconnected") == {"disconnected": code}


@pytest.mark.parametrize(("length", "code"), [(LIMIT, None), (LIMIT + 1, 1009)])
@pytest.mark.parametrize("fragmented", [False, True])
def test_a_message_of_the_limit_passes_and_one_byte_more_does_not(
    server: Server, length: int, code: int | None, fragmented: bool
) -> None:
    text = "x" * length
    with server.connect("/echo") as client:
        client.send([text[:500], text[500:]] if fragmented else text)
        if code is None:
            assert client.recv(timeout=DEADLINE) == text
        else:
            with pytest.raises(ConnectionClosed) as closed:
                client.recv(timeout=DEADLINE)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == code


def test_the_limit_is_not_applied_to_what_the_application_sends(server: Server) -> None:
    with server.connect("/large") as client:
        assert len(client.recv(timeout=DEADLINE)) == LIMIT + 1


def test_a_peer_that_never_answers_the_close_is_cut_and_the_application_told_the_code(server: Server) -> None:
    with server.open("/echo") as peer:
        peer.sendall(frame(TEXT, b"\xff"))
        assert close_frame(peer) == 1007
        to_the_end(peer)
        assert server.wait_for("disconnected") == {"disconnected": 1007}


def test_a_close_frame_sent_behind_the_fault_does_not_cost_the_peer_ours(server: Server) -> None:
    with server.open("/echo") as peer:
        peer.sendall(frame(TEXT, b"\xff") + frame(CLOSE, b"\x03\xe8"))
        assert close_frame(peer) == 1007


def test_a_peer_that_is_still_sending_what_was_refused_is_not_cut_off_before_it_has_read_why(server: Server) -> None:
    with server.open("/echo") as peer:
        peer.sendall(b"\x82\xfe" + struct.pack("!H", LIMIT + 1) + b"\0\0\0\0" + b"x")
        assert close_frame(peer) == 1009
        assert peer.recv(1000)  # the reason
        for _ in range(10):
            peer.sendall(b"x" * 100)
            assert not select.select([peer], [], [], 0.1)[0], "the server ended the connection"
        peer.sendall(frame(CLOSE, b"\x03\xf1"))
        assert to_the_end(peer) == b""


def test_a_close_frame_with_a_forbidden_code_is_answered_with_1002(server: Server) -> None:
    with server.open("/echo") as peer:
        peer.sendall(frame(CLOSE, (1005).to_bytes(2, "big")))
        assert close_frame(peer) == 1002
    assert server.wait_for("disconnected") == {"disconnected": 1002}


@pytest.mark.parametrize(("code", "reason"), [(1012, "going away"), (1013, ""), (4408, "too slow")])
def test_an_application_may_close_with_any_code_and_a_reason(server: Server, code: int, reason: str) -> None:
    with server.connect(f"/{code}") as peer, pytest.raises(ConnectionClosed) as closed:
        peer.recv(timeout=DEADLINE)
    assert closed.value.rcvd is not None
    assert (code, reason) == (closed.value.rcvd.code, closed.value.rcvd.reason)


def test_an_application_that_fails_ends_its_socket_with_1011_after_what_it_has_sent(server: Server) -> None:
    with server.open("/1011") as peer:
        assert exactly(peer, 15) == b"\x81\x0dthe last word"
        assert close_frame(peer) == 1011
        peer.sendall(frame(CLOSE, b"\x03\xf3"))
        to_the_end(peer)


def test_a_peers_close_without_a_code_reaches_the_application_as_1005(server: Server) -> None:
    with server.open("/echo") as peer:
        peer.sendall(frame(CLOSE, b""))
        to_the_end(peer)
    assert server.wait_for("disconnected") == {"disconnected": 1005}


def test_the_peers_reason_reaches_the_application_where_stock_tells_it(server: Server) -> None:
    """uvicorn does, Daphne does not."""
    with server.connect("/disconnect") as client:
        client.close(4000, "bye")
    reason = {"reason": "bye"} if server.kind == "uvicorn" else {}
    assert server.wait_for("message")["message"] == {"type": "websocket.disconnect", "code": 4000, **reason}


def test_what_the_application_sends_to_a_socket_that_is_closing_is_dropped_without_an_error(server: Server) -> None:
    with server.open("/speak") as peer:
        peer.sendall(frame(TEXT, b"\xff"))
        assert close_frame(peer) == 1007
        server.go_ahead()
        assert server.wait_for("spoken")
        peer.sendall(frame(CLOSE, b"\x03\xef"))
        assert b"closing" not in to_the_end(peer)
    assert server.wait_for("disconnected") == {"disconnected": 1007}


def test_a_clean_close_ends_in_the_end_of_the_stream_and_not_in_a_reset(server: Server) -> None:
    with server.open("/scope") as peer:
        received = b""
        while not received.endswith(b"\x88\x02\x03\xe8"):
            received += peer.recv(1) or pytest.fail("closed without a close frame")
        peer.sendall(frame(CLOSE, b"\x03\xe8"))
        assert peer.recv(1) == b""


# --- Empty messages ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("empty", ["", b""], ids=["text", "binary"])
def test_an_empty_message_reaches_the_application_and_comes_back(server: Server, empty: str | bytes) -> None:
    binary = isinstance(empty, bytes)
    with server.connect("/echo") as client:
        client.send(empty)
        assert server.wait_for("received") == {"received": None if binary else "", "binary": binary}
        assert client.recv(timeout=DEADLINE) == empty


@pytest.mark.parametrize("empty", ["", b""], ids=["text", "binary"])
def test_an_empty_message_of_empty_fragments_comes_back(server: Server, empty: str | bytes) -> None:
    with server.connect("/echo") as client:
        client.send([empty, empty, empty])
        assert client.recv(timeout=DEADLINE) == empty


# --- Whole messages, however they arrive ------------------------------------------------------------------------------


@pytest.mark.parametrize("cut", [1, 2, 3, 5, 127, 4096, 1 << 20])
def test_messages_of_every_length_come_back_however_their_bytes_are_cut(server: Server, cut: int) -> None:
    """On Daphne one that is read whole takes a short way, all others autobahn's: both have to meet at any byte."""
    lengths = [*range(140), LIMIT - 1, LIMIT]
    chance = random.Random(cut)  # noqa: S311  # the same at each run
    texts = ["".join(chance.choices("aé你😀", k=length // 4)).ljust(length, "x")[:length] for length in lengths]
    texts = [text.encode()[:LIMIT].decode(errors="ignore") for text in texts]
    sent = b"".join(masked(text.encode(), chance.randbytes(4)) for text in texts)
    with server.connect("/echo") as client:
        for begin in range(0, len(sent), cut):
            client.socket.sendall(sent[begin : begin + cut])
        assert [client.recv(timeout=DEADLINE) for _ in texts] == texts


def masked(payload: bytes, mask: bytes) -> bytes:
    whole = frame(TEXT, bytes(byte ^ mask[n % 4] for n, byte in enumerate(payload)))
    begin = len(whole) - len(payload) - 4
    return whole[:begin] + mask + whole[begin + 4 :]


# --- Names that no channel layer takes --------------------------------------------------------------------------------


def test_a_handshake_that_leads_to_an_unusable_name_is_answered_with_404(server: Server) -> None:
    with pytest.raises(InvalidStatus) as refusal:
        server.connect("/unusable-name")
    assert refusal.value.response.status_code == 404
    assert server.wait_for("log")["level"] == "WARNING"


def test_an_unusable_name_closes_an_open_socket_as_a_fault_of_its_application_does(server: Server) -> None:
    with server.connect("/unusable-name-when-open") as client, pytest.raises(ConnectionClosed) as ending:
        client.recv(timeout=DEADLINE)
    assert ending.value.rcvd
    assert ending.value.rcvd.code == 1011
    assert server.wait_for("log")["level"] == "WARNING"


def test_a_clock_that_is_set_back_keeps_no_ping_waiting(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    with running(kind, request.path, tmp_path, "--ping-interval", "1") as server, server.open("/set-back") as peer:
        for _ in range(2):
            opcode, payload = next_frame(peer)
            assert opcode == PING
            peer.sendall(frame(PONG, payload))
