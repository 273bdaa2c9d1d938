"""The pools of this machine's own LXD, as directories."""

from __future__ import annotations

from pathlib import Path

from lab.hardware.sysfs import root_seen_by
from lab.lxd.rest import Rest
from lab.machine.subvolumes import Space, space


def local_pools(rest: Rest) -> Path | None:
    """The directory that they are in; None for an LXD elsewhere.

    A snap has them in a file system of its own.
    """
    directory = rest.directory
    if directory is None:
        return None
    return root_seen_by(rest.daemon()) / directory.relative_to("/") / "storage-pools"


def root_space(pools: Path, pool: str, instance: str) -> Space | None:
    """Of the root of INSTANCE, as LXD's own files call it."""
    return space(pools / pool / "containers" / instance)


def volume_space(pools: Path, pool: str, name: str, *, project: str) -> Space | None:
    # A project without volumes of its own uses those of the default one.
    for owner in dict.fromkeys((project, "default")):
        found = space(pools / pool / "custom" / f"{owner}_{name}")
        if found is not None:
            return found
    return None
