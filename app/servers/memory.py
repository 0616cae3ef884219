"""Configures the garbage collector of a server that is about to serve."""

import gc

# CPython 3.13 has 2000, 10, 10: it collects the oldest generation only once allocations exceed deallocations by
# 200,000.
THRESHOLDS = 2000, 5, 1


def freeze() -> None:
    """Freezes all objects loaded so far and makes full collections more frequent.

    Every page request leaves reference cycles, and any consumer may. Cycles that reached the oldest generation were not
    collected until 100,000 had accumulated, so a worker's memory crept up. A full collection takes 1 ms instead of
    30 ms because it skips the frozen modules. CPython still waits until the oldest generation has grown by a quarter,
    so a worker with thousands of connections does not collect all the time.

    https://docs.python.org/3/library/gc.html#gc.freeze, #gc.set_threshold
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
