"""Publishes this build's static files to a volume that nginx only reads, before this build's pages refer to them.

The files of earlier builds stay, because open pages still refer to their hashed names. A build adds only the files that
it changed.
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
        # Publish atomically, even if interrupted. Another container may be publishing the same file.
        scratch = target.with_name(f".{target.name}.{gethostname()}")
        shutil.copyfile(file, scratch)
        scratch.replace(target)
