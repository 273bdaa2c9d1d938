"""What a btrfs subvolume uses of its quota, by the kernel's own account.

LXD sets the quota on what a subvolume refers to, but tells what it alone has: a root that shares
files with its image or with a snapshot is full long before LXD says so (docs/lxd-quirks.md).
https://docs.kernel.org/filesystems/btrfs.html, linux/btrfs.h, fs/btrfs/sysfs.c
"""

from __future__ import annotations

import fcntl
import os
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID

_SYS: Final = Path("/sys/fs/btrfs")
_FS_INFO: Final = 0x8400941F
"""BTRFS_IOC_FS_INFO of linux/btrfs.h; the UUID stands behind two numbers of 64 bits."""
_INO_LOOKUP: Final = 0xD0009412
"""BTRFS_IOC_INO_LOOKUP; of the first inode it tells which subvolume a directory is in."""
_FIRST: Final = 256
"""BTRFS_FIRST_FREE_OBJECTID: the inode of a subvolume's own directory, which no other has."""
_LIMITS_REFERENCED: Final = 1
"""BTRFS_QGROUP_LIMIT_MAX_RFER."""


@dataclass(frozen=True, slots=True)
class Subvolume:
    filesystem: str
    """The UUID."""
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """Bytes; None, both, where the kernel does not count."""

    used: int | None = None
    """All that it refers to, shared or not: what the quota is held against."""
    quota: int | None = None
    """None also where it has none."""


def subvolume(place: Path) -> Subvolume | None:
    """The subvolume that PLACE is; None where it is none, or we may not look."""
    with suppress(OSError):
        handle = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            if os.fstat(handle).st_ino != _FIRST:
                return None
            found, info = bytearray(4096), bytearray(1024)
            struct.pack_into("QQ", found, 0, 0, _FIRST)
            fcntl.ioctl(handle, _INO_LOOKUP, found)
            fcntl.ioctl(handle, _FS_INFO, info)
        finally:
            os.close(handle)
        return Subvolume(str(UUID(bytes=bytes(info[16:32]))), struct.unpack_from("Q", found)[0])
    return None


def space(
    place: Path,
    *,
    identify: Callable[[Path], Subvolume | None] = subvolume,
    sysfs: Path = _SYS,
) -> Space | None:
    """Of the subvolume PLACE; None where it is none, or not to be seen from here."""
    found = identify(place)
    if found is None:
        return None
    group = sysfs / found.filesystem / "qgroups" / f"0_{found.number}"
    used = _number(group / "referenced")
    limits = _number(group / "limit_flags") or 0
    return Space(
        used=used,
        quota=_number(group / "max_referenced") if limits & _LIMITS_REFERENCED else None,
    )


def _number(file: Path) -> int | None:
    with suppress(OSError, ValueError):
        # limit_flags may be written as 0x1.
        return int(file.read_text(encoding="ascii").strip(), 0)
    return None
