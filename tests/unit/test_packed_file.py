"""A packed image is read from the instance's root on this disk, and nothing else is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lab.lxd.packed_file import open_packed, pieces_of, root_on_disk

SECRET = "of the server"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "rootfs"
    (root / "var/cache").mkdir(parents=True)
    (root / "var/cache/body").write_bytes(b"x" * ((1 << 20) + 3))
    (tmp_path / "secret").write_text(SECRET)
    return root


def test_a_file_is_given_in_pieces(root: Path) -> None:
    found = open_packed(root, "/var/cache/body")
    assert found is not None
    with found:
        assert [len(piece) for piece in pieces_of(found)] == [1 << 20, 3]


@pytest.mark.parametrize("path", ["/var/cache/none", "/var/cache", "/var/cache/body/below"])
def test_what_is_no_file_there_is_left_to_lxd(root: Path, path: str) -> None:
    assert open_packed(root, path) is None
    assert open_packed(root / "none", "/var/cache/body") is None


def test_no_link_leads_out(root: Path) -> None:
    """A template's own script may have made them."""
    (root / "var/link").symlink_to(root.parent)
    (root / "var/secret").symlink_to(root.parent / "secret")
    assert open_packed(root, "/var/link/secret") is None
    assert open_packed(root, "/var/secret") is None
    assert open_packed(root, "/var/../../secret") is None


def test_a_pipe_holds_up_nobody(root: Path) -> None:
    os.mkfifo(root / "var/pipe")
    assert open_packed(root, "/var/pipe") is None


def test_the_root_is_where_the_daemon_sees_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LXD_DIR", "/srv/lxd")
    assert root_on_disk(7, "fast", "lab_tiny", proc=tmp_path) == (
        tmp_path / "7/root/srv/lxd/storage-pools/fast/containers/lab_tiny/rootfs"
    )
