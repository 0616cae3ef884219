"""gunicorn's configuration: https://docs.gunicorn.org/en/stable/settings.html

gunicorn reads the number of workers from WEB_CONCURRENCY itself. deploy/uvicorn.yaml uses this file too, with one
worker of another class.
"""

import os
import signal
import socket
from pathlib import Path
from typing import Any

# The workers share their metrics in this folder, the container's own tmpfs. prometheus_client reads the variable when
# it is imported.
os.environ["PROMETHEUS_MULTIPROC_DIR"] = "/tmp"  # noqa: S108

from prometheus_client.multiprocess import mark_process_dead

from app.servers.files import raise_limit
from app.settings import DRAIN_SECONDS, LOGGING, SERVICE
from services.web import static, uploads

bind = "[::]:8000" if socket.has_dualstack_ipv6() else "0.0.0.0:8000"  # IPv4, and IPv6 if available
worker_class = "app.servers.uvicorn.Worker"
worker_tmp_dir = "/dev/shm"  # noqa: S108  # the heartbeat must not wait for a disk; the root is read-only
control_socket_disable = True
forwarded_allow_ips = "*"  # only nginx reaches this port, and it sets the headers itself
# Seconds. In addition to DRAIN_SECONDS, app/servers/uvicorn.py needs 1 to accept, 1.5 for idle connections if
# DRAIN_SECONDS is less, 6 for peers, 10 for applications, 1 for cancelled ones and 3 for the final steps. Responses
# without an end (app/servers/responses.py) need 10 before DRAIN_SECONDS, and 3 after. compose.yaml allows more.
graceful_timeout = DRAIN_SECONDS + 23
keepalive = 5  # seconds; longer than nginx's (nginx/upstreams.conf), for the same reason as in app/servers/uvicorn.py
logconfig_dict = LOGGING


def on_starting(_server: Any) -> None:
    raise_limit()  # the workers inherit it
    if SERVICE == "web":  # the socket service has no pages that refer to static files
        static.publish()
        uploads.remove_leftovers()


# One empty file for each worker that has loaded the application. deploy/trial.sh counts them, because gunicorn serves
# with any number of workers, and endlessly restarts those that run out of memory.
BOOTED = Path("/tmp/booted")  # noqa: S108


def post_worker_init(worker: Any) -> None:
    BOOTED.mkdir(exist_ok=True)
    (BOOTED / str(worker.pid)).touch()


def child_exit(server: Any, worker: Any) -> None:
    """Drops an ended worker's gauges, such as open sockets. Its counters stay."""
    (BOOTED / str(worker.pid)).unlink(missing_ok=True)
    mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def when_ready(server: Any) -> None:
    """Turns a second SIGTERM into SIGINT. While stopping, gunicorn's master ignores SIGTERM, but hurries on SIGINT."""
    heard: list[int] = []

    def terminate(number: int, frame: Any) -> None:
        server.signal(signal.SIGINT if heard else number, frame)
        heard.append(number)

    signal.signal(signal.SIGTERM, terminate)
