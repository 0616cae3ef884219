"""What the benchmark asks of the engine: its own containers, and nobody else's."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


class Engine:
    def __init__(self, project: str) -> None:
        self.project = project

    def docker(self, *arguments: str, check: bool = True) -> str:
        done = subprocess.run(
            ("docker", *arguments),
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        if check and done.returncode:
            raise RuntimeError(f"docker {' '.join(arguments)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def compose(self, *arguments: str, check: bool = True) -> str:
        return self.docker(*self.compose_command, *arguments, check=check)

    @property
    def compose_command(self) -> tuple[str, ...]:
        return ("compose", "--file", "tests/bench/compose.yaml", "--env-file", "/dev/null")

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {
            "COMPOSE_PROJECT_NAME": self.project,
            "PUBLIC_URL": "http://nginx:8080",
            "ALLOWED_HOSTS": "*",
            "NGINX_MEMORY": "1g",  # sockets by the thousand
        }

    def containers(self, service: str) -> list[dict[str, Any]]:
        """`docker inspect` of those that run."""
        project, one = (
            f"--filter=label=com.docker.compose.{it}" for it in (f"project={self.project}", f"service={service}")
        )
        ids = self.docker("ps", "--quiet", "--no-trunc", project, one).split()
        found: list[dict[str, Any]] = json.loads(self.docker("inspect", *ids)) if ids else []
        return found

    def remove(self) -> None:
        """Every container of ours, at once, with its volumes."""
        ids = self.docker("ps", "--all", "--quiet", f"--filter=label=com.docker.compose.project={self.project}").split()
        if ids:
            self.docker("rm", "--force", "--volumes", *ids, check=False)
