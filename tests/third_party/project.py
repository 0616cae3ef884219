"""A server of a Django project with users, and what its clients do."""

import json
import os
import secrets
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.integration import socket_server
from tests.integration.redis_server import RedisServer
from tests.integration.socket_server import DEADLINE, Server

ROOT = Path(__file__).parents[2]


class Project:
    """A database that knows Ann by her tokens, and Bob by his session; and a server of it, one at a time."""

    def __init__(self, folder: Path, redis: RedisServer) -> None:
        self.folder = folder
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

    @contextmanager
    def serving(self, application: Path) -> Iterator[Server]:
        with socket_server.running("daphne", application, self.folder, **self.settings) as self.server:
            yield self.server

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
