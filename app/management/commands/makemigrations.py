"""`manage.py makemigrations` without a name covers the apps in this folder.

Django's own command skips apps that have no migrations yet, and would write into installed packages.
"""

import sys
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.management.commands.makemigrations import Command as DjangoCommand


class Command(DjangoCommand):
    def handle(self, *app_labels: str, **options: Any) -> None:
        fill = not app_labels and not options["empty"]
        super().handle(*(own_apps() if fill else app_labels), **options)


def own_apps() -> list[str]:
    return [config.label for config in apps.get_app_configs() if is_own(Path(config.path))]


def is_own(path: Path) -> bool:
    """Excludes the virtual environment of `make dev`, which is in this folder too."""
    return path.is_relative_to(settings.BASE_DIR) and not path.is_relative_to(sys.prefix)
