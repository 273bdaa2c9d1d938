"""Quotas after a restore: btrfs brings files back into a new subvolume, which has none."""

from __future__ import annotations

from typing import Final

from lab.lxd.devices import ROOT, Device, first
from lab.lxd.model import Volume
from lab.lxd.port import Lxd
from lab.sizes import as_limit
from provision.limits import bytes_of
from provision.restoring import Half, Journal

_FORGETS: Final = "btrfs"
_MORE: Final = 1 << 20


def count_again(lxd: Lxd, name: str, home: Volume, journal: Journal) -> None:
    """Have LXD set the quotas of what was restored. It does so only where a size changes."""
    forgetting = {pool.name for pool in lxd.pools() if pool.driver == _FORGETS}
    wish = journal.wish
    if Half.HOME in journal.halves and home.pool in forgetting:
        _again_home(lxd, home, wish.home_size)
    root = first(wish.devices, ROOT)
    if Half.ROOT in journal.halves and root is not None and root[1].get("pool") in forgetting:
        _again_root(lxd, name, *root)


def _again_home(lxd: Lxd, home: Volume, size: str | None) -> None:
    more = _more(size)
    if more is not None:
        lxd.update_volume(home.pool, home.name, {"size": more})
        lxd.update_volume(home.pool, home.name, {"size": size})


def _again_root(lxd: Lxd, name: str, device: str, keys: Device) -> None:
    more = _more(keys.get("size"))
    if more is not None:
        lxd.update(name, devices={device: {**keys, "size": more}})
        lxd.update(name, devices={device: keys})


def _more(size: str | None) -> str | None:
    found = bytes_of(size)
    return None if found is None else as_limit(found + _MORE)
