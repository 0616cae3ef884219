"""`make backup` and `make restore`, as a pair: what was saved is back, and nobody takes it for what it is not."""

import gzip
import json
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from deploy.backup import archive
from tests.chat.client import ChatClient
from tests.chat.record import Welcome
from tests.stack.clone import SERVICES, WEBSOCKETS, Clone, docker
from tests.stack.test_doctor import findings
from tests.stack.wire import request

NEWER = "from django.db.migrations.recorder import MigrationRecorder as R; from django.db import connection as c; "
USERS = "from django.contrib.auth.models import User; "


def chat(clone: Clone, room: str, client: str | None = None, name: str | None = None) -> ChatClient:
    return ChatClient(f"ws://{clone.host}/ws/chat/{room}/", client=client, name=name, host="127.0.0.1")


def recovered(client: ChatClient) -> bool | None:
    """As its newest welcome says."""
    return [entry for entry in client.record.entries if isinstance(entry, Welcome)][-1].recovered


async def history(clone: Clone, room: str) -> list[str]:
    async with chat(clone, room) as reader:
        return [message["text"] for message in (await reader.history())["messages"]]


def shell(clone: Clone, code: str) -> str:
    return clone.compose("exec", "-T", "web", "python", "manage.py", "shell", "--no-imports", "-c", code).stdout.strip()


def users(clone: Clone) -> set[str]:
    return set(shell(clone, USERS + "print(*User.objects.values_list('username', flat=True))").split())


def add_user(clone: Clone) -> str:
    name = f"user-{uuid4().hex[:8]}"
    shell(clone, USERS + f"User.objects.create_user('{name}')")
    return name


def backup(clone: Clone) -> Path:
    """The file that `make backup` says it has written."""
    before = backups(clone)
    done = clone.make("backup")
    (file,) = backups(clone) - before
    assert f"backup: wrote {file.relative_to(clone.path)}" in done.stdout
    assert file.stat().st_mode & 0o777 == 0o600
    return file


def backups(clone: Clone) -> set[Path]:
    return set((clone.path / "backups").glob("*"))


async def test_all_is_back_and_every_room_begins_an_epoch(neighbour: Clone):
    """On a running stack, one worker of which is paused, from a backup of an older schema, which is migrated again;
    then, after a wipe, from the backup that the first restore made of what it replaced."""
    room, client = f"backup-{uuid4().hex[:8]}", uuid4().hex
    async with chat(neighbour, room, client) as member:
        await member.send("before", ref="first")
        epoch, name = member.epoch, member.name
        neighbour.make("manage", "C=migrate sessions zero")
        older = backup(neighbour)  # while somebody is in the room
        neighbour.make("manage", "C=migrate")
        user = add_user(neighbour)
        await member.send("after")
        present = backups(neighbour)
        docker("pause", neighbour.containers(WEBSOCKETS)[0]["Id"])  # it would go on in the old epoch
        neighbour.make("restore", f"F={older}", YES="1")
        await member.wait_for(lambda client: client.connected and client.epoch != epoch, 30)
        assert member.offset == 1
        assert recovered(member) is False
    assert await history(neighbour, room) == ["before"]
    assert user not in users(neighbour)
    assert "[X] 0001_initial" in neighbour.make("manage", "C=showmigrations sessions").stdout

    (kept,) = backups(neighbour) - present
    assert "before-restore" in kept.name
    neighbour.make("purge", "YES=1")
    assert "volumes" not in neighbour.leftovers()
    neighbour.make("restore", f"F={kept.relative_to(neighbour.path)}")  # replaces nothing, so it does not ask
    assert await history(neighbour, room) == ["before", "after"]
    assert user in users(neighbour)
    again = chat(neighbour, room, client, name)
    again.epoch, again.offset = epoch, 2  # as it was before any of this
    async with again:
        assert recovered(again) is False
        assert again.epoch not in (epoch, member.epoch)
        assert await again.send("before", ref="first") == 1, "a ref is known as long as its message is"
        assert await again.send("later") == 3


@pytest.fixture(scope="module")
def sound(neighbour: Clone) -> Path:
    return backup(neighbour)


def damaged(file: bytes) -> bytes:
    middle = len(file) // 2
    return file[:middle] + bytes([file[middle] ^ 1]) + file[middle + 1 :]


def unchanged(clone: Clone) -> dict[str, str]:
    """Equal as long as no container was replaced or started again; one-shot ones aside."""
    return {c["Id"]: c["State"]["StartedAt"] for service in SERVICES for c in clone.containers(service)}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda file: b"another file", "no backup"),
        (lambda file: gzip.compress(b"another file"), "no backup"),
        (damaged, "damaged"),
    ],
    ids=["another", "another compressed", "damaged"],
)
def test_what_is_no_backup_replaces_nothing(neighbour: Clone, sound: Path, tmp_path: Path, change, said: str):
    """A newer format: tests/unit/test_backup.py."""
    (tmp_path / "file").write_bytes(change(sound.read_bytes()))
    before = unchanged(neighbour)
    done = neighbour.make("restore", f"F={tmp_path / 'file'}", check=False, YES="1")
    assert done.returncode
    assert said in done.stderr
    assert unchanged(neighbour) == before
    assert request(neighbour, "/").status == 200


async def test_an_interrupted_restore_says_how_to_get_the_data_back(neighbour: Clone, sound: Path, tmp_path: Path):
    """Here, because a part is not what it should be although its checksum is right."""
    room = f"backup-{uuid4().hex[:8]}"
    async with chat(neighbour, room) as member:
        await member.send("before")
    user = add_user(neighbour)
    with tarfile.open(sound) as file:
        file.extractall(tmp_path, filter="data")
    (tmp_path / archive.ROOMS).write_text('{"room": "half", "offset": 1}\n{"neither": "message nor ref"}\n')
    with (tmp_path / "bad").open("wb") as bad:
        archive.write(tmp_path, json.loads((tmp_path / archive.MANIFEST).read_text()), bad)

    done = neighbour.make("restore", f"F={tmp_path / 'bad'}", check=False, YES="1")
    assert done.returncode
    assert "not finished" in done.stderr
    assert "nothing was replaced" not in done.stderr
    (command,) = re.findall(r"get back the data of before with\nrestore: +(make .+)", done.stderr)
    neighbour.run(*command.split(), YES="1")
    assert await history(neighbour, room) == ["before"]
    assert user in users(neighbour)


def test_where_the_present_data_cannot_be_kept_nothing_is_replaced(neighbour: Clone, sound: Path, tmp_path: Path):
    copy = tmp_path / "copy"
    copy.write_bytes(sound.read_bytes())
    folder = neighbour.path / "backups"
    folder.rename(neighbour.path / "aside")
    folder.touch()
    try:
        done = neighbour.make("restore", f"F={copy}", check=False, YES="1")
    finally:
        folder.unlink()
        (neighbour.path / "aside").rename(folder)
    assert done.returncode
    assert "KEEP=0" in done.stderr
    assert "nothing was replaced" in done.stderr
    assert request(neighbour, "/health/ready").status == 200, "the stack serves as before"


def test_without_an_answer_nothing_is_replaced(neighbour: Clone, sound: Path):
    for arguments, said in (([], "make restore F="), ([f"F={sound}.gone"], "no file"), ([f"F={sound}"], "YES=1")):
        done = neighbour.make("restore", *arguments, check=False)
        assert done.returncode
        assert said in done.stderr
    assert request(neighbour, "/").status == 200


def in_volume(clone: Clone, name: str, script: str) -> None:
    docker(
        "run", "--rm", "--user=0", f"--volume={clone.project}_{name}:/volume", "--workdir=/volume",
        "--entrypoint=sh", f"{clone.project}-web", "-euc", script,
    )  # fmt: skip


@pytest.fixture
def put_right(neighbour: Clone, sound: Path) -> Iterator[None]:
    """A test that fails halfway leaves no damaged data to those that follow."""
    yield
    if neighbour.make("doctor", check=False).returncode:
        neighbour.make("restore", f"F={sound}", YES="1", KEEP="0")


@pytest.mark.usefixtures("put_right")
def test_the_way_back_asks_nothing_of_the_data_that_it_replaces(neighbour: Clone):
    """The doctor names what cannot be read, and its line ends with a running stack."""
    kept, newest = users(neighbour), backup(neighbour)
    add_user(neighbour)
    neighbour.compose("stop", "redis")
    in_volume(neighbour, "redis", "for file in appendonlydir/*.incr.aof; do head -c 512 /dev/zero >> $file; done")
    in_volume(neighbour, "data", "head -c 8192 /dev/urandom | dd of=db.sqlite3 conv=notrunc; rm -f db.sqlite3-*")
    neighbour.make("down")  # the doctor needs no stack that runs
    _, found = findings(neighbour)
    line = f"make restore F=backups/{newest.name} KEEP=0"
    assert "append-only file" in found["redis file"][0]["found"]
    assert found["redis file"][0]["fix"].startswith(line)
    assert "db.sqlite3 is damaged" in found["database file"][0]["found"]
    assert found["database file"][0]["fix"] == line

    done = neighbour.run(*line.split(), YES="1")
    assert "could not be kept" in done.stderr
    assert "stopping" not in done.stdout, "nothing ran"
    assert request(neighbour, "/health/ready").status == 200
    assert users(neighbour) == kept
    assert findings(neighbour)[0] == 0


@pytest.mark.usefixtures("put_right")
def test_the_way_back_from_a_newer_version_is_its_backup(neighbour: Clone, sound: Path):
    """Also where Redis cannot be read any more; then what is sound is kept."""
    shell(neighbour, NEWER + "R(c).record_applied('auth', '9999_of_a_later_version')")
    neighbour.compose("stop", "redis")
    in_volume(
        neighbour,
        "redis",
        "rm -r appendonlydir; mkdir appendonlydir; echo no manifest > appendonlydir/appendonly.aof.manifest",
    )
    _, found = findings(neighbour)
    assert "auth.9999_of_a_later_version" in found["database file"][0]["found"]
    assert "make restore F=" in found["database file"][0]["fix"]
    before = backups(neighbour)
    done = neighbour.make("restore", f"F={sound}", YES="1", KEEP="0")
    (kept,) = backups(neighbour) - before
    assert kept.name.endswith(".in-part.tar.gz")
    assert f"What was sound of the data of before is in backups/{kept.name}" in done.stdout
    with tarfile.open(kept) as file:
        assert file.getnames() == [archive.MANIFEST, archive.DATABASE]
    assert request(neighbour, "/health/ready").status == 200
    assert "9999" not in neighbour.make("manage", "C=showmigrations auth").stdout


def test_a_database_of_a_newer_version_is_not_served(neighbour: Clone):
    """Neither by `make up` nor from a backup; and nothing is replaced."""
    shell(neighbour, NEWER + "R(c).record_applied('auth', '9999_of_a_later_version')")
    newer = backup(neighbour)
    before = unchanged(neighbour)
    up = neighbour.make("up", check=False)
    shell(neighbour, NEWER + "R(c).record_unapplied('auth', '9999_of_a_later_version')")
    restore = neighbour.make("restore", f"F={newer}", check=False, YES="1")
    for done in (up, restore):
        assert done.returncode
        assert "auth.9999_of_a_later_version" in done.stderr
        assert "nothing was replaced" in done.stderr
    assert unchanged(neighbour) == before
    assert request(neighbour, "/").status == 200
