"""The source of a locked Python package, with its tests, which its wheel does not have."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".state" / "upstream"


class UnreachableRepository(Exception):
    pass


def source(package: str, repository: str = "") -> Path:
    """The folder, which is fetched once: the source package with the locked hash, or the repository's tag."""
    pin, version = locked((ROOT / "tests" / "requirements.lock").read_text(), package)
    name = f"{package.replace('-', '_')}-{version}"
    folder = FOLDER / name
    if not folder.exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=FOLDER) as temporary:
            if repository:
                clone(repository, version, Path(temporary, name))
            else:
                unpack(pin, name, Path(temporary))
            Path(temporary, name).rename(folder)
    return folder


def clone(repository: str, tag: str, folder: Path) -> None:
    command = [
        "git",
        "-c",
        "advice.detachedHead=false",
        "clone",
        "--quiet",
        "--depth",
        "1",
        "--branch",
        tag,
        repository,
    ]
    if subprocess.run([*command, str(folder)], check=False).returncode:
        raise UnreachableRepository(f"{repository}, tag {tag}")


def locked(lock: str, package: str) -> tuple[str, str]:
    """The package's entry in a lock file, with its hashes, and its version."""
    found = re.search(rf"^{re.escape(package)}==(\S+).*\n(?:    --hash=.*\n)*", lock, re.MULTILINE)
    if not found:
        raise LookupError(f"expected {package}==… in tests/requirements.lock")
    return found[0], found[1]


def unpack(pin: str, name: str, folder: Path) -> None:
    requirement = folder / "requirement.txt"
    requirement.write_text(pin)
    configuration = ROOT / ".state" / "pip.conf"  # the machine's own, copied by tests/image.sh
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:"]
    command += ["--require-hashes", "--requirement", str(requirement), "--dest", str(folder)]
    subprocess.run(command, env={**os.environ, "PIP_CONFIG_FILE": str(configuration)}, check=True)
    with tarfile.open(folder / f"{name}.tar.gz") as archive:
        archive.extractall(folder, filter="data")
