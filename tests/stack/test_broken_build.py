"""What cannot start replaces nothing that runs."""

import pytest

from tests.stack.clone import SERVICES, Clone, docker
from tests.stack.wire import request


@pytest.mark.parametrize(
    ("path", "mistake", "named"),
    [
        ("MyChannels/routing.py", "\nws_urlpatterns += [nobody_defined_this]\n", "NameError"),
        ("nginx/maps.conf", "\nno_such_directive on;\n", "no_such_directive"),
        ("services/redis/redis.conf", "\nno-such-directive on\n", "no-such-directive"),
        ("services/web/healthcheck.py", "\nraise SystemExit('never asked')\n", "never asked"),
        ("services/migrate/publish.py", "\nraise SystemExit('never published')\n", "never published"),
    ],
)
def test_a_mistake_is_named_and_the_stack_goes_on(neighbour: Clone, path: str, mistake: str, named: str) -> None:
    before = {container["Id"] for service in SERVICES for container in neighbour.containers(service)}
    names = [f"{neighbour.project}-{name}" for name in ("web", "nginx", "redis")]
    images = docker("image", "inspect", "--format", "{{.Id}}", *names)
    file = neighbour.path / path
    good = file.read_text()
    file.write_text(good + mistake)
    try:
        done = neighbour.make("up", check=False)
    finally:
        file.write_text(good)
    assert done.returncode != 0
    assert named in done.stdout + done.stderr
    assert "nothing was replaced" in done.stdout + done.stderr
    after = {container["Id"] for service in SERVICES for container in neighbour.containers(service)}
    assert after == before
    assert request(neighbour, "/").status == 200
    assert docker("image", "inspect", "--format", "{{.Id}}", *names) == images, "else `docker compose up` starts it"
    label = f"--filter=label=channels.trial={neighbour.project}"
    assert docker("ps", "--all", "--quiet", label) + docker("volume", "ls", "--quiet", label) == ""
