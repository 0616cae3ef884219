"""The stacks under test: fresh clones, started by `make up` and removed by `make purge`."""

import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.stack.clone import OVERLAYS, REPLICAS, Clone, remove_interrupted

OWN_SOCKET = """
from MyChannels import own
ws_urlpatterns += [path("own/socket", own.Socket.as_asgi()), path("own/fault", own.Fault.as_asgi())]
ws_urlpatterns += [path("own/slow", own.Slow.as_asgi())]
"""
OWN_PAGE = """
from MyChannels import own
urlpatterns += [path("own/page", own.page), path("own/upload", own.upload), path("own/download", own.download)]
urlpatterns += [path("own/slow", own.slow), path("own/times", own.times)]
"""

IPV6 = """
networks:
  edge:
    enable_ipv6: true
    ipam: {{ config: [{{ subnet: "{subnet}" }}] }}
"""
IPV6_IS_THERE = Path("/proc/net/if_inet6").exists()


@contextmanager
def clones() -> Iterator[Callable[..., Clone]]:
    """Makes clones in which nothing was run yet; all are purged at the end, and nothing may be left."""
    made: list[Clone] = []

    def make(commit: str | None = None) -> Clone:
        made.append(Clone())
        return made[-1].copy(commit)

    yield make
    with ExitStack() as purges:
        for clone in made:
            purges.callback(clone.purge)  # each, even if another fails
    left = {clone.project: clone.leftovers() for clone in made}
    assert not any(left.values()), left


@pytest.fixture(scope="session")
def shared_clone() -> Iterator[Callable[..., Clone]]:
    remove_interrupted()
    with clones() as make:
        yield make


@pytest.fixture(scope="module")  # no longer: the health checks of idle stacks take much of a small machine
def fresh_clone() -> Iterator[Callable[..., Clone]]:
    remove_interrupted()
    with clones() as make:
        yield make


@pytest.fixture(scope="session")
def stack(shared_clone: Callable[[], Clone]) -> Clone:
    """The stack that most tests share: two Daphne workers, the default configuration.

    A user has added a page and a socket of their own; nothing else differs from the tree.
    """
    clone = shared_clone()
    add_own(clone)
    clone.make("up")
    return clone


def add_own(clone: Clone) -> None:
    shutil.copy(Path(__file__).with_name("own.py"), clone.path / "MyChannels")
    for module, lines in (("routing", OWN_SOCKET), ("urls", OWN_PAGE)):
        with (clone.path / "MyChannels" / f"{module}.py").open("a") as file:
            file.write(lines)


@pytest.fixture(scope="session")
def neighbour(shared_clone: Callable[[], Clone], stack: Clone) -> Clone:
    """A second clone, started while the first runs, with a configuration of its own, and IPv6 beside IPv4.

    Its files have other modes and line ends, as another user's clone may have.
    """
    clone = shared_clone()
    add_own(clone)
    clone.lose_modes_and_line_ends()
    subnet = f"fd00:{secrets.token_hex(2)}:{secrets.token_hex(2)}::/64"
    (clone.path / "ipv6.yaml").write_text(IPV6.format(subnet=subnet) if IPV6_IS_THERE else "services: {}\n")
    shutil.copy(clone.path / ".env.example", clone.path / ".env")
    clone.set(
        COMPOSE_PROJECT_NAME=clone.project,
        HTTP_PORT=str(clone.port),
        PUBLIC_URL=f"http://{clone.host}",
        ADMIN_NETWORKS="203.0.113.0/24,203.0.113.0/24",
        ALLOWED_HOSTS="localhost,.localhost,127.0.0.1,LOCALHOST",  # which nginx takes each once only
        ALLOWED_ORIGINS="https://friend.example",
        MAX_MESSAGE_BYTES="131072",
        COMPOSE_FILE=f"{OVERLAYS}:ipv6.yaml",
        PAGE_SECONDS="10",
        PING_SECONDS="2",
        **{REPLICAS: "1"},
    )
    clone.make("up")
    return clone
