"""Published middleware that knows users by a token works in each place where it does with Channels' own stack.

The packages are channels-auth-token-middlewares (for the tokens of Django REST framework, and for those of
djangorestframework-simplejwt) and django-channels-jwt-auth-middleware.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection
from websockets.typing import Origin

from app.accounts import LOGIN_ENDED
from tests.integration.socket_server import DEADLINE, Server
from tests.third_party.project import Project

APPLICATION = Path(__file__).with_name("placements.py")
STACKS = ["ours", "stock"]


def read_all(client: ClientConnection) -> None:
    while True:
        client.recv(DEADLINE)


@pytest.fixture(scope="module", autouse=True)
def server(project: Project) -> Iterator[Server]:
    with project.serving(APPLICATION) as server:
        yield server


DRF = ["ours-drf-inside", "stock-drf-inside", "ours-drf-outside", "none-drf"]
JWT = ["ours-jwt-inside", "stock-jwt-inside", "ours-jwt-outside", "none-jwt"]
OTHER_JWT = [f"{stack}-other-jwt-{side}" for stack in STACKS for side in ("inside", "outside")] + ["none-other-jwt"]


@pytest.mark.parametrize("placement", DRF)
def test_the_token_of_rest_framework_names_the_member_of_a_room(project: Project, placement: str) -> None:
    token = project.tokens["drf"]
    assert project.welcomed(placement, f"token={token}") == "ann"
    assert project.welcomed(placement, additional_headers={"Authorization": f"Token {token}"}) == "ann"
    assert project.welcomed(placement, f"token={'0' * 40}&name=eve") == "eve"


@pytest.mark.parametrize("placement", JWT)
def test_the_token_of_simplejwt_names_the_member_of_a_room(project: Project, placement: str) -> None:
    token = project.tokens["jwt"]
    assert project.welcomed(placement, f"token={token}") == "ann"
    assert project.welcomed(placement, additional_headers={"Authorization": f"Bearer {token}"}) == "ann"
    assert project.welcomed(placement, "token=none&name=eve") == "eve"


@pytest.mark.parametrize("placement", OTHER_JWT)
def test_the_token_of_the_other_jwt_package_names_the_member_of_a_room(project: Project, placement: str) -> None:
    assert project.welcomed(placement, f"token={project.tokens['jwt']}") == "ann"
    assert project.welcomed(placement, "name=eve") == "eve"


# The package that stands outside says that nobody has come, and stock keeps that.
@pytest.mark.parametrize("placement", [name for name in (*DRF, *JWT) if not name.startswith("none")])
def test_a_session_names_the_member_where_there_is_no_token(project: Project, placement: str) -> None:
    assert project.welcomed(placement, additional_headers={"Cookie": project.tokens["cookie"]}) == "bob"


@pytest.mark.parametrize("placement", ["ours-other-jwt-inside", "ours-other-jwt-outside"])
def test_a_token_goes_before_a_session(project: Project, placement: str) -> None:
    cookie = {"Cookie": project.tokens["cookie"]}
    assert project.welcomed(placement, f"token={project.tokens['jwt']}", additional_headers=cookie) == "ann"


@pytest.mark.parametrize("placement", [f"{stack}-{place}" for stack in STACKS for place in ("alone", "drf-inside")])
def test_refusals_stay_what_they_are(project: Project, placement: str) -> None:
    with pytest.raises(InvalidStatus, match="403"):
        project.connect(placement, origin=Origin("https://foreign.example"))
    with pytest.raises(InvalidStatus, match="404"):
        project.connect(placement, path="no/such/route/")
    with project.connect(placement, path=f"ws/async/{'x' * 80}/"):
        pass


@pytest.mark.parametrize("stack", STACKS)
def test_a_session_that_ends_closes_its_sockets_and_those_of_tokens_stay(project: Project, stack: str) -> None:
    cookie = project.sign_in()
    with (
        project.connect(f"{stack}-alone", additional_headers={"Cookie": cookie}) as session,
        project.connect(f"{stack}-drf-inside", f"token={project.tokens['drf']}") as token,
    ):
        assert json.loads(session.recv(DEADLINE))["name"] == "bob"
        assert json.loads(token.recv(DEADLINE))["name"] == "ann"
        project.end(cookie)
        with pytest.raises(ConnectionClosed):
            read_all(session)
        assert session.close_code == LOGIN_ENDED
        token.send(json.dumps({"type": "send", "text": "still here", "ref": "1"}))
        while json.loads(token.recv(DEADLINE))["type"] != "ack":
            pass
