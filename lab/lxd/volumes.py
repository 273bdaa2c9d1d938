"""Custom storage volumes."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

from lab.errors import NotFound
from lab.lxd import parse
from lab.lxd.calls import Calls
from lab.lxd.changes import changed, with_fresh_etag
from lab.lxd.errors import refused
from lab.lxd.local_pools import local_pools, volume_space
from lab.lxd.model import Volume
from lab.lxd.rest import path

# Removing a large tree is answered when it is done.
_READ_TIMEOUT = 600.0
# A pool without copy-on-write copies all of it.
_COPY_TIMEOUT = 3600.0


class VolumeCalls(Calls):
    def volumes(self, pool: str) -> tuple[Volume, ...]:
        found = self._rest.get(
            path("storage-pools", pool, "volumes", "custom"),
            what=f"list the volumes of {pool}",
            params={**self._here, "recursion": "1"},
        )
        return tuple(
            parse.volume(raw, pool=pool, project=self._project)
            for raw in found or ()
            # Snapshots are listed among the volumes as `volume/snapshot`.
            if "/" not in raw["name"]
        )

    def create_volume(self, pool: str, name: str, config: Mapping[str, str]) -> None:
        self._rest.post(
            path("storage-pools", pool, "volumes", "custom"),
            {"name": name, "config": dict(config)},
            what=f"create the volume {name} in {pool}",
            params=self._here,
            read_timeout=_READ_TIMEOUT,
        )

    def copy_volume(
        self, source: tuple[str, str], pool: str, name: str, config: Mapping[str, str]
    ) -> None:
        origin = {"type": "copy", "pool": source[0], "name": source[1], "volume_only": True}
        self._rest.post(
            path("storage-pools", pool, "volumes", "custom"),
            {"name": name, "config": dict(config), "source": origin},
            what=f"copy the volume {source[1]} to {name} in {pool}",
            params=self._here,
            read_timeout=_COPY_TIMEOUT,
        )

    def update_volume(self, pool: str, name: str, config: Mapping[str, str | None]) -> None:
        where = path("storage-pools", pool, "volumes", "custom", name)
        what = f"change the volume {name} in {pool}"

        def change() -> None:
            raw, etag = self._rest.get_tagged(where, what=what, params=self._here)
            body = {
                "config": changed(raw.get("config") or {}, config),
                "description": raw.get("description", ""),
            }
            self._rest.put(
                where, body, what=what, params=self._here, etag=etag, read_timeout=_READ_TIMEOUT
            )

        with self._rest.one_writer(f"volume-{pool}-{name}", what=what):
            with_fresh_etag(change)

    def volume_used(self, pool: str, name: str) -> int | None:
        pools = local_pools(self._rest)
        told = volume_space(pools, pool, name, project=self._project) if pools else None
        if told is not None and told.used is not None:
            return told.used
        found = self._rest.get(
            path("storage-pools", pool, "volumes", "custom", name, "state"),
            what=f"read the used space of the volume {name} in {pool}",
            params=self._here,
        )
        used = ((found or {}).get("usage") or {}).get("used")
        return used if isinstance(used, int) else None

    def rename_volume(self, pool: str, name: str, new_name: str) -> None:
        # LXD changes the devices first, and only then finds that the new name is taken.
        what = f"rename the volume {name} in {pool} to {new_name}"
        if any(one.name == new_name for one in self.volumes(pool)):
            raise refused(what, f"A volume {new_name} exists.", status=409)
        self._rest.post(
            path("storage-pools", pool, "volumes", "custom", name),
            {"name": new_name},
            what=what,
            params=self._here,
            read_timeout=_READ_TIMEOUT,
        )

    def delete_volume(self, pool: str, name: str) -> None:
        with suppress(NotFound):
            self._rest.delete(
                path("storage-pools", pool, "volumes", "custom", name),
                what=f"delete the volume {name} in {pool}",
                params=self._here,
                read_timeout=_READ_TIMEOUT,
            )
