"""What a socket's scope says of who opened it."""

from typing import Any

from django.contrib.auth.models import AnonymousUser

from app.sessions import Sessions


async def seen_with(headers: list[tuple[bytes, bytes]]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The scope that the server gave, and the one that an application sees."""
    seen: list[dict[str, Any]] = []

    async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
        seen.append(scope)

    given = {"type": "websocket", "headers": headers}
    await Sessions(application)(given, None, None)
    return given, seen[0]


async def test_who_carries_no_session_is_nobody() -> None:
    _, scope = await seen_with([(b"cookie", b"theme=dark; other=1")])
    assert scope["cookies"] == {"theme": "dark", "other": "1"}
    assert scope["session"].session_key is None
    assert isinstance(scope["user"], AnonymousUser)


async def test_cookies_may_come_in_several_lines() -> None:
    given, scope = await seen_with([(b"cookie", b"theme=dark"), (b"cookie", b"other=1; third=2")])
    assert scope["cookies"] == {"theme": "dark", "other": "1", "third": "2"}
    assert scope["headers"] == [(b"cookie", b"theme=dark; other=1; third=2")]
    assert len(given["headers"]) == 2


async def test_the_servers_own_scope_stays_as_it_was() -> None:
    given, scope = await seen_with([])
    assert given == {"type": "websocket", "headers": []}
    assert scope["cookies"] == {}
