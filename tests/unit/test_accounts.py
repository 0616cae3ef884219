"""When a login counts as ended, whatever keeps sessions and users; and what becomes of its sockets."""

import asyncio
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest
from django.conf import settings as project
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db import DatabaseError
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from app.accounts import AT_ONCE, LOGIN_ENDED, ROUND_SECONDS, Accounts, Login, ended
from tests.unit.virtual_time import in_virtual_time, passes, settle

ENGINES = ["db", "cached_db", "cache", "file", "signed_cookies"]
BACKEND = "django.contrib.auth.backends.ModelBackend"


class OwnBackend(ModelBackend):
    """Finds users in a way of its own."""

    def get_user(self, user_id: int) -> User | None:
        return super().get_user(user_id)


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest, settings: Settings, tmp_path: Path) -> str:
    settings.SESSION_ENGINE = f"django.contrib.sessions.backends.{request.param}"
    settings.SESSION_FILE_PATH = str(tmp_path)
    return str(request.param)


@pytest.fixture(autouse=True)
def one_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread closes its own connection; here that is the one with the test's transaction."""
    monkeypatch.setattr("app.accounts.close_old_connections", lambda: None)


def store(key: str | None = None) -> Any:
    return import_module(project.SESSION_ENGINE).SessionStore(key)


def login(name: str = "ada", backend: str = BACKEND, **content: Any) -> Login:
    """As Django's own login() leaves it."""
    user = User.objects.create_user(name)
    session = store()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = backend
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.update(content)
    session.save()
    return Login(session.session_key, user.pk, name)


def deactivate() -> None:
    User.objects.update(is_active=False)


def change_password() -> None:
    User.objects.filter(username="ada").update(password="another")


def rename() -> None:
    User.objects.filter(username="ada").update(username="countess")


def delete() -> None:
    User.objects.filter(username="ada").delete()


CHANGES: list[Callable[[], None]] = [deactivate, change_password, rename, delete]


@pytest.mark.django_db
@pytest.mark.parametrize("backend", [BACKEND, f"{__name__}.OwnBackend"])
@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
@pytest.mark.usefixtures("engine")
def test_a_login_ends_when_its_account_changes(change: Callable[[], None], backend: str, settings: Settings) -> None:
    settings.AUTHENTICATION_BACKENDS = [backend]
    hers, his = login(backend=backend), login("bob", backend=backend)
    assert ended([hers, his]) == set()
    change()
    assert ended([hers, his]) == ({hers, his} if change is deactivate else {hers})


@pytest.mark.django_db
def test_a_login_ends_with_its_session(engine: str) -> None:
    hers, his = login(), login("bob")
    store(hers.session_key).flush()
    # What a browser keeps by itself, no server can end before its time.
    assert ended([hers, his]) == (set() if engine == "signed_cookies" else {hers})


@pytest.mark.django_db
def test_a_login_ends_with_the_age_of_its_session() -> None:
    hers = login()
    Session.objects.update(expire_date=timezone.now())
    assert ended([hers]) == {hers}


@pytest.mark.django_db
@pytest.mark.usefixtures("engine")
def test_a_session_that_is_another_users_now_is_no_login() -> None:
    hers = login()
    assert ended([hers._replace(user_id=hers.user_id + 1)])
    assert ended([hers._replace(session_key="another")])


@pytest.mark.django_db
@pytest.mark.usefixtures("engine")
def test_a_backend_that_is_no_longer_used_lets_no_one_in(settings: Settings) -> None:
    hers = login()
    settings.AUTHENTICATION_BACKENDS = [f"{__name__}.OwnBackend"]
    assert ended([hers]) == {hers}


@pytest.mark.django_db
def test_a_session_that_was_signed_before_the_secret_was_rotated_is_still_a_login(settings: Settings) -> None:
    hers = login()
    settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], "another"
    assert ended([hers]) == set()


@pytest.mark.django_db
@pytest.mark.parametrize("count", [1, 50])
def test_many_logins_cost_two_queries(count: int, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    logins = [login(f"user-{number}") for number in range(count)]
    with django_assert_num_queries(2):
        assert ended(logins) == set()


@pytest.mark.django_db
def test_an_outage_of_the_cache_is_no_logout(settings: Settings) -> None:
    settings.SESSION_ENGINE = "django.contrib.sessions.backends.cache"
    hers = login()
    cache = "django.core.cache.backends.locmem.LocMemCache"
    away = ConnectionError("the cache is away")
    with patch(f"{cache}.get", side_effect=away), patch(f"{cache}.has_key", side_effect=away):  # noqa: SIM117
        with pytest.raises(ConnectionError):
            ended([hers])
    assert ended([hers]) == set()


# ── The sockets ────────────────────────────────────────────────────────────────────────────────


class Peer:
    """A socket of an account's, to an application that answers with what it is sent."""

    def __init__(self, key: str, accounts: Accounts) -> None:
        self.sent: list[dict[str, Any]] = []
        self.heard: list[dict[str, Any]] = []
        self.received: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        scope = {"user": User(pk=1, username="ada"), "session": SimpleNamespace(session_key=key)}
        self.serving = asyncio.create_task(accounts.serve(self.application, scope, self.received.get, self.send))

    async def send(self, event: dict[str, Any]) -> None:
        self.sent.append(event)

    async def application(self, scope: Any, receive: Any, send: Any) -> None:
        event: dict[str, Any] = {}
        while event.get("type") != "websocket.disconnect":
            event = await receive()
            self.heard.append(event)
            await send({"type": "websocket.send", "text": "an answer"})

    async def says(self, kind: str) -> None:
        self.received.put_nowait({"type": f"websocket.{kind}"})
        await settle()

    async def leaves(self) -> None:
        await self.says("disconnect")
        await self.serving

    @property
    def code(self) -> int | None:
        return next((event["code"] for event in self.sent if event["type"] == "websocket.close"), None)


class Lookups:
    """In the place of what asks the database."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.asked: list[list[str]] = []
        self.over: set[str] = set()
        self.away = False
        self.bad: set[str] = set()
        self.seconds = 0.0
        self.under_way = 0
        patch.setattr(asyncio.get_running_loop(), "run_in_executor", self.run)

    def run(self, thread: object, asking: object, logins: list[Login]) -> asyncio.Future[set[Login]]:
        assert asking is ended
        answer: asyncio.Future[set[Login]] = asyncio.get_running_loop().create_future()
        self.asked.append([login.session_key for login in logins])
        self.under_way += 1
        assert self.under_way == 1
        if self.seconds:
            asyncio.get_running_loop().call_later(self.seconds, self.say, answer, logins)
        else:
            self.say(answer, logins)
        return answer

    def say(self, answer: asyncio.Future[set[Login]], logins: list[Login]) -> None:
        self.under_way -= 1
        if self.away or self.bad.intersection(login.session_key for login in logins):
            answer.set_exception(DatabaseError("away"))
        else:
            answer.set_result({login for login in logins if login.session_key in self.over})


@in_virtual_time
async def test_sockets_of_an_ended_login_are_closed_within_a_minute_and_no_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lookups, accounts = Lookups(monkeypatch), Accounts()
    tab, other_tab, elsewhere = [Peer(key, accounts) for key in ("a", "a", "b")]
    await passes(ROUND_SECONDS * 1.5)
    lookups.over = {"a"}
    await passes(60)
    assert [peer.code for peer in (tab, other_tab, elsewhere)] == [LOGIN_ENDED, LOGIN_ENDED, None]
    for peer in (tab, other_tab, elsewhere):
        await peer.leaves()
    await Accounts.leave()


@in_virtual_time
async def test_what_is_said_after_the_close_reaches_no_application_and_nothing_is_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lookups, accounts = Lookups(monkeypatch), Accounts()
    peer = Peer("a", accounts)
    await peer.says("receive")
    assert len(peer.sent) == len(peer.heard) == 1
    lookups.over = {"a"}
    await passes(60)
    await peer.says("receive")
    assert len(peer.heard) == 1
    await peer.leaves()
    assert [event["type"] for event in peer.heard] == ["websocket.receive", "websocket.disconnect"]
    assert [event["type"] for event in peer.sent] == ["websocket.send", "websocket.close"]


@in_virtual_time
async def test_an_outage_closes_nothing_and_what_ended_meanwhile_is_closed_after_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lookups, accounts = Lookups(monkeypatch), Accounts()
    peer = Peer("a", accounts)
    lookups.away, lookups.over = True, {"a"}
    await passes(600)
    assert peer.code is None
    lookups.away = False
    await passes(60)
    assert peer.code == LOGIN_ENDED
    await peer.leaves()


@in_virtual_time
async def test_a_login_that_cannot_be_looked_up_keeps_no_other_open(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    lookups, accounts = Lookups(monkeypatch), Accounts()
    peers = [Peer(key, accounts) for key in ("a", "b", "c")]
    lookups.bad, lookups.over = {"b"}, {"a", "c"}
    await passes(120)
    assert [peer.code for peer in peers] == [LOGIN_ENDED, None, LOGIN_ENDED]
    assert len([record for record in caplog.records if record.levelname == "WARNING"]) == 1
    for peer in peers:
        await peer.leaves()


@in_virtual_time
async def test_an_answer_that_does_not_come_is_said_and_never_asked_for_twice(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    lookups, accounts = Lookups(monkeypatch), Accounts()
    peer = Peer("a", accounts)
    lookups.over, lookups.seconds = {"a"}, 300
    await passes(60)
    assert "no answer within 15 s" in caplog.text
    assert (len(lookups.asked), peer.code) == (1, None)
    lookups.seconds = 0
    await passes(300)
    assert peer.code == LOGIN_ENDED
    await peer.leaves()


@in_virtual_time
async def test_slow_answers_make_a_round_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    lookups, accounts = Lookups(monkeypatch), Accounts()
    peers = [Peer(f"{number}", accounts) for number in range(200)]
    lookups.seconds = 9
    await passes(10 * ROUND_SECONDS)
    assert 9 <= sum("0" in batch for batch in lookups.asked) <= 11
    for peer in peers:
        await peer.leaves()


@in_virtual_time
async def test_each_login_is_looked_up_once_in_a_round_and_none_when_no_socket_is_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lookups, accounts = Lookups(monkeypatch), Accounts()
    peers = [Peer(f"{number % 250}", accounts) for number in range(1000)]
    await passes(10 * ROUND_SECONDS)
    counts = {key: sum(key in batch for batch in lookups.asked) for key in ("0", "249")}
    assert all(9 <= count <= 11 for count in counts.values())
    assert max(map(len, lookups.asked)) == AT_ONCE
    for peer in peers:
        await peer.leaves()
    await passes(2 * ROUND_SECONDS)
    lookups.asked.clear()
    await passes(10 * ROUND_SECONDS)
    assert lookups.asked == []
