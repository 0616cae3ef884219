"""One stack for all: three workers, the published packages in its image, and an app that uses them."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stack.clone import OVERLAYS, REPLICAS, Clone, remove_interrupted
from tests.stack.stacks import clones

HERE = Path(__file__).parent
WORKERS = 3
CORE = pytest.param("core", marks=pytest.mark.upstream)
SETTINGS = """
INSTALLED_APPS += ["rest_framework", "rest_framework.authtoken", "chanx.channels", "django_eventstream", "published"]
EVENTSTREAM_REDIS = {"host": "redis", "username": "app", "password": REDIS_PASSWORD}
"""
DJANGO = "JoinedHeaders(django_application)"
# All that the project has to know of the app; docs/your-own-consumer.md says each.
EDITS = {
    "app/routing.py": {
        "import MyChannels.routing\n": "import MyChannels.routing\nimport published.routing\n",
        "    *MyChannels.routing.ws_": "    *published.routing.websocket_urlpatterns,\n    *MyChannels.routing.ws_",
        DJANGO: 'JoinedHeaders(URLRouter([*published.routing.http_urlpatterns, re_path(r"", django_application)]))',
        '"http":': '"channel": published.routing.channels, "http":',
    },
    "app/urls.py": {'    path("admin/"': '    path("", include("published.urls")),\n    path("admin/"'},
    "services/Dockerfile": {"COPY MyChannels MyChannels\n": "COPY MyChannels MyChannels\nCOPY published published\n"},
}


def put_in(clone: Clone) -> None:
    shutil.copytree(HERE / "published", clone.path / "published", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(HERE.parent / "requirements.lock", clone.path)
    for name, edits in EDITS.items():
        text = (clone.path / name).read_text()
        for before, after in edits.items():
            assert text.count(before) == 1, before
            text = text.replace(before, after)
        (clone.path / name).write_text(text)
    with (clone.path / "app/settings.py").open("a") as file:
        file.write(SETTINGS)


@pytest.fixture(scope="package")
def clone() -> Iterator[Clone]:
    remove_interrupted()
    with clones() as make:
        clone = make()
        put_in(clone)
        shutil.copy(clone.path / ".env.example", clone.path / ".env")
        clone.set(
            COMPOSE_PROJECT_NAME=clone.project,
            HTTP_PORT=str(clone.port),
            PUBLIC_URL=f"http://{clone.host}",
            DRAIN_SECONDS="1",
            **{REPLICAS: str(WORKERS)},
        )
        yield clone


@pytest.fixture(scope="package", params=["pubsub", CORE])
def stack(request: pytest.FixtureRequest, clone: Clone) -> Clone:
    """On the channel layer of that name; with `core`, a worker for jobs belongs to it."""
    if request.param == "core":
        worker = {"COMPOSE_FILE": f"{OVERLAYS}:deploy/overlays/worker.yaml", "WORKER_CHANNELS": "jobs"}
        clone.set(CHANNEL_LAYER="core", **worker)
    clone.make("up")
    return clone
