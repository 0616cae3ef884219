"""An engine in a container, on which a clone's stack runs alone."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from subprocess import CalledProcessError
from typing import TYPE_CHECKING

from tests.stack.clone import docker
from tests.stack.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.stack.clone import Clone

IMAGE = "channels-tests-engine"
SERVICES = ("redis", "web", "nginx")
# What an engine needs: to mount, to make networks, to enter other users' processes, and the whole of /proc.
# `--privileged` is more, and more than some machines can give.
RIGHTS = (
    *("--cap-add=SYS_ADMIN", "--cap-add=NET_ADMIN", "--cap-add=SYS_PTRACE", "--user=0"),
    *(
        "--security-opt=seccomp=unconfined",
        "--security-opt=apparmor=unconfined",
        "--security-opt=systempaths=unconfined",
    ),
)


class InnerEngine:
    def __init__(self, clone: Clone) -> None:
        self.name = f"{clone.project}-engine"
        self.clone = clone
        self.socket = clone.path / "engine.sock"

    def start(self) -> None:
        folder = Path(__file__).with_name("engine")
        python = f"PYTHON_IMAGE={os.environ['PYTHON_IMAGE']}"
        docker("buildx", "build", "--quiet", "--load", "--tag", IMAGE, "--build-arg", python, str(folder))
        # The clone's folder: secrets are mounted from there, and the socket lies there.
        port, path = self.clone.port, self.clone.path
        places = (f"--publish=127.0.0.1:{port}:{port}", f"--volume={path}:{path}", "--volume=/var/lib/docker")
        dockerd = (f"--host=unix://{self.socket}", f"--group={os.getgid()}")
        docker("run", "--detach", "--name", self.name, *RIGHTS, *places, IMAGE, *dockerd)
        wait_until(self.answers, 60, f"an answer of the engine; docker logs {self.name}")

    def answers(self) -> bool:
        try:
            return bool(docker("info", engine=f"unix://{self.socket}"))
        except CalledProcessError:
            return False

    def take(self) -> None:
        """Takes the clone's images over and starts its stack."""
        images = self.clone.path / "images.tar"
        names = [f"{self.clone.project}-{service}" for service in SERVICES]
        docker("save", "--output", str(images), *names)
        self.clone.engine = f"unix://{self.socket}"
        docker("load", "--input", str(images), engine=self.clone.engine)
        images.unlink()
        self.clone.compose("up", "--detach", "--wait")

    def restart(self) -> None:
        """As a service manager does; its containers end with it, and return by their restart policy."""
        docker("exec", self.name, "sh", "-c", "kill $(cat /run/docker.pid)")

    def remove(self) -> None:
        self.clone.engine = None
        docker("rm", "--force", "--volumes", self.name)


@contextmanager
def inner_engine(clone: Clone) -> Iterator[InnerEngine]:
    """The clone's stack, built by the tests' engine and run by its own."""
    for script in ("configure", "build-settings", "base-images"):
        clone.run(f"deploy/{script}.sh")
    clone.set(BIND_ADDRESS="0.0.0.0")  # noqa: S104  # the engine's container publishes it on loopback
    clone.compose("build", "--quiet")
    engine = InnerEngine(clone)
    try:
        engine.start()
        engine.take()
        yield engine
    finally:
        engine.remove()
