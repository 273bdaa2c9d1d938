"""A file of an instance at rest, read where LXD has its root on this server's disk.

LXD gives a file by SFTP, through a program of its own (`lxd forkfile`): seconds for an image. Where
a pool shows no roots of stopped instances (zfs, lvm), where LXD is remote, or where we are not
root, LXD is asked all the same.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final

from lab.machine.below import open_below
from lab.machine.local_daemon import lxd_directory

_PIECE: Final = 1 << 20


def root_on_disk(daemon: int, pool: str, instance: str, *, proc: Path = Path("/proc")) -> Path:
    """Where the process DAEMON sees the root of INSTANCE, by the name that LXD's own files have.

    The daemon may have mounts of its own, as in a snap.
    """
    below = lxd_directory().absolute().relative_to("/")
    seen = proc / str(daemon) / "root" / below
    return seen / "storage-pools" / pool / "containers" / instance / "rootfs"


def open_packed(root: Path, path: str) -> BinaryIO | None:
    """PATH (absolute, in there) below ROOT; None where it is no file, or not ours to read.

    No link is followed: those in there lead to other places here.
    """
    try:
        handle = open_below(root, PurePosixPath(path).relative_to("/").parts)
    except OSError:
        return None
    if stat.S_ISREG(os.fstat(handle).st_mode):
        return os.fdopen(handle, "rb")
    os.close(handle)
    return None


def pieces_of(file: BinaryIO) -> Iterator[bytes]:
    while piece := file.read(_PIECE):
        yield piece
