"""Trees as tar streams: whatever a user may put there comes back, and nothing in it is opened."""

from __future__ import annotations

import io
import os
import socket
import tarfile
from pathlib import Path

import pytest

from lab.errors import LxdError
from lab.machine.tree_list import list_stream, name_in
from lab.machine.trees import packing, unpack
from lab.machine.zstd_file import ZstdFile, sha256_of, unpacked


def lines_of(tree: Path) -> list[bytes]:
    found: list[bytes] = []
    with packing(tree, None) as stream:
        list_stream(stream, found.append)
    return found


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    """A tree of all kinds of files but devices, with names that are hard to tell."""
    top = tmp_path / "odd"
    top.mkdir()
    (top / "years").write_bytes(b"of work" * 1000)
    (top / "same").hardlink_to(top / "years")
    (top / "away").symlink_to("/etc/shadow")
    (top / "up").symlink_to("../../..")
    os.mkfifo(top / "pipe")
    (top / "-rf").mkdir(mode=0o1700)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(top / "s"))
    for name in (b"bad\xff", b"line\nend", b"tab\t=", "论文".encode(), b"." * 200):
        (top / os.fsdecode(name)).write_bytes(name)
    with (top / "holes").open("wb") as file:
        file.truncate(300 << 30)
        file.seek(100 << 30)
        file.write(b"middle")
    return top


def test_all_of_it_comes_back(odd: Path, tmp_path: Path) -> None:
    before = lines_of(odd)
    back = tmp_path / "back"
    back.mkdir()
    packed = tmp_path / "packed.tar"
    with packing(odd, None) as stream, packed.open("wb") as file:
        while piece := stream.read(1 << 20):
            file.write(piece)
    with packed.open("rb") as file:
        unpack(file, back, None)
    assert lines_of(back) == before
    assert (back / "away").readlink() == Path("/etc/shadow")
    assert (back / "holes").stat().st_blocks < 100
    names = {name_in(line) for line in before}
    assert {"./bad\udcff", "./line\nend", "./论文", "./pipe", "./-rf"} <= names
    assert "./s" not in names


def test_the_same_tree_is_the_same_stream(odd: Path) -> None:
    (odd / "holes").unlink()  # tar writes its own number into such a header

    def stream_of() -> bytes:
        with packing(odd, None) as stream:
            return stream.read()

    assert stream_of() == stream_of()


def test_a_stream_that_is_cut_off_is_no_list(odd: Path) -> None:
    with packing(odd, None) as stream:
        whole = stream.read()
    with pytest.raises(tarfile.ReadError):
        list_stream(io.BytesIO(whole[:5000]), lambda _line: None)


def test_a_tree_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(LxdError), packing(tmp_path / "gone", None) as stream:
        stream.read()


def test_a_packed_file_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "x.zst"
    file = ZstdFile(path)
    file.write(b"years" * 100_000)
    written = file.finish()
    assert sha256_of(path) == written
    assert path.stat().st_mode & 0o777 == 0o600
    with unpacked(path) as content:
        assert content.read() == b"years" * 100_000


def test_a_changed_file_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "x.zst"
    file = ZstdFile(path)
    file.write(os.urandom(100_000))
    file.finish()
    content = bytearray(path.read_bytes())
    content[50_000] ^= 1
    path.write_bytes(content)
    with pytest.raises(LxdError, match="cannot be unpacked"), unpacked(path) as stream:
        stream.read()
