"""Other files under secrets/: `make up` replaces what has read the old ones, in the order in which they are needed."""

import secrets

from tests.stack.clone import SERVICES, WEBSOCKETS, Clone
from tests.stack.wire import request


def ids(clone: Clone) -> dict[str, set[str]]:
    return {service: {container["Id"] for container in clone.containers(service)} for service in SERVICES}


def rotate(clone: Clone, name: str) -> None:
    path = clone.path / "secrets" / name
    path.unlink()
    path.write_text(secrets.token_urlsafe(32))
    path.chmod(0o444)


def test_what_has_read_the_old_secrets_is_replaced(neighbour: Clone):
    """And Compose alone agrees: with one worker more it replaces none."""
    before = ids(neighbour)
    for name in ("secret_key", "redis_password"):
        rotate(neighbour, name)
    settings = (neighbour.path / ".env").read_text()
    refused = neighbour.make("scale", "N=2", check=False)
    assert refused.returncode
    assert f"{neighbour.project}-redis-1" in refused.stderr, "a new worker could not log in there"
    assert "fix:      make up" in refused.stderr
    assert (ids(neighbour), (neighbour.path / ".env").read_text()) == (before, settings)
    neighbour.make("up")
    after = ids(neighbour)
    assert request(neighbour, "/health/ready").status == 200
    assert {service for service in SERVICES if before[service] & after[service]} == {"nginx"}

    try:
        neighbour.compose("up", "--detach", "--wait", "--scale", f"{WEBSOCKETS}=2")
        scaled = ids(neighbour)
    finally:
        neighbour.compose("up", "--detach", "--wait")
    assert len(scaled[WEBSOCKETS]) == 2
    assert all(after[service] <= scaled[service] for service in SERVICES)
    assert ids(neighbour) == after
