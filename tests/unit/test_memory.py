"""What `app.servers.memory` tells the collector of garbage."""

import gc
import subprocess
import sys
import weakref

from app.servers.memory import freeze

FROZEN = """
import gc
from app.servers.memory import freeze
freeze()
print(len(gc.get_objects()), gc.get_freeze_count())
"""


def test_what_is_loaded_is_not_searched_for_garbage_any_more() -> None:
    run = subprocess.run([sys.executable, "-c", FROZEN], capture_output=True, check=True, text=True)
    searched, frozen = map(int, run.stdout.split())
    assert frozen > 100 * searched


def test_garbage_is_not_frozen() -> None:
    class Cycle:
        pass

    cycle = Cycle()
    cycle.itself = cycle  # type: ignore[attr-defined]
    gone = weakref.ref(cycle)
    del cycle
    try:
        freeze()
        assert gone() is None
    finally:
        gc.unfreeze()
