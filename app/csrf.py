"""Accepts forms from the origins that may open sockets (app/origins.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.middleware.csrf import CsrfViewMiddleware

from app.origins import OwnOrigins

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponseBase, HttpResponseForbidden


class CsrfMiddleware(CsrfViewMiddleware):
    """Django's middleware compares Origin and Host as text; this one normalizes them. It also requires the token.

    It runs before Django's own, which accepts requests that this one has marked as checked. Django's own stays in the
    list because Django's check security.W003 looks for its name.
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
