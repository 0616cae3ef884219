"""The backup file: a compressed tar of a manifest and the parts whose checksums it has."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import zlib
from typing import IO, TYPE_CHECKING, Any

from deploy.backup.refusal import Refused

if TYPE_CHECKING:
    from pathlib import Path

FORMAT = 1  # increase it when older versions cannot restore new files
FORMAT_IN_PART = 2  # of a file that lacks a part
MANIFEST = "manifest.json"
DATABASE = "database.sqlite3"
ROOMS = "rooms.jsonl"
PARTS = (DATABASE, ROOMS)
KINDS = {DATABASE: "database", ROOMS: "rooms"}

MANIFEST_SIZE = 2**20  # bytes; never read more than this as a manifest
CHUNK = 2**20

FAULTS = (tarfile.TarError, EOFError, zlib.error, OSError)  # raised for a truncated or changed file


def write(folder: Path, manifest: dict[str, Any], target: IO[bytes]) -> None:
    """Writes `manifest` and the parts that are in `folder`, with their checksums."""
    names = [name for name in PARTS if (folder / name).exists()]
    parts = {name: {"sha256": _checksum(folder / name), "size": (folder / name).stat().st_size} for name in names}
    number = FORMAT if len(names) == len(PARTS) else FORMAT_IN_PART
    text = json.dumps({"format": number, **manifest, "parts": parts}, indent=2).encode()
    with tarfile.open(fileobj=target, mode="w|gz") as tar:
        head = tarfile.TarInfo(MANIFEST)
        head.size = len(text)
        tar.addfile(head, io.BytesIO(text))
        for name in names:
            part = tarfile.TarInfo(name)
            part.size = (folder / name).stat().st_size
            with (folder / name).open("rb") as file:
                tar.addfile(part, file)


def read(source: IO[bytes], folder: Path) -> dict[str, Any]:
    """Extracts the parts into `folder`, verifies their checksums, and returns the manifest. Raises Refused."""
    expected = "a file that make backup wrote"
    try:
        with tarfile.open(fileobj=source, mode="r|gz") as tar:
            manifest = _manifest(tar)
            expected = "the parts that its manifest tells, with their checksums"
            for name in [name for name in PARTS if manifest["format"] == FORMAT or name in manifest["parts"]]:
                _part(tar, name, manifest["parts"][name], folder)
    except (*FAULTS, ValueError, LookupError, TypeError) as fault:
        raise Refused(f"no backup, or a damaged one ({fault})", expected, "another one: ls -t backups/") from fault
    return manifest


def _manifest(tar: tarfile.TarFile) -> dict[str, Any]:
    head = tar.next()
    file = tar.extractfile(head) if head and head.name == MANIFEST and head.size <= MANIFEST_SIZE else None
    if file is None:
        raise ValueError(f"it does not begin with {MANIFEST}")
    manifest = json.load(file)
    if not isinstance(manifest, dict) or not isinstance(manifest.get("format"), int):
        raise ValueError(f"its {MANIFEST} names no format")
    if manifest["format"] > FORMAT_IN_PART:
        raise Refused(
            f"a backup in format {manifest['format']}, by version {manifest.get('version')}",
            f"format {FORMAT_IN_PART} or older, which this version reads",
            "restore it with the version that made it, or a newer one",
        )
    return manifest


def _part(tar: tarfile.TarFile, name: str, told: dict[str, Any], folder: Path) -> None:
    member = tar.next()
    file = tar.extractfile(member) if member and member.name == name else None
    if file is None:
        raise ValueError(f"{name} is missing")
    found = hashlib.sha256()
    with (folder / name).open("wb") as part:
        while chunk := file.read(CHUNK):
            found.update(chunk)
            part.write(chunk)
    if found.hexdigest() != told["sha256"]:
        raise ValueError(f"{name} has another checksum")


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
