"""Container health check of `web` and `daphne`. It checks readiness until that succeeds once, then only liveness.

An outage of Redis must not make a container unhealthy, because the container serves again as soon as Redis does. The
mark is in a tmpfs, so a restarted container must become ready again. With --ready it always checks readiness, which
`make up` and `make deploy` do at their end. It uses HTTP and does not load Django. Exits 1 with the reason on anything
but 200.
"""

import http.client
import sys
from pathlib import Path

MARK = Path("/tmp/ready-once")  # noqa: S108  # the container's own tmpfs
TIMEOUT = 4  # seconds; compose.yaml allows five


def main(path: str | None = None) -> str | None:
    path = path or ("/health/live" if MARK.exists() else "/health/ready")
    connection = http.client.HTTPConnection("127.0.0.1", 8000, timeout=TIMEOUT)
    try:
        connection.request("GET", path)
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return f"{path}: {error}"
    finally:
        connection.close()
    if status != 200:
        return f"{path}: expected 200, received {status}"
    MARK.touch()
    return None


if __name__ == "__main__":
    sys.exit(main("/health/ready" if "--ready" in sys.argv[1:] else None))
