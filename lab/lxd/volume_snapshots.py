"""A custom volume's snapshots: of its files alone."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

from lab.errors import LxdError, LxdUnreachable, NotFound
from lab.lxd import parse
from lab.lxd.calls import Calls
from lab.lxd.model import Snapshot
from lab.lxd.rest import path

# A pool without copy-on-write copies all of it, and answers when that is done.
_READ_TIMEOUT = 3600.0


def _where(pool: str, name: str, *more: str) -> str:
    return path("storage-pools", pool, "volumes", "custom", name, *more)


class VolumeSnapshotCalls(Calls):
    def volume_snapshots(self, pool: str, name: str) -> tuple[str, ...]:
        return tuple(one.name for one in self.volume_snapshots_in_full(pool, name))

    def volume_snapshots_in_full(self, pool: str, name: str) -> tuple[Snapshot, ...]:
        found = self._rest.get(
            _where(pool, name, "snapshots"),
            what=f"list the snapshots of the volume {name} in {pool}",
            params={**self._here, "recursion": "1"},
        )
        return parse.snapshots(found or ())

    def volume_snapshot_used(self, pool: str, name: str, snapshot: str) -> int | None:
        # LXD has no such call for snapshots: it takes this for the name of a volume.
        where = path("storage-pools", pool, "volumes", "custom", f"{name}/{snapshot}", "state")
        what = f"read the size of the snapshot {snapshot} of the volume {name} in {pool}"
        try:
            found = self._rest.get(where, what=what, params=self._here)
        except LxdUnreachable:
            raise
        except LxdError:
            return None
        used = ((found or {}).get("usage") or {}).get("used")
        return used if isinstance(used, int) else None

    def create_volume_snapshot(self, pool: str, name: str, snapshot: str) -> None:
        self._rest.post(
            _where(pool, name, "snapshots"),
            {"name": snapshot},
            what=f"take the snapshot {snapshot} of the volume {name} in {pool}",
            params=self._here,
            read_timeout=_READ_TIMEOUT,
        )

    def copy_volume_snapshot(
        self, pool: str, name: str, snapshot: str, copy: str, config: Mapping[str, str]
    ) -> None:
        # Without a project it is that of the copy. LXD 5.0.2 takes one that is named at its word,
        # also where its volumes are those of the default project.
        source = {
            "type": "copy",
            "pool": pool,
            "name": f"{name}/{snapshot}",
            "volume_only": True,
        }
        self._rest.post(
            path("storage-pools", pool, "volumes", "custom"),
            {"name": copy, "type": "custom", "config": dict(config), "source": source},
            what=f"copy the snapshot {snapshot} of the volume {name} in {pool}",
            params=self._here,
            read_timeout=_READ_TIMEOUT,
        )

    def restore_volume(self, pool: str, name: str, snapshot: str) -> None:
        self._rest.put(
            _where(pool, name),
            {"restore": snapshot},
            what=f"restore the volume {name} in {pool} from its snapshot {snapshot}",
            params=self._here,
            read_timeout=_READ_TIMEOUT,
        )

    def delete_volume_snapshot(self, pool: str, name: str, snapshot: str) -> None:
        with suppress(NotFound):
            self._rest.delete(
                _where(pool, name, "snapshots", snapshot),
                what=f"delete the snapshot {snapshot} of the volume {name} in {pool}",
                params=self._here,
                read_timeout=_READ_TIMEOUT,
            )
