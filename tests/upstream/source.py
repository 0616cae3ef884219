"""The source package of a locked Python package, with its tests, which its wheel does not have."""

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


def source(package: str) -> Path:
    """The unpacked folder. It is downloaded once, and its hash is the locked one."""
    pin, version = locked((ROOT / "tests" / "requirements.lock").read_text(), package)
    name = f"{package.replace('-', '_')}-{version}"
    folder = FOLDER / name
    if not folder.exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=FOLDER) as temporary:
            download(pin, Path(temporary))
            with tarfile.open(Path(temporary, f"{name}.tar.gz")) as archive:
                archive.extractall(temporary, filter="data")
            Path(temporary, name).rename(folder)
    return folder


def locked(lock: str, package: str) -> tuple[str, str]:
    """The package's entry in a lock file, with its hashes, and its version."""
    found = re.search(rf"^{re.escape(package)}==(\S+).*\n(?:    --hash=.*\n)*", lock, re.MULTILINE)
    if not found:
        raise LookupError(f"expected {package}==… in tests/requirements.lock")
    return found[0], found[1]


def download(pin: str, folder: Path) -> None:
    requirement = folder / "requirement.txt"
    requirement.write_text(pin)
    configuration = ROOT / ".state" / "pip.conf"  # the machine's own, copied by tests/image.sh
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:"]
    command += ["--require-hashes", "--requirement", str(requirement), "--dest", str(folder)]
    subprocess.run(command, env={**os.environ, "PIP_CONFIG_FILE": str(configuration)}, check=True)
