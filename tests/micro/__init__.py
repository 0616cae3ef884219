"""One message of a chat.v1 room at each step of the hot path.

`make micro` times the steps; in `make test` each happens once, so that none can rot.
"""

from tests.bench.text import text
from tests.bench.wire import wire

TEXT = text(123_456, 1_234_567_890_123_456)
# What the benchmark's clients send.
SENT = wire("chat.v1", resuming=True).publish("lobby", TEXT, 123_456)

ONCE = "once for each message"
EACH_PROCESS = "in each process, for each message"
EACH_PROCESS_TOGETHER = "in each process, for each 10 messages"
