"""What every LXD behind the port does: its files are directories of this machine, for root."""

from __future__ import annotations

from tests.contract.conftest import Backend


def test_a_root_and_its_snapshot_are_directories(backend: Backend, made: str) -> None:
    lxd, pool = backend.lxd, backend.pool
    lxd.write_file(made, "/etc/labstamp-note", b"before")
    lxd.create_snapshot(made, "one")
    lxd.write_file(made, "/etc/labstamp-note", b"after")
    for snapshot, content in ((None, b"after"), ("one", b"before")):
        place = lxd.root_files(pool, made, snapshot)
        assert place is not None
        assert (place / "etc/labstamp-note").read_bytes() == content
    assert lxd.root_files(pool, made, "two") is None
    assert lxd.root_files(pool, backend.unused()) is None


def test_a_volume_and_its_snapshot_are_directories(backend: Backend, volume: str) -> None:
    lxd, pool = backend.lxd, backend.pool
    assert lxd.volume_files(pool, volume) is None
    lxd.create_volume(pool, volume, {})
    lxd.create_volume_snapshot(pool, volume, "one")
    for snapshot in (None, "one"):
        place = lxd.volume_files(pool, volume, snapshot)
        assert place is not None
        assert list(place.iterdir()) == []
    assert lxd.volume_files(pool, volume, "two") is None
