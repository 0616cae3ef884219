"""Whose pages may post forms: those that may open sockets (app/origins.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.middleware.csrf import CsrfViewMiddleware

from app.origins import OwnOrigins

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponseBase, HttpResponseForbidden


class CsrfMiddleware(CsrfViewMiddleware):
    """Django's, which compares an Origin with the Host as text. The token is needed all the same.

    It goes before Django's own, which finds a request that was let in here marked as such. Django's check
    security.W003 looks for that one by its name.
    """

    def process_view(
        self, request: HttpRequest, callback: Callable[..., HttpResponseBase], args: Any, kwargs: Any
    ) -> HttpResponseForbidden | None:
        sent = request.META.get("HTTP_ORIGIN")
        requested = f"{request.scheme}://{request.META.get('HTTP_HOST', '')}"
        if sent is None or not OwnOrigins(settings.OWN_ORIGINS).include(sent, requested):
            return super().process_view(request, callback, args, kwargs)
        request.META["HTTP_ORIGIN"] = settings.PUBLIC_URL  # one of CSRF_TRUSTED_ORIGINS
        try:
            return super().process_view(request, callback, args, kwargs)
        finally:
            request.META["HTTP_ORIGIN"] = sent  # for the view
