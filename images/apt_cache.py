"""Downloaded packages, kept in one volume that every builder reads from and adds to.

apt's own archive directory cannot be shared: it is locked by one apt at a time. So the volume is
mounted aside, a builder starts with copies (of no weight on btrfs: shared blocks) and hands new
ones back before it is cleaned; see `_common.yaml.j2` and `keep-packages.sh`.
"""

from __future__ import annotations

from contextlib import suppress

from images.context import BuildContext
from images.placement import pool_of
from lab import labels
from lab.errors import Conflict
from lab.lxd.devices import Devices

DEVICE = "aptcache"
SIZE = "8GiB"
# /mnt is there in every root, and empty: nothing of the mount stays in an image. Nothing else is
# mounted in a builder (images.placement), and this no longer while it is cleaned.
_PATH = "/mnt"


def cache_device(context: BuildContext) -> Devices:
    """The device that gives a builder the cache, made when it is not there yet."""
    pool = pool_of(context)
    if pool is None:
        return {}
    volume = f"{context.build.project}-apt-{context.distro.name.replace('.', '-')}"
    if volume not in {one.name for one in context.lxd.volumes(pool.name)}:
        with suppress(Conflict):  # another builder was quicker
            context.lxd.create_volume(pool.name, volume, {"size": SIZE, labels.PHASE: labels.READY})
    return {DEVICE: {"type": "disk", "pool": pool.name, "source": volume, "path": _PATH}}
