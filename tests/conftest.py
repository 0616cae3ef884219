"""Sets Django up for the tests, from an environment that is the same on every machine.

It is gone again once the settings have read it: what a test starts inherits none of it.
"""

import os
from unittest import mock

import django
import pytest

# The stacks that tests/stack and tests/browser share.
pytest_plugins = ["tests.stack.stacks"]

ENVIRONMENT = {
    "SECRET_KEY": "unused-but-long-enough-to-satisfy-the-deployment-checks-0123456789",
    "PUBLIC_URL": "http://localhost:8080",
    "REDIS_URL": "redis://app@redis.invalid:6379/0",
    "REDIS_PASSWORD": "unused",
    "DATA_DIR": "/nonexistent",
}

with mock.patch.dict(os.environ, {**ENVIRONMENT, "DJANGO_SETTINGS_MODULE": "app.settings"}, clear=True):
    django.setup()


@pytest.fixture
def environment() -> dict[str, str]:
    """All that the settings demand, and nothing optional; for a process that a test starts."""
    return {**ENVIRONMENT, "PATH": os.environ["PATH"]}
