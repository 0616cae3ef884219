"""One JSON object per line on standard error, each with the request it belongs to."""

import logging
import re
import socket
from typing import Any

from asgi_correlation_id import CorrelationIdFilter, correlation_id
from pythonjsonlogger.core import RESERVED_ATTRS

QUERY = re.compile(r"\?\S+")


class Traced:
    """ASGI application that marks an exception with the id of the request that raised it."""

    def __init__(self, application: Any) -> None:
        self.application = application

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            await self.application(scope, receive, send)
        except Exception as error:
            error.request_id = correlation_id.get()  # type: ignore[attr-defined]  # for RequestId
            raise


class RequestId(CorrelationIdFilter):
    """Adds the request's id, also to exceptions that Daphne logs later, from a timer in another context."""

    def filter(self, record: logging.LogRecord) -> bool:
        super().filter(record)
        if marked := getattr(record.exc_info[1] if record.exc_info else None, "request_id", None):
            record.__dict__["correlation_id"] = marked
        return True


class WithoutQueries(logging.Filter):
    """Removes queries: Django's CSRF check logs the whole Referer that it refuses, whose query may contain a token."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name == "django.security.csrf" and isinstance(record.args, tuple):
            record.args = tuple(QUERY.sub("?…", arg) if isinstance(arg, str) else arg for arg in record.args)
        return True


def logging_config(level: str, service: str, readable: bool = False) -> dict[str, Any]:
    """Django's LOGGING: `level` for all loggers, `service` as in compose.yaml, `readable` for a terminal."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"request_id": {"()": "app.logs.RequestId"}, "queries": {"()": "app.logs.WithoutQueries"}},
        "formatters": {
            "json": {
                "()": "pythonjsonlogger.json.JsonFormatter",
                "fmt": ["levelname", "name", "message", "correlation_id"],
                "timestamp": "time",
                "rename_fields": {"levelname": "level", "name": "logger", "correlation_id": "request_id"},
                # Django adds the whole request, whose text contains the query.
                "reserved_attrs": [*RESERVED_ATTRS, "request"],
                "static_fields": {"service": service, "worker": socket.gethostname()},
                "json_ensure_ascii": False,
            },
            "readable": {"format": "%(levelname)-7s %(name)s: %(message)s"},
        },
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler",
                "formatter": "readable" if readable else "json",
                "filters": ["request_id", "queries"],
            },
        },
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # Django's own handlers mail admins and print for runserver; the root handler replaces both.
            "django": {"handlers": [], "level": level, "propagate": True},
            # uvicorn's worker class takes over gunicorn's handlers and disables propagation.
            "gunicorn.error": {"handlers": ["stderr"], "level": level, "propagate": False},
            # nginx logs every request.
            "gunicorn.access": {"handlers": [], "propagate": False},
        },
    }
