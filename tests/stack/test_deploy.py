"""`make deploy` and `make rollback`: what clients in rooms and visitors of pages notice, which is nothing.

Under more load: `make test-chaos S=deploy`.
"""

import asyncio
import json
import os
import re
import signal
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http.client import HTTPConnection
from uuid import uuid4

import pytest

from tests.chat.crowd import Crowd
from tests.stack.clone import REPLICAS, WEBSOCKETS, Clone, docker
from tests.stack.pages import visited
from tests.stack.processes import nginx_is_leaving
from tests.stack.waiting import wait_until
from tests.stack.wire import join, receive, request

CLIENTS, SENDERS, RATE = 40, 4, 8.0  # messages a second, of all senders together
GRACE = 30.0  # for all to catch up at the end
BESIDE = 240.0  # seconds until there are new containers, on a machine that builds other things too

MIGRATION = """
from django.db import migrations

class Migration(migrations.Migration):
    backward_compatible = {marked}
    dependencies = {dependencies}
    operations = [migrations.RunPython(migrations.RunPython.noop, migrations.RunPython.noop)]
"""
NEVER_READY = """

async def never() -> None:
    raise RuntimeError("this build is never ready")

DEPENDENCIES["never"] = never
"""


def ids(clone: Clone, *services: str) -> set[tuple[str, str]]:
    """With their names, which say more where a test fails."""
    return {(container["Name"], container["Id"]) for service in services for container in clone.containers(service)}


def images(clone: Clone) -> dict[str, str]:
    """What the names stand for that Compose would start."""
    names = [f"{clone.project}-{name}" for name in ("web", "nginx", "redis")]
    return {name: docker("image", "inspect", "--format", "{{.Id}}", name) for name in names}


def migration(clone: Clone, name: str, *, marked: bool, after: str = "") -> None:
    dependencies = [("mychannels", after)] if after else []
    text = MIGRATION.format(marked=marked, dependencies=dependencies)
    (clone.path / f"MyChannels/migrations/{name}.py").write_text(text)


def stylesheet(clone: Clone) -> str:
    (path,) = re.findall(r'href="(/static/MyChannels/page\.[0-9a-f]{12}\.css)"', request(clone, "/").body.decode())
    return str(path)


def configurations(clone: Clone) -> set[str]:
    """nginx's: the one that is loaded, and the one that it would start with."""
    ask = "curl --silent http://127.0.0.1:8081/configuration; echo; readlink /srv/nginx/current"
    return set(clone.compose("exec", "-T", "nginx", "sh", "-c", ask).stdout.split())


def nothing_to_do(clone: Clone) -> None:
    """For Compose, which would replace what is not as it should be, and for the doctor."""
    before = ids(clone, "redis", "web", WEBSOCKETS, "nginx", "migrate")
    clone.compose("up", "--detach", "--wait")
    assert ids(clone, "redis", "web", WEBSOCKETS, "nginx", "migrate") == before
    report = json.loads(clone.run("deploy/doctor.sh", "--json").stdout)
    assert [finding for finding in report["findings"] if finding["level"] == "error"] == []


@asynccontextmanager
async def unnoticed(clone: Clone) -> AsyncIterator[Crowd]:
    """Clients talk and visitors read all the while; none of them has lost anything."""
    enough = asyncio.Event()
    crowd = Crowd(f"ws://{clone.host}/ws/chat/deploy-{uuid4().hex[:8]}/", CLIENTS, host="127.0.0.1", cap=4.0)
    async with crowd:
        with visited(clone) as visits:
            talking = asyncio.create_task(crowd.talk(SENDERS, RATE, 600, enough=enough))
            try:
                yield crowd
            finally:
                enough.set()
                await talking
        await crowd.catch_up(GRACE)
    verdict = crowd.verdict()
    print(f"{verdict}\n{visits.answered} requests, {visits.posts} of them POST")
    assert verdict.faults == {}
    assert verdict.told_gaps == 0
    assert verdict.acknowledged > 0
    assert visits.posts > 0
    assert visits.failed == []


def moves(crowd: Crowd) -> int:
    return sum(len(member.record.reconnects) for member in crowd.members)


def deploy_until(clone: Clone, at: str) -> str:
    """All that it says; the terminal is lost when it says so."""
    with subprocess.Popen(
        ("make", "deploy"),
        cwd=clone.path,
        env=clone.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout
        said = ""
        for line in process.stdout:
            said += line
            if at in line:
                os.killpg(process.pid, signal.SIGHUP)
    assert process.returncode
    return said


@pytest.fixture(scope="module")
def clone(fresh_clone: Callable[[], Clone]) -> Clone:
    """One web and one WebSocket worker, which is soon drained."""
    clone = fresh_clone()
    clone.run("deploy/configure.sh")
    clone.set(**{REPLICAS: "1"}, DRAIN_SECONDS="2")
    clone.make("up")
    return clone


@pytest.fixture(scope="module")
def second_build(clone: Clone) -> None:
    """The sources have a stylesheet, nginx's configuration and a migration that the running build has not."""
    style, snippet = clone.path / "MyChannels/static/MyChannels/page.css", clone.path / "nginx/snippets/request_id.conf"
    style.write_text(style.read_text() + "\n.deployed { color: red; }\n")
    snippet.write_text(snippet.read_text() + 'add_header X-Build "second" always;\n')
    (clone.path / "MyChannels/migrations").mkdir()
    (clone.path / "MyChannels/migrations/__init__.py").touch()
    migration(clone, "0001_marked", marked=True)


async def test_a_new_build_arrives_and_goes_again_and_nobody_loses_a_message(clone: Clone, second_build: None):
    """The terminal is lost while both serve side by side, and the build before is taken back from there. nginx goes on
    all the while. To the end without: `make test-chaos S=deploy`."""
    first, nginx, redis = ids(clone, "web", WEBSOCKETS), clone.containers("nginx")[0], ids(clone, "redis")
    first_images, old_style = images(clone), stylesheet(clone)

    async with unnoticed(clone) as crowd:
        said = await asyncio.to_thread(deploy_until, clone, "drains (1 of 1)")
        print(said)
        second_images = images(clone)
        await asyncio.to_thread(wait_until, lambda: stylesheet(clone) != old_style, 10, "pages of the new build")
        answer = request(clone, "/")
        styles = [request(clone, path).status for path in (old_style, stylesheet(clone))]

        back = await asyncio.to_thread(clone.make, "rollback")
        print(back.stdout)
        assert moves(crowd) >= CLIENTS

    assert "applied mychannels.0001_marked" in said
    assert "old and new containers serve side by side" in said
    assert answer.headers["X-Build"] == "second"
    assert styles == [200, 200]
    third = ids(clone, "web", WEBSOCKETS)
    assert len(first) == len(third) == 2
    assert not first & third
    assert first_images == images(clone) != second_images
    previous = docker("image", "inspect", "--format", "{{.Id}}", f"{clone.project}-web:previous")
    assert previous == second_images[f"{clone.project}-web"], "once more, and it is forward again"
    assert stylesheet(clone) == old_style
    assert "X-Build" not in request(clone, "/").headers
    now = clone.containers("nginx")[0]
    assert (now["Id"], now["State"]["StartedAt"]) == (nginx["Id"], nginx["State"]["StartedAt"])
    assert ids(clone, "redis") == redis
    nothing_to_do(clone)


async def test_a_build_that_never_gets_ready_changes_nothing_for_anybody(clone: Clone, second_build: None):
    """Not one socket is lost, nothing reaches the new containers, nginx would start with what it has loaded; meanwhile
    nobody else changes the stack. Its migration stays, which is said, and another rollback is refused for it."""
    health = clone.path / "app/health.py"
    good, before = health.read_text(), ids(clone, "web", WEBSOCKETS, "nginx")
    names, loaded = images(clone), configurations(clone)
    health.write_text(good + NEVER_READY)
    migration(clone, "0002_unmarked", marked=False, after="0001_marked")
    try:
        async with unnoticed(clone) as crowd:
            deploying = asyncio.create_task(asyncio.to_thread(clone.make, "deploy", check=False, HEALTHY_SECONDS="15"))
            beside = lambda: len(ids(clone, WEBSOCKETS)) == 2  # noqa: E731
            try:
                await asyncio.to_thread(wait_until, beside, BESIDE, "new workers beside the old")
                scaled = await asyncio.to_thread(clone.make, "scale", "N=3", check=False)
            finally:
                done = await deploying
            assert moves(crowd) == 0
    finally:
        health.write_text(good)
        (clone.path / "MyChannels/migrations/0002_unmarked.py").unlink()
    print(done.stdout, done.stderr)
    assert done.returncode
    assert "this build is never ready" in done.stderr
    assert "nothing was changed for clients" in done.stderr
    assert "refuses the migrations" in done.stderr
    assert scaled.returncode
    assert "make deploy at work" in scaled.stderr
    assert ids(clone, "web", WEBSOCKETS, "nginx") == before
    assert images(clone) == names
    assert configurations(clone) == loaded
    assert len(loaded) == 1

    refused = clone.make("rollback", check=False)
    assert refused.returncode
    assert "mychannels.0002_unmarked" in refused.stderr
    assert ids(clone, "web", WEBSOCKETS, "nginx") == before
    assert images(clone) == names


async def test_a_reload_drops_no_socket_and_no_kept_connection(clone: Clone):
    (nginx,) = ids(clone, "nginx")
    processes = ("exec", "-T", "nginx", "cat", "/proc/1/task/1/children")
    before = set(clone.compose(*processes).stdout.split())
    visitor = HTTPConnection("127.0.0.1", clone.port)
    visitor.request("GET", "/", headers={"Host": clone.host})
    assert visitor.getresponse().read()
    async with await join(clone, "/ws/chat/reload/") as member:
        clone.compose("exec", "-T", "nginx", "nginx", "-s", "reload")
        wait_until(lambda: set(clone.compose(*processes).stdout.split()) - before, 10, "new processes of nginx")
        wait_until(lambda: nginx_is_leaving(clone), 10, "old ones that accept nothing more")
        await member.send(json.dumps({"message": "still here"}))
        assert await receive(member, "message", "still here")
    visitor.auto_open = 0
    visitor.request("POST", "/admin/login/", headers={"Host": clone.host})
    assert visitor.getresponse().status == 403  # Django's, for want of a token
    assert ids(clone, "nginx") == {nginx}
