"""One JSON object per line on standard error, each with the request it belongs to."""

import socket
from typing import Any


def logging_config(level: str, service: str, readable: bool = False) -> dict[str, Any]:
    """Django's LOGGING: `level` for all, `service` as in compose.yaml; `readable` for a developer's terminal."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"request_id": {"()": "asgi_correlation_id.CorrelationIdFilter"}},
        "formatters": {
            "json": {
                "()": "pythonjsonlogger.json.JsonFormatter",
                "fmt": ["levelname", "name", "message", "correlation_id"],
                "timestamp": "time",
                "rename_fields": {"levelname": "level", "name": "logger", "correlation_id": "request_id"},
                "static_fields": {"service": service, "worker": socket.gethostname()},
                "json_ensure_ascii": False,
            },
            "readable": {"format": "%(levelname)-7s %(name)s: %(message)s"},
        },
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler",
                "formatter": "readable" if readable else "json",
                "filters": ["request_id"],
            },
        },
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # Django's own handlers mail admins and print for runserver; the root handler does it all.
            "django": {"handlers": [], "level": level, "propagate": True},
            # uvicorn's worker class hands gunicorn's handlers on and lets nothing propagate.
            "gunicorn.error": {"handlers": ["stderr"], "level": level, "propagate": False},
            # nginx logs every request.
            "gunicorn.access": {"handlers": [], "propagate": False},
        },
    }
