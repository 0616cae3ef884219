"""What `app.servers.daphne` promises of handshakes, closes and its process; this module is also its application."""

import asyncio
import http.client
import json
import os
import random
import select
import signal
import socket
import ssl
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.integration.daphne_server import (  # noqa: F401 - fixtures among them
    BINARY,
    CLOSE,
    CONTINUATION,
    DEADLINE,
    LIMIT,
    MODULE,
    PUT_OFF,
    RESERVED,
    TEXT,
    Server,
    close_frame,
    frame,
    go_ahead,
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


ROUTES: dict[str, Callable[..., Any]] = {
    "/echo": echo,
    "/scope": show_scope,
    "/large": large,
    "/speak": speak_on_command,
    "/404": denying(404, []),
    "/410": denying(
        410, [(b"content-type", b"text/plain"), (b"Content-Length", b"99")], b"gone ", "für immer".encode()
    ),
    "/large-denial": denying(404, [], bytes(1 << 24)),  # 16 MB: more than two kernels hold for a peer
    "/split-value": denying(404, [(b"x", b"1\r\nset-cookie: a=b")]),
    "/split-name": denying(404, [(b"x: 1\r\nset-cookie", b"a=b")]),
    "/1012": closing(1012, "going away"),
    "/1013": closing(1013, ""),
    "/4408": closing(4408, "too slow"),
    "/403": reject,
    "/not-offered": accept_what_was_not_offered,
    "/headers": accepting(
        (b"set-cookie", b"a=1"), (b"set-cookie", b"b=2"), (b"x-room", b"lobby"), (b"connection", b"close")
    ),
    "/split-accept": accepting((b"x", b"1\r\nset-cookie: a=b")),
    "/subprotocol-header": accepting((b"Sec-WebSocket-Protocol", b"chat.v1")),
    "/500": fail,
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


def test_the_applications_choice_of_subprotocol_reaches_the_peer(server: Server) -> None:
    with server.connect("/echo", subprotocols=["chat.v1", "other"]) as client:
        assert client.subprotocol == "chat.v1"


def test_the_peers_subprotocols_reach_the_application_and_come_back_as_they_were_sent(server: Server) -> None:
    with server.connect("/scope", subprotocols=["chat%2Ev1", "b"]) as client:
        assert json.loads(client.recv(timeout=DEADLINE))["subprotocols"] == ["chat%2Ev1", "b"]
    with server.connect("/echo", subprotocols=["chat%2Ev1", "b"]) as client:
        assert client.subprotocol == "chat%2Ev1"


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
    assert (headers["X-Room"], headers.get_all("Connection")) == ("lobby", ["Upgrade"])


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
        payload = frame(TEXT, b"\xff" * 900)
        peer.sendall(payload[:100])
        assert close_frame(peer) == 1007
        reason = peer.recv(1000)
        assert b"UTF-8" in reason
        peer.sendall(payload[100:] + frame(RESERVED, b"a second fault"))
        assert not select.select([peer], [], [], PUT_OFF)[0], "the server ended the connection"
        peer.sendall(frame(CLOSE, b"\x03\xef"))
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


def test_a_peers_close_without_a_code_reaches_the_application_as_1005(server: Server) -> None:
    with server.open("/echo") as peer:
        peer.sendall(frame(CLOSE, b""))
        to_the_end(peer)
    assert server.wait_for("disconnected") == {"disconnected": 1005}


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
    """One that is read whole takes a short way, all others autobahn's: both have to meet at any byte."""
    lengths = [*range(140), LIMIT - 1, LIMIT]
    texts = ["".join(random.choices("aé你😀", k=length // 4)).ljust(length, "x")[:length] for length in lengths]  # noqa: S311
    texts = [text.encode()[:LIMIT].decode(errors="ignore") for text in texts]
    sent = b"".join(masked(text.encode(), os.urandom(4)) for text in texts)
    with server.connect("/echo") as client:
        for begin in range(0, len(sent), cut):
            client.socket.sendall(sent[begin : begin + cut])
        assert [client.recv(timeout=DEADLINE) for _ in texts] == texts


def masked(payload: bytes, mask: bytes) -> bytes:
    whole = frame(TEXT, bytes(byte ^ mask[n % 4] for n, byte in enumerate(payload)))
    begin = len(whole) - len(payload) - 4
    return whole[:begin] + mask + whole[begin + 4 :]


# --- Listening, stopping ----------------------------------------------------------------------------------------------


def test_a_burst_of_200_connections_finds_room_in_the_backlog(own: Server) -> None:
    """Twisted's own 50 lets the rest wait for a retransmission of their SYN."""
    own.process.send_signal(signal.SIGSTOP)
    os.waitpid(own.process.pid, os.WUNTRACED)
    with ExitStack() as stack:
        waiting = set()
        for _ in range(200):
            peer = stack.enter_context(socket.socket())
            peer.setblocking(False)
            peer.connect_ex(("127.0.0.1", own.port))
            waiting.add(peer)
        deadline = time.monotonic() + PUT_OFF
        while waiting and (left := deadline - time.monotonic()) > 0:
            waiting.difference_update(select.select([], list(waiting), [], left)[1])
        assert not waiting


async def test_over_tls_everything_is_encrypted(tmp_path: Path) -> None:
    """What is sent past Twisted's transport, as on plain TCP, would not be.

    By one thread: where two share a TLS socket, as in the synchronous client, the first send can hang for ever:
    https://github.com/python/cpython/issues/151508
    """
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    self_signed(key, certificate)
    endpoint = f"ssl:0:interface=127.0.0.1:privateKey={key}:certKey={certificate}"
    context = ssl.create_default_context(cafile=certificate)
    with running(Path(__file__), tmp_path, "-e", endpoint) as server:
        address = f"wss://127.0.0.1:{server.port}/echo"
        async with connect(
            address, ssl=context, server_hostname="localhost", proxy=None, open_timeout=DEADLINE
        ) as client:
            await client.send("hello")
            async with asyncio.timeout(DEADLINE):
                assert await client.recv() == "hello"


def self_signed(key: Path, certificate: Path) -> None:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    private = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(subject, subject, private.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    pem = serialization.Encoding.PEM
    certificate.write_bytes(builder.sign(private, hashes.SHA256()).public_bytes(pem))
    key.write_bytes(private.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))


# --- The command line -------------------------------------------------------------------------------------------------


def options_of(module: str) -> set[str]:
    listed = subprocess.run(
        [sys.executable, "-m", module, "--help"], check=True, capture_output=True, text=True, timeout=DEADLINE
    )
    return {word.strip("[],") for word in listed.stdout.split() if word.strip("[],").startswith("-")}


def test_the_command_line_has_daphnes_options() -> None:
    assert "--websocket-max-message-size" in options_of("daphne")
    assert options_of(MODULE) == options_of("daphne")


def test_every_line_comes_through_the_applications_logging_and_none_is_an_access_log(own: Server) -> None:
    with own.connect("/echo") as client:
        client.send("hello")
        assert client.recv(timeout=DEADLINE) == "hello"
    assert own.wait_for("disconnected")
    own.process.terminate()
    assert own.process.wait(DEADLINE) == 0
    assert own.stderr.read_text() == ""
    assert [line for line in own.lines if not line.startswith("{")] == []
    assert any("Listening on" in line for line in own.lines)


def test_an_access_log_that_is_asked_for_is_written(tmp_path: Path) -> None:
    log = tmp_path / "access"
    with running(Path(__file__), tmp_path, "--access-log", str(log)) as server:
        with server.connect("/echo"):
            pass
        server.wait_for("disconnected")
        server.process.terminate()
        assert server.process.wait(DEADLINE) == 0
    assert "WSCONNECT /echo" in log.read_text()


HANDLED = """
import logging
handler = logging.StreamHandler()
handler.setFormatter(logging.Formatter("ours: %(message)s"))
logging.getLogger("daphne").addHandler(handler)
"""


@pytest.mark.parametrize(("configuration", "prefix"), [("", "CRITICAL"), (HANDLED, "ours:")], ids=["none", "daphne's"])
def test_an_error_is_logged_once_whatever_logging_the_application_configures(
    tmp_path: Path, configuration: str, prefix: str
) -> None:
    """A port that is taken: Daphne says so, and ends."""
    module = tmp_path / "plain.py"
    module.write_text(f"{configuration}\nasync def application(scope, receive, send):\n    pass\n")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ended = subprocess.run(
            [sys.executable, "-m", MODULE, "-p", str(taken.getsockname()[1]), "plain:application"],
            env={"PATH": os.environ["PATH"], "PYTHONPATH": f"{Path(__file__).parents[2]}{os.pathsep}{tmp_path}"},
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=False,
        )
    failures = [line for line in ended.stderr.splitlines() if "Listen failure" in line]
    assert (ended.returncode, len(failures)) == (1, 1)
    assert prefix in failures[0]
