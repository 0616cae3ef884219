"""Rules between settings."""

import pytest
from django.core.checks import CheckMessage
from pytest_django import Settings

from app import checks


def ids(found: list[CheckMessage]) -> list[str | None]:
    return [message.id for message in found]


@pytest.mark.parametrize(
    ("public_url", "hosts"),
    [
        ("http://localhost:8080", ["localhost"]),
        ("https://chat.example", [".example"]),
        ("https://chat.example", ["*"]),
        ("http://[::1]:8080", ["[::1]"]),
    ],
)
def test_public_url_is_served_where_its_host_is_allowed(settings: Settings, public_url: str, hosts: list[str]) -> None:
    settings.PUBLIC_URL, settings.ALLOWED_HOSTS = public_url, hosts
    assert checks.public_url_is_served(None) == []


@pytest.mark.parametrize("hosts", [["localhost"], ["example.com"], []])
def test_public_url_is_not_served_where_its_host_is_not_allowed(settings: Settings, hosts: list[str]) -> None:
    settings.PUBLIC_URL, settings.ALLOWED_HOSTS = "https://chat.example.com", hosts
    assert ids(checks.public_url_is_served(None)) == ["app.E001"]


def test_longest_text_must_fit_however_it_is_escaped(settings: Settings) -> None:
    settings.MAX_TEXT_LENGTH = 100
    settings.MAX_MESSAGE_BYTES = 100 * len(r"\ud83d\ude00") + 1024
    assert checks.longest_text_fits_message(None) == []
    settings.MAX_MESSAGE_BYTES -= 1
    assert ids(checks.longest_text_fits_message(None)) == ["app.E002"]
