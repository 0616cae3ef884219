"""The pages around the rooms."""

import secrets
from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from MyChannels.forms import RoomForm

_P = ParamSpec("_P")
_View = Callable[Concatenate[HttpRequest, _P], HttpResponse]

# The pages contain no inline scripts or styles. Other pages of the site set their own policy.
# The socket's origin is listed because Safari before 15.4 does not include it in 'self'.
CONTENT_SECURITY_POLICY = (
    "default-src 'self'; connect-src 'self' {socket_origin}; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)

# Without 0 o 1 l i, since people may read a name aloud.
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"


def own_content_only(view: _View[_P]) -> _View[_P]:
    """Decorates a view whose page loads nothing but this site's own files."""

    @wraps(view)
    def decorated(request: HttpRequest, /, *args: _P.args, **kwargs: _P.kwargs) -> HttpResponse:
        response = view(request, *args, **kwargs)
        socket_origin = f"{'wss' if request.is_secure() else 'ws'}://{request.get_host()}"
        response["Content-Security-Policy"] = CONTENT_SECURITY_POLICY.format(socket_origin=socket_origin)
        return response

    return decorated


def unguessable_room_name() -> str:
    """Three times four letters, 59 bits."""
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(3))


@require_safe
@own_content_only
def index(request: HttpRequest) -> HttpResponse:
    """The page to choose a room. `?room_name=` redirects to it, so that the form works without JavaScript."""
    form = RoomForm(request.GET if "room_name" in request.GET else None)
    if form.is_bound and form.is_valid():
        return redirect("room", room_name=form.cleaned_data["room_name"])
    context = {"form": form, "new_room": unguessable_room_name()}
    return render(request, "MyChannels/index.html", context, status=400 if form.is_bound else 200)


@require_safe
@own_content_only
def room(request: HttpRequest, room_name: str) -> HttpResponse:
    """The page of one room; its socket is opened by static/MyChannels/room.js."""
    context = {"room_name": room_name, "socket": f"/ws{request.path}", "max_length": settings.MAX_TEXT_LENGTH}
    return render(request, "MyChannels/room.html", context)
