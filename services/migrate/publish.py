"""Publishes this build's nginx configuration to a volume that nginx only reads.

The folder is named after a hash of its content, and the link `current` is switched to it atomically.
services/nginx/nginx-reload.sh loads it, or nginx does when it starts.
"""

import shutil
from hashlib import sha256
from pathlib import Path

SOURCE = Path("nginx")
PUBLISHED = Path("published/nginx")


def digest(folder: Path) -> str:
    content = sha256()
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            content.update(f"{file.relative_to(folder)}\0{file.stat().st_size}\0".encode())
            content.update(file.read_bytes())
    return content.hexdigest()[:12]


def publish(source: Path, published: Path) -> None:
    name = digest(source)
    scratch, link = published / ".scratch", published / ".link"
    shutil.rmtree(scratch, ignore_errors=True)
    shutil.copytree(source, scratch, copy_function=shutil.copyfile)
    if not (published / name).exists():
        scratch.rename(published / name)
    link.unlink(missing_ok=True)
    link.symlink_to(name)
    link.replace(published / "current")
    for other in published.iterdir():
        if other.name not in {name, "current"}:
            shutil.rmtree(other)


if __name__ == "__main__":
    publish(SOURCE, PUBLISHED)
