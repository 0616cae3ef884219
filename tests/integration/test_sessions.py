"""Who is logged in opens a socket, with the session's cookie as a browser sends it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.contrib.auth.models import User
from django.test import AsyncClient

from app import accounts
from app.accounts import LOGIN_ENDED, Login, ended
from app.routing import application

pytestmark = pytest.mark.django_db(transaction=True)
COOKIE = settings.SESSION_COOKIE_NAME
SECONDS = 20  # a deadline, on a busy machine


async def logged_in() -> tuple[AsyncClient, str]:
    browser = AsyncClient()
    await browser.aforce_login(await User.objects.acreate_user("ada"))
    return browser, f"theme=dark; {COOKIE}={browser.cookies[COOKIE].value}"


async def welcomed(room: str, *cookies: str) -> tuple[WebsocketCommunicator, dict[str, Any]]:
    socket = WebsocketCommunicator(
        application,
        f"/ws/chat/{room}/?name=Somebody+else",
        headers=[(b"cookie", cookie.encode()) for cookie in cookies],
        subprotocols=["chat.v1"],
    )
    accepted, _ = await socket.connect(timeout=5)
    assert accepted
    return socket, await socket.receive_json_from(timeout=5)


@pytest.mark.usefixtures("layer")
async def test_a_user_speaks_under_its_own_name_and_is_known_for_one(room: str) -> None:
    _, cookie = await logged_in()
    socket, welcome = await welcomed(room, cookie)
    assert welcome["name"] == "ada"
    await socket.send_json_to({"type": "send", "text": "hello"})
    message: dict[str, Any] = {}
    while message.get("type") != "message":
        message = await socket.receive_json_from(timeout=5)
    assert (message["sender"], message["user"]) == ("ada", True)
    await socket.disconnect()


@pytest.mark.usefixtures("layer")
async def test_a_session_that_has_ended_is_nobodys(room: str) -> None:
    browser, cookie = await logged_in()
    await browser.alogout()
    socket, welcome = await welcomed(room, cookie)
    assert welcome["name"] == "Somebody else"
    await socket.disconnect()


@pytest.mark.usefixtures("layer")
@pytest.mark.parametrize("order", [1, -1])
async def test_cookies_in_several_lines_are_a_socket_users_own(room: str, order: int) -> None:
    _, cookies = await logged_in()
    socket, welcome = await welcomed(room, *cookies.split("; ")[::order])
    assert welcome["name"] == "ada"
    await socket.disconnect()


async def logs_out(user: User, browser: AsyncClient) -> None:
    await browser.alogout()


async def is_deactivated(user: User, browser: AsyncClient) -> None:
    await User.objects.filter(pk=user.pk).aupdate(is_active=False)


async def gets_another_password(user: User, browser: AsyncClient) -> None:
    await User.objects.filter(pk=user.pk).aupdate(password="another")


async def is_deleted(user: User, browser: AsyncClient) -> None:
    await user.adelete()


async def closed_with(socket: WebsocketCommunicator) -> int:
    async with asyncio.timeout(SECONDS):
        while (event := await socket.receive_output(timeout=SECONDS))["type"] != "websocket.close":
            pass
    return int(event["code"])


@pytest.mark.usefixtures("layer")
@pytest.mark.parametrize(
    ("kind", "change"),
    [
        *((kind, logs_out) for kind in ("chat.v1", "chat", "sync", "async", "echo")),
        *(("chat.v1", change) for change in (is_deactivated, gets_another_password, is_deleted)),
    ],
)
async def test_every_socket_of_a_login_that_has_ended_is_closed_with_4401(
    kind: str, change: Callable[[User, AsyncClient], Awaitable[None]], room: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accounts, "ROUND_SECONDS", 0.1)
    browser, cookie = await logged_in()
    path, offered = (f"/ws/chat/{room}/", ["chat.v1"]) if kind == "chat.v1" else (f"/ws/{kind}/{room}/", [])
    socket, guest = [
        WebsocketCommunicator(application, path, headers=[(b"cookie", each.encode())], subprotocols=offered)
        for each in (cookie, "theme=dark")
    ]
    for each in (socket, guest):
        accepted, _ = await each.connect(timeout=SECONDS)
        assert accepted
    await change(await User.objects.aget(username="ada"), browser)
    assert await closed_with(socket) == LOGIN_ENDED
    # Its client takes its time to answer the close, and speaks meanwhile.
    await socket.send_json_to({"type": "send", "text": "still here", "message": "still here"})
    await guest.send_json_to({"type": "send", "text": "the end", "message": "the end"})
    heard = ""
    while "the end" not in heard:
        heard += await guest.receive_from(timeout=SECONDS)
    assert "still here" not in heard
    await guest.disconnect(timeout=SECONDS)
    await socket.send_input({"type": "websocket.disconnect", "code": LOGIN_ENDED})
    await socket.wait(timeout=SECONDS)


@pytest.mark.usefixtures("layer")
async def test_a_login_that_lasts_keeps_its_socket(room: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounts, "ROUND_SECONDS", 0.01)
    looked: list[set[Login]] = []

    def looking(logins: list[Login]) -> set[Login]:
        looked.append(ended(logins))
        return looked[-1]

    monkeypatch.setattr(accounts, "ended", looking)
    _, cookie = await logged_in()
    socket, _ = await welcomed(room, cookie)
    async with asyncio.timeout(SECONDS):
        while len(looked) < 3:  # noqa: ASYNC110  # a round gives no signal
            await asyncio.sleep(0.01)
    assert looked[:3] == [set(), set(), set()]
    await socket.send_json_to({"type": "ping"})
    while (answer := await socket.receive_json_from(timeout=SECONDS))["type"] != "pong":
        pass
    assert answer == {"type": "pong"}
    await socket.disconnect()
