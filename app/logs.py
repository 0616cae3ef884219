"""One JSON object per line on standard error, each with the request it belongs to."""

import socket
from typing import Any


def logging_config(level: str, service: str) -> dict[str, Any]:
    """Django's LOGGING: `level` for our own and Django's loggers, `service` as in compose.yaml."""
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
            }
        },
        "handlers": {
            "stderr": {"class": "logging.StreamHandler", "formatter": "json", "filters": ["request_id"]},
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
