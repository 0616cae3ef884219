"""One JSON object per line on standard error, each with the request it belongs to."""

import logging
import socket
from typing import Any

from asgi_correlation_id import CorrelationIdFilter, correlation_id


class Traced:
    """ASGI application that marks an exception with the id of the request that it ended."""

    def __init__(self, application: Any) -> None:
        self.application = application

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            await self.application(scope, receive, send)
        except Exception as error:
            error.request_id = correlation_id.get()  # type: ignore[attr-defined]  # for RequestId
            raise


class RequestId(CorrelationIdFilter):
    """The id of the request; Daphne logs an application's exception later, from a timer in whatever context."""

    def filter(self, record: logging.LogRecord) -> bool:
        super().filter(record)
        if marked := getattr(record.exc_info[1] if record.exc_info else None, "request_id", None):
            record.__dict__["correlation_id"] = marked
        return True


def logging_config(level: str, service: str, readable: bool = False) -> dict[str, Any]:
    """Django's LOGGING: `level` for all, `service` as in compose.yaml; `readable` for a developer's terminal."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"request_id": {"()": "app.logs.RequestId"}},
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
