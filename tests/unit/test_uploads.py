"""What a `web` that was killed has left is removed, and nothing else."""

import os
import time
from pathlib import Path

import pytest

from services.web.uploads import LEFT_SECONDS, remove_leftovers


def test_old_temporary_files_are_removed_and_young_ones_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    before = time.time() - LEFT_SECONDS - 60
    for name in ("tmpold.upload.png", "tmpyoung.upload.png", "another"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "tmpfolder").mkdir()
    for name in ("tmpold.upload.png", "another", "tmpfolder"):
        os.utime(tmp_path / name, (before, before))
    remove_leftovers()
    assert {path.name for path in tmp_path.iterdir()} == {"tmpyoung.upload.png", "another", "tmpfolder"}


def test_without_a_folder_of_its_own_nothing_is_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TMPDIR", raising=False)
    remove_leftovers()
