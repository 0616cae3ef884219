"""Who is logged in opens a socket, with the session's cookie as a browser sends it."""

from typing import Any

import pytest
from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.contrib.auth.models import User
from django.test import AsyncClient

from app.routing import application

pytestmark = pytest.mark.django_db(transaction=True)
COOKIE = settings.SESSION_COOKIE_NAME


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
