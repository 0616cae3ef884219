"""Rules between settings."""

import pytest
from django.core.checks import CheckMessage
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
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
        ("http://localhost.:8080", ["localhost"]),
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


@pytest.mark.django_db
def test_a_newer_versions_database_is_not_migrated() -> None:
    assert checks.migrations_are_known(None, databases=["default"]) == []
    MigrationRecorder(connection).record_applied("auth", "9999_of_a_later_version")
    found = checks.migrations_are_known(None, databases=["default"])
    assert ids(found) == ["app.E003"]
    assert "auth.9999_of_a_later_version" in found[0].msg
    with pytest.raises(SystemCheckError, match=r"app\.E003"):
        call_command("migrate", skip_checks=False)


def test_without_a_database_to_look_at_nothing_is_said() -> None:
    assert checks.migrations_are_known(None) == []
