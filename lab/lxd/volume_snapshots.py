"""A custom volume's snapshots: of its files alone."""

from __future__ import annotations

from contextlib import suppress

from lab.errors import NotFound
from lab.lxd import parse
from lab.lxd.calls import Calls
from lab.lxd.rest import path

# A pool without copy-on-write copies all of it, and answers when that is done.
_READ_TIMEOUT = 3600.0


def _where(pool: str, name: str, *more: str) -> str:
    return path("storage-pools", pool, "volumes", "custom", name, *more)


class VolumeSnapshotCalls(Calls):
    def volume_snapshots(self, pool: str, name: str) -> tuple[str, ...]:
        found = self._rest.get(
            _where(pool, name, "snapshots"),
            what=f"list the snapshots of the volume {name} in {pool}",
            params={**self._here, "recursion": "1"},
        )
        by_age = sorted(found or (), key=lambda raw: parse.moment(raw.get("created_at")))
        return tuple(raw["name"].rsplit("/", 1)[-1] for raw in by_age)

    def create_volume_snapshot(self, pool: str, name: str, snapshot: str) -> None:
        self._rest.post(
            _where(pool, name, "snapshots"),
            {"name": snapshot},
            what=f"take the snapshot {snapshot} of the volume {name} in {pool}",
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
