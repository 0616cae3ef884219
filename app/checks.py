"""Rules between settings, as Django system checks; app/env.py has cast each value already."""

from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import OperationalError, connections
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.http.request import validate_host
from django.urls import get_resolver

from app.routes import hidden, routes

# JSON may spell a code point as a surrogate pair of escapes, twelve bytes; the rest is the envelope.
BYTES_PER_CODE_POINT = 12
ENVELOPE_BYTES = 1024

# Migrations that the previous build can run with. services/migrate/marks.py writes this file, an older build reads it.
COMPATIBLE = settings.DATA_DIR / "backward_compatible"


@register("app")
def public_url_is_served(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """app.E001: a browser at PUBLIC_URL must not be refused."""
    host = (urlsplit(settings.PUBLIC_URL).hostname or "").removesuffix(".")  # nginx removes it too
    host = f"[{host}]" if ":" in host else host
    if validate_host(host, settings.ALLOWED_HOSTS):
        return []
    return [
        Error(
            f"PUBLIC_URL: its host {host!r} is not in ALLOWED_HOSTS ({','.join(settings.ALLOWED_HOSTS)}).",
            hint=f"Add {host} to ALLOWED_HOSTS.",
            id="app.E001",
        )
    ]


@register("app")
def longest_text_fits_message(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """app.E002: a text that MAX_TEXT_LENGTH permits must not exceed MAX_MESSAGE_BYTES on the wire."""
    needed = settings.MAX_TEXT_LENGTH * BYTES_PER_CODE_POINT + ENVELOPE_BYTES
    if needed <= settings.MAX_MESSAGE_BYTES:
        return []
    return [
        Error(
            f"MAX_MESSAGE_BYTES: {settings.MAX_MESSAGE_BYTES} is too small for a text of "
            f"MAX_TEXT_LENGTH {settings.MAX_TEXT_LENGTH} code points.",
            hint=f"Set MAX_MESSAGE_BYTES to {needed} or more.",
            id="app.E002",
        )
    ]


@register(Tags.database)
def migrations_are_known(app_configs: Any, databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """app.E003: an older version must not run on a newer version's database, which Django itself would allow.

    Migrations are excepted that were marked as compatible with the older version.
    """
    found: list[CheckMessage] = []
    for alias in databases or []:
        try:
            applied = MigrationRecorder(connections[alias]).applied_migrations()
        except OperationalError:
            continue  # no connection; the code that needs this database will report it
        compatible = compatible_migrations()
        if names := [name for name in unknown_migrations(applied) if name not in compatible]:
            found.append(
                Error(
                    f"the database {alias!r} has migrations that this version does not know: {', '.join(names)}. "
                    "To go on could lose what they have stored.",
                    hint="Go back to the version that knows them, or restore a backup of this version's time: "
                    "make restore F=backups/... For an app that you took out yourself: with the version that still "
                    'has it, make manage C="migrate <app> zero".',
                    id="app.E003",
                )
            )
    return found


@register(Tags.urls)  # not "app": the configuration check must work even if the sources are broken
def routes_can_be_reached(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """app.W001 for sockets, app.W002 for pages: the first route that matches takes the request.

    Without this check, nothing would explain why a new consumer is never called.
    """
    from app.routing import routes as sockets  # late: it needs every app to be ready

    *sockets, _ = sockets  # the last one matches everything and answers 404
    return [
        Warning(
            f"the {kind} route {route} ({name(route.callback)}) can never be reached: "
            f"{taker} ({name(taker.callback)}) comes before it and takes its addresses.",
            hint=f"Put it before the other one in {file}, or give it another path.",
            id=id,
        )
        for id, kind, file, found in (
            ("app.W001", "WebSocket", "app/routing.py", routes(sockets)),
            ("app.W002", "HTTP", "app/urls.py", routes(get_resolver().url_patterns)),
        )
        for route, taker in hidden(found)
    ]


def name(callback: Any) -> str:
    """The full name of a view or a consumer, including a class behind a function."""
    shown = getattr(callback, "view_class", getattr(callback, "consumer_class", callback))
    return f"{getattr(shown, '__module__', '')}.{getattr(shown, '__qualname__', type(shown).__name__)}"


def unknown_migrations(applied: Iterable[tuple[str, str]]) -> list[str]:
    """Applied migrations without a file in this version, as app.name. Those that a squashed one replaces are known."""
    disk = MigrationLoader(None, ignore_no_migrations=True).disk_migrations
    known = disk.keys() | {replaced for migration in disk.values() for replaced in migration.replaces}
    return sorted(".".join(migration) for migration in {(app, name) for app, name in applied} - known)


def compatible_migrations() -> set[str]:
    return set(COMPATIBLE.read_text().split()) if COMPATIBLE.exists() else set()
