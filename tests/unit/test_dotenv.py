"""deploy/dotenv.sh and deploy/configure.sh: one reader, which is Compose, and a file that is written at once."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs a command in a clone whose engine has no volumes."""
    shutil.copytree(ROOT / "deploy", tmp_path / "deploy", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("compose.yaml", ".env.example"):
        shutil.copy(ROOT / name, tmp_path)
    docker = tmp_path / "bin/docker"
    docker.parent.mkdir()
    docker.write_text(f'#!/bin/sh\n[ "$1" != volume ] || exit 0\nexec {shutil.which("docker")} "$@"\n')
    docker.chmod(0o755)

    def run(*command: str, **shell: str) -> subprocess.CompletedProcess[str]:
        path = {"PATH": f"{docker.parent}:{os.environ['PATH']}"}
        return subprocess.run(
            ["bash", *command], cwd=tmp_path, env=path | shell, capture_output=True, text=True, check=False, timeout=300
        )

    return run


def get(run: Run, name: str, default: str = "", **shell: str) -> str:
    return run("deploy/dotenv.sh", "get", name, default, **shell).stdout.removesuffix("\n")


def test_what_compose_reads_is_what_is_read(run: Run, tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(
        b"\xef\xbb\xbfHTTP_PORT=1\nHTTP_PORT=9090 # why\r\nREDIS_MEMORY=300m\t# why\nexport PUBLIC_URL='a$b \"c\"'\n"
    )
    names = ("HTTP_PORT", "REDIS_MEMORY", "PUBLIC_URL", "LOG_LEVEL")
    read = run("deploy/dotenv.sh", "print", *names).stdout.splitlines()
    assert read == ["HTTP_PORT=9090", "REDIS_MEMORY=300m\t# why", 'PUBLIC_URL=a$b "c"', "LOG_LEVEL="]


def test_what_is_empty_in_the_shell_hides_the_file_as_for_compose(run: Run, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("HTTP_PORT=9090\n")
    assert get(run, "HTTP_PORT", "8080") == "9090"
    assert get(run, "HTTP_PORT", "8080", HTTP_PORT="7070") == "7070"
    assert get(run, "HTTP_PORT", "8080", HTTP_PORT="") == "8080"


@pytest.mark.parametrize("target", ["shared/.env", "{folder}/shared/.env"])
def test_a_file_that_is_a_link_stays_one(run: Run, tmp_path: Path, target: str) -> None:
    """As where each release has a folder of its own, and all of them one .env."""
    shared = tmp_path / "shared/.env"
    shared.parent.mkdir()
    shared.write_text("PUBLIC_URL=http://localhost\nDAPHNE_REPLICAS=2\n")
    (tmp_path / "second").symlink_to(target.format(folder=tmp_path))
    (tmp_path / ".env").symlink_to("second")
    assert run("deploy/dotenv.sh", "set", "DAPHNE_REPLICAS", "4").returncode == 0
    assert shared.read_text() == "PUBLIC_URL=http://localhost\nDAPHNE_REPLICAS=4\n"
    assert (tmp_path / ".env").is_symlink()
    assert get(run, "DAPHNE_REPLICAS") == "4"
    assert [path.name for path in shared.parent.iterdir()] == [".env"]


def test_a_line_that_compose_cannot_read_hides_no_other(run: Run, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text('HTTP_PORT=9090\nNO GOOD=1\nCOMPOSE_PROJECT_NAME=mine\nLOG_LEVEL="DEBUG\n')
    assert get(run, "HTTP_PORT") == "9090"
    assert get(run, "COMPOSE_PROJECT_NAME") == "mine"


def test_further_files_are_read_and_written_as_compose_has_them(run: Run, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("DAPHNE_REPLICAS=1\n")
    (tmp_path / "one.env").write_text("DAPHNE_REPLICAS=2\n")
    (tmp_path / "two.env").write_text("HTTP_PORT=1\n")
    files = {"COMPOSE_ENV_FILES": "one.env,two.env"}
    assert get(run, "DAPHNE_REPLICAS", **files) == "2"
    run("deploy/dotenv.sh", "set", "DAPHNE_REPLICAS", "4", **files)
    assert (tmp_path / "one.env").read_text() == "DAPHNE_REPLICAS=4\n"
    assert get(run, "DAPHNE_REPLICAS", **files) == "4"


@pytest.mark.parametrize("name", ["channels", "a-", "a__b", "a_b", "a--b", "0", "chat-2"])
def test_project_name_that_names_images_is_taken(run: Run, name: str) -> None:
    assert get(run, "COMPOSE_PROJECT_NAME", COMPOSE_PROJECT_NAME=name) == name


@pytest.mark.parametrize(
    "name", ["chat_", "a___b", "a_-b", "a-_-b", "_a", "-a", "Tbx", "tb.x", "a b", "b\u00fc", "", "x" * 64]
)
def test_project_name_that_names_no_image_is_refused_before_anything_is_written(
    run: Run, tmp_path: Path, name: str
) -> None:
    done = run("deploy/configure.sh", COMPOSE_PROJECT_NAME=name)
    assert done.returncode == 1
    assert "COMPOSE_PROJECT_NAME" in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == [".env.example", "bin", "compose.yaml", "deploy"]


@pytest.mark.parametrize("name", ["chat_", "Tbx"])
def test_project_name_of_the_file_is_judged_too(run: Run, tmp_path: Path, name: str) -> None:
    (tmp_path / ".env").write_text(f"COMPOSE_PROJECT_NAME={name}\n")
    done = run("deploy/dotenv.sh", "get", "COMPOSE_PROJECT_NAME", "channels")
    assert done.returncode == 1
    assert f"COMPOSE_PROJECT_NAME={name}" in done.stderr


def test_first_call_remembers_what_it_was_given(run: Run, tmp_path: Path) -> None:
    given = {"COMPOSE_PROJECT_NAME": "mine", "HTTP_PORT": "9090", "BIND_ADDRESS": "[::1]"}
    done = run("deploy/configure.sh", **given)
    assert done.returncode == 0, done.stderr
    written = (tmp_path / ".env").read_text()
    for line in ("COMPOSE_PROJECT_NAME=mine", "HTTP_PORT=9090", "PUBLIC_URL=http://localhost:9090"):
        assert f"\n{line}\n" in written
    assert get(run, "BIND_ADDRESS") == "[::1]"
    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("name", "value"),
    [("HTTP_PORT", "80a"), ("BIND_ADDRESS", "::"), ("BIND_ADDRESS", "localhost"), ("PUBLIC_URL", "a.b")],
)
def test_first_call_remembers_nothing_bad(run: Run, tmp_path: Path, name: str, value: str) -> None:
    done = run("deploy/configure.sh", **{name: value})
    assert done.returncode == 1
    assert f"{name}={value}" in done.stderr
    assert not (tmp_path / ".env").exists()


def test_env_is_absent_until_it_is_whole(run: Run, tmp_path: Path) -> None:
    """The call that writes the last variable fails: as if it had been broken off."""
    dotenv = tmp_path / "deploy/dotenv.sh"
    dotenv.write_text(dotenv.read_text().replace("set:3 | set:4)", "set:*) [ $2 != PUBLIC_URL ] || exit 130; "))
    assert run("deploy/configure.sh", HTTP_PORT="9090").returncode
    assert list(tmp_path.glob(".env*")) == [tmp_path / ".env.example"]
