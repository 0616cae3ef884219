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


OLD = """
import gc
from app.servers.memory import freeze
freeze()

class Connection:
    def __init__(self):
        self.itself = self
        self.parts = [[] for _ in range(40)]

before, open_ = gc.get_stats()[2]["collections"], []
for _ in range(5_000):
    open_.append(Connection())
    del open_[:-100]
print(gc.get_stats()[2]["collections"] - before, len(gc.get_objects()))
"""


def test_the_garbage_of_connections_that_lasted_does_not_pile_up() -> None:
    """Of five thousand, of which a hundred are open at a time, each a cycle of forty objects."""
    run = subprocess.run([sys.executable, "-c", OLD], capture_output=True, check=True, text=True)
    searched, left = map(int, run.stdout.split())
    assert searched >= 3
    assert left < 30_000


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
