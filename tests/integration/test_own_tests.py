"""`make test T=chat`: the tests of an app beside ours, in its `tests.py`, with our fixtures."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.integration.redis_server import RedisServer

ROOT = Path(__file__).parents[2]
# The Redis of this run; without this file it would be one of its own.
SHARED_REDIS = """
import json, os
from types import SimpleNamespace
import pytest

@pytest.fixture(scope="session")
def redis_server():
    return SimpleNamespace(**json.loads(os.environ["SHARED_REDIS"]))
"""
TESTS = """
from django.contrib.auth.models import User
from django.test import TestCase


async def test_two_sockets_of_the_application_hear_each_other(connect):
    first, second = await connect("/ws/chat/own-tests/"), await connect("/ws/chat/own-tests/")
    assert await first.receive_json_from(timeout=5)
    assert await second.receive_json_from(timeout=5)


async def test_the_layer_is_on_a_real_redis(layer):
    channel = await layer.new_channel()
    await layer.send(channel, {"type": "own.test"})
    assert await layer.receive(channel) == {"type": "own.test"}


class ModelTests(TestCase):
    def test_the_database_is_there(self):
        User.objects.create_user("own")
        self.assertEqual(User.objects.count(), 1)
"""


@pytest.fixture
def app() -> Iterator[Path]:
    """A folder of an app somewhere in this one."""
    with TemporaryDirectory(dir=ROOT / ".state") as folder:
        app = Path(folder) / "chat"
        app.mkdir()
        (app / "__init__.py").touch()
        (app / "tests.py").write_text(TESTS)
        (app / "conftest.py").write_text(SHARED_REDIS)
        yield app


def test_an_app_of_ones_own_is_tested_with_the_fixtures_that_ours_are(app: Path, redis_server: RedisServer) -> None:
    redis = {"url": redis_server.url, "password": redis_server.password, "admin_url": redis_server.admin_url}
    inherited = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}  # ours sets it
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", str(app)],
        cwd=ROOT,
        env={**inherited, "SHARED_REDIS": json.dumps(redis)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "5 passed" in done.stdout, done.stdout + done.stderr
