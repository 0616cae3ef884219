"""gunicorn's configuration: https://docs.gunicorn.org/en/stable/settings.html

The number of workers is WEB_CONCURRENCY, which gunicorn reads itself. deploy/uvicorn.yaml uses this too, with one
worker of another class.
"""

import os
import signal
import socket
from pathlib import Path
from typing import Any

# Where the workers leave their counts for each other: the container's own tmpfs. The package reads it when it
# is imported.
os.environ["PROMETHEUS_MULTIPROC_DIR"] = "/tmp"  # noqa: S108

from prometheus_client.multiprocess import mark_process_dead

from app.servers.files import raise_limit
from app.settings import DRAIN_SECONDS, LOGGING, SERVICE
from services.web import static, uploads

bind = "[::]:8000" if socket.has_dualstack_ipv6() else "0.0.0.0:8000"  # IPv4 and IPv6, where there is any
worker_class = "app.servers.uvicorn.Worker"
worker_tmp_dir = "/dev/shm"  # noqa: S108  # the heartbeat must not wait for a disk; the root is read-only
control_socket_disable = True
forwarded_allow_ips = "*"  # only nginx reaches this port, and it sets the headers itself
# Seconds. app/servers/uvicorn.py needs besides 1 to accept, 1.5 for idle connections where DRAIN_SECONDS are fewer, 6
# for peers, 10 for applications, 1 for the cancelled and 3 for what is left last. Responses without an end
# (app/servers/responses.py) need 10 before DRAIN_SECONDS, and 3 after. compose.yaml grants more.
graceful_timeout = DRAIN_SECONDS + 23
keepalive = 5  # seconds; longer than nginx's (nginx/upstreams.conf), for the same reason as in app/servers/uvicorn.py
logconfig_dict = LOGGING


def on_starting(_server: Any) -> None:
    raise_limit()  # the workers inherit it
    if SERVICE == "web":  # who serves sockets has no pages that would name the files
        static.publish()
        uploads.remove_leftovers()


# One empty file for each worker that has loaded the application. gunicorn itself serves with any number of them, and
# starts for ever those that memory does not suffice for; deploy/trial.sh counts.
BOOTED = Path("/tmp/booted")  # noqa: S108


def post_worker_init(worker: Any) -> None:
    BOOTED.mkdir(exist_ok=True)
    (BOOTED / str(worker.pid)).touch()


def child_exit(server: Any, worker: Any) -> None:
    """What a worker had open, it has no longer; what it counted stays."""
    (BOOTED / str(worker.pid)).unlink(missing_ok=True)
    mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def when_ready(server: Any) -> None:
    """While it stops, gunicorn's master is deaf to SIGTERM; SIGINT makes it hurry its workers."""
    heard: list[int] = []

    def terminate(number: int, frame: Any) -> None:
        server.signal(signal.SIGINT if heard else number, frame)
        heard.append(number)

    signal.signal(signal.SIGTERM, terminate)
