"""The client of chat.v1 that tests, load and chaos share, against a server that is honest and small."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import pytest_asyncio
from websockets.asyncio.server import Server, ServerConnection, broadcast, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from tests.chat.client import ChatClient, Refused
from tests.chat.crowd import Crowd
from tests.chat.record import Message, Record, numbered
from tests.chat.verdict import judge

Join = Callable[..., ChatClient]


class Room:
    """One room's log in memory, and the faults that a test orders."""

    def __init__(self) -> None:
        self.log: list[dict[str, Any]] = []
        self.epoch = "one"
        self.acknowledged: dict[tuple[str, str], int] = {}
        self.members: set[ServerConnection] = set()
        self.asked: list[dict[str, str]] = []  # each handshake's query
        self.received: list[dict[str, Any]] = []
        self.errors: list[str] = []  # the next sends get these
        self.closes: list[int] = []  # the next sockets are closed with these
        self.silent_acks = 0  # so many sends are logged, and the socket is lost before the ack
        self.deaf = False
        self.slip = 0  # replays begin so many messages off

    async def __call__(self, socket: ServerConnection) -> None:
        assert socket.request
        query = {key: values[0] for key, values in parse_qs(urlsplit(socket.request.path).query).items()}
        self.asked.append(query)
        if self.closes:
            await socket.close(self.closes.pop(0))
            return
        welcome: dict[str, Any] = {"type": "welcome", "room": "r", "name": query.get("name", "guest-1"), "worker": "w"}
        welcome |= {"epoch": self.epoch, "offset": len(self.log), "members": len(self.members) + 1}
        replayed = []
        if "since" in query:
            epoch, offset = query["since"].split(":")
            welcome["recovered"] = epoch == self.epoch and int(offset) <= len(self.log)
            replayed = self.log[int(offset) + self.slip :] if welcome["recovered"] else []
        self.members.add(socket)
        try:
            await socket.send("\n".join(map(json.dumps, [welcome, *replayed])))
            async for frame in socket:
                for line in str(frame).split("\n"):
                    await self.answer(socket, query["client"], json.loads(line))
        except ConnectionClosed:
            pass
        finally:
            self.members.discard(socket)

    async def answer(self, socket: ServerConnection, client: str, said: dict[str, Any]) -> None:
        self.received.append(said)
        if self.deaf:
            return
        match said["type"]:
            case "send" if self.errors:
                answer = {"type": "error", "code": self.errors.pop(0), "detail": "…", "ref": said["ref"]}
            case "send":
                key = (client, said["ref"])
                if key not in self.acknowledged:
                    self.acknowledged[key] = self.say(said["text"])
                if self.silent_acks:
                    self.silent_acks -= 1
                    socket.transport.abort()
                answer = {"type": "ack", "ref": said["ref"], "offset": self.acknowledged[key]}
            case "members":
                answer = {"type": "members", "names": ["a", "b"], "count": 2}
            case "history":
                answer = {"type": "history", "messages": self.log[: said.get("limit", 50)], "more": False}
            case "ping":
                answer = {"type": "pong"}
            case _:
                return
        await socket.send(json.dumps(answer))

    def say(self, text: str) -> int:
        offset = len(self.log) + 1
        self.log.append({"type": "message", "offset": offset, "sender": "s", "text": text, "sent_at": offset})
        broadcast(self.members, json.dumps(self.log[-1]))
        return offset

    def tell(self, *objects: Any) -> None:
        broadcast(self.members, "\n".join(text if isinstance(text, str) else json.dumps(text) for text in objects))


@pytest.fixture
def room() -> Room:
    return Room()


@pytest_asyncio.fixture
async def server(room: Room) -> AsyncIterator[Server]:
    async with serve(room, "127.0.0.1", 0, subprotocols=[Subprotocol("chat.v1")], ping_interval=None) as server:
        yield server


@pytest_asyncio.fixture
async def client(server: Server) -> AsyncIterator[Join]:
    """Makes clients of the room, not yet started; all are stopped at the end."""
    port = server.sockets[0].getsockname()[1]
    async with AsyncExitStack() as stops:

        def make(**options: Any) -> ChatClient:
            made = ChatClient(f"ws://127.0.0.1:{port}/ws/chat/r/", **options)
            stops.push_async_callback(made.stop)
            return made

        yield make


async def test_it_asks_for_chat_v1_and_says_who_it_is(room: Room, client: Join):
    member = await client(name="Ann Ä", client="c" * 16).start()
    assert room.asked == [{"name": "Ann Ä", "client": "c" * 16}]
    assert (member.name, member.epoch, member.offset, member.worker, member.members) == ("Ann Ä", "one", 0, "w", 1)


async def test_what_is_sent_is_acknowledged_and_received_by_all(client: Join):
    first, second = await client().start(), await client().start()
    assert [await first.send(numbered("a", n)) for n in (1, 2)] == [1, 2]
    for member in (first, second):
        await member.wait_for(2)
        assert [e.text for e in member.record.entries if isinstance(e, Message)] == [numbered("a", n) for n in (1, 2)]
    verdict = judge([first.record, second.record])
    assert (verdict.deliveries, verdict.acknowledged, verdict.faults) == (4, 2, {})


async def test_the_same_ref_twice_is_one_message(room: Room, client: Join):
    member = await client().start()
    assert [await member.send("a", ref="r"), await member.send("a", ref="r")] == [1, 1]
    assert len(room.log) == 1


async def test_after_a_cut_it_resumes_and_catches_up(room: Room, client: Join):
    member = await client().start()
    room.say("before")
    await member.wait_for(1)
    assert member.cut()
    assert not member.cut()
    for n in range(50):
        room.say(f"meanwhile {n}")
    await member.wait_for(51)
    assert room.asked[1]["since"] == "one:1"
    (reconnect,) = member.record.reconnects
    assert (reconnect.attempts, reconnect.recovered, reconnect.offset) == (1, True, 51)
    assert reconnect.welcome is not None
    assert reconnect.caught_up is not None
    assert reconnect.caught_up - reconnect.cut > 0
    assert judge([member.record]).faults == {}


@pytest.mark.parametrize(("slip", "fault"), [(1, "lost"), (-1, "repeated")])
async def test_a_server_that_resumes_at_the_wrong_place_is_found_out(room: Room, client: Join, slip: int, fault: str):
    member = await client().start()
    room.say("before")
    await member.wait_for(1)
    room.slip = slip
    member.cut()
    room.say("meanwhile")
    room.say("and again")
    await member.wait_for(3)
    assert judge([member.record]).faults == {fault: 1}


async def test_a_send_whose_ack_was_lost_is_repeated_and_logged_once(room: Room, client: Join):
    member = await client().start()
    room.silent_acks = 2
    assert await member.send("once") == 1
    assert len(room.log) == 1
    assert member.record.sent[0].times == 3


async def test_a_send_while_unconnected_waits_for_the_next_socket(client: Join):
    member = await client().start()
    member.cut()
    assert await member.send("later") == 1


@pytest.mark.parametrize("code", ["unavailable", "rate_limited"])
async def test_passing_errors_repeat_the_send(room: Room, client: Join, code: str):
    member = await client().start()
    room.errors = [code]
    assert await member.send("again") == 1
    assert member.record.errors == {code: 1}
    assert room.received[0] == room.received[1]


async def test_lasting_errors_refuse_the_send(room: Room, client: Join):
    member = await client().start()
    room.errors = ["too_long"]
    with pytest.raises(Refused, match="too_long"):
        await member.send("x")
    assert room.log == []


async def test_a_new_epoch_is_a_told_gap(room: Room, client: Join):
    member = await client().start()
    room.say("old")
    await member.wait_for(1)
    room.log, room.epoch = [], "two"
    member.cut()
    await member.wait_for(lambda member: member.epoch == "two")
    room.say("new")
    await member.wait_for(lambda member: member.record.messages == 2)
    verdict = judge([member.record])
    assert (verdict.told_gaps, verdict.recovered, verdict.faults) == (1, 0, {})


async def test_a_gap_told_on_an_open_socket_moves_it_on(room: Room, client: Join):
    member = await client().start()
    welcome = {"type": "welcome", "room": "r", "name": "n", "worker": "w", "members": 1}
    room.tell(welcome | {"epoch": "one", "offset": 7, "recovered": False})
    await member.wait_for(7)
    verdict = judge([member.record])
    assert (verdict.told_gaps, verdict.told_missing, verdict.faults) == (1, 7, {})


@pytest.mark.parametrize("code", [1000, 1001, 1011, 1012, 1013, 3000, 4408, 4429])
async def test_it_comes_back_after_these_closes(room: Room, client: Join, code: int):
    room.closes = [code]
    member = await client().start()
    assert member.record.counts[f"close {code}"] == 1
    assert member.connected


@pytest.mark.parametrize("code", [4400, 4401, 4403, 4410])
async def test_it_does_not_come_back_after_these(room: Room, client: Join, code: int):
    room.closes = [code]
    with pytest.raises(Refused, match=str(code)):
        await client().start()
    assert len(room.asked) == 1


async def test_a_server_without_chat_v1_is_refused(room: Room):
    async with serve(room, "127.0.0.1", 0, ping_interval=None) as server:
        member = ChatClient(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
        with pytest.raises(Refused, match=r"no chat\.v1"):
            await member.start()


async def test_questions_get_their_replies(room: Room, client: Join):
    member = await client().start()
    room.say("a")
    assert (await member.ask_members())["names"] == ["a", "b"]
    assert [message["text"] for message in (await member.history(limit=1))["messages"]] == ["a"]
    assert await member.ping() > 0
    member.typing()
    await member.ping()
    assert [said["type"] for said in room.received] == ["members", "history", "ping", "typing", "ping"]


async def test_silence_is_broken_by_a_ping_and_ended_by_a_cut(room: Room, client: Join):
    member = await client(silence=1).start()  # so much time has the answer, too
    await member.wait_for(lambda member: member.record.counts["pong"])
    assert member.record.reconnects == []
    room.deaf, member.silence = True, 0.05
    await member.wait_for(lambda member: len(room.asked) == 2)


async def test_several_objects_in_a_frame_and_a_message_in_several_frames(room: Room, client: Join):
    member = await client().start()
    notices = member.queue("notice")
    room.tell(*({"type": "notice", "text": text} for text in "abc"))
    (socket,) = room.members
    await socket.send(['{"type": "not', 'ice", "text"', ': "d"}'])
    async with asyncio.timeout(5):
        assert [(await notices.get())["text"] for _ in range(4)] == ["a", "b", "c", "d"]


async def test_listeners_hear_what_they_asked_for(room: Room, client: Join):
    member = await client().start()
    messages, everything = member.queue("message"), member.queue()
    room.tell({"type": "joined", "names": ["x"], "more": 0, "members": 2}, {"type": "new in chat.v2"})
    room.say("a")
    await member.wait_for(1)
    assert messages.get_nowait() == Message(1, "s", "a", 1)
    assert [everything.get_nowait()["type"] for _ in range(2)] == ["joined", "new in chat.v2"]
    assert everything.qsize() == 1
    assert member.members == 2


@pytest.mark.parametrize("text", ["{", "[]", "", '{"type": "ack"}', '{"type": "ack", "ref": "never", "offset": 1}'])
async def test_what_the_protocol_does_not_allow_is_noted(room: Room, client: Join, text: str):
    member = await client().start()
    room.tell(text, {"type": "notice", "text": "later"})
    await member.wait_for(lambda member: member.record.counts["notice"])
    assert len(member.record.violations) == 1
    assert member.connected


async def test_an_ack_that_changes_its_mind_is_noted(room: Room, client: Join):
    member = await client().start()
    await member.send("a", ref="r")
    room.tell({"type": "ack", "ref": "r", "offset": 2})
    await member.wait_for(lambda member: member.record.counts["ack"] == 2)
    assert member.record.violations == ["'a' acknowledged as 1 and 2"]


async def test_counting_alone_keeps_no_messages(room: Room, client: Join):
    member = await client(record=Record(keep=False)).start()
    for _ in range(3):
        room.say("a")
    await member.wait_for(3)
    assert (member.record.messages, member.record.entries) == (3, [])


async def test_waiting_in_vain_says_where_the_client_is(client: Join):
    member = await client(name="Ann").start()
    with pytest.raises(TimeoutError, match=r"offset 9; <ChatClient Ann at one:0, on w>"):
        await member.wait_for(9, seconds=0.05)


async def test_who_was_stopped_waits_no_longer(room: Room, client: Join):
    member = await client().start()
    room.deaf = True
    sending = asyncio.create_task(member.send("a"))
    await asyncio.to_thread(lambda: None)
    await member.stop()
    with pytest.raises(ConnectionError, match="stopped"):
        await sending


async def test_what_still_comes_after_it_has_left_does_not_count(room: Room, client: Join):
    member = await client().start()
    room.say("too late")
    await member.stop()
    member.receive(json.dumps(room.log[0]).encode())  # before the server has answered its close
    assert (member.record.messages, member.record.violations) == (0, [])


async def test_a_crowd_that_loses_its_sockets_again_and_again_loses_no_message(server: Server):
    """The way of the jitter test, in two seconds."""
    port, enough = server.sockets[0].getsockname()[1], asyncio.Event()
    async with Crowd(f"ws://127.0.0.1:{port}/ws/chat/r/", 20) as crowd:
        losing = asyncio.create_task(crowd.jitter(0.1, 0.6, enough))
        await crowd.talk(5, 50, 1)
        enough.set()
        await losing
        await crowd.catch_up(10)
        verdict = crowd.verdict()
    assert (verdict.deliveries, verdict.acknowledged, verdict.told_gaps, verdict.faults) == (1000, 50, 0, {})
    assert verdict.recovered == verdict.reconnects >= 20
