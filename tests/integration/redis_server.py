"""The repository's own Redis, as compose.yaml runs it, for the tests of one session."""

import os
import secrets
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.ports import reserved_port

ROOT = Path(__file__).parents[2]
FILES = ["--file", "compose.yaml", "--file", "tests/integration/compose.yaml", "--env-file", "/dev/null"]
NEWEST_FILE = "$(ls -t /data/appendonlydir/*.incr.aof | head -n 1)"


class RedisServer:
    """A Compose project of its own, with only the service `redis`."""

    def __init__(self, folder: Path) -> None:
        """The folder is for what is mounted, with modes of its own: a clone may have others."""
        self.project = f"channels-tests-{secrets.token_hex(4)}"
        self.password = secrets.token_urlsafe()
        secret, admin = folder / "redis_password", folder / "redis-admin.sh"
        secret.write_text(self.password + "\n")
        secret.chmod(0o444)  # as deploy/configure.sh makes them: the container's user reads it
        admin.write_text(Path(__file__).with_name("redis-admin.sh").read_text())
        admin.chmod(0o555)
        port = reserved_port()  # chosen here: one that the engine chooses is another after a restart
        self.url = f"redis://app@127.0.0.1:{port}/0"
        self.admin_url = f"redis://admin:unused@127.0.0.1:{port}/0"
        self.environment = {
            **os.environ,
            "PUBLIC_URL": "http://localhost",
            "TESTS_REDIS_FOLDER": str(folder),
            "TESTS_REDIS_PORT": str(port),
        }

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["docker", "compose", "--project-name", self.project, *FILES, *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def compose(self, *arguments: str) -> str:
        done = self.run(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def answers(self) -> None:
        """Returns once it does; its health may still be that of before a restart."""
        deadline = time.monotonic() + 30
        while self.run("exec", "--no-TTY", "redis", "redis-healthcheck.sh").returncode:
            assert time.monotonic() < deadline, self.compose("logs", "redis")

    @contextmanager
    def paused(self) -> Iterator[None]:
        """It accepts connections and answers none of them."""
        self.compose("pause", "redis")
        try:
            yield
        finally:
            self.compose("unpause", "redis")

    def in_volume(self, script: str) -> str:
        """Runs a script where the server's data are, whether or not it runs itself."""
        return self.compose("run", "--rm", "--no-TTY", "--no-deps", "--entrypoint", "sh", "redis", "-euc", script)

    def written(self) -> int:
        """How long the newest append-only file is: a boundary between two commands, as long as none runs."""
        return int(self.compose("exec", "--no-TTY", "redis", "sh", "-euc", f"stat -c %s {NEWEST_FILE}"))

    def cut(self, length: int) -> None:
        """What came after is lost, as after a power cut."""
        self.in_volume(f"truncate -s {length} {NEWEST_FILE}")

    @contextmanager
    def killed(self) -> Iterator[None]:
        """It ends without writing anything out."""
        self.compose("kill", "redis")
        try:
            yield
        finally:
            self.compose("start", "redis")
            self.answers()

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """It refuses connections."""
        self.compose("stop", "redis")
        try:
            yield
        finally:
            self.compose("start", "redis")
            self.answers()


@contextmanager
def running() -> Iterator[RedisServer]:
    # The engine mounts the secret, so it lies where the engine sees it too.
    (ROOT / ".state").mkdir(exist_ok=True)
    with TemporaryDirectory(dir=ROOT / ".state") as folder:
        server = RedisServer(Path(folder))
        try:
            server.compose("up", "--detach", "--build", "--wait", "--quiet-pull", "redis")
            yield server
        finally:
            server.compose("down", "--volumes", "--rmi", "local", "--timeout", "5")


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    with running() as server:
        yield server
