"""What `app.servers.daphne` promises of where it listens and what it logs."""

import asyncio
import os
import select
import signal
import socket
import ssl
import subprocess
import sys
import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from daphne.endpoints import build_endpoint_description_strings
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from app.servers import daphne
from tests.integration.socket_server import (  # noqa: F401 - a fixture among them
    CLOSE,
    DEADLINE,
    MODULES,
    PUT_OFF,
    RESERVED,
    TEXT,
    Server,
    close_frame,
    frame,
    own_server,
    running,
    to_the_end,
)
from tests.integration.test_sockets import application  # noqa: F401 - the server's


@pytest.fixture(name="kind")
def only_daphne() -> str:
    return "daphne"


MODULE = MODULES["daphne"]

# --- Faults of the peer -----------------------------------------------------------------------------------------------


def test_text_that_is_not_utf_8_is_refused_before_all_of_it_has_come_and_why_can_be_read(own: Server) -> None:
    with own.open("/echo") as peer:
        payload = frame(TEXT, b"\xff" * 900)
        peer.sendall(payload[:100])
        assert close_frame(peer) == 1007
        reason = peer.recv(1000)
        assert b"UTF-8" in reason
        peer.sendall(payload[100:] + frame(RESERVED, b"a second fault"))
        assert not select.select([peer], [], [], PUT_OFF)[0], "the server ended the connection"
        peer.sendall(frame(CLOSE, b"\x03\xef"))
        assert to_the_end(peer) == b""


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


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_every_address_is_one_of_ipv4_and_of_ipv6(tmp_path: Path, address: str) -> None:
    if ":" in address and not socket.has_dualstack_ipv6() and "CI" not in os.environ:
        pytest.skip("this kernel has no IPv6; CI never skips: there the test fails")
    with (
        running("daphne", Path(__file__), tmp_path, "--bind", "::") as server,
        socket.create_connection((address, server.port), timeout=DEADLINE) as peer,
    ):
        peer.sendall(b"GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert peer.recv(5) == b"HTTP/"


def test_without_ipv6_every_address_is_one_of_ipv4(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daphne, "has_dualstack_ipv6", lambda: False)
    server = daphne.Server(None, build_endpoint_description_strings("::", 8000))
    assert server.endpoints == [f"tcp:port=8000:interface=0.0.0.0:backlog={daphne.BACKLOG}"]


async def test_over_tls_everything_is_encrypted(tmp_path: Path) -> None:
    """What is sent past Twisted's transport, as on plain TCP, would not be.

    By one thread: where two share a TLS socket, as in the synchronous client, the first send can hang for ever:
    https://github.com/python/cpython/issues/151508
    """
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    self_signed(key, certificate)
    endpoint = f"ssl:0:interface=127.0.0.1:privateKey={key}:certKey={certificate}"
    context = ssl.create_default_context(cafile=certificate)
    with running("daphne", Path(__file__), tmp_path, "-e", endpoint) as server:
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
    with running("daphne", Path(__file__), tmp_path, "--access-log", str(log)) as server:
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
    tmp_path: Path, environment: dict[str, str], configuration: str, prefix: str
) -> None:
    """A port that is taken: Daphne says so, and ends."""
    module = tmp_path / "plain.py"
    module.write_text(f"{configuration}\nasync def application(scope, receive, send):\n    pass\n")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ended = subprocess.run(
            [sys.executable, "-m", MODULE, "-p", str(taken.getsockname()[1]), "plain:application"],
            env=environment
            | {
                "DJANGO_SETTINGS_MODULE": "app.settings",
                "PYTHONPATH": f"{Path(__file__).parents[2]}{os.pathsep}{tmp_path}",
            },
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=False,
        )
    failures = [line for line in ended.stderr.splitlines() if "Listen failure" in line]
    assert (ended.returncode, len(failures)) == (1, 1)
    assert prefix in failures[0]


# --- Time and files ---------------------------------------------------------------------------------------------------


def test_old_sockets_are_ended_with_1012_and_not_all_at_once(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    async def life(port: int) -> tuple[int, float]:
        async with connect(f"ws://127.0.0.1:{port}/echo?0", proxy=None) as peer:
            opened = time.monotonic()
            with pytest.raises(ConnectionClosed) as closed:
                await asyncio.wait_for(peer.recv(), DEADLINE)
            assert closed.value.rcvd
            return closed.value.rcvd.code, time.monotonic() - opened

    async def lives(port: int) -> list[tuple[int, float]]:
        return await asyncio.gather(*[life(port) for _ in range(10)])

    # Daphne looks every 2 s: here for the first time when they are too old already.
    with running("daphne", request.path, tmp_path, "--websocket_timeout", "3") as server:
        codes, ages = zip(*asyncio.run(lives(server.port)), strict=True)
        told = {server.wait_for("disconnected")["disconnected"] for _ in codes}
    assert set(codes) == told == {1012}
    assert min(ages) > 3
    assert max(ages) - min(ages) > 0.1


def test_no_duration_is_measured_by_a_clock_that_may_be_set(own: Server) -> None:
    with own.connect("/clocks"):
        for clock in own.wait_for("clocks")["clocks"]:
            assert abs(clock - time.monotonic()) < DEADLINE
