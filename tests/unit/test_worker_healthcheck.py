"""Whether a worker's container is healthy."""

import pytest

from services.web.worker_healthcheck import connected

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"


@pytest.mark.parametrize(
    ("row", "healthy"),
    [
        ("   0: 0200FEA9:A1B2 0300FEA9:18EB 01 00000000:00000000 00:00000000 00000000 10001 0 1", True),
        ("   0: 0200FEA9:A1B2 0300FEA9:18EB 02 00000000:00000000 00:00000000 00000000 10001 0 1", False),
        ("   0: 0200FEA9:18EB 0300FEA9:A1B2 01 00000000:00000000 00:00000000 00000000 10001 0 1", False),
        ("", False),
    ],
    ids=["connected", "only connecting", "another's port", "none"],
)
def test_a_worker_is_healthy_while_it_is_connected_to_redis(row: str, healthy: bool) -> None:
    assert connected([HEAD + row, HEAD]) is healthy
