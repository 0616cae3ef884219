"""Closes the sockets of logins that have ended.

The login is read when a socket is opened, and a socket lives up to a day. So each process regularly looks up the
sessions of its open sockets again. It closes the sockets of logins that have ended: by a logout, by their age, or
because the account was deactivated, deleted or renamed, or has a new password. A socket without an account costs
nothing.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple
from weakref import WeakKeyDictionary

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, get_user_model, load_backend
from django.contrib.auth.backends import ModelBackend
from django.contrib.sessions.backends import cached_db, db
from django.db import close_old_connections
from django.utils import timezone
from django.utils.crypto import constant_time_compare

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

logger = logging.getLogger(__name__)

LOGIN_ENDED = 4401
# docs/protocol.md promises 60 s: two rounds, plus a database that needs its whole timeout for one answer.
ROUND_SECONDS = 20.0
ANSWER_SECONDS = 15.0  # for one answer: longer than the database's own timeout, shorter than a round
AT_ONCE = 100  # sessions in one query, because the thread's work holds up the event loop
# The engines whose sessions can be read in one query. Other engines are asked for each session.
READ_TOGETHER = (db.SessionStore.load, cached_db.SessionStore.load)

# A separate thread, not the one that consumers share for their database work.
thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="accounts")


class Login(NamedTuple):
    session_key: str
    user_id: Any
    name: str  # the account's name in messages


def opened_by_session(scope: Mapping[str, Any]) -> bool:
    """Whether the socket's user is the one named by its session. A token's user has no session that could end."""
    user, session = scope.get("user"), scope.get("session")
    if user is None or session is None or not user.is_authenticated:
        return False
    # A session that is not loaded did not determine the user. Loading it here would block the event loop.
    return bool(session.session_key and session.accessed and _named_by(session)[1] == user.pk)


class Socket:
    """Wraps `receive` and `send` of one application, and ends them with its login."""

    __slots__ = ("_receive", "_send", "ended")

    def __init__(self, receive: Any, send: Any) -> None:
        self._receive = receive
        self._send = send
        self.ended = False

    async def receive(self) -> Any:
        """Skips what the peer still sends after the login has ended, until it answers the close frame."""
        while True:
            event = await self._receive()
            if not self.ended or event["type"] != "websocket.receive":
                return event

    async def send(self, event: Any) -> None:
        if not self.ended:
            await self._send(event)

    async def end(self) -> None:
        self.ended = True
        await self._send({"type": "websocket.close", "code": LOGIN_ENDED, "reason": "the login has ended"})


class Accounts:
    """One event loop's sockets that were opened by accounts. `Accounts.current()` returns the running loop's."""

    _all: ClassVar[WeakKeyDictionary[asyncio.AbstractEventLoop, Accounts]] = WeakKeyDictionary()

    @classmethod
    def current(cls) -> Accounts:
        return cls._all.setdefault(asyncio.get_running_loop(), cls())

    @classmethod
    async def leave(cls) -> None:
        """Called at the end of the process."""
        if (accounts := cls._all.get(asyncio.get_running_loop())) and accounts._checking:
            accounts._checking.cancel()
            await asyncio.wait([accounts._checking])

    def __init__(self) -> None:
        self._sockets: dict[Login, set[Socket]] = {}
        self._checking: asyncio.Task[None] | None = None
        self._asking: asyncio.Future[set[Login]] | None = None
        self._unknown: set[Login] = set()  # the last lookup failed

    async def serve(self, application: Any, scope: dict[str, Any], receive: Any, send: Any) -> Any:
        """Runs the application until the login in `scope` ends."""
        user, socket = scope["user"], Socket(receive, send)
        login = Login(scope["session"].session_key, user.pk, user.get_username())
        self._sockets.setdefault(login, set()).add(socket)
        if self._checking is None or self._checking.done():
            self._checking = asyncio.get_running_loop().create_task(self._check_all())
        try:
            return await application(scope, socket.receive, socket.send)
        finally:
            if sockets := self._sockets.get(login):
                sockets.discard(socket)
                if not sockets:
                    del self._sockets[login]
                    self._unknown.discard(login)

    async def _check_all(self) -> None:
        """Checks all logins round after round while there are any. Each round's queries are spread over its time."""
        await asyncio.sleep(random.uniform(0, ROUND_SECONDS))  # noqa: S311  # spreads processes that started together
        while logins := list(self._sockets):
            batches = [logins[first : first + AT_ONCE] for first in range(0, len(logins), AT_ONCE)]
            for batch in batches:
                began = asyncio.get_running_loop().time()
                await self._check(batch)
                took = asyncio.get_running_loop().time() - began
                await asyncio.sleep(max(0.0, ROUND_SECONDS / len(batches) - took))

    async def _check(self, logins: list[Login]) -> None:
        try:
            over = await self._ended(logins)
        except Exception as fault:  # whatever a database, a cache or a third-party session engine raises
            if len(logins) > 1 and not isinstance(fault, TimeoutError):
                for login in logins:  # check them separately: the fault may concern only one of them
                    await self._check([login])
                return
            if not self._unknown:
                logger.warning("logins cannot be looked up, their sockets stay open meanwhile: %r", fault)
            self._unknown.update(login for login in logins if login in self._sockets)
            return
        self._unknown.difference_update(logins)
        for login in over:
            for socket in self._sockets.pop(login, ()):
                try:
                    await socket.end()
                except Exception:
                    logger.exception("a socket whose login has ended could not be closed")
        if over:
            logger.info("closed the sockets of %d logins that have ended", len(over))

    async def _ended(self, logins: list[Login]) -> set[Login]:
        """Asks the thread. It answers one question at a time, so a late answer is awaited first."""
        if self._asking:
            await asyncio.wait([self._asking], timeout=ANSWER_SECONDS)
            if not self._asking.done():
                raise TimeoutError(f"no answer within {ANSWER_SECONDS:.0f} s")
            self._asking.exception()  # too late to use: these logins are checked again
        self._asking = asyncio.get_running_loop().run_in_executor(thread, ended, logins)
        await asyncio.wait([self._asking], timeout=ANSWER_SECONDS)
        if not self._asking.done():
            raise TimeoutError(f"no answer within {ANSWER_SECONDS:.0f} s")
        asking, self._asking = self._asking, None
        return asking.result()


# ── In the thread ──────────────────────────────────────────────────────────────────────────────────


def ended(logins: Collection[Login]) -> set[Login]:
    """The logins that Django would no longer accept. Raises whatever the database and the session engine raise."""
    close_old_connections()
    try:
        sessions = _sessions({login.session_key for login in logins})
        users = _users(sessions.values())
        return {login for login in logins if not _lasts(login, sessions.get(login.session_key), users)}
    finally:
        close_old_connections()


def _sessions(keys: Collection[str]) -> dict[str, Mapping[str, Any]]:
    """The contents of the sessions that still exist."""
    store = import_module(settings.SESSION_ENGINE).SessionStore
    if store.load not in READ_TOGETHER:
        return {key: _loaded(store, key) for key in keys}
    found = store.get_model_class()._default_manager.filter(session_key__in=keys, expire_date__gt=timezone.now())
    return {session.session_key: session.get_decoded() for session in found}


def _loaded(store: Any, key: str) -> Mapping[str, Any]:
    """Some engines return an empty session during an outage. exists() then raises."""
    content: Mapping[str, Any] = store(key).load()
    if not content and store(key).exists(key):
        content = store(key).load()
    return content


def _users(sessions: Iterable[Mapping[str, Any]]) -> dict[tuple[str, Any], Any]:
    """The users of these sessions that their backends accept, by backend and key."""
    asked: dict[str, set[Any]] = defaultdict(set)
    for session in sessions:
        path, user_id = _named_by(session)
        if path in settings.AUTHENTICATION_BACKENDS:
            asked[path].add(user_id)
    found: dict[tuple[str, Any], Any] = {}
    for path, ids in asked.items():
        backend: Any = load_backend(path)
        if type(backend).get_user is ModelBackend.get_user:
            users = get_user_model()._default_manager.in_bulk(ids)
            found |= {(path, pk): user for pk, user in users.items() if backend.user_can_authenticate(user)}
        else:
            found |= {(path, pk): user for pk in ids if (user := backend.get_user(pk))}
    return found


def _named_by(session: Mapping[str, Any]) -> tuple[str, Any]:
    if SESSION_KEY not in session:
        return "", None
    return session.get(BACKEND_SESSION_KEY, ""), get_user_model()._meta.pk.to_python(session[SESSION_KEY])


def _lasts(login: Login, session: Mapping[str, Any] | None, users: Mapping[tuple[str, Any], Any]) -> bool:
    user = users.get(_named_by(session)) if session else None
    if not session or user is None or (user.pk, user.get_username()) != (login.user_id, login.name):
        return False
    if not hasattr(user, "get_session_auth_hash"):
        return True  # a user model that is not based on django.contrib.auth's
    given = session.get(HASH_SESSION_KEY, "")
    return any(
        constant_time_compare(given, valid)
        for valid in (user.get_session_auth_hash(), *user.get_session_auth_fallback_hash())
    )
