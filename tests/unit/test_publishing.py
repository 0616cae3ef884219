"""What a build gives to nginx by volumes: its configuration, and its static files beside those of earlier builds."""

import shutil
from pathlib import Path

import pytest

from services.migrate import publish as configuration
from services.web import static


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    (folder / "snippets").mkdir(parents=True)
    (folder / "nginx.conf").write_text("first")
    (folder / "snippets/one.conf").write_text("one")
    return folder


@pytest.fixture
def published(tmp_path: Path) -> Path:
    folder = tmp_path / "published"
    folder.mkdir()
    return folder


def test_the_present_configuration_is_whole_and_alone(source: Path, published: Path) -> None:
    configuration.publish(source, published)
    first = (published / "current").readlink()
    (source / "nginx.conf").write_text("second")
    (source / "snippets/one.conf").unlink()
    configuration.publish(source, published)
    second = (published / "current").readlink()
    assert first != second
    assert (published / "current/nginx.conf").read_text() == "second"
    assert not (published / "current/snippets/one.conf").exists()
    assert {path.name for path in published.iterdir()} == {"current", str(second)}


def test_the_same_configuration_has_the_same_name(source: Path, published: Path) -> None:
    configuration.publish(source, published)
    first = (published / "current").readlink()
    configuration.publish(source, published)
    assert (published / "current").readlink() == first
    assert {path.name for path in published.iterdir()} == {"current", str(first)}


def test_static_files_of_earlier_builds_stay_and_names_that_stay_are_renewed(source: Path, published: Path) -> None:
    static.publish(source, published)
    (source / "nginx.conf").write_text("other")
    (source / "snippets/one.conf").rename(source / "snippets/two.conf")
    static.publish(source, published)
    found = {str(path.relative_to(published)): path.read_text() for path in published.rglob("*") if path.is_file()}
    assert found == {"nginx.conf": "other", "snippets/one.conf": "one", "snippets/two.conf": "one"}


def test_a_file_is_left_alone_that_is_there_already(source: Path, published: Path) -> None:
    static.publish(source, published)
    before = (published / "nginx.conf").stat().st_ino
    static.publish(source, published)
    assert (published / "nginx.conf").stat().st_ino == before


def test_containers_that_start_together_publish_the_same_files(
    source: Path, published: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names, copy = iter(["first", "second"]), shutil.copyfile

    def interrupted(file: Path, scratch: Path) -> None:
        copy(file, scratch)
        monkeypatch.setattr(shutil, "copyfile", copy)
        static.publish(source, published)

    monkeypatch.setattr(static, "gethostname", lambda: next(names, "second"))
    monkeypatch.setattr(shutil, "copyfile", interrupted)
    static.publish(source, published)
    assert {path.name for path in published.rglob("*")} == {"nginx.conf", "snippets", "one.conf"}
