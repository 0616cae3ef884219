"""Sets Django up for the tests of every folder, from an environment that is the same on every machine.

The environment is gone again once the settings have read it: what a test starts inherits none of it.
"""

import os
from unittest import mock

import django
import pytest
from django.db import connections

# What several suites share, those of your own apps too: the application on a Redis, and the stacks.
pytest_plugins = ["tests.stack.stacks", "tests.integration.redis_server", "tests.fixtures"]

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


@pytest.fixture(scope="session")
def django_db_modify_db_settings(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A file, as in the stack: SQLite's memory is locked for a writer whenever another thread reads."""
    file = tmp_path_factory.mktemp("database") / "test.sqlite3"
    connections["default"].settings_dict["TEST"]["NAME"] = str(file)
