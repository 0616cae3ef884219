"""Whose pages may post forms: the same that may open sockets."""

import pytest
from django.conf import settings as configured
from django.test import Client
from pytest_django import Settings

SECRET = "s" * 32
LISTED = ["https://listed.example", "capacitor://localhost"]


@pytest.fixture(autouse=True)
def origins(settings: Settings) -> None:
    settings.PUBLIC_URL = "https://chat.example:8443"
    settings.OWN_ORIGINS = [settings.PUBLIC_URL, *LISTED]
    settings.CSRF_TRUSTED_ORIGINS = [settings.PUBLIC_URL]
    settings.ALLOWED_HOSTS = ["chat.example", "localhost"]


def post(origin: str, host: str = "localhost:8080", token: str = SECRET) -> int:
    """The status of a form that comes with the cookie of its page; the view itself takes none: 405."""
    client = Client(enforce_csrf_checks=True)
    client.cookies[configured.CSRF_COOKIE_NAME] = SECRET
    headers = {"Host": host, "Origin": origin, "X-CSRFToken": token}
    return client.post("/", headers=headers).status_code


@pytest.mark.parametrize("host", ["chat.example:8443", "chat.example", "localhost:8080"])
@pytest.mark.parametrize("origin", ["https://chat.example:8443", "https://chat.example.:8443"])
def test_public_url_may_post_whatever_host_a_proxy_sends(host: str, origin: str) -> None:
    assert post(origin, host) == 405


@pytest.mark.parametrize("origin", ["http://localhost:8080", "http://localhost.:8080", "ws://localhost:8080", *LISTED])
def test_what_may_open_sockets_may_post(origin: str) -> None:
    assert post(origin) == 405


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "http://localhost", "https://chat.example", "http://listed.example", "null", ""]
)
def test_a_foreign_origin_may_not_post(origin: str) -> None:
    assert post(origin) == 403


def test_an_own_origin_needs_the_token_too() -> None:
    assert post("http://localhost:8080", token="x" * 32) == 403
