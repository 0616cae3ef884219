"""Publishes this build's static files, by a volume that nginx only reads, before its pages name them.

Beside the files of earlier builds: their hashed names are still in pages that are open. Nothing is removed;
a build adds only what it changed.
"""

import filecmp
import shutil
from pathlib import Path
from socket import gethostname

SOURCE = Path("static")
PUBLISHED = Path("published/static")


def publish(source: Path = SOURCE, published: Path = PUBLISHED) -> None:
    for file in source.rglob("*"):
        target = published / file.relative_to(source)
        if not file.is_file() or (target.exists() and filecmp.cmp(file, target, shallow=False)):
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        # Whole or not at all, whatever happens meanwhile; another container may be at the same.
        scratch = target.with_name(f".{target.name}.{gethostname()}")
        shutil.copyfile(file, scratch)
        scratch.replace(target)
