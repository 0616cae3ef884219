"""What a socket's scope says of who opened it."""

import asyncio
import copy
import pickle
import threading
from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from channels.auth import AuthMiddlewareStack as StockStack
from channels.auth import UserLazyObject
from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.http import SimpleCookie
from django.test import Client, TestCase
from django.utils.functional import LazyObject, SimpleLazyObject

from app.sessions import AuthMiddlewareStack
from app.threads import OwnThreads

COOKIE = settings.SESSION_COOKIE_NAME
Stack = Callable[[Any], Any]
with_each_stack = pytest.mark.parametrize("stack", [AuthMiddlewareStack, StockStack], ids=["ours", "stock"])


async def seen_with(
    headers: list[tuple[bytes, bytes]], stack: Stack = AuthMiddlewareStack, **given: Any
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The scope that the server gave, and the one that an application sees."""
    seen: list[dict[str, Any]] = []

    async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
        seen.append(scope)

    scope = {"type": "websocket", "headers": headers, **given}
    await stack(application)(scope, None, None)
    return scope, seen[0]


def cookie_of(client: Client) -> list[tuple[bytes, bytes]]:
    cookies: SimpleCookie = client.cookies
    return [(b"cookie", f"{COOKIE}={cookies[COOKIE].value}".encode())]


@with_each_stack
async def test_who_carries_no_session_is_nobody(stack: Stack) -> None:
    _, scope = await seen_with([(b"cookie", b"theme=dark; other=1")], stack)
    assert scope["cookies"] == {"theme": "dark", "other": "1"}
    assert scope["session"].session_key is None
    assert type(scope["session"]) is LazyObject
    assert type(scope["user"]) is UserLazyObject
    assert isinstance(scope["user"], AnonymousUser)


@with_each_stack
async def test_a_user_whom_another_middleware_found_is_kept(stack: Stack) -> None:
    ann = User(pk=1, username="ann")
    _, scope = await seen_with([], stack, user=ann)
    assert scope["user"] is ann


@with_each_stack
async def test_a_session_that_another_middleware_found_is_kept(stack: Stack) -> None:
    session = AuthMiddlewareStack(None).session_store(None)
    _, scope = await seen_with([], stack, session=session)
    assert scope["session"] is session


async def test_a_user_in_a_lazy_object_is_kept() -> None:
    """Stock overwrites it."""
    ann = User(pk=1, username="ann")
    filled = UserLazyObject()
    filled._wrapped = ann
    for lazy in (filled, SimpleLazyObject(lambda: ann)):
        _, scope = await seen_with([], user=lazy)
        assert scope["user"] is lazy
        assert lazy == ann


@pytest.mark.parametrize("named", [False, True])
@with_each_stack
async def test_an_object_that_names_nobody_yet_is_filled(stack: Stack, named: bool) -> None:
    given = UserLazyObject()
    if named:
        given._wrapped = AnonymousUser()
    _, scope = await seen_with([], stack, user=given)
    assert scope["user"] is given
    assert isinstance(given, AnonymousUser)


async def test_the_scope_can_be_copied() -> None:
    _, scope = await seen_with([(b"cookie", b"theme=dark")])
    assert copy.deepcopy(scope)["cookies"] == {"theme": "dark"}
    assert pickle.loads(pickle.dumps(scope))["cookies"] == {"theme": "dark"}  # noqa: S301  # ours


async def test_cookies_may_come_in_several_lines() -> None:
    given, scope = await seen_with([(b"cookie", b"theme=dark"), (b"cookie", b"other=1; third=2")])
    assert scope["cookies"] == {"theme": "dark", "other": "1", "third": "2"}
    assert scope["headers"] == [(b"cookie", b"theme=dark; other=1; third=2")]
    assert len(given["headers"]) == 2


async def test_the_servers_own_scope_stays_as_it_was() -> None:
    given, scope = await seen_with([])
    assert given == {"type": "websocket", "headers": []}
    assert scope["cookies"] == {}


async def test_an_http_response_saves_the_session_and_sets_its_cookie() -> None:
    """The stack's name stands in front of Channels' HTTP consumers, too."""
    sent: list[dict[str, Any]] = []

    async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
        scope["session"]["seen"] = True
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def send(event: dict[str, Any]) -> None:
        sent.append(event)

    class Store(dict[str, Any]):
        """A session that needs no database."""

        session_key, modified = "abc", True

        def __init__(self, key: str | None) -> None:
            self.saved = False

        def is_empty(self) -> bool:
            return False

        def get_expire_at_browser_close(self) -> bool:
            return True

        async def asave(self) -> None:
            self.saved = True

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("django.contrib.sessions.backends.db.SessionStore", Store)
        await AuthMiddlewareStack(application)({"type": "http", "headers": []}, None, send)
    assert dict(sent[0]["headers"])[b"Set-Cookie"].startswith(COOKIE.encode())


async def test_what_is_asked_on_our_threads_waits_for_no_consumer() -> None:
    """All synchronous consumers of a process share one thread, and here it is occupied."""
    leave = threading.Event()
    consumer = asyncio.ensure_future(sync_to_async(leave.wait)(20))
    await asyncio.sleep(0)
    try:
        async with asyncio.timeout(10):
            await seen_with([])
            assert (await OwnThreads(threading.current_thread)()).name.startswith("own")
        assert not consumer.done()
    finally:
        leave.set()
        await consumer


@mock.patch("channels.db.close_old_connections", mock.Mock())  # closes a file's connection in a transaction, too
class InATransaction(TestCase):
    """Django's own TestCase, as an application's tests use it."""

    def test_the_transaction_of_a_synchronous_test_is_seen(self) -> None:
        client = Client()
        client.force_login(User.objects.create(username="ann"))
        _, scope = async_to_sync(seen_with)(cookie_of(client))
        assert scope["user"].get_username() == "ann"

    async def test_the_transaction_of_an_asynchronous_test_is_seen(self) -> None:
        client = Client()
        await client.aforce_login(await User.objects.acreate(username="ann"))
        _, scope = await seen_with(cookie_of(client))
        assert scope["user"].get_username() == "ann"
