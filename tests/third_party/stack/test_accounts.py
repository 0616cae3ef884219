"""A login of its own, the sockets of those who are in, and tokens in its place."""

import http.cookies
import json
import urllib.parse

import pytest
from websockets.exceptions import InvalidStatus

from tests.stack.clone import Clone
from tests.stack.wire import open_socket, request, send
from tests.third_party.stack.workers import heard, on_each_worker, tell


class Person:
    """Someone who has entered with an invitation."""

    def __init__(self, stack: Clone, invitation: str) -> None:
        csrf = cookies(request(stack, "/enter").headers.get_all("Set-Cookie", []))
        ((_, token),) = csrf.items()
        answer = send(
            stack,
            "/enter",
            urllib.parse.urlencode({"invitation": invitation}).encode(),
            [
                ("Content-Type", "application/x-www-form-urlencoded"),
                ("Cookie", header(csrf)),
                ("Origin", f"http://{stack.host}"),
                ("X-CSRFToken", token),
            ],
        )
        assert answer.status == 200
        self.tokens = json.loads(answer.body)
        self.cookie = {"Cookie": header(cookies(answer.headers.get_all("Set-Cookie", [])))}


def cookies(lines: list[str]) -> dict[str, str]:
    return {name: morsel.value for line in lines for name, morsel in http.cookies.SimpleCookie(line).items()}


def header(values: dict[str, str]) -> str:
    return "; ".join(f"{name}={value}" for name, value in values.items())


async def test_several_rooms_on_one_socket(stack: Clone) -> None:
    ann = Person(stack, "for ann")
    async with on_each_worker(stack, "/multichat", additional_headers=ann.cookie) as sockets:
        speaker, listener, leaver = sockets
        for socket in sockets:
            await tell(socket, command="join", room="tea")
            assert await heard(socket) == {"joined": "tea", "title": "Room tea"}
        await tell(leaver, command="leave", room="tea")
        assert await heard(leaver) == {"left": "tea"}
        await tell(listener, command="join", room="staff")
        assert await heard(listener) == {"error": "staff only"}
        await tell(speaker, command="send", room="tea", text="hello")
        for socket in (speaker, listener):
            assert await heard(socket) == {"type": "multi.message", "room": "tea", "user": "ann", "text": "hello"}
        await tell(leaver, command="join", room="coffee")
        assert await heard(leaver) == {"joined": "coffee", "title": "Room coffee"}


async def test_staff_may_join_the_staffs_room_and_strangers_none(stack: Clone) -> None:
    with pytest.raises(InvalidStatus, match="403"):
        await open_socket(stack, "/multichat")
    boss = Person(stack, "for the boss")
    async with open_socket(stack, "/multichat", additional_headers=boss.cookie) as socket:
        await tell(socket, command="join", room="staff")
        assert await heard(socket) == {"joined": "staff", "title": "Room staff"}


async def test_tokens_say_who_speaks(stack: Clone) -> None:
    people = [Person(stack, f"for {name}").tokens for name in ("ann", "bob", "the boss")]
    ann, bob, boss = people
    paths = (f"/who/token?token={ann['token']}", f"/who/simplejwt?token={bob['jwt']}", f"/who/jwt?token={boss['jwt']}")
    async with on_each_worker(stack, *paths) as sockets:
        for speaker, person in zip(sockets, people, strict=True):
            await speaker.send(json.dumps("hello"))
            for socket in sockets:
                assert await heard(socket) == {"user": person["user"], "text": "hello"}
