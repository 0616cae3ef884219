"""The project as a Django application, so that its system checks are found."""

from django.apps import AppConfig


class ProjectConfig(AppConfig):
    name = "app"
    verbose_name = "Project"

    def ready(self) -> None:
        from app import checks  # noqa: F401  # importing registers
