"""Storage pools that are too small: said before a build starts, or when it runs out of room."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab.machine.local_daemon import lxd_directory
from lab.wait import poll
from tests.support.live_lab.gpu_host import where_lxd_is
from tests.support.live_lab.lab import ROOT, instances, lxc, query
from tests.support.live_lab.tiny import PROJECT, Tiny, litter, plainly

pytestmark = pytest.mark.plain

POOL = "ft-pool"


@pytest.fixture
def pool_of() -> Iterator[Callable[[str], str]]:
    """Makes a btrfs pool of that size; its name. Asked for before TINY, which has to go first."""
    _remove()

    def make(size: str) -> str:
        lxc("storage", "create", POOL, "btrfs", f"size={size}")
        return POOL

    yield make
    _remove()


def _remove() -> None:
    if f"/1.0/storage-pools/{POOL}" in query("/1.0/storage-pools"):
        # LXD removes an image's volume after the image.
        poll(lambda: _users() == [] or None, what=f"the end of all use of {POOL}", timeout=60)
        lxc("storage", "delete", POOL)


def _users() -> list[str]:
    return list(query(f"/1.0/storage-pools/{POOL}")["used_by"] or ())


def _network() -> str:
    """What containers are plugged into here."""
    return lxc("profile", "device", "get", "default", "eth0", "network").strip()


def _free() -> int:
    space = query(f"/1.0/storage-pools/{POOL}/resources")["space"]
    return int(space["total"] - space.get("used", 0))


def test_a_pool_without_room_is_told_before_anything_starts(
    pool_of: Callable[[str], str], tiny: Tiny, source: dict[str, str]
) -> None:
    tiny.set(source=source, pool=pool_of("1GiB"))
    said = tiny.lab.invoke("build-images")
    assert (said.code, plainly(said.err)) == (
        3,
        "error: The storage pool ft-pool has {size} free, a build needs {size}.\n"
        "Next: Remove old releases (invoke prune-images) and containers, or enlarge the pool (`lxc "
        "storage set POOL size=…` on LXD 5.1 and later).\n",
    )
    assert instances(PROJECT) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 3 GiB, where the daemon and our commands see it."""
    image, place = tmp_path / "disk.img", tmp_path / "disk"
    place.mkdir()
    with image.open("wb") as file:
        file.truncate(3 << 30)
    subprocess.run(["mkfs.ext4", "-q", "-F", str(image)], check=True)
    _where_lxd_is("mount", "-o", "loop", str(image), str(place))
    yield place
    _where_lxd_is("umount", str(place))


def _where_lxd_is(*argv: str) -> None:
    within = where_lxd_is(os.environ, ROOT)
    subprocess.run([*within, *argv], check=True, stdin=subprocess.DEVNULL, timeout=60)


@pytest.fixture
def pool_on(small_disk: Path) -> Iterator[str]:
    """A pool of 20 GiB whose file lies on that disk."""
    _remove()
    link = lxd_directory() / "disks" / f"{POOL}.img"
    link.symlink_to(small_disk / "pool.img")
    lxc("storage", "create", POOL, "btrfs", "size=20GiB")
    yield POOL
    _remove()
    link.unlink(missing_ok=True)


def test_a_disk_that_something_else_fills_beneath_the_pool(
    pool_on: str, small_disk: Path, tiny: Tiny, source: dict[str, str]
) -> None:
    tiny.set(source=source, pool=pool_on)
    filler = str(small_disk / "filler")
    _where_lxd_is(
        *("sh", "-c"),
        f"free=$(df --output=avail --block-size=1M {small_disk} | tail -n 1) && "
        f"fallocate -l $((free - 300))M {filler}",
    )
    said = tiny.lab.invoke("build-images")
    assert (said.code, plainly(said.err, disk=str(small_disk))) == (
        3,
        "error: The storage pool ft-pool has {size} free, a build needs {size}.\n"
        "  It has {size} free inside, but its file {disk}/pool.img lies on a disk with {size} "
        "free.\n"
        "Next: Free some space on that disk; when it is full, all containers get I/O errors:\n"
        "      df -h {disk}\n",
    )
    checks = tiny.lab.invoke("host.check", "--json").document["checks"]
    (room,) = [one for one in checks if one["subject"] == POOL]
    assert (room["name"], room["status"]) == ("pool-room", "fail")
    _where_lxd_is("rm", filler)
    checks = tiny.lab.invoke("host.check", "--json").document["checks"]
    (room,) = [one for one in checks if one["subject"] == POOL]
    # Still a small disk for a pool of 20 GiB.
    assert room["status"] == "warn"


def test_a_pool_that_is_not_there(tiny: Tiny, source: dict[str, str]) -> None:
    tiny.set(source=source, pool="defauld")
    said = tiny.lab.invoke("build-images")
    known = ", ".join(one["name"] for one in query("/1.0/storage-pools?recursion=1"))
    assert (said.code, said.err) == (
        2,
        'error: pool: LXD has no storage pool defauld (did you mean "default"?).\n'
        f"  It has: {known}.\n"
        "Next: Correct `pool:` in lab.yaml.\n",
    )


def test_a_network_that_is_not_there(tiny: Tiny, source: dict[str, str]) -> None:
    wrong = f"{_network()}7"
    tiny.set(source=source, network=wrong)
    said = tiny.lab.invoke("build-images")
    assert said.code == 2
    assert f"error: network: LXD has no network {wrong} (did you mean" in said.err
    assert litter() == []


def test_a_pool_that_fills_up_in_the_middle(
    pool_of: Callable[[str], str], tiny: Tiny, source: dict[str, str]
) -> None:
    tiny.set(source=source, pool=pool_of("6GiB"), network=_network())
    tiny.boot_with(
        "runcmd:\n"
        "  - [sh, -c, 'n=0; while fallocate -l 256M /var/big-$n; do n=$((n + 1)); done; exit 1']\n"
    )
    said = tiny.lab.invoke("build-images")
    assert (said.code, plainly(said.err).partition("error: ")[2]) == (
        5,
        "tiny: the builder ran out of disk space.\n"
        "  fallocate: fallocate failed: No space left on device\n"
        "Next: Free space in the storage pool (invoke prune-images) or enlarge it.\n",
    )
    assert litter() == []
    tiny.boot_with("")
    # btrfs gives the room of what was removed back by and by.
    poll(lambda: _free() > 5 * 1024**3 or None, what=f"room in {POOL}", timeout=60)
    tiny.lab.succeed("build-images")
    assert litter() == []
    for name in instances(PROJECT):
        devices = query(f"/1.0/instances/{name}?project={PROJECT}")["expanded_devices"]
        assert devices["root"]["pool"] == POOL
