"""Room in a pool whose file lies on a disk that something else fills."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from host.check import pools
from host.finding import Status
from images.build.pipeline import _check_room
from images.context import BuildContext
from lab.errors import CapacityError
from lab.lxd.loop_file import beneath, in_words, way_out
from lab.lxd.model import Beneath, Pool
from lab.settings.settings import Settings
from tests.support.builders.stamping import a_lab, bob, stamp

GIB, MIB = 1 << 30, 1 << 20


def pool(disk_free: int, missing: int) -> Pool:
    below = Beneath(file="/srv/lxd/default.img", free_bytes=disk_free, missing_bytes=missing)
    return Pool(
        name="default", driver="btrfs", total_bytes=60 * GIB, used_bytes=20 * GIB, beneath=below
    )


def test_the_disk_beneath_ends_first() -> None:
    full = pool(300 * MIB, 30 * GIB)
    assert full.free_bytes == 300 * MIB
    assert in_words(full) == (
        "It has 40.0 GiB free inside, but its file /srv/lxd/default.img lies on a disk with "
        "300.0 MiB free."
    )
    assert way_out(full).splitlines()[-1] == "df -h /srv/lxd"


@pytest.mark.parametrize(
    "fine",
    [
        # The file has taken what it needs: whatever the disk has, nothing more is asked of it.
        pool(300 * MIB, 0),
        pool(50 * GIB, 30 * GIB),
        Pool(name="disk", driver="zfs", total_bytes=60 * GIB, used_bytes=20 * GIB),
    ],
)
def test_room_inside_is_room(fine: Pool) -> None:
    assert fine.free_bytes == 40 * GIB
    assert in_words(fine) is None


def test_a_pool_that_does_not_tell() -> None:
    below = Beneath(file="/f", free_bytes=1, missing_bytes=GIB)
    silent = Pool(name="lvm", driver="lvm", beneath=below)
    assert (silent.free_bytes, in_words(silent)) == (None, None)


def test_a_sparse_file_is_measured(tmp_path: Path) -> None:
    file = tmp_path / "pool.img"
    file.write_bytes(b"x" * MIB)
    os.truncate(file, GIB)
    found = beneath(str(file), free_inside=None)
    assert found is not None
    assert GIB - 2 * MIB < found.missing_bytes < GIB
    assert abs(found.free_bytes - shutil.disk_usage(tmp_path).free) < GIB


@pytest.mark.parametrize("source", ["/dev/null", "tank/lxd", "", "/no/such/file.img"])
def test_what_is_no_file_has_no_disk_beneath(source: str) -> None:
    assert beneath(source, free_inside=GIB) is None


def test_who_may_not_look_at_the_file_takes_it_for_sparse(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everybody of group lxd: LXD's directory is root's."""

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    def only_the_directory(place: Path) -> SimpleNamespace:
        if place != tmp_path:
            raise PermissionError(13, "Permission denied")
        return SimpleNamespace(free=300 * MIB)

    # For this one call: pytest itself, and what watches the daemon, ask for files, too.
    with monkeypatch.context() as patched:
        patched.setattr(Path, "stat", refuse)
        patched.setattr(shutil, "disk_usage", only_the_directory)
        found = beneath(str(tmp_path / "disks" / "pool.img"), free_inside=40 * GIB)
    assert found == Beneath(
        file=str(tmp_path / "disks" / "pool.img"),
        free_bytes=300 * MIB,
        missing_bytes=40 * GIB,
    )


def test_host_check_knows_it_before_it_is_too_late() -> None:
    fine, nearly, full = pools.findings(
        [pool(50 * GIB, 30 * GIB), pool(5 * GIB, 30 * GIB), pool(300 * MIB, 30 * GIB)]
    )
    assert (fine.status, fine.found, fine.fix) == (Status.OK, "40.0 GiB free", None)
    assert (nearly.status, full.status) == (Status.WARN, Status.FAIL)
    assert full.found == (
        "300.0 MiB free. It has 40.0 GiB free inside, but its file /srv/lxd/default.img lies on a "
        "disk with 300.0 MiB free."
    )
    assert full.fix == "df -h /srv/lxd"


def test_a_pool_that_is_full_inside_is_told_as_such() -> None:
    inside = Pool(name="p", driver="zfs", total_bytes=GIB, used_bytes=GIB - 100 * MIB)
    (one,) = pools.findings([inside, Pool(name="silent", driver="lvm")])
    assert (one.status, one.found, one.fix) == (
        Status.FAIL,
        "100.0 MiB free",
        "invoke prune-images",
    )


def test_provision_and_build_refuse_with_the_disk_named() -> None:
    full = pool(300 * MIB, 30 * GIB)
    lxd = a_lab()
    lxd.store.pools["default"] = full
    with pytest.raises(CapacityError) as caught:
        stamp(lxd, bob(), only_plan=True)
    assert str(caught.value) == (
        'The pool "default" is full: 300.0 MiB are left.\n'
        f"  {in_words(full)}\n"
        "Next: Free some space on that disk; when it is full, all containers get I/O errors:\n"
        "      df -h /srv/lxd"
    )
    context = cast("BuildContext", SimpleNamespace(lxd=lxd, settings=Settings()))
    with pytest.raises(CapacityError, match="The storage pool default has 300") as built:
        _check_room(context, 1)
    assert built.value.details == in_words(full)
    assert built.value.fix == way_out(full)
