"""A copy of the tree in which the stack is started as a user starts it: by `make up`."""

from __future__ import annotations

import fcntl
import io
import json
import os
import re
import shutil
import subprocess
import tarfile
import uuid
from pathlib import Path
from typing import Any

from tests.ports import reserved_port

ROOT = Path(__file__).resolve().parents[2]
# Inside the repository: the engine resolves the paths of mounts itself, and knows this folder only.
STACKS = ROOT / ".state" / "stacks"
NOT_IN_A_CLONE = shutil.ignore_patterns(
    ".git",
    ".state",
    ".venv",
    ".env",
    "secrets",
    "data",
    "static-root",
    "reports",
    "backups",
    ".hypothesis",
    ".benchmarks",
    "__pycache__",
    ".*_cache",
)
KEPT = {".env", ".state", "backups", "secrets"}
# The settings that other tests run with are not the stack's.
OF_THE_MACHINE = re.compile(r"PATH|HOME|(PYTHON|NGINX|REDIS)_IMAGE|(PIP|DOCKER)_.*|.*_proxy", re.IGNORECASE)
# The service that has the WebSockets: `WEBSOCKETS=uvicorn make test` has every stack with the overlay of that name.
WEBSOCKETS = os.environ.get("WEBSOCKETS") or "daphne"
REPLICAS = f"{WEBSOCKETS.upper()}_REPLICAS"
OVERLAYS = "compose.yaml" if WEBSOCKETS == "daphne" else f"compose.yaml:deploy/{WEBSOCKETS}.yaml"
SERVICES = ("redis", "web", WEBSOCKETS, "nginx")


class Clone:
    """A fresh clone with a project name and a port of its own."""

    def __init__(self, project: str | None = None) -> None:
        self.project = project or f"channels-test-{uuid.uuid4().hex[:8]}"
        self.path = STACKS / self.project
        self.port = reserved_port()
        self.host = f"localhost:{self.port}"
        self.engine: str | None = None  # DOCKER_HOST, where it is not the tests' own
        STACKS.mkdir(parents=True, exist_ok=True)
        # Held as long as this run lives, so that a later one knows what an interrupted one left behind.
        self.lock = self.path.with_suffix(".lock").open("w")
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.lock.close()
            raise

    def copy(self, commit: str | None = None) -> Clone:
        """The tree as it is now, or as it was."""
        if commit is None:
            shutil.copytree(ROOT, self.path, ignore=NOT_IN_A_CLONE)
            example = self.path / ".env.example"  # which the first `make up` copies
            example.write_text(
                example.read_text().replace("# COMPOSE_FILE=compose.yaml\n", f"COMPOSE_FILE={OVERLAYS}\n")
            )
        else:
            command = ("git", "-c", f"safe.directory={ROOT}", "-C", str(ROOT), "archive", commit)
            archive = subprocess.run(command, check=True, capture_output=True, timeout=60)
            with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
                files.extractall(self.path, filter="data")
        return self

    def lose_modes_and_line_ends(self) -> None:
        """As a clone has it that was made under umask 077 with core.autocrlf=true, on a file system without modes."""
        for path in sorted(self.path.rglob("*")):
            path.chmod(0o700 if path.is_dir() else 0o600)
            # `make` refuses scripts with CRLF: bash could not read them.
            if path.is_file() and path.suffix != ".sh" and path.name != "install-packages":
                content = path.read_bytes()
                if b"\0" not in content:
                    path.write_bytes(content.replace(b"\n", b"\r\n"))

    def take_present_tree(self) -> None:
        """As `git pull` would; what the stack has made stays."""
        for path in self.path.iterdir():
            if path.name not in KEPT:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        shutil.copytree(ROOT, self.path, ignore=NOT_IN_A_CLONE, dirs_exist_ok=True)

    # ── Commands, as typed in the clone's folder ───────────────────────────────────────────────

    @property
    def environment(self) -> dict[str, str]:
        """Name and port are given while there is no .env; from then on .env has to remember them."""
        given = {name: value for name, value in os.environ.items() if OF_THE_MACHINE.fullmatch(name)}
        # What it needs to build; tests/image.sh has copied it from there.
        given |= {"SSL_CERT_FILE": f"{ROOT}/.state/ca-bundle.pem", "PIP_CONFIG_FILE": f"{ROOT}/.state/pip.conf"}
        if self.engine:
            given["DOCKER_HOST"] = self.engine
        if not (self.path / ".env").exists():
            given |= {"COMPOSE_PROJECT_NAME": self.project, "HTTP_PORT": str(self.port)}
        return given

    def run(self, *command: str, check: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
        """Runs without a terminal; `check` fails the test with the command's output."""
        if command[0].endswith(".sh"):
            command = ("bash", *command)  # as the Makefile does: the folder may hold no execute bits
        done = subprocess.run(
            command,
            cwd=self.path,
            env=self.environment | environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=1200,
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def make(self, *arguments: str, check: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
        return self.run("make", *arguments, check=check, **environment)

    def compose(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return self.run("docker", "compose", *arguments, check=check)

    def set(self, **variables: str) -> None:
        for name, value in variables.items():
            self.run("deploy/dotenv.sh", "set", name, value)

    def purge(self) -> None:
        """As `make purge YES=1`, whatever became of the clone's .env."""
        self.make("purge", "YES=1", COMPOSE_PROJECT_NAME=self.project)
        shutil.rmtree(self.path)
        self.path.with_suffix(".lock").unlink()
        self.lock.close()

    # ── What the engine says ───────────────────────────────────────────────────────────────────

    def containers(self, service: str | None = None) -> list[dict[str, Any]]:
        """`docker inspect` of the services' containers, stopped ones included, those of `docker compose run` not."""
        labels = [f"project={self.project}", "oneoff=False"]
        if service:
            labels.append(f"service={service}")
        filters = [f"--filter=label=com.docker.compose.{label}" for label in labels]
        ids = docker("ps", "--all", "--quiet", "--no-trunc", *filters, engine=self.engine).split()
        return json.loads(docker("inspect", *ids, engine=self.engine)) if ids else []

    def logs(self, service: str) -> list[dict[str, Any]]:
        """The lines of a service's log that are JSON objects."""
        lines = self.compose("logs", "--no-color", "--no-log-prefix", service).stdout.splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def leftovers(self) -> dict[str, list[str]]:
        """What is on the engine under the project's name."""
        label = f"--filter=label=com.docker.compose.project={self.project}"
        found = {
            "containers": docker("ps", "--all", "--quiet", label).split(),
            "volumes": docker("volume", "ls", "--quiet", label).split()
            + docker("volume", "ls", "--quiet", f"--filter=name=^{self.project}_folder$").split(),
            "networks": docker("network", "ls", "--quiet", label).split(),
            "images": docker("image", "ls", "--quiet", f"--filter=reference={self.project}-*").split()
            + docker("image", "ls", "--quiet", label).split(),  # those that lost their name too
        }
        # The engine lists things of the same second in any order.
        return {kind: sorted(set(names)) for kind, names in found.items() if names}


def docker(*arguments: str, engine: str | None = None) -> str:
    at = ("--host", engine) if engine else ()
    return subprocess.run(("docker", *at, *arguments), check=True, capture_output=True, text=True, timeout=300).stdout


def remove_interrupted() -> None:
    """Purges the clones of runs that did not come to their end."""
    for path in STACKS.glob("channels-test-*/"):
        try:
            clone = Clone(path.name)
        except BlockingIOError:
            continue  # a run beside this one
        if path.exists():  # which that run may just have purged
            clone.purge()
