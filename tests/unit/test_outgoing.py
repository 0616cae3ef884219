"""What goes out of one asyncio connection, where the machine has no more to give."""

import asyncio
import errno
import os
import socket

import pytest

from app.servers.outgoing import Outgoing
from app.servers.websocket import OUTGOING


async def test_a_peer_that_cannot_be_waited_for_is_cut_and_gets_no_frame_in_the_midst_of_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each peer that waits takes one more open file, and there may be none left."""

    def dup(_: int) -> int:
        raise OSError(errno.EMFILE, "Too many open files")

    ours, peer = socket.socketpair()
    transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=ours)
    outgoing = Outgoing(transport, lambda: None)
    monkeypatch.setattr(os, "dup", dup)
    outgoing.write(b"x" * 2**22)
    outgoing.write(b"y" * 10)
    assert outgoing.is_closing()
    assert (outgoing.unsent(), OUTGOING.held) == (0, 0)
    peer.setblocking(True)
    seen = bytearray()
    while data := await asyncio.to_thread(peer.recv, 2**16):
        seen += data
    assert set(seen) == {ord("x")}
    peer.close()
