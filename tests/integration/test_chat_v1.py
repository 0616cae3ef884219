"""chat.v1 through the whole application: what docs/protocol.md says of each object, on both channel layers."""

import asyncio
from typing import Any

import pytest
from pytest_django import Settings

from MyChannels import limits
from MyChannels.groups import room_group
from tests.fixtures import Join

from .conftest import Enter

CLIENT = "client-of-sixteen"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rates are checked without waiting ten seconds."""
    monkeypatch.setattr(limits, "PATIENCE", 0.5)


# ── Connecting ─────────────────────────────────────────────────────────────────────────────────


async def test_welcome_comes_first_and_says_where_one_is(enter: Enter, room: str) -> None:
    alice = await enter(name="Alice")
    assert alice.subprotocol == "chat.v1"
    welcome = alice.welcome
    assert {key: welcome[key] for key in ("type", "room", "name", "offset", "members")} == {
        "type": "welcome",
        "room": room,
        "name": "Alice",
        "offset": 0,
        "members": 1,
    }
    assert welcome["worker"]
    assert welcome["epoch"]
    assert set(welcome) == {"type", "room", "name", "worker", "epoch", "offset", "members"}
    await alice.say("one")
    bob = await enter(name="Bob")
    assert (bob.welcome["offset"], bob.welcome["members"], bob.welcome["epoch"]) == (1, 2, welcome["epoch"])
    await bob.ask({"type": "ping"}, "pong")
    assert bob.texts() == []  # without since nothing is replayed


async def test_who_gives_no_name_is_given_one(enter: Enter) -> None:
    names = {(await enter()).welcome["name"] for _ in range(5)}
    assert len(names) == 5
    assert all(name.startswith("guest-") and len(name) == 10 for name in names)


async def test_a_name_is_normalized(enter: Enter) -> None:
    assert (await enter(name="  Ａｌｉｃｅ ")).welcome["name"] == "Alice"
    assert (await enter(name="小明 👩‍👩‍👧‍👦".replace("\u200d", ""))).welcome["name"].startswith("小明")


@pytest.mark.parametrize(
    "query",
    [
        {"name": ""},
        {"name": "x" * 41},
        {"name": "a\u202eb"},
        {"name": "a\u200bb"},
        {"name": "a\nb"},
        {"name": "Server"},
        {"name": "Ｓerver 2"},
        {"name": "a说: b"},
        {"client": "short"},
        {"client": "x" * 65},
        {"client": "with space in it now"},
        {"since": "1"},
        {"since": "e:"},
        {"since": "e:-1"},
        {"since": "e:1.0"},
        {"since": f"e:{2**53}"},
        {"since": f"{'e' * 65}:1"},
    ],
    ids=str,
)
@pytest.mark.parametrize("layer", ["pubsub"], indirect=True)
async def test_a_malformed_address_is_closed_with_4400_after_the_handshake(come: Enter, query: dict[str, str]) -> None:
    socket = await come(**query)
    await socket.until(lambda: socket.closed)
    assert socket.closed == 4400
    assert socket.objects == []


@pytest.mark.parametrize("since", [f"epoch:{2**53 - 1}", "epoch:0"])
async def test_the_ends_of_what_since_may_be_are_not_malformed(enter: Enter, since: str) -> None:
    assert (await enter(since=since)).welcome["recovered"] is False


async def test_an_unknown_subprotocol_speaks_the_documented_format(enter: Enter, come: Enter) -> None:
    alice = await enter(name="Alice")
    other = await come(name="Old", subprotocols=("chat.v9", "soap"))
    assert other.subprotocol is None
    await other.until(lambda: {"message": "Server: Old加入了."} in other.objects)
    await alice.say("hello")
    await other.until(lambda: {"message": "Alice说: hello"} in other.objects)
    assert all(set(each) == {"message"} for each in other.objects)
    await other.socket.send_json_to({"message": "hi"})
    heard = (await alice.wait("message", count=2))[1]
    assert (heard["sender"], heard["text"]) == ("Old", "hi")


# ── Saying ─────────────────────────────────────────────────────────────────────────────────────


async def test_what_is_said_is_acknowledged_and_heard_by_all(enter: Enter) -> None:
    alice, bob = await enter(name="Alice"), await enter(name="Bob")
    for offset, text in enumerate(["hello", "你好👩‍👩‍👧‍👦", "", "a\n\t\0b", "x" * 4000], start=1):
        assert await alice.say(text, f"r{offset}") == {"type": "ack", "ref": f"r{offset}", "offset": offset}
    for member in (alice, bob):
        messages = await member.wait("message", count=5)
        assert [set(message) for message in messages] == [{"type", "offset", "sender", "text", "sent_at"}] * 5
        assert [(m["offset"], m["sender"], m["text"]) for m in messages] == [
            (offset, "Alice", text)
            for offset, text in enumerate(["hello", "你好👩‍👩‍👧‍👦", "", "a\n\t\0b", "x" * 4000], start=1)
        ]
        assert all(message["sent_at"] > 1.7e12 for message in messages)


async def test_without_a_ref_nothing_is_acknowledged(enter: Enter) -> None:
    alice = await enter()
    await alice.send({"type": "send", "text": "hello"})
    await alice.wait("message")
    await alice.ask({"type": "ping"}, "pong")
    assert alice.of("ack", "error") == []


async def test_several_objects_in_one_frame_and_a_bad_one_is_answered_alone(enter: Enter) -> None:
    alice = await enter()
    good = [{"type": "send", "text": str(n), "ref": str(n)} for n in range(3)]
    await alice.send(good[0], {"type": "send", "text": 5, "ref": "bad"}, good[1], {"type": "what"}, good[2])
    await alice.wait("ack", count=3)
    errors = await alice.wait("error", count=2)
    assert [(each["code"], each.get("ref")) for each in errors] == [("malformed", "bad"), ("unknown_type", None)]
    assert [(await alice.wait("message", count=3))[n]["text"] for n in range(3)] == ["0", "1", "2"]


async def test_the_same_ref_of_the_same_client_is_one_message_whatever_the_socket(enter: Enter) -> None:
    first = await enter(name="Alice", client=CLIENT)
    assert (await first.say("hello", "a"))["offset"] == 1
    await first.say("between", "b")
    await first.leave()
    second = await enter(name="Alice", client=CLIENT)
    assert await second.say("hello", "a") == {"type": "ack", "ref": "a", "offset": 1}
    refused = await second.say("goodbye", "a")
    assert (refused["type"], refused["code"], refused["ref"]) == ("error", "ref_reused", "a")
    assert (await second.say("last", "c"))["offset"] == 3


@pytest.mark.parametrize("other", [{"client": "another-client-id"}, {"name": "Bob"}], ids=["client", "sender"])
async def test_another_client_or_sender_has_refs_of_its_own(enter: Enter, other: dict[str, str]) -> None:
    alice = await enter(name="Alice", client=CLIENT)
    bob = await enter(**{"name": "Alice", "client": CLIENT, **other})
    assert (await alice.say("hello", "a"))["offset"] == 1
    assert (await bob.say("another", "a"))["offset"] == 2


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ("{", "malformed"),
        ("[]", "malformed"),
        ("{}", "malformed"),
        ('{"type": 5}', "malformed"),
        ('{"type": "send"}', "malformed"),
        ('{"type": "send", "text": null}', "malformed"),
        ('{"type": "send", "text": "\\ud800"}', "malformed"),
        ('{"type": "send", "text": "a", "ref": ""}', "malformed"),
        ('{"type": "send", "text": "a", "ref": "' + "x" * 65 + '"}', "malformed"),
        ('{"type": "send", "text": "' + "x" * 4001 + '"}', "too_long"),
        ('{"type": "shout"}', "unknown_type"),
        ('{"type": "history", "before": 0}', "malformed"),
        ('{"type": "history", "limit": "many"}', "malformed"),
        (b"\xff", "malformed"),
        ("[" * 50_000, "malformed"),
    ],
)
@pytest.mark.parametrize("layer", ["pubsub"], indirect=True)
async def test_a_malformed_object_is_answered_and_closes_nothing(enter: Enter, frame: Any, code: str) -> None:
    alice = await enter()
    kind = "bytes_data" if isinstance(frame, bytes) else "text_data"
    await alice.socket.send_to(**{kind: frame})
    assert (await alice.wait("error"))[0]["code"] == code
    await alice.ask({"type": "ping"}, "pong")
    assert alice.closed is None


@pytest.mark.parametrize("layer", ["pubsub"], indirect=True)
async def test_who_says_too_much_is_refused_and_then_heard_again(enter: Enter, settings: Settings) -> None:
    settings.MESSAGE_RATE = 1
    alice = await enter()
    answers = await asyncio.gather(*(alice.say(str(n), str(n)) for n in range(9)))
    assert [answer["type"] for answer in answers[:4]] == ["ack"] * 4
    refused = [answer["ref"] for answer in answers[4:] if answer.get("code") == "rate_limited"]
    assert len(refused) >= 4, "at most one was permitted in the second meanwhile"
    assert set(refused) <= {str(n) for n in range(4, 9)}
    async with asyncio.timeout(3):
        while (await alice.say("again"))["type"] == "error":  # noqa: ASYNC110  # a token comes with time
            await asyncio.sleep(0.1)
    assert alice.closed is None


@pytest.mark.parametrize("layer", ["pubsub"], indirect=True)
async def test_who_goes_on_all_the_same_is_closed_with_4429(enter: Enter, settings: Settings, impatient: None) -> None:
    settings.MESSAGE_RATE = 5
    alice = await enter()
    async with asyncio.timeout(5):
        while alice.closed is None:  # it is said as quickly as it can be
            await alice.send({"type": "ping"})
            await asyncio.sleep(0.005)
    assert alice.closed == 4429


# ── Asking ─────────────────────────────────────────────────────────────────────────────────────


async def test_history_pages_back_to_the_beginning(enter: Enter) -> None:
    alice = await enter(name="Alice")
    for n in range(1, 121):
        await alice.send({"type": "send", "text": str(n)})
    await alice.wait("message", count=120)
    newest = await alice.ask({"type": "history"}, "history")
    assert [m["offset"] for m in newest["messages"]] == list(range(71, 121))
    assert newest["more"] is True
    assert newest["messages"][-1] == alice.of("message")[-1]
    older = await alice.ask({"type": "history", "before": 71, "limit": 1000}, "history")
    assert [m["offset"] for m in older["messages"]] == list(range(1, 71))
    assert older["more"] is False
    most = await alice.ask({"type": "history", "limit": 101}, "history")
    assert len(most["messages"]) == 100
    none = await alice.ask({"type": "history", "before": 1}, "history")
    assert (none["messages"], none["more"]) == ([], False)


async def test_members_are_told(enter: Enter) -> None:
    alice, _ = await enter(name="Alice"), await enter(name="Bob")
    assert await alice.ask({"type": "members"}, "members") == {"type": "members", "names": ["Alice", "Bob"], "count": 2}


async def test_joining_and_leaving_is_told_to_the_others_only(enter: Enter) -> None:
    alice = await enter(name="Alice")
    bob = await enter(name="Bob")
    joined = (await alice.wait("joined"))[0]
    assert joined == {"type": "joined", "names": ["Bob"], "more": 0, "members": 2}
    await bob.leave()
    left = (await alice.wait("left"))[0]
    assert left == {"type": "left", "names": ["Bob"], "more": 0, "members": 1}
    assert len(alice.of("joined")) == 1
    assert [name for each in bob.of("joined", "left") for name in each["names"] if name == "Bob"] == []
    assert bob.of("notice") == []
    assert alice.of("notice") == []  # the documented sentences are for the documented format


async def test_who_comes_back_at_once_was_never_away(enter: Enter) -> None:
    alice, bob = await enter(name="Alice"), await enter(name="Bob", client=CLIENT)
    await alice.wait("joined")
    since = bob.since
    await bob.leave()
    bob = await enter(name="Bob", client=CLIENT, since=since)
    carol = await enter(name="Carol")
    await carol.leave()
    await alice.wait("left", seconds=6)
    assert [each["names"] for each in alice.of("joined", "left")] == [["Bob"], ["Carol"], ["Carol"]]


async def test_typing_is_told_to_the_others_only(enter: Enter) -> None:
    alice, bob = await enter(name="Alice"), await enter(name="Bob")
    await alice.send({"type": "typing"})
    assert (await bob.wait("typing"))[0] == {"type": "typing", "name": "Alice"}
    await alice.ask({"type": "ping"}, "pong")
    assert alice.of("typing") == []


# ── With other code ────────────────────────────────────────────────────────────────────────────


async def test_a_raw_group_send_is_a_notice(enter: Enter, layer: Any, room: str) -> None:
    alice = await enter(name="Alice")
    await layer.group_send(room_group(room), {"type": "chat_message", "message": "by other code", "extra": 1})
    assert (await alice.wait("notice"))[0] == {"type": "notice", "text": "by other code"}
    await layer.group_send(room_group(room), {"type": "unknown.type"})
    await layer.group_send(room_group(room), {"type": "chat_message"})
    await layer.group_send(room_group(room), {"type": "chat_message", "message": "still here"})
    assert [each["text"] for each in await alice.wait("notice", count=2)] == ["by other code", "still here"]


async def test_rooms_asend_is_a_message_of_the_log(enter: Enter, room: str) -> None:
    from MyChannels import rooms

    alice = await enter(name="Alice")
    await rooms.asend(room, "Dinner is ready", name="Kitchen")
    message = (await alice.wait("message"))[0]
    assert (message["offset"], message["sender"], message["text"]) == (1, "Kitchen", "Dinner is ready")


async def test_members_of_the_documented_consumers_are_heard_and_hear(enter: Enter, join: Join, room: str) -> None:
    alice = await enter(name="Alice")
    documented = await join("async")
    assert (await alice.wait("notice"))[0]["text"] == f"Server: {documented.name}加入了."
    await documented.send_json_to({"message": "hello"})
    assert (await alice.wait("notice", count=2))[1]["text"] == f"{documented.name}说: hello"
    assert await documented.receive_json_from(timeout=5) == {"message": f"{documented.name}说: hello"}
    await alice.say("hi")
    assert await documented.receive_json_from(timeout=5) == {"message": "Alice说: hi"}


@pytest.fixture
def hops(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the running loop gives to threads."""
    given: list[Any] = []
    run_in_executor = asyncio.BaseEventLoop.run_in_executor

    def counted(loop: Any, *arguments: Any) -> Any:
        given.append(arguments)
        return run_in_executor(loop, *arguments)

    monkeypatch.setattr(asyncio.BaseEventLoop, "run_in_executor", counted)
    return given


async def test_who_carries_no_session_joins_and_leaves_without_a_thread(enter: Enter, hops: list[Any]) -> None:
    await enter()  # the process' first does more
    hops.clear()
    alice = await enter()
    await alice.leave()
    assert hops == []


async def test_a_room_event_takes_no_thread(enter: Enter, hops: list[Any]) -> None:
    """Stock Channels hops to one for every event, and so to the same one for all of a process."""
    alice, bob = await enter(), await enter()
    hops.clear()
    for n in range(30):
        await alice.say(str(n))
        await alice.send({"type": "typing"}, {"type": "ping"}, {"type": "history"}, {"type": "members"})
    await bob.wait("message", count=30)
    await alice.wait("history", count=30)
    assert hops == []
