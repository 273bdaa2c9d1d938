"""btrfs quotas that hold: the kernel gives up counting when a large subvolume is dropped.

Dropping a subtree deeper than `drop_subtree_threshold` (3 on the Linux 6.18 where this was seen)
marks all quota groups of the file system inconsistent, and from then on no limit is enforced
until a rescan; deleting one image was enough. The switch is in /sys/fs/btrfs/UUID/qgroups/, and
described in the kernel's fs/btrfs/qgroup.c.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lab.machine.local_daemon import lxd_directory
from lab.report import Report

_SYS: Final = Path("/sys/fs/btrfs")
_MOUNTS: Final = Path("/proc/mounts")
_NEVER: Final = "8"
"""BTRFS_MAX_LEVEL: no tree is that deep, so counting never stops."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """A mounted btrfs pool of the local LXD whose quotas are on."""

    mounted: Path
    qgroups: Path
    """Its directory in sysfs."""

    @property
    def counts(self) -> bool:
        return _read(self.qgroups / "inconsistent") == "0"

    @property
    def guarded(self) -> bool:
        return _read(self.qgroups / "drop_subtree_threshold") in {"", _NEVER}


def guard_quotas(report: Report, *, sysfs: Path = _SYS, mounts: Path = _MOUNTS) -> None:
    """Make the kernel continue to count, and start a rescan where it had stopped.

    Without the right to (an account in group lxd) it says so, since a quota that does not hold
    lets one user fill the pool for all.
    """
    for pool in counted_pools(lxd_directory(), sysfs=sysfs, mounts=mounts):
        if pool.guarded and pool.counts:
            continue
        try:
            if not pool.guarded:
                (pool.qgroups / "drop_subtree_threshold").write_text(_NEVER)
            if not pool.counts:
                _rescan(pool)
        except (OSError, subprocess.CalledProcessError):
            if not pool.counts:
                report.say(
                    f"Disk quotas in {pool.mounted} are not enforced at the moment: the kernel "
                    f"stopped counting. Fix: sudo btrfs quota rescan {pool.mounted}"
                )


def counted_pools(directory: Path, *, sysfs: Path, mounts: Path) -> Iterator[Counted]:
    """The pools below DIRECTORY (LXD's own) that MOUNTS lists and SYSFS counts for."""
    for line in mounts.read_text(encoding="utf-8").splitlines():
        device, place, kind = line.split()[:3]
        if kind != "btrfs" or not Path(place).is_relative_to(directory / "storage-pools"):
            continue
        for found in sysfs.glob(f"*/devices/{Path(device).name}"):
            qgroups = found.parent.parent / "qgroups"
            if _read(qgroups / "enabled") == "1":
                yield Counted(mounted=Path(place), qgroups=qgroups)


def _rescan(pool: Counted) -> None:
    subprocess.run(
        ["btrfs", "quota", "rescan", "-w", str(pool.mounted)],
        check=True,
        stdin=subprocess.DEVNULL,
        capture_output=True,
    )


def _read(path: Path) -> str:
    """Empty where the kernel has no such file."""
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        return ""
