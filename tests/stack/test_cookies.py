"""One browser, two stacks on one host: it sends each of them the cookies of both."""

import asyncio
import json

import pytest

from tests.stack.clone import Clone
from tests.stack.wire import Headers, open_socket, request

LOG_IN = """
from django.contrib.auth.models import User
from django.test import Client
browser = Client()
browser.force_login(User.objects.create_superuser({name!r}))
print(*(f"{{cookie.key}}={{cookie.value}}" for cookie in browser.cookies.values()))
"""


def logged_in(clone: Clone, name: str) -> str:
    """The cookie of a session."""
    told = clone.compose("exec", "-T", "web", "python", "manage.py", "shell", "-c", LOG_IN.format(name=name))
    return told.stdout.split("\n")[-2]


@pytest.fixture(scope="module")
def jar(stack: Clone, neighbour: Clone) -> list[str]:
    return ["theme=dark", logged_in(stack, "ada"), logged_in(neighbour, "grace"), "csrftoken=else"]


def welcomed(clone: Clone, cookies: Headers) -> str:
    async def open_one() -> str:
        async with open_socket(
            clone, "/ws/chat/cookies/", subprotocols=["chat.v1"], additional_headers=cookies
        ) as client:
            return str(json.loads(await client.recv())["name"])

    return asyncio.run(open_one())


@pytest.mark.parametrize("order", [1, -1])
def test_each_stack_knows_its_own_session_in_whatever_line_it_comes(
    stack: Clone, neighbour: Clone, jar: list[str], order: int
):
    one, several = [("Cookie", "; ".join(jar[::order]))], [("Cookie", cookie) for cookie in jar[::order]]
    for cookies in (one, several):
        assert welcomed(stack, cookies) == "ada"
        assert welcomed(neighbour, cookies) == "grace"
        page = request(stack, "/admin/", cookies)
        assert page.status == 200
        assert "sessionid" not in str(page.headers.get_all("Set-Cookie")), "no session is taken away"


def test_a_session_of_one_stack_is_not_asked_for_by_the_other(stack: Clone, jar: list[str]):
    """It would not find it, and delete the cookie."""
    page = request(stack, "/admin/login/", [("Cookie", jar[2])])
    cookies = page.headers.get_all("Set-Cookie", [])
    assert [cookie.partition("=")[0] for cookie in cookies] == [f"csrftoken_{stack.project}_{stack.port}"]
