"""One system from its start to its end: its containers, the load's, and what each of them uses."""

from __future__ import annotations

import json
import subprocess
from contextlib import suppress
from tempfile import TemporaryFile
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any, Self

from tests.bench.engine import ROOT
from tests.bench.meter import Usage

if TYPE_CHECKING:
    from tests.bench.engine import Engine
    from tests.bench.system import System

STARTING_SECONDS = 60.0
QUIET = 0.06  # of one processor, for all parts together: pings and heartbeats
SETTLING_SECONDS = 150.0  # a thousand documented members announce each other 500,000 times
PORT, NGINX_PORT = 8000, 8080


class Session:
    """Fresh containers; as a context it leaves none behind."""

    def __init__(self, engine: Engine, system: System, way: str, *, resuming: bool) -> None:
        self.engine = engine
        self.system = system
        self.way = way
        self.resuming = resuming
        self.settled = True
        self.complaints = TemporaryFile("w+")  # noqa: SIM115  # it ends with the session; a pipe might fill

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if generator := getattr(self, "generator", None):
            with suppress(BrokenPipeError):  # what it has not read
                generator.stdin.close()
            generator.kill()
            generator.wait()
        self.complaints.close()
        self.engine.remove()

    def start(self) -> None:
        services = [self.system.redis, self.system.service, *(["nginx"] if self.way == "nginx" else [])]
        self.engine.compose("up", "--detach", "--no-build", "--no-deps", *services)
        self.parts = {
            "servers": self.engine.containers(self.system.service),
            "redis": self.engine.containers(self.system.redis),
            "nginx": self.engine.containers("nginx") if self.way == "nginx" else [],
        }
        if missing := [service for service in services if not self.engine.containers(service)]:
            raise RuntimeError(
                f"{self.system.name} {self.way}: expected {', '.join(missing)} to run, found no container"
            )
        command = ("docker", *self.engine.compose_command, "run", "--rm", "-T", "--no-deps", "--quiet-pull", "load")
        self.generator = subprocess.Popen(
            command,
            cwd=ROOT,
            env=self.engine.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.complaints,
            text=True,
        )
        servers = [f"{address(container)}:{PORT}" for container in self.parts["servers"]]
        self.load(
            "probe", addresses=servers, wire_name=self.system.wire, resuming=self.resuming, seconds=STARTING_SECONDS
        )
        if self.way == "nginx":
            nginx = [f"{address(container)}:{NGINX_PORT}" for container in self.parts["nginx"]]
            self.load(
                "probe", addresses=nginx, wire_name=self.system.wire, resuming=self.resuming, seconds=STARTING_SECONDS
            )
        self.settle()
        self.before = self.usage()  # of anybody's joining

    def load(self, do: str, **arguments: Any) -> dict[str, Any]:
        """Lets the generator do something, and returns its answer."""
        process = self.generator
        assert process.stdin
        assert process.stdout
        try:
            process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            self.complaints.seek(0)
            raise RuntimeError(f"load: expected an answer to {do}, received its end:\n{self.complaints.read()[-2000:]}")
        answer: dict[str, Any] = json.loads(line)
        if "fault" in answer:
            raise RuntimeError(f"{self.system.name} {self.way}: {answer['fault']} {answer['errors']}")
        return answer

    def usage(self) -> dict[str, Usage]:
        used = self.load("usage", parts={name: [it["Id"] for it in found] for name, found in self.parts.items()})
        return {name: Usage(**usage) for name, usage in used.items()}

    def settle(self) -> None:
        """Returns when none of the parts has anything left to do."""
        begun = monotonic()
        quiet = 0
        then, used = begun, self.processor()
        while quiet < 2:
            sleep(0.25)
            now, total = monotonic(), self.processor()
            quiet = quiet + 1 if (total - used) / (now - then) < QUIET else 0
            then, used = now, total
            if now - begun > SETTLING_SECONDS:
                self.settled = False
                return

    def processor(self) -> float:
        used = self.usage()
        return sum(used[part].processor for part in self.parts)


def address(container: dict[str, Any]) -> str:
    """On the network that the load is in."""
    networks = container["NetworkSettings"]["Networks"]
    return next(str(network["IPAddress"]) for name, network in networks.items() if name.endswith("_edge"))
