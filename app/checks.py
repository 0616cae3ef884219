"""Rules between settings, as Django system checks; app/env.py has cast each value already."""

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.http.request import validate_host

# JSON may spell a code point as a surrogate pair of escapes, twelve bytes; the rest is the envelope.
BYTES_PER_CODE_POINT = 12
ENVELOPE_BYTES = 1024


@register("app")
def public_url_is_served(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """app.E001: a browser at PUBLIC_URL must not be refused."""
    host = urlsplit(settings.PUBLIC_URL).hostname or ""
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
