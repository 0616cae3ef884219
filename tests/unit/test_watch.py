"""deploy/watch.sh mounts the sources: it refuses those that the containers' users could not read."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def watch(folder: Path) -> subprocess.CompletedProcess[str]:
    docker = folder / "bin/docker"
    docker.parent.mkdir(exist_ok=True)
    docker.write_text(f'#!/bin/sh\ncase $* in *--watch) echo "$*" ;; *) exec {shutil.which("docker")} "$@" ;; esac\n')
    docker.chmod(0o755)
    command = ("/bin/bash", folder / "deploy/watch.sh")
    environment = {"PATH": f"{docker.parent}:{os.environ['PATH']}", "COMPOSE_PROJECT_NAME": "channels-test-none"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    for name in ("deploy", "app", "MyChannels", "nginx", "services"):
        shutil.copytree(ROOT / name, tmp_path / name)
    shutil.copy(ROOT / "compose.yaml", tmp_path)
    subprocess.run(["chmod", "-R", "go+rX", tmp_path], check=True)
    return tmp_path


@pytest.mark.parametrize(("path", "mode"), [("app/settings.py", 0o600), ("nginx", 0o750), ("MyChannels/log", 0o700)])
def test_what_only_its_owner_may_read_is_refused_with_the_line_that_opens_it(clone: Path, path: str, mode: int) -> None:
    (clone / path).chmod(mode)
    done = watch(clone)
    assert done.returncode == 1
    assert f"found:    {path}, which only some users" in done.stderr
    assert "fix:      chmod -R go+rX app MyChannels nginx" in done.stderr


def test_what_all_may_read_is_watched(clone: Path) -> None:
    assert watch(clone).stdout.endswith("--file deploy/watch.yaml --file .state/watch.yaml up --watch\n")


def test_an_app_of_ones_own_is_watched_too(clone: Path) -> None:
    (clone / "chat/static").mkdir(parents=True)
    (clone / "chat").chmod(0o700)
    dockerfile = clone / "services/Dockerfile"
    dockerfile.write_text(
        dockerfile.read_text().replace("COPY MyChannels MyChannels\n", "COPY MyChannels MyChannels\nCOPY chat chat\n")
    )
    assert "found:    chat, which only some users" in watch(clone).stderr
    (clone / "chat").chmod(0o755)
    assert watch(clone).returncode == 0
    files = ["--file=compose.yaml", "--file=deploy/watch.yaml", "--file=.state/watch.yaml", "--env-file=/dev/null"]
    shown = subprocess.run(
        ["docker", "compose", *files, "config", "--format=json"],
        cwd=clone,
        env={"PATH": os.environ["PATH"], "PUBLIC_URL": "http://localhost"},
        capture_output=True,
        text=True,
        check=True,
    )
    services = json.loads(shown.stdout)["services"]
    for name in ("migrate", "web", "daphne"):
        assert "/srv/chat" in [volume["target"] for volume in services[name]["volumes"]]
    actions = {(rule["action"], Path(rule["path"]).name) for rule in services["web"]["develop"]["watch"]}
    assert {("restart", "app"), ("restart", "MyChannels"), ("restart", "chat"), ("rebuild", "static")} <= actions
