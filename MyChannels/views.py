"""The pages around the rooms."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from MyChannels.forms import RoomForm


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """Choose a room; `?room_name=` leads to it, so that the form works without JavaScript."""
    form = RoomForm(request.GET if "room_name" in request.GET else None)
    if form.is_bound and form.is_valid():
        return redirect("room", room_name=form.cleaned_data["room_name"])
    return render(request, "MyChannels/index.html", {"form": form}, status=400 if form.is_bound else 200)


@require_safe
def room(request: HttpRequest, room_name: str) -> HttpResponse:
    """The page of one room; its socket is opened by static/MyChannels/room.js."""
    return render(request, "MyChannels/room.html", {"room_name": room_name})
