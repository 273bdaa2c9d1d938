"""A pool's loop file: sparse, so what the pool has free the disk beneath may have no room for."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

from lab.lxd.model import Beneath, Pool
from lab.sizes import format_size


def beneath(source: str, *, free_inside: int | None) -> Beneath | None:
    """The disk beneath the file SOURCE; None if the pool is not a file, or it is not known.

    FREE_INSIDE: free bytes in the pool, for accounts that may not read the file itself.
    """
    path = Path(source)
    if not path.is_absolute():
        return None
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            return None
        missing = max(0, found.st_size - found.st_blocks * 512)
    except PermissionError:
        # LXD's directory is root's. Devices are not: this is a file.
        missing = free_inside or 0
    except OSError:
        return None
    free = _free_where_it_lies(path)
    if free is None:
        return None
    return Beneath(file=os.path.realpath(path), free_bytes=free, missing_bytes=missing)


def in_words(pool: Pool) -> str | None:
    """Why POOL has less room than it says; None where it has not."""
    if pool.beneath is None or not pool.is_on_a_full_disk:
        return None
    return (
        f"It has {format_size(pool.inside_bytes or 0)} free inside, but its file "
        f"{pool.beneath.file} lies on a disk with {format_size(pool.beneath.free_bytes)} free."
    )


def way_out(pool: Pool) -> str:
    """For a POOL that `in_words` says something of."""
    directory = Path(pool.beneath.file).parent if pool.beneath else ""
    return (
        "Free some space on that disk; when it is full, all containers get I/O errors:\n"
        f"df -h {directory}"
    )


def _free_where_it_lies(path: Path) -> int | None:
    for place in (path, *path.parents):
        try:
            return shutil.disk_usage(place).free
        except OSError:  # noqa: PERF203 - the nearest that we may ask
            continue
    return None
