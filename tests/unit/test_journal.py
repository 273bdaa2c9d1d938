"""The journal of a stopped container: its user may have put anything in its place."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import pytest

from lab.machine.journal import read_journal

BELOW = ("var", "log", "journal")
MACHINE = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "rootfs"


def journal(place: Path, machine: str = MACHINE) -> Path:
    directory = place.joinpath(*BELOW, machine)
    directory.mkdir(parents=True)
    return directory / "system.journal"


def test_without_a_journal_there_is_nothing(place: Path) -> None:
    place.mkdir()
    assert read_journal(place, BELOW, lines=5) == b""
    place.joinpath(*BELOW, "not-a-machine").mkdir(parents=True)
    assert read_journal(place, BELOW, lines=5) == b""


def test_only_a_file_is_read(place: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("SECRET")
    file = journal(place)
    file.symlink_to(secret)
    with pytest.raises(OSError, match=r".") as error:
        read_journal(place, BELOW, lines=5)
    assert "SECRET" not in str(error.value)
    file.unlink()
    os.mkfifo(file)
    with pytest.raises(OSError, match="not a file"):
        read_journal(place, BELOW, lines=5)


def test_a_directory_that_is_a_link_leads_nowhere(place: Path, tmp_path: Path) -> None:
    elsewhere = journal(tmp_path / "elsewhere")
    elsewhere.write_bytes(b"x")
    place.mkdir()
    (place / "var").symlink_to(tmp_path / "elsewhere" / "var")
    with pytest.raises(OSError, match=r"."):
        read_journal(place, BELOW, lines=5)


def test_one_that_is_too_large_is_not_copied(place: Path) -> None:
    file = journal(place)
    with file.open("wb") as made:
        made.truncate(129 << 20)
    with pytest.raises(OSError, match="too large"):
        read_journal(place, BELOW, lines=5)


def test_of_one_that_is_none_nothing_is_shown(place: Path) -> None:
    journal(place).write_bytes(os.urandom(5000))
    with suppress(OSError):  # as versions of journalctl see it
        assert read_journal(place, BELOW, lines=5) == b""
