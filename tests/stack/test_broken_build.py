"""What cannot start replaces nothing that runs."""

import shutil

import pytest

from tests.stack.clone import SERVICES, Clone, docker
from tests.stack.wire import request

MIGRATION = """
from django.db import migrations

def fail(apps, schema_editor):
    raise RuntimeError("data that it did not expect")

class Migration(migrations.Migration):
    dependencies = {dependencies}
    operations = [migrations.RunPython(fail)]
"""


@pytest.mark.parametrize(
    ("path", "mistake", "named"),
    [
        ("MyChannels/routing.py", "\nws_urlpatterns += [nobody_defined_this]\n", "NameError"),
        ("nginx/maps.conf", "\nno_such_directive on;\n", "no_such_directive"),
        ("services/redis/redis.conf", "\nno-such-directive on\n", "no-such-directive"),
        ("services/web/healthcheck.py", "\n)\n", "SyntaxError"),
        ("services/migrate/publish.py", "\nraise SystemExit('never published' + '\\nmore' * 99)\n", "never published"),
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
        done = neighbour.make("up", check=False, HEALTHY_SECONDS="25")
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


def test_a_migration_that_fails_leaves_the_build_before_serving(neighbour: Clone) -> None:
    """Which no trial can see: it depends on the data."""
    before = {container["Id"] for service in SERVICES for container in neighbour.containers(service)}
    image = docker("image", "inspect", "--format", "{{.Id}}", f"{neighbour.project}-web")
    folder = neighbour.path / "MyChannels/migrations"
    others = sorted(folder.glob("0*.py"))  # of a test that ran before on this stack
    folder.mkdir(exist_ok=True)
    (folder / "__init__.py").touch()
    failing = folder / "9999_failing.py"
    failing.write_text(MIGRATION.format(dependencies=[("mychannels", other.stem) for other in others[-1:]]))
    try:
        done = neighbour.make("up", check=False)
    finally:
        failing.unlink()
        if not others:
            shutil.rmtree(folder)
    assert done.returncode
    assert "data that it did not expect" in done.stderr
    assert "nothing was changed for clients" in done.stderr
    assert {container["Id"] for service in SERVICES for container in neighbour.containers(service)} == before
    assert docker("image", "inspect", "--format", "{{.Id}}", f"{neighbour.project}-web") == image
    assert request(neighbour, "/health/ready").status == 200
