"""The secrets that compose.yaml mounts are those that the first `make up` generates."""

import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
SECRETS = {
    name: secret["file"]
    for name, secret in yaml.safe_load((ROOT / "compose.yaml").read_text())["secrets"].items()
    if secret["file"].startswith("secrets/")
}


@pytest.fixture
def clone(tmp_path: Path, environment: dict[str, str]) -> Path:
    """A fresh clone on which deploy/configure.sh has run, beside an engine without volumes."""
    shutil.copytree(ROOT / "deploy", tmp_path / "deploy")
    for name in (".env.example", "compose.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "bin").mkdir()
    # Compose itself reads .env; no engine is asked for that.
    (tmp_path / "bin/docker").write_text(f'#!/bin/sh\n[ "$1" != compose ] || exec {shutil.which("docker")} "$@"\n')
    (tmp_path / "bin/docker").chmod(0o755)
    configure(tmp_path)
    return tmp_path


def configure(clone: Path) -> None:
    path = f"{clone / 'bin'}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(["bash", "deploy/configure.sh"], cwd=clone, env={"PATH": path}, capture_output=True, check=True)


def test_every_secret_of_compose_is_generated_and_no_other(clone: Path) -> None:
    assert SECRETS
    assert {f"secrets/{path.name}" for path in (clone / "secrets").iterdir()} == set(SECRETS.values())


def test_secrets_are_long_random_and_hidden_from_the_hosts_other_users(clone: Path) -> None:
    values = {path.read_text() for path in (clone / "secrets").iterdir()}
    assert len(values) == len(SECRETS)
    for value in values:
        assert re.fullmatch("[A-Za-z0-9]{50,}", value)
    assert (clone / "secrets").stat().st_mode & 0o777 == 0o700
    assert (clone / ".env").stat().st_mode & 0o777 == 0o600


def test_what_is_there_is_never_overwritten(clone: Path) -> None:
    before = {path: path.read_bytes() for path in [*(clone / "secrets").iterdir(), clone / ".env"]}
    configure(clone)
    assert {path: path.read_bytes() for path in before} == before


def test_settings_made_have_no_secret_in_them(clone: Path) -> None:
    written = (clone / ".env").read_text()
    assert written == (ROOT / ".env.example").read_text()
    assert not any(path.read_text() in written for path in (clone / "secrets").iterdir())


def test_documentation_names_every_secret() -> None:
    table = re.findall(r"^\| `(secrets/\w+)` \|", (ROOT / "docs/configuration.md").read_text(), re.MULTILINE)
    assert set(table) == set(SECRETS.values())


def digests(clone: Path) -> dict[str, str]:
    subprocess.run(["bash", "deploy/secret-digests.sh"], cwd=clone, check=True)
    return {path.name: path.read_text().strip() for path in (clone / ".state").glob("*.env")}


def test_another_secret_has_another_digest(clone: Path) -> None:
    before = digests(clone)
    assert digests(clone) == before
    path = clone / "secrets/redis_password"
    path.chmod(0o600)
    path.write_text("hunter2")
    assert {name for name, digest in digests(clone).items() if digest != before[name]} == {"redis_password.env"}


@pytest.mark.parametrize("written", [b"pw\r\n", b" pw", b"pw \n", b"pw\nother\n", b"pw\0", b"\tpw"])
def test_a_password_that_its_readers_take_differently_is_refused_and_the_line_corrects_it(
    clone: Path, written: bytes
) -> None:
    before = digests(clone)
    path = clone / "secrets/redis_password"
    path.chmod(0o600)
    path.write_bytes(written)
    refused = subprocess.run(["bash", "deploy/secret-digests.sh"], cwd=clone, capture_output=True, text=True)
    assert refused.returncode == 1
    assert {path.name: path.read_text().strip() for path in (clone / ".state").glob("*.env")} == before
    (fix,) = re.findall("fix: *(.*)", refused.stderr)
    subprocess.run(["sh", "-c", fix], cwd=clone, check=True)
    assert path.read_bytes() in {b"pw", b"pwother"}
    assert digests(clone) != before


@pytest.mark.parametrize("written", ["pw", "pw\n", "p w", "p\u00e4ss$'\"!"])
def test_any_other_password_is_taken(clone: Path, written: str) -> None:
    path = clone / "secrets/redis_password"
    path.chmod(0o600)
    path.write_text(written)
    assert digests(clone)


def test_a_short_password_cannot_be_guessed_by_its_digest(clone: Path) -> None:
    """Which every user of the machine may read: with the same password, another clone has another digest."""
    path = clone / "secrets/redis_password"
    path.chmod(0o600)
    path.write_text("hunter2")
    found = digests(clone)["redis_password.env"]
    assert hashlib.sha256(b"hunter2").hexdigest()[:16] not in found
    key = clone / "secrets/digest_key"
    assert re.fullmatch("[A-Za-z0-9]{50,}", key.read_text())
    key.unlink()
    assert digests(clone)["redis_password.env"] != found


def test_the_user_reads_the_digests_that_root_has_written(clone: Path) -> None:
    """Root may have the umask 077, and Compose refuses a file that it may not read."""
    subprocess.run(["sh", "-c", "umask 077; exec bash deploy/secret-digests.sh"], cwd=clone, check=True)
    assert {path.stat().st_mode & 0o777 for path in (clone / ".state").glob("*.env")} == {0o644}
