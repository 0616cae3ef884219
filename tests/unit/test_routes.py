"""app/routes.py: which routes an earlier one hides."""

from typing import Any

import pytest
from channels.routing import URLRouter
from django.urls import include, path, re_path

from app import checks
from app.handshake import not_found
from app.routes import hidden, routes
from MyChannels import converters  # noqa: F401  # registers `<room:…>`

OURS = path("ws/chat/<room:room_name>/", not_found, {"of": "ours"})  # type: ignore[arg-type]


def found(*patterns: Any) -> list[tuple[str, str]]:
    return [(str(route), str(taker)) for route, taker in hidden(routes(patterns))]


def view(*args: Any) -> Any: ...


def of_sockets(*patterns: Any) -> Any:
    """As Channels' router leaves them: it takes the end from patterns with a router inside."""
    return URLRouter(list(patterns)).routes


@pytest.mark.parametrize(
    "own",
    [
        re_path(r"ws/chat/(?P<room_name>\w+)/$", view),  # the tutorial of Channels
        re_path(r"^ws/chat/(?P<room_name>[^/]+)/$", view),
        re_path(r"^ws/chat/(\d+)/$", view),
        path("ws/chat/<str:room_name>/", view),
        path("ws/chat/<slug:room_name>/", view),
        path("ws/chat/<int:room>/", view),
        path("ws/chat/lobby/", view),
        path("ws/chat/<uuid:room>/", view),
    ],
)
def test_a_route_behind_one_that_takes_its_addresses_is_found(own: Any) -> None:
    assert found(OURS, own) == [(str(own.pattern), "ws/chat/<room:room_name>/")]


@pytest.mark.parametrize(
    "patterns",
    [
        (path("users/me/", view), path("users/<str:name>/", view)),
        (path("<int:number>/", view), path("<slug:name>/", view)),
        (path("<slug:name>/", view), path("<path:rest>", view)),
        (path("", view), re_path(r"^.*$", view)),
        (path("", view), path("chat/<room:name>/", view), re_path(r"", view)),
        (path("a/", view), path("b/", view)),
        (path("<int:year>/<slug:name>/", view), path("<int:year>/<int:month>/<slug:name>/", view)),
        (path("chat/", include([path("a/", view)])), path("chat/", include([path("b/", view)]))),
        of_sockets(path("chat/", URLRouter([path("a/", view)])), path("chat/", URLRouter([path("b/", view)]))),
    ],
)
def test_a_route_that_something_reaches_is_not(patterns: tuple[Any, ...]) -> None:
    assert found(*patterns) == []


def test_pages_that_are_included_are_looked_at_with_their_prefix() -> None:
    numbers = path("chat/<int:number>/", view)
    assert found(path("chat/", include([path("<slug:name>/", view)])), numbers) == [
        ("chat/<int:number>/", "chat/<slug:name>/")
    ]
    assert found(numbers, path("chat/", include([path("<int:other>/", view)]))) == [
        ("chat/<int:other>/", "chat/<int:number>/")
    ]


def test_sockets_of_a_router_inside_another_are_looked_at_with_their_prefix() -> None:
    numbers = path("chat/<int:number>/", view)
    assert found(*of_sockets(path("chat/", URLRouter([path("<slug:name>/", view)])), numbers)) == [
        ("chat/<int:number>/", "chat/<slug:name>/")
    ]


def test_every_route_here_can_be_reached() -> None:
    assert checks.routes_can_be_reached(None) == []


def test_the_check_names_both_and_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    from app import routing, urls

    monkeypatch.setattr(
        routing,
        "routes",
        [*routing.routes[:-1], re_path(r"ws/chat/(?P<room_name>\w+)/$", view), routing.routes[-1]],
    )
    monkeypatch.setattr(urls, "urlpatterns", [*urls.urlpatterns, path("chat/<str:room_name>/", view)])
    from django.urls import clear_url_caches

    clear_url_caches()
    try:
        socket, page = checks.routes_can_be_reached(None)
    finally:
        monkeypatch.undo()
        clear_url_caches()
    assert (socket.id, page.id) == ("app.W001", "app.W002")
    assert "ws/chat/(?P<room_name>\\w+)/$ (tests.unit.test_routes.view) can never be reached" in socket.msg
    assert "ws/chat/<room:room_name>/ (MyChannels.consumers.room.RoomConsumer) comes before it" in socket.msg
    assert "chat/<str:room_name>/ (tests.unit.test_routes.view)" in page.msg
