"""Where files of this machine's own LXD are on this machine, for who is root here."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from lab.lxd.calls import Calls
from lab.lxd.local_pools import local_pools

_ALWAYS_THERE: Final = frozenset({"btrfs", "dir"})
"""Other drivers mount a root or a volume only while something uses it."""


class LocalFileCalls(Calls):
    def root_files(self, pool: str, name: str, snapshot: str | None = None) -> Path | None:
        kind = "containers" if snapshot is None else "containers-snapshots"
        return self._seen(pool, f"{kind}/{self._host(name)}", snapshot, "rootfs")

    def volume_files(self, pool: str, name: str, snapshot: str | None = None) -> Path | None:
        kind = "custom" if snapshot is None else "custom-snapshots"
        # A project without volumes of its own uses those of the default one.
        for project in dict.fromkeys((self._project, "default")):
            found = self._seen(pool, f"{kind}/{project}_{name}", snapshot)
            if found is not None:
                return found
        return None

    def _seen(self, pool: str, place: str, snapshot: str | None, below: str = "") -> Path | None:
        pools = local_pools(self._rest)
        if pools is None or self._driver(pool) not in _ALWAYS_THERE:
            return None
        found = pools / pool / place / (snapshot or "") / below
        try:
            return found if found.is_dir() else None
        except PermissionError:
            return None

    def _driver(self, pool: str) -> str:
        found = self._rest.get(
            f"storage-pools/{pool}", what=f"show the storage pool {pool}", params=self._here
        )
        return str(found["driver"])
