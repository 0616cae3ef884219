"""Cleans the volume for uploads."""

import os
import time
from contextlib import suppress
from pathlib import Path

# Several `web` containers share the volume: a younger file may belong to another one's request.
LEFT_SECONDS = 3600


def remove_leftovers() -> None:
    """Removes Python's temporary files of a killed `web`. One that stops normally removes its own files."""
    if not (folder := os.environ.get("TMPDIR")):
        return
    for path in Path(folder).glob("tmp*"):
        with suppress(OSError):  # another `web` has removed it
            if path.is_file() and time.time() - path.stat().st_mtime > LEFT_SECONDS:
                path.unlink()
