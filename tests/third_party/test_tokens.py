"""Published middleware that knows users by a token works in each place where it does with Channels' own stack.

The packages are channels-auth-token-middlewares (for the tokens of Django REST framework, and for those of
djangorestframework-simplejwt) and django-channels-jwt-auth-middleware.
"""

import json
import os
import secrets
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

from app.accounts import LOGIN_ENDED
from tests.integration import socket_server
from tests.integration.redis_server import RedisServer
from tests.integration.socket_server import DEADLINE, Server

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[1]
STACKS = ["ours", "stock"]


class Project:
    """A server with a database that knows Ann by her tokens, and Bob by his session."""

    def __init__(self, folder: Path, redis: RedisServer) -> None:
        self.database = folder / "db.sqlite3"
        self.settings = {
            "DATA_DIR": str(folder),
            "DJANGO_SETTINGS_MODULE": "tests.third_party.settings",
            "REDIS_URL": redis.url,
            "REDIS_PASSWORD": redis.password,
            "SECRET_KEY": "unused-but-long-enough-to-be-the-key-of-a-token-0123456789",
        }
        self.tokens = self.prepared()
        self.server: Server

    def prepared(self) -> dict[str, str]:
        environment = {"PATH": os.environ["PATH"], "PUBLIC_URL": "http://localhost", **self.settings}
        done = subprocess.run(
            [sys.executable, "-m", "tests.third_party.prepare"],
            cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return dict(json.loads(done.stdout))

    def connect(
        self, placement: str, query: str = "", path: str = "ws/chat/tokens/", **options: Any
    ) -> ClientConnection:
        address = f"ws://127.0.0.1:{self.server.port}/{placement}/{path}?{query}"
        client: ClientConnection = connect(
            address, subprotocols=[Subprotocol("chat.v1")], open_timeout=DEADLINE, proxy=None, **options
        )
        return client

    def sign_in(self) -> str:
        """A cookie of Bob's, with a session of its own."""
        session = "s" * 28 + secrets.token_hex(2)
        self.execute(
            "INSERT INTO django_session SELECT ?, session_data, expire_date FROM django_session WHERE session_key = ?",
            session,
            self.tokens["session"],
        )
        return self.tokens["cookie"].replace(self.tokens["session"], session)

    def end(self, cookie: str) -> None:
        self.execute("DELETE FROM django_session WHERE session_key = ?", cookie.partition("=")[2])

    def execute(self, statement: str, *values: str) -> None:
        with closing(sqlite3.connect(self.database, timeout=DEADLINE)) as database, database:
            assert database.execute(statement, values).rowcount == 1

    def welcomed(self, placement: str, query: str = "", **options: Any) -> str:
        """The name that the room has for a client."""
        with self.connect(placement, query, **options) as client:
            return str(json.loads(client.recv(DEADLINE))["name"])


def read_all(client: ClientConnection) -> None:
    while True:
        client.recv(DEADLINE)


@pytest.fixture(scope="module")
def project(redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    folder = tmp_path_factory.mktemp("third_party")
    project = Project(folder, redis_server)
    application = FOLDER / "placements.py"
    with socket_server.running("daphne", application, folder, **project.settings) as project.server:
        yield project


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
