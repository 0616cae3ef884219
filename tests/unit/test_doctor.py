"""`make doctor`: what is made of each fact. What it needs a stack for is in tests/stack/test_doctor.py."""

import json
import os
import sqlite3
import subprocess
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from deploy.doctor import containers, data, facts, finding, live, members, redis
from deploy.doctor.__main__ import explained
from deploy.doctor.facts import Container, Facts
from deploy.doctor.finding import Finding
from deploy.doctor.redis import Report

ROOT = Path(__file__).parents[2]
WORKER = Container(
    id="a" * 64,
    name="channels-daphne-1",
    service="daphne",
    status="running",
    health="healthy",
    exit_code=0,
    oom_killed=False,
    restarts=0,
    started="2026-11-22T12:00:00.123456789Z",
    image="channels-web",
    image_id="sha256:built",
    config_hash="present",
    memory=512 * 2**20,
    addresses={"edge": ["172.18.0.3"], "backend": ["172.19.0.3"]},
)
REDIS = replace(WORKER, name="channels-redis-1", service="redis", image="channels-redis")
SOUND = Report(
    info={
        "used_memory": str(2**20),
        "used_memory_rss": str(10 * 2**20),
        "aof_enabled": "1",
        "aof_last_write_status": "ok",
        "aof_last_bgrewrite_status": "ok",
        "connected_clients": "9",
    },
    config={
        "maxmemory": str(256 * 2**20),
        "maxmemory-policy": "noeviction",
        "client-output-buffer-limit": "normal 0 0 0 slave 268435456 67108864 60 pubsub 67108864 33554432 60",
    },
    groups={},
)


def stack(*found: Container, **more: Any) -> Facts:
    sound = Facts(list(found), replicas=1, images={"channels-web": "sha256:built"}, hashes={"daphne": "present"})
    return replace(sound, **more)


def report(config: dict[str, str] | None = None, **info: Any) -> Report:
    return Report(SOUND.info | {name: str(value) for name, value in info.items()}, SOUND.config | (config or {}), {})


def only(found: list[Finding]) -> Finding:
    """The one finding, which is none without the line that fixes it."""
    assert len(found) == 1
    assert (found[0].level == "ok") == (not found[0].fix) == (not found[0].expected)
    return found[0]


# ── Findings and facts ─────────────────────────────────────────────────────────────────────────


def test_finding_is_one_line_whatever_it_tells() -> None:
    line = finding.error("redis", "a\nb\x1fc\td", "none", "make up").line()
    assert line.split(finding.SEPARATOR) == ["redis", "error", "a b c d", "none", "make up"]


def test_facts_are_read_from_their_sections() -> None:
    inspected = {
        "Id": WORKER.id,
        "Name": f"/{WORKER.name}",
        "State": {"Status": "running", "ExitCode": 0, "OOMKilled": False, "StartedAt": WORKER.started}
        | {"Health": {"Status": "healthy"}},
        "Config": {
            "Image": WORKER.image,
            "Labels": {"com.docker.compose.service": "daphne", "com.docker.compose.config-hash": "present"},
        },
        "Image": WORKER.image_id,
        "RestartCount": 0,
        "HostConfig": {"Memory": WORKER.memory},
        "NetworkSettings": {
            "Networks": {
                "edge": {"IPAddress": "172.18.0.3", "GlobalIPv6Address": ""},
                "backend": {"IPAddress": "172.19.0.3"},
            }
        },
    }
    told = facts.parse(
        f"==== containers\n{json.dumps([inspected], indent=4)}\n"
        "==== sockets\ndaphne 1\n"
        "==== hashes\ndaphne present\n"
        "==== images\nchannels-web sha256:built\nchannels-nginx \n"  # the second is not built
        "==== descriptors channels-daphne-1\n1 22 20000 python\n"
        "==== kills channels-daphne-1\n2\n"
        "==== kills channels-nginx-1\n"
        "==== connections channels-nginx-1\n7680\n"
        "==== redis\nerror: no\n"
    )
    assert told == stack(
        WORKER,
        descriptors={"channels-daphne-1": "1 22 20000 python\n"},
        kills={"channels-daphne-1": 2, "channels-nginx-1": 0},
        connections=7680,
        redis="error: no\n",
    )


def test_empty_facts_are_read() -> None:
    assert facts.parse("==== containers\n==== sockets\n==== hashes\n==== images\n") == Facts()


# ── Containers ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("change", "level", "fix"),
    [
        ({}, "ok", ""),
        ({"health": "starting"}, "warning", "make doctor"),
        ({"health": "unhealthy"}, "error", "make logs S=daphne"),
        ({"status": "paused"}, "error", "docker unpause channels-daphne-1"),
        ({"status": "restarting", "exit_code": 1}, "error", "make logs S=daphne"),
        ({"status": "exited"}, "error", "make up"),
        ({"service": "migrate", "status": "exited"}, "ok", ""),
        ({"service": "migrate", "status": "exited", "exit_code": 1}, "error", "make logs S=migrate"),
    ],
)
def test_state_of_a_container(change: dict[str, Any], level: str, fix: str) -> None:
    found = only(containers.states(stack(replace(WORKER, **change))))
    assert found.level == level
    assert fix in found.fix


def test_restarts() -> None:
    assert only(containers.restarts(stack(WORKER))).level == "ok"
    assert "3 times" in only(containers.restarts(stack(replace(WORKER, restarts=3)))).found


@pytest.mark.parametrize(
    "killed", [stack(replace(WORKER, oom_killed=True, restarts=3)), stack(WORKER, kills={WORKER.name: 1})]
)
def test_processes_killed_for_lack_of_memory(killed: Facts) -> None:
    found = only(containers.restarts(killed))
    assert found.level == "error"
    assert found.fix.startswith("DAPHNE_MEMORY=1024m")


def test_number_of_workers() -> None:
    assert only(containers.numbers(stack(WORKER))).level == "ok"
    assert "make scale N=2" in only(containers.numbers(stack(WORKER, WORKER))).fix
    # Its state says what is wrong with the second, and `make scale N=1` would not fix it.
    assert only(containers.numbers(stack(WORKER, replace(WORKER, status="paused"), replicas=2))).level == "ok"


def test_service_without_a_container() -> None:
    hashes = {"daphne": "present", "web": "present", "migrate": "present"}
    assert "no container of web" in only(containers.numbers(stack(WORKER, hashes=hashes))).found


@pytest.mark.parametrize(
    ("told", "level"),
    [
        ({}, "ok"),
        ({"hashes": {}}, "ok"),  # a .env that Compose refuses: said elsewhere
        ({"hashes": {"daphne": "changed"}}, "warning"),
        ({"images": {"channels-web": "sha256:newer"}}, "warning"),
        ({"images": {}}, "warning"),
    ],
)
def test_drift(told: dict[str, Any], level: str) -> None:
    assert only(containers.drift(stack(WORKER, **told))).level == level


@pytest.mark.parametrize(("used", "level"), [(22, "ok"), (700, "ok"), (701, "warning")])
def test_file_descriptors(used: int, level: str) -> None:
    lines = f"1 {used} 1000 python -m x\n7 5 unlimited sh\n"
    assert only(containers.descriptors(stack(descriptors={WORKER.name: lines}))).level == level


@pytest.mark.parametrize(("limit", "level"), [(1024, "warning"), (3839, "warning"), (3840, "ok"), (1048576, "ok")])
def test_workers_may_open_as_many_files_as_nginx_lets_sockets_in(limit: int, level: str) -> None:
    second = replace(WORKER, name="channels-daphne-2")
    told = {
        WORKER.name: f"1 9 {limit} python\n7 5 unlimited sh\n",
        second.name: f"1 9 {limit} python\n9 5 20 sh\n",
    }
    found = containers.descriptors(stack(WORKER, second, descriptors=told, connections=7680))
    assert only(found).level == level


# ── Redis ──────────────────────────────────────────────────────────────────────────────────────


def test_report_is_read() -> None:
    text = (
        "# Memory\r\nused_memory:1048576\r\n\r\n# Keyspace\r\ndb0:keys=1,expires=0\r\n"
        '{"maxmemory":"0"}\n'
        "asgi:group:a\nasgi:group:b\n"
        '[["specific.p!1",1.5]]\n[["specific.p!2",1.7953502e+9]]\n'
    )
    read = redis.parse(text)
    assert read is not None
    assert read.number("used_memory") == 2**20
    assert read.config == {"maxmemory": "0"}
    assert read.groups == {"asgi:group:a": [("specific.p!1", 1.5)], "asgi:group:b": [("specific.p!2", 1795350200.0)]}


@pytest.mark.parametrize("text", ["", "Could not connect to Redis at 127.0.0.1:6379: Connection refused"])
def test_redis_that_does_not_answer(text: str) -> None:
    assert only(redis.judge(stack(REDIS, redis=text))).level == "error"
    assert redis.judge(stack(replace(REDIS, status="exited"), redis=text)) == []  # its state is named


def test_sound_redis() -> None:
    text = "\n".join(f"{name}:{value}" for name, value in SOUND.info.items()) + "\n" + json.dumps(SOUND.config)
    assert {found.level for found in redis.judge(stack(REDIS, redis=text))} == {"ok"}


def test_policy() -> None:
    assert only(redis.policy(report({"maxmemory-policy": "allkeys-lru"}))).level == "error"
    assert only(redis.policy(report(evicted_keys=2))).level == "error"


@pytest.mark.parametrize(
    ("used", "container", "level"),
    [(204, 512, "ok"), (205, 512, "warning"), (256, 512, "error"), (1, 0, "ok"), (1, 320, "ok"), (1, 319, "warning")],
)
def test_memory(used: int, container: int, level: str) -> None:
    assert only(redis.memory(report(used_memory=used * 2**20), container * 2**20)).level == level


def test_memory_without_a_limit_or_about_to_be_killed() -> None:
    assert only(redis.memory(report({"maxmemory": "0"}), 0)).level == "error"
    assert only(redis.memory(report(used_memory_rss=500 * 2**20), 512 * 2**20)).level == "warning"


@pytest.mark.parametrize(
    "info", [{"aof_enabled": 0}, {"aof_last_write_status": "err"}, {"aof_last_bgrewrite_status": "err"}]
)
def test_append_only_file(info: dict[str, Any]) -> None:
    assert only(redis.persistence(report(None, **info))).level == "error"


@pytest.mark.parametrize(
    ("limit", "level"),
    [("33554432 8388608 60", "warning"), ("67108864 33554432 60", "ok"), ("0 0 0", "ok")],
)
def test_output_buffers_of_subscribers(limit: str, level: str) -> None:
    assert only(redis.clients(report({"client-output-buffer-limit": f"normal 0 0 0 pubsub {limit}"}))).level == level


@pytest.mark.parametrize("counter", ["client_output_buffer_limit_disconnections", "rejected_connections"])
def test_clients_cut_off_or_refused(counter: str) -> None:
    assert only(redis.clients(report(None, **{counter: 1}))).level == "warning"


@pytest.mark.parametrize("what", ["auth", "cmd", "key", "channel"])
def test_refusals_by_the_users_rights(what: str) -> None:
    assert only(redis.refusals(report(None, **{f"acl_access_denied_{what}": 1}))).level == "warning"


# ── The data ───────────────────────────────────────────────────────────────────────────────────

BACKUPS = ("backups/newest.tar.gz", "backups/older-before-upgrade.tar.gz")
DATA = Facts(project="channels", volumes=("data", "redis"), backups=BACKUPS)
NEWEST = "make restore F=backups/newest.tar.gz KEEP=0"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "db.sqlite3"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE django_migrations (app, name)")
        connection.execute("INSERT INTO django_migrations VALUES ('auth', '0001_initial')")
        connection.execute("CREATE TABLE texts (text)")
        connection.executemany("INSERT INTO texts VALUES (?)", [("text" * 1000,)] * 100)
    return path


def test_sound_database(path: Path) -> None:
    assert only(data.database(DATA, path)).level == "ok"


def test_database_without_a_file_or_its_volume(path: Path) -> None:
    assert only(data.database(replace(DATA, volumes=("redis",)), path)).fix == NEWEST
    path.unlink()
    assert only(data.database(DATA, path)).fix == NEWEST
    assert only(data.database(replace(DATA, backups=()), path)).level == "warning", "perhaps it was never migrated"


@pytest.mark.parametrize("content", [b"", b"no database" * 1000], ids=["empty", "another file"])
def test_database_that_is_none(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    found = only(data.database(DATA, path))
    assert (found.level, found.fix) == ("error", NEWEST)
    assert path.name in found.found


def test_damaged_page_of_a_database(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(3 * 4096)
        file.write(b"\xff" * 4096)
    assert only(data.database(DATA, path)).fix == NEWEST


def test_database_that_its_user_may_not_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda file, mode: file != path)  # root may read every file
    assert "chown -R 10001:10001" in only(data.database(DATA, path)).fix


def test_database_of_a_newer_version(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("INSERT INTO django_migrations VALUES ('auth', '9999_of_a_later_version')")
    found = only(data.database(DATA, path))
    assert "auth.9999_of_a_later_version" in found.found
    assert "make restore F=backups/older-before-upgrade.tar.gz" in found.fix


@pytest.mark.parametrize(("free", "size", "full"), [(0, 2**20, True), (2**19, 2**20, False), (2**24 - 1, 2**40, True)])
def test_full_volume(free: int, size: int, full: bool) -> None:
    assert bool(data.room("data", free, size)) == full


@pytest.mark.parametrize(
    ("said", "fix"),
    [
        ("", None),
        ("/dev/vda 100000000 50000000 50000000 50% /data\n", None),
        ("/dev/vda 100000000 50000000 50000000 50% /data\nsound\n", None),
        ("/dev/vda 100000000 50000000 50000000 50% /data\ndamaged Expected prefix\n", NEWEST),
        ("/dev/vda 100000000 50000000 50000000 50% /data\nunreadable /data/appendonlydir\n", "chown -R 999:999"),
        ("/dev/vda 1024 1024 0 100% /data\nsound\n", "room"),
    ],
)
def test_files_of_redis(said: str, fix: str | None) -> None:
    found = data.redis(replace(DATA, redis_files=said))
    assert [fix in finding.fix for finding in found if fix] == ([True] if fix else [])
    assert len(found) == bool(fix)


def test_volume_of_redis_that_is_missing() -> None:
    assert only(data.redis(replace(DATA, volumes=("data",)))).fix.startswith(NEWEST)


def test_what_follows_from_the_data_sends_to_the_line_that_mends_them() -> None:
    cause = finding.error("redis file", "damaged", "sound", NEWEST)
    stopped, paused = (replace(WORKER, status=status) for status in ("exited", "paused"))
    after = explained(containers.states(stack(stopped)), [cause])
    assert only(after).fix == f"as for redis file: {NEWEST}"
    assert "unpause" in only(explained(containers.states(stack(paused)), [cause])).fix
    assert explained(containers.states(stack(stopped)), []) == containers.states(stack(stopped))


# ── Leaked members ─────────────────────────────────────────────────────────────────────────────

GROUPS = {
    "asgi:group:a": [("specific.dead!1", 100.0), ("specific.alive!1", 300.0)],
    "asgi:group:b": [("specific.dead!2", 200.0), ("somebody", 50.0)],
}


def test_members_are_counted_by_process() -> None:
    found = members.processes(GROUPS)
    assert found == {"specific.dead!": members.Process(2, 100.0), "specific.alive!": members.Process(1, 300.0)}


def test_leaked_members() -> None:
    found = members.processes(GROUPS)
    assert only(members.judge(found, set(), "uvicorn", 86400, 400.0)).level == "ok"
    leaked = only(members.judge(found, {"specific.dead!"}, "uvicorn", 86400, 400.0))
    assert leaked.level == "warning"
    assert leaked.found.startswith("2 members")
    assert "5 minutes" in leaked.found
    assert "restart uvicorn" in leaked.fix


class FakeRedis:
    """Sorted sets, of which one has a reader."""

    def __init__(self, read: str) -> None:
        self.read, self.sets = read, dict[str, set[bytes]]()

    async def zadd(self, key: str, entries: dict[bytes, float]) -> None:
        if key != self.read:
            self.sets.setdefault(key, set()).update(entries)

    async def expire(self, key: str, seconds: int) -> None:
        assert seconds == 60

    async def zrem(self, key: str, entry: bytes) -> int:
        was = entry in self.sets.get(key, set())
        self.sets.get(key, set()).discard(entry)
        return int(was)


class FakeLayer:
    prefix, expiry = "asgi", 60

    def serialize(self, message: dict[str, Any]) -> bytes:
        assert message["__asgi_channel__"] == []  # a reader puts it into no socket's queue
        return b"probe"


async def test_queue_that_nobody_reads_is_found_and_left_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(members, "GRACE", 0)
    client: Any = FakeRedis(read="asgispecific.alive!")
    dead = await members.unread(client, FakeLayer(), ["specific.alive!", "specific.dead!"])
    assert dead == {"specific.dead!"}
    assert client.sets == {"asgispecific.dead!": set()}


# ── The engine's names ─────────────────────────────────────────────────────────────────────────


def test_names_that_lead_to_all_running_containers() -> None:
    assert only(live.compare("daphne", stack(WORKER), {"172.18.0.3"})).level == "ok"


def test_name_that_leads_to_nobody() -> None:
    found = only(live.compare("daphne", stack(WORKER), {"172.18.0.3", "172.18.0.9"}))
    assert "172.18.0.9" in found.found


@pytest.mark.parametrize("status", ["running", "paused"])
def test_container_that_no_name_leads_to(status: str) -> None:
    missed = replace(WORKER, name="channels-daphne-2", status=status, addresses={"backend": ["172.19.0.4"]})
    assert "channels-daphne-2" in only(live.compare("daphne", stack(WORKER, missed), {"172.18.0.3"})).found


def test_stopped_container_needs_no_name() -> None:
    stopped = replace(WORKER, name="channels-daphne-2", status="exited", addresses={"edge": []})
    assert only(live.compare("daphne", stack(WORKER, stopped), {"172.18.0.3"})).level == "ok"


def test_worker_that_restarts_may_have_come_up_meanwhile() -> None:
    restarting = replace(WORKER, name="channels-daphne-2", status="restarting", addresses={"edge": []})
    assert only(live.compare("daphne", stack(WORKER, restarting), {"172.18.0.3", "172.18.0.4"})).level == "ok"


# ── Readiness ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("statuses", "level"), [([200], "ok"), ([503, 503, 503, 200], "ok"), ([503] * 4, "error"), ([404] * 4, "error")]
)
def test_readiness(monkeypatch: pytest.MonkeyPatch, statuses: list[int], level: str) -> None:
    answers = iter(statuses)
    monkeypatch.setattr(live, "_status", lambda address: next(answers))
    monkeypatch.setattr(live, "PAUSE", 0)
    assert only(live.readiness(stack(WORKER))).level == level
    assert not list(answers)


def test_worker_that_cannot_be_reached_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(address: str) -> int:
        raise ConnectionRefusedError("refused")

    monkeypatch.setattr(live, "_status", refused)
    found = live.readiness(stack(WORKER, replace(WORKER, name="channels-daphne-2", addresses={})))
    assert [one.found for one in found] == ["channels-daphne-1: refused", "channels-daphne-2: no network in common"]


# ── The handshake ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("status", "level"),
    [(101, "ok"), (404, "warning"), (421, "error"), (500, "error"), (502, "error"), ("no answer within 5 s", "error")],
)
async def test_handshake(monkeypatch: pytest.MonkeyPatch, status: int | str, level: str) -> None:
    async def answer(origin: str | None) -> int | str:
        return status

    monkeypatch.setattr(live, "answer", answer)
    assert only(await live.handshake("daphne")).level == level


@pytest.mark.parametrize(("status", "own", "foreign"), [(101, "ok", "error"), (403, "error", "ok")])
async def test_origins(monkeypatch: pytest.MonkeyPatch, status: int, own: str, foreign: str) -> None:
    async def answer(origin: str | None, host: str | None = None) -> int | str:
        return status

    monkeypatch.setattr(live, "answer", answer)
    assert only(await live.own_origin()).level == own
    assert only(await live.foreign_origin()).level == foreign


@pytest.mark.parametrize(("changed", "level"), [(101, "ok"), (403, "error"), (421, "ok")])
@pytest.mark.parametrize("host", ["chat.example", "localhost"])
async def test_own_origin_is_tried_with_the_hosts_that_proxies_make_of_it(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, host: str, changed: int, level: str
) -> None:
    async def answer(origin: str | None, sent: str | None = None) -> int | str:
        assert origin == "https://chat.example:8443"
        return changed if sent == host else 101

    settings.PUBLIC_URL = "https://chat.example:8443"
    monkeypatch.setattr(live, "answer", answer)
    finding = only(await live.own_origin())
    assert finding.level == level
    assert host in finding.found or changed == 421


def test_hosts_of_proxies_are_distinct(settings: Settings) -> None:
    settings.PUBLIC_URL = "http://[::1]:8080"
    assert live.hosts() == ["[::1]:8080", "[::1]", "localhost"]
    settings.PUBLIC_URL = "https://chat.example"
    assert live.hosts() == ["chat.example", "localhost"]


ADDRESSES = r"""
finding() { printf '%s|' "$@"; }
bash() { case $3 in BIND_ADDRESS) echo "$BIND_ADDRESS" ;; ADMIN_NETWORKS) echo "$ADMIN_NETWORKS" ;; esac; }
docker() { case $1 in ps) echo nginx ;; info) echo "$ENGINE" ;; inspect) echo "$IPV6" ;; esac; }
eval "$(sed -n '/^check_addresses() {/,/^}/p' deploy/doctor.sh)"
project=channels
check_addresses
"""


@pytest.mark.parametrize(
    ("address", "engine", "networks", "level", "fix"),
    [
        ("127.0.0.1", "Docker Desktop", "", "ok", ""),
        ("192.0.2.1", "Debian", "", "ok", ""),
        ("192.0.2.1", "Docker Desktop", "", "warning", "to open /admin/ to all of them, add gateway"),
        ("[::]", "Debian", "", "warning", "give the network edge IPv6"),
        ("[::]", "Debian", "10.0.0.0/8, gateway", "warning", "remove gateway"),
    ],
)
def test_the_line_fits_what_hides_the_addresses_of_clients(
    address: str, engine: str, networks: str, level: str, fix: str
) -> None:
    """IPv6 on the network helps only where its lack hides them."""
    given = {
        "BIND_ADDRESS": address,
        "ENGINE": engine,
        "ADMIN_NETWORKS": networks,
        "IPV6": "",
        "PATH": os.environ["PATH"],
    }
    said = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", ADDRESSES], cwd=ROOT, env=given, capture_output=True, text=True
    )
    words = said.stdout.split("|")
    assert words[:2] == ["addresses", level], said.stderr
    assert words[4].startswith(fix) if fix else words[3:] == [""]


@pytest.mark.parametrize(("length", "level"), [(10_000, "ok"), (20_000, "warning")])
def test_a_room_of_longest_texts_is_compared_with_the_memory(settings: Settings, length: int, level: str) -> None:
    settings.ROOM_LOG_LENGTH = length
    [found] = redis.room_log(SOUND)
    assert found.level == level


PREFLIGHT = r"""
docker() { echo "
services:
  daphne:
    deploy:
      replicas: $NUMBER
    mem_limit: \"$LIMIT\"
  migrate:
    mem_limit: \"9999999999\""; }
problem() { echo "problem: $1"; problems=1; }
eval "$(sed -n '/^check_limits() {/,/^}/p; /^memory_limits() {/,/^}/p' deploy/preflight.sh)"
problems=0 root=.
check_limits 1000000000 2>&1
"""


@pytest.mark.parametrize(
    ("number", "limit", "said"),
    [
        (1, 900_000_000, ""),
        (2, 900_000_000, "preflight: warning:"),
        (1, 2_000_000_000, "problem:"),
        (0, 900_000_000, ""),
    ],
)
def test_limits_are_compared_with_the_memory_of_the_machine(number: int, limit: int, said: str) -> None:
    """One container may not have more than there is; all of them together may, since a limit reserves nothing."""
    given = {"NUMBER": str(number), "LIMIT": str(limit), "PATH": os.environ["PATH"]}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", PREFLIGHT], cwd=ROOT, env=given, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(said) if said else done.stdout == ""
