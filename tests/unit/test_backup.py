"""The backup's file, and SQLite's part of it. With a running stack: tests/stack/test_backup.py."""

import gzip
import io
import json
import sqlite3
import tarfile
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from deploy.backup import archive, database
from deploy.backup.refusal import Refused

MANIFEST = {"version": "0.1.0", "project": "channels"}


@pytest.fixture
def parts(tmp_path: Path) -> dict[str, bytes]:
    texts = {archive.DATABASE: b"d" * 100_000, archive.ROOMS: b"r\n" * 7}
    for name, text in texts.items():
        (tmp_path / name).write_bytes(text)
    return texts


@pytest.fixture
def written(tmp_path: Path, parts: dict[str, bytes]) -> bytes:
    target = io.BytesIO()
    archive.write(tmp_path, MANIFEST, target)
    return target.getvalue()


def taken(file: bytes, folder: Path) -> dict[str, Any]:
    folder.mkdir(exist_ok=True)
    return archive.read(io.BytesIO(file), folder)


def tar(**members: str | bytes) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz") as file:
        for name, text in members.items():
            text = text.encode() if isinstance(text, str) else text
            member = tarfile.TarInfo({"manifest": archive.MANIFEST, "database": archive.DATABASE}.get(name, name))
            member.size = len(text)
            file.addfile(member, io.BytesIO(text))
    return target.getvalue()


def test_what_is_written_is_read(written: bytes, tmp_path: Path, parts: dict[str, bytes]) -> None:
    manifest = taken(written, tmp_path / "read")
    assert manifest.items() >= MANIFEST.items()
    assert manifest["format"] == archive.FORMAT
    assert {name: (tmp_path / "read" / name).read_bytes() for name in parts} == parts


@pytest.mark.parametrize(
    "file",
    [
        b"",
        b"text",
        gzip.compress(b"text"),
        tar(),
        tar(other="{}"),
        tar(manifest="no json"),
        tar(manifest="[]"),
        tar(manifest="{}"),
        tar(manifest="\x00" * (archive.MANIFEST_SIZE + 1)),
        tar(manifest=json.dumps({"format": 1})),
        tar(manifest=json.dumps({"format": 1, "parts": {archive.DATABASE: {"sha256": "0"}}}), database=b"d"),
    ],
)
def test_another_file_is_refused(tmp_path: Path, file: bytes) -> None:
    with pytest.raises(Refused, match="no backup"):
        taken(file, tmp_path / "read")


def test_a_file_that_was_cut_off_is_refused(written: bytes, tmp_path: Path) -> None:
    for length in range(0, len(written) - 20, 50):
        with pytest.raises(Refused, match="no backup, or a damaged one"):
            taken(written[:length], tmp_path / "read")


def test_a_file_with_another_byte_is_refused(written: bytes, tmp_path: Path) -> None:
    text = gzip.decompress(written)
    place = text.index(b"d" * 1000)
    with pytest.raises(Refused, match=f"{archive.DATABASE} has another checksum"):
        taken(gzip.compress(text[:place] + b"e" + text[place + 1 :]), tmp_path / "read")


def test_a_newer_format_is_refused_with_the_way_on(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"format 3, by version 9\.0") as refused:
        taken(tar(manifest=json.dumps({"format": 3, "version": "9.0"})), tmp_path / "read")
    assert "version that made it" in refused.value.fix


@pytest.mark.parametrize("name", archive.PARTS)
def test_a_file_in_part_is_read_and_an_older_version_refuses_it(
    tmp_path: Path, parts: dict[str, bytes], name: str
) -> None:
    (tmp_path / name).unlink()
    target = io.BytesIO()
    archive.write(tmp_path, MANIFEST, target)
    manifest = taken(target.getvalue(), tmp_path / "read")
    assert manifest["format"] == archive.FORMAT_IN_PART
    assert [path.name for path in (tmp_path / "read").iterdir()] == [*(parts.keys() - {name})]


# ── SQLite ─────────────────────────────────────────────────────────────────────────────────────


def make(path: Path, *values: int) -> sqlite3.Connection:
    """As the settings have it: with a write-ahead log, which is there as long as the connection is."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE numbers (value)")
    connection.executemany("INSERT INTO numbers VALUES (?)", [(value,) for value in values])
    return connection


def values(path: Path) -> list[int]:
    with closing(sqlite3.connect(path)) as connection:
        return [value for (value,) in connection.execute("SELECT value FROM numbers")]


def test_a_copy_is_what_was_committed(tmp_path: Path) -> None:
    with closing(make(tmp_path / "db", 1, 2)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("INSERT INTO numbers VALUES (3)")
        database.copy(tmp_path / "db", tmp_path / "copy")  # does not wait for it
        writer.execute("COMMIT")
    assert values(tmp_path / "copy") == [1, 2]
    assert values(tmp_path / "db") == [1, 2, 3]


def test_a_damaged_database_is_not_copied(tmp_path: Path) -> None:
    (tmp_path / "db").write_bytes(b"no database" * 1000)
    with pytest.raises(Refused, match="cannot read"):
        database.copy(tmp_path / "db", tmp_path / "copy")


def test_an_empty_database_is_not_copied(tmp_path: Path) -> None:
    (tmp_path / "db").touch()
    with pytest.raises(Refused, match="without tables"):
        database.copy(tmp_path / "db", tmp_path / "copy")


def test_a_database_on_a_full_volume_is_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite has no room there for the index of the write-ahead log."""
    make(tmp_path / "db", 1, 2).close()
    copy = database._copy

    def full(uri: str, target: Path) -> None:
        if "mode=rw" in uri:
            raise sqlite3.OperationalError("disk I/O error")
        copy(uri, target)

    monkeypatch.setattr(database, "_copy", full)
    database.copy(tmp_path / "db", tmp_path / "copy")
    assert values(tmp_path / "copy") == [1, 2]
    (tmp_path / "db-wal").write_bytes(b"committed")  # which the file alone does not hold
    with pytest.raises(Refused, match="disk I/O error"):
        database.copy(tmp_path / "db", tmp_path / "again")


def test_without_a_database_there_is_no_copy(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="no database"):
        database.copy(tmp_path / "db", tmp_path / "copy")
    assert list(tmp_path.iterdir()) == []


def test_a_copy_takes_the_place_of_a_database_with_its_log(tmp_path: Path) -> None:
    make(tmp_path / "copy", 1).close()
    killed = make(tmp_path / "open", 2, 3)
    for suffix in ("", "-wal", "-shm"):  # as a killed process leaves them
        (tmp_path / f"db{suffix}").write_bytes((tmp_path / f"open{suffix}").read_bytes())
    killed.close()
    assert (tmp_path / "db-wal").stat().st_size
    database.replace(tmp_path / "db", tmp_path / "copy")
    assert values(tmp_path / "db") == [1]


def test_a_copy_takes_the_place_of_a_damaged_database_and_of_none(tmp_path: Path) -> None:
    for number in (1, 2):
        make(tmp_path / "copy", number).close()
        database.replace(tmp_path / "db", tmp_path / "copy")
        assert values(tmp_path / "db") == [number]
        (tmp_path / "db").write_bytes(b"no database" * 1000)
        (tmp_path / "db-wal").write_bytes(b"?")


def test_a_copy_takes_the_place_of_a_folder(tmp_path: Path) -> None:
    """An engine makes one where it misses a file to mount."""
    make(tmp_path / "copy", 1).close()
    (tmp_path / "db" / "in it").mkdir(parents=True)
    database.replace(tmp_path / "db", tmp_path / "copy")
    assert values(tmp_path / "db") == [1]


@pytest.mark.parametrize(("free", "over", "refused"), [(99, False, True), (99, True, False), (9, True, True)])
def test_a_full_volume_is_refused_before_anything_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, over: bool, refused: bool
) -> None:
    monkeypatch.setattr(database, "WORKING", 10)
    (tmp_path / "db").write_bytes(b"x" * 80)
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=free))
    if refused:
        with pytest.raises(Refused, match="full volume") as found:
            database.room(tmp_path / "db", 90, over=over)
        assert ("KEEP=0" in found.value.fix) == (not over)
    else:
        database.room(tmp_path / "db", 90, over=over)


def test_where_there_is_no_room_for_both_the_present_database_goes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path / "copy", 1).close()
    make(tmp_path / "db", 2).close()
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=0))

    def copyfile(source: Path, target: Path) -> None:
        assert not (tmp_path / "db").exists()
        target.write_bytes(source.read_bytes())

    monkeypatch.setattr("shutil.copyfile", copyfile)
    database.replace(tmp_path / "db", tmp_path / "copy", over=True)
    assert values(tmp_path / "db") == [1]


def test_a_database_that_is_open_is_not_replaced(tmp_path: Path) -> None:
    make(tmp_path / "copy", 1).close()
    with closing(make(tmp_path / "db", 2)), pytest.raises(Refused, match="open"):
        database.replace(tmp_path / "db", tmp_path / "copy")
    assert values(tmp_path / "db") == [2]


def test_migrations_are_those_of_the_copy(tmp_path: Path) -> None:
    with closing(make(tmp_path / "db")) as connection:
        assert database.applied_migrations(tmp_path / "db") == []
        connection.execute("CREATE TABLE django_migrations (id INTEGER PRIMARY KEY, app, name)")
        connection.execute("INSERT INTO django_migrations (app, name) VALUES ('auth', '0001_initial')")
        assert database.applied_migrations(tmp_path / "db") == [("auth", "0001_initial")]
