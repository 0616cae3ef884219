"""The gunicorn worker class of the `web` service."""

from typing import Any, ClassVar

from uvicorn_worker import UvicornWorker


class Worker(UvicornWorker):
    """uvicorn under gunicorn, for pages: no WebSockets (`daphne` has them), no lifespan (Django has none)."""

    CONFIG_KWARGS: ClassVar[dict[str, Any]] = {"loop": "auto", "http": "auto", "ws": "none", "lifespan": "off"}
