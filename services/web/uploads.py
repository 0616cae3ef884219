"""What requests leave in the volume for uploads."""

import os
import time
from contextlib import suppress
from pathlib import Path

# Several `web` share the volume: a younger file may belong to a request of another one.
LEFT_SECONDS = 3600


def remove_leftovers() -> None:
    """Python's temporary files of a `web` that was killed; one that ends by itself removes its own."""
    if not (folder := os.environ.get("TMPDIR")):
        return
    for path in Path(folder).glob("tmp*"):
        with suppress(OSError):  # another `web` was quicker
            if path.is_file() and time.time() - path.stat().st_mtime > LEFT_SECONDS:
                path.unlink()
