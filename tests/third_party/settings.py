"""The project's settings, and what the token packages ask for besides."""

from app.settings import *  # noqa: F403
from app.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "rest_framework", "rest_framework.authtoken"]
