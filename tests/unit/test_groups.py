"""Room names, wherever one is given: as a group, in an address, in a form."""

import re
from urllib.parse import urlencode

import pytest
from channels.layers import BaseChannelLayer
from django.http import QueryDict
from django.urls import Resolver404, resolve

from MyChannels.forms import RoomForm
from MyChannels.groups import ROOM_NAME, ROOM_NAME_LENGTH, room_group
from MyChannels.routing import ws_urlpatterns

GOOD = ["a", "A-b_9", "-", "_", "a" * 80]
BAD = ["", "a" * 81, "a" * 300, "a.b", "a b", "a/b", "a\n", "\na", "a+b", "a%20b", "聊天室", "é", "٣", "a\0"]


def shown(name: str) -> str:
    return f"{ascii(name)[:20]}({len(name)})"


def rooms_of_sockets(name: str) -> list[str]:
    """The room name that each WebSocket route whose address holds `name` hands to its consumer."""
    routes = {str(route.pattern): route for route in ws_urlpatterns}
    found = [route.resolve(f"ws/{kind}/{name}/") for kind in KINDS for route in routes.values()]
    return [match.kwargs["room_name"] for match in found if match]


KINDS = ["chat", "echo", "sync", "async"]


@pytest.mark.parametrize("name", GOOD, ids=shown)
def test_slug_of_1_to_80_characters_is_a_room_everywhere(name: str) -> None:
    assert rooms_of_sockets(name) == [name] * len(KINDS)
    assert resolve(f"/chat/{name}/").kwargs == {"room_name": name}
    assert RoomForm({"room_name": name}).is_valid()


@pytest.mark.parametrize("name", BAD, ids=shown)
def test_anything_else_has_no_address(name: str) -> None:
    assert rooms_of_sockets(name) == []
    with pytest.raises(Resolver404):
        resolve(f"/chat/{name}/")


@pytest.mark.parametrize("name", [name for name in BAD if name == name.strip()], ids=shown)
def test_anything_else_is_refused_by_the_form(name: str) -> None:
    assert "room_name" in RoomForm(QueryDict(urlencode({"room_name": name}))).errors


def test_form_strips_white_space_around_a_name() -> None:
    form = RoomForm({"room_name": " lobby\n"})
    assert form.is_valid()
    assert form.cleaned_data == {"room_name": "lobby"}


def test_group_of_the_longest_name_is_one_that_channels_permits() -> None:
    group = room_group("a" * ROOM_NAME_LENGTH)
    assert group == "chat_" + "a" * 80
    assert BaseChannelLayer().require_valid_group_name(group)


def test_browsers_accept_the_forms_pattern() -> None:
    """They compile it with the flag `v`, which takes no bare hyphen at the edge of a class."""
    assert f'pattern="{ROOM_NAME}"' in str(RoomForm()["room_name"])
    assert not re.search(r"\[-|[^\\]-\]", ROOM_NAME)
