"""`make deploy` and `make rollback` under load: what clients in rooms and visitors of pages notice, which is nothing.

Under the load that it is made for: docs/testing.md.
"""

import asyncio
import json
import os
import re
import signal
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from uuid import uuid4

import pytest

from tests.chat.crowd import Crowd, each
from tests.chat.verdict import quantiles
from tests.stack.clone import Clone
from tests.stack.pages import visited
from tests.stack.waiting import wait_until
from tests.stack.wire import join, receive, request

CLIENTS = int(os.environ.get("DEPLOY_CLIENTS", "240"))
ROOMS = int(os.environ.get("DEPLOY_ROOMS", "12"))
RATE = float(os.environ.get("DEPLOY_RATE", "24"))  # messages a second, of all rooms together
GRACE = 30.0  # for all to catch up at the end
# p99; up to 0.5 s are the client's own jitter. A machine that does nothing else keeps DEPLOY_WITHOUT_SOCKET=1.
WITHOUT_SOCKET = float(os.environ.get("DEPLOY_WITHOUT_SOCKET", "3"))
BESIDE = 240.0  # seconds until there are new containers, on a machine that builds other things too

MIGRATION = """
from django.db import migrations

class Migration(migrations.Migration):
    backward_compatible = True
    dependencies = []
    operations = [migrations.RunPython(migrations.RunPython.noop, migrations.RunPython.noop)]
"""
NEVER_READY = """

async def never() -> None:
    raise RuntimeError("this build is never ready")

DEPENDENCIES["never"] = never
"""


@pytest.fixture(scope="module")
def clone(fresh_clone: Callable[[], Clone]) -> Clone:
    clone = fresh_clone()
    clone.make("up")
    return clone


def ids(clone: Clone, *services: str) -> set[str]:
    return {container["Id"] for service in services for container in clone.containers(service)}


def stylesheet(clone: Clone) -> str:
    (path,) = re.findall(r'href="(/static/MyChannels/page\.[0-9a-f]{12}\.css)"', request(clone, "/").body.decode())
    return str(path)


def nothing_to_do(clone: Clone) -> None:
    """For Compose, which would replace what is not as it should be, and for the doctor."""
    before = ids(clone, "redis", "web", "daphne", "nginx", "migrate")
    clone.compose("up", "--detach", "--wait")
    assert ids(clone, "redis", "web", "daphne", "nginx", "migrate") == before
    report = json.loads(clone.run("deploy/doctor.sh", "--json").stdout)
    assert [finding for finding in report["findings"] if finding["level"] != "ok"] == []


@dataclass
class Noticed:
    """By clients and visitors."""

    faults: list[dict[str, int]] = field(default_factory=list)
    told_gaps: int = 0
    logged: int = 0
    reconnects: int = 0
    without_socket: list[float] = field(default_factory=list)
    posts: int = 0
    failed_requests: list[str] = field(default_factory=list)

    @property
    def nothing_but_moving(self) -> bool:
        return not any(self.faults) and not self.told_gaps and not self.failed_requests


@asynccontextmanager
async def under_load(clone: Clone) -> AsyncIterator[Noticed]:
    """What was noticed is known afterwards."""
    noticed, enough = Noticed(), asyncio.Event()
    names = [f"deploy-{uuid4().hex[:8]}" for _ in range(ROOMS)]
    crowds = [
        Crowd(f"ws://{clone.host}/ws/chat/{name}/", CLIENTS // ROOMS, cap=4.0, host="127.0.0.1") for name in names
    ]
    async with AsyncExitStack() as entered:
        for crowd in crowds:
            await entered.enter_async_context(crowd)
        with visited(clone) as visits:
            talking = asyncio.create_task(each(crowd.talk(2, RATE / ROOMS, 600, enough=enough) for crowd in crowds))
            try:
                yield noticed
            finally:
                enough.set()
                await talking
        await each(crowd.catch_up(GRACE) for crowd in crowds)
    verdicts = [crowd.verdict() for crowd in crowds]
    reconnects = [again for crowd in crowds for member in crowd.members for again in member.record.reconnects]
    noticed.faults = [verdict.faults for verdict in verdicts]
    noticed.told_gaps = sum(verdict.told_gaps for verdict in verdicts)
    noticed.logged = sum(verdict.logged for verdict in verdicts)
    noticed.reconnects = len(reconnects)
    noticed.without_socket = [again.welcome - again.cut for again in reconnects if again.welcome]
    noticed.posts, noticed.failed_requests = visits.posts, visits.failed
    print(
        f"\n{noticed.logged} messages, {noticed.reconnects} reconnects; {visits.answered} requests, {visits.posts} POST"
    )
    late = [again for again in reconnects if not again.welcome or again.welcome - again.cut > 1]
    print(f"late: {len(late)}, in attempts {sorted(again.attempts for again in late)}")
    print(f"without a socket: {quantiles(noticed.without_socket)}\nfaults: {noticed.faults} {visits.failed}")
    for verdict in verdicts:
        print(*verdict.examples, sep="\n", end="")


async def test_a_new_build_arrives_and_goes_again_and_nobody_loses_a_message(clone: Clone):
    """With a migration, a stylesheet, and nginx's configuration; nginx itself goes on."""
    style, snippet = clone.path / "MyChannels/static/MyChannels/page.css", clone.path / "nginx/snippets/request_id.conf"
    migrations = clone.path / "MyChannels/migrations"
    first, nginx, redis = ids(clone, "web", "daphne"), clone.containers("nginx")[0], ids(clone, "redis")
    old_style = stylesheet(clone)

    style.write_text(style.read_text() + "\n.deployed { color: red; }\n")
    snippet.write_text(snippet.read_text() + 'add_header X-Build "second" always;\n')
    migrations.mkdir()
    (migrations / "__init__.py").touch()
    (migrations / "0001_marked.py").write_text(MIGRATION)

    async with under_load(clone) as noticed:
        said = await asyncio.to_thread(clone.make, "deploy")
        second = ids(clone, "web", "daphne")
        new_style = stylesheet(clone)
        answer = request(clone, "/")
        styles = [request(clone, path).status for path in (old_style, new_style)]

        back = await asyncio.to_thread(clone.make, "rollback")
        third = ids(clone, "web", "daphne")

    print(said.stdout, back.stdout)
    assert noticed.nothing_but_moving
    assert noticed.logged > 0
    assert noticed.posts > 0
    assert noticed.reconnects >= 2 * CLIENTS
    assert quantiles(noticed.without_socket).p99 <= WITHOUT_SOCKET

    assert "applied mychannels.0001_marked" in said.stdout
    assert answer.headers["X-Build"] == "second"
    assert new_style != old_style
    assert styles == [200, 200]
    assert len(first) == len(second) == len(third) == 3
    assert not first & second
    assert not second & third
    assert stylesheet(clone) == old_style
    assert "X-Build" not in request(clone, "/").headers
    now = clone.containers("nginx")[0]
    assert (now["Id"], now["State"]["StartedAt"]) == (nginx["Id"], nginx["State"]["StartedAt"])
    assert ids(clone, "redis") == redis
    clone.make("verify")
    nothing_to_do(clone)


async def test_a_build_that_never_gets_ready_changes_nothing_for_anybody(clone: Clone):
    """Not one socket is lost, and nothing reaches the new containers; meanwhile nobody else changes the stack."""
    health = clone.path / "app/health.py"
    good, before = health.read_text(), ids(clone, "web", "daphne", "nginx")
    health.write_text(good + NEVER_READY)
    try:
        async with under_load(clone) as noticed:
            deploying = asyncio.create_task(asyncio.to_thread(clone.make, "deploy", check=False, HEALTHY_SECONDS="25"))
            beside = lambda: len(ids(clone, "daphne")) == 4  # noqa: E731
            try:
                await asyncio.to_thread(wait_until, beside, BESIDE, "new workers beside the old")
                scaled = await asyncio.to_thread(clone.make, "scale", "N=3", check=False)
            finally:
                done = await deploying
    finally:
        health.write_text(good)
    print(done.stdout, done.stderr)
    assert noticed.nothing_but_moving
    assert noticed.reconnects == 0
    assert noticed.posts > 0
    assert done.returncode
    assert "this build is never ready" in done.stderr
    assert "nothing was changed for clients" in done.stderr
    assert scaled.returncode
    assert "make deploy at work" in scaled.stderr
    assert ids(clone, "web", "daphne", "nginx") == before
    nothing_to_do(clone)


def test_broken_off_by_hand_it_takes_back_what_it_began(clone: Clone):
    before = ids(clone, "web", "daphne", "nginx")
    deploying = subprocess.Popen(
        ("make", "deploy"),
        cwd=clone.path,
        env=clone.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    wait_until(lambda: len(ids(clone, "daphne")) == 4, BESIDE, "new workers beside the old", every=0.1)
    os.killpg(deploying.pid, signal.SIGINT)
    said, _ = deploying.communicate(timeout=60)
    assert "nothing was changed for clients" in said
    assert ids(clone, "web", "daphne", "nginx") == before
    nothing_to_do(clone)


def test_rollback_refuses_a_database_that_the_build_before_may_not_understand(clone: Clone):
    before = ids(clone, "web", "daphne")
    recorder = (
        "from django.db.migrations.recorder import MigrationRecorder as R; from django.db import connection as c; "
    )
    clone.make("manage", f'C=shell -c \'{recorder}R(c).record_applied("mychannels", "0002_contracts")\'')
    done = clone.make("rollback", check=False)
    clone.make("manage", f'C=shell -c \'{recorder}R(c).record_unapplied("mychannels", "0002_contracts")\'')
    assert done.returncode
    assert "mychannels.0002_contracts" in done.stderr
    assert ids(clone, "web", "daphne") == before
    nothing_to_do(clone)


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
        wait_until(lambda: _shutting_down(clone), 10, "old ones that accept nothing more")
        await member.send(json.dumps({"message": "still here"}))
        assert await receive(member, "message", "still here")
    visitor.auto_open = 0
    visitor.request("POST", "/admin/login/", headers={"Host": clone.host})
    assert visitor.getresponse().status == 403  # Django's, for want of a token
    assert ids(clone, "nginx") == {nginx}


def _shutting_down(clone: Clone) -> bool:
    listing = "for p in /proc/[0-9]*; do tr '\\0' ' ' < $p/cmdline; echo; done"
    return "shutting down" in clone.compose("exec", "-T", "nginx", "sh", "-c", listing).stdout
