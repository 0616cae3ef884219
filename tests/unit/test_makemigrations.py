"""`makemigrations` without a name: the apps of this folder, and no installed package."""

import sys
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.core.management.commands.makemigrations import Command as DjangoCommand

from app.management.commands.makemigrations import is_own


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """The apps that Django's own command was asked for."""
    asked: list[tuple[str, ...]] = []
    monkeypatch.setattr(DjangoCommand, "handle", lambda self, *labels, **options: asked.append(labels))
    return asked


def makemigrations(*arguments: str, **options: Any) -> None:
    call_command("makemigrations", *arguments, skip_checks=True, **options)


def test_without_a_name_it_asks_for_the_apps_of_this_folder(asked: list[tuple[str, ...]]) -> None:
    makemigrations()
    assert asked == [("app", "mychannels")]


def test_with_a_name_it_asks_for_that_app(asked: list[tuple[str, ...]]) -> None:
    makemigrations("chat")
    assert asked == [("chat",)]


def test_an_empty_migration_needs_a_name(asked: list[tuple[str, ...]]) -> None:
    makemigrations(empty=True)
    assert asked == [()]


@pytest.mark.parametrize(
    ("path", "own"),
    [
        (settings.BASE_DIR / "chat", True),
        (Path(sys.prefix) / "lib/python3/site-packages/chat", False),
    ],
)
def test_what_lies_in_the_virtual_environment_is_not_of_this_folder(path: Path, own: bool) -> None:
    assert is_own(path) is own


def test_the_virtual_environment_may_lie_in_this_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "prefix", str(settings.BASE_DIR / ".venv"))
    assert not is_own(settings.BASE_DIR / ".venv/lib/python3/site-packages/chat")
