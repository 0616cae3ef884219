"""gunicorn's configuration: https://docs.gunicorn.org/en/stable/settings.html

The number of workers is WEB_CONCURRENCY, which gunicorn reads itself.
"""

from app.settings import LOGGING

bind = "0.0.0.0:8000"
worker_class = "app.servers.uvicorn.Worker"
worker_tmp_dir = "/dev/shm"  # noqa: S108  # the heartbeat must not wait for a disk; the root is read-only
control_socket_disable = True
forwarded_allow_ips = "*"  # only nginx reaches this port, and it sets the headers itself
graceful_timeout = 20  # seconds; compose.yaml grants more before it kills
logconfig_dict = LOGGING
