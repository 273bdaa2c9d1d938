"""Directories that outlive their makers, and those that do not."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from lab.tempdir import remove_dead_directories, temp_directory


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def test_a_directory_lives_as_long_as_its_step(place: Path) -> None:
    with temp_directory() as directory:
        assert directory.parent == place
        remove_dead_directories()
        assert directory.is_dir()
    assert list(place.iterdir()) == []


def test_what_the_dead_left_is_removed_and_nothing_else(place: Path) -> None:
    dead = subprocess.Popen(["true"])
    dead.wait()
    left = place / f"labstamp-{dead.pid}-1-abcd"
    (left / "rootfs").mkdir(parents=True)
    other = place / "labstamp-notes"
    other.mkdir()
    remove_dead_directories()
    assert not left.exists()
    assert other.exists()
