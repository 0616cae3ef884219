"""What a server that is about to serve tells the collector of garbage."""

import gc

# CPython 3.13 has 2000, 10, 10: it searches what is old once 200,000 more objects were made than went.
THRESHOLDS = 2000, 5, 1


def freeze() -> None:
    """Takes what is loaded by now for what lives as long as the process, and looks for old garbage more often.

    A page that was asked for leaves objects in cycles, and so may any consumer. Of those that lasted they waited until
    there were a hundred thousand, and the memory of a worker crept. Without all modules among what is searched it
    takes a millisecond where it took thirty. CPython goes on to wait until what is old has grown by a quarter, so that
    a worker with thousands of connections is not searched all the time.

    https://docs.python.org/3/library/gc.html#gc.freeze, #gc.set_threshold
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
