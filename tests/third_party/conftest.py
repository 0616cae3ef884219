"""One database for all, with the tokens of its users."""

import pytest

from tests.integration.redis_server import RedisServer
from tests.third_party.project import Project


@pytest.fixture(scope="session")
def project(redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Project:
    return Project(tmp_path_factory.mktemp("project"), redis_server)
