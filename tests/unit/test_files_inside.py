"""Reading what a user may have made anything of. The container here is this very process."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from lab.errors import TooMuch
from lab.files_inside import Odd, _mounts, read_inside

HERE = frozenset(dict(_mounts(Path("/proc/self/mountinfo"))).values())
"""Whatever the tests' files lie on."""


def read(path: Path, *, most: int = 100, file_systems: frozenset[str] = HERE) -> bytes:
    return read_inside(os.getpid(), str(path), most=most, file_systems=file_systems)


@pytest.fixture(autouse=True)
def _root_or_owner() -> None:
    """/proc/PID/root of one's own process is open to everybody."""
    assert os.access(f"/proc/{os.getpid()}/root", os.R_OK)


def test_a_plain_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "keys").write_bytes(b"ssh-ed25519 AAAA\n")
    assert read(tmp_path / "keys") == b"ssh-ed25519 AAAA\n"
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "none")


def test_a_pipe_is_never_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "keys")
    with pytest.raises(Odd, match="is no plain file"):
        read(tmp_path / "keys")


def test_no_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("of the server")
    (tmp_path / "keys").symlink_to(tmp_path / "secret")
    with pytest.raises(Odd, match="is no plain file"):
        read(tmp_path / "keys")
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "keys").write_text("theirs")
    (tmp_path / "link").symlink_to(tmp_path / "home")
    with pytest.raises(Odd, match="goes through what is no directory"):
        read(tmp_path / "link" / "keys")


def test_directories_and_sockets_are_no_files(tmp_path: Path) -> None:
    with pytest.raises(Odd, match="is no plain file"):
        read(tmp_path)
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(tmp_path / "s"))
        with pytest.raises(Odd, match="is no plain file"):
            read(tmp_path / "s")


def test_what_is_endless_is_not_read_to_its_end(tmp_path: Path) -> None:
    with (tmp_path / "keys").open("wb") as file:
        file.truncate(300 << 30)
    with pytest.raises(TooMuch):
        read(tmp_path / "keys")


def test_a_file_system_that_may_never_answer_is_not_asked(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("theirs")
    with pytest.raises(Odd, match="on a file system that may never answer"):
        read(tmp_path / "keys", file_systems=frozenset({"none of them"}))
