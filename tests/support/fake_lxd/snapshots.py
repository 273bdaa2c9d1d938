"""The fake's snapshots."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from lab.lxd.errors import refused
from lab.lxd.model import Snapshot, State
from tests.support.fake_lxd.store import EPOCH, FakeCalls, FakeVolume, Kept, KeptVolume


class FakeSnapshots(FakeCalls):
    def snapshots(self, name: str) -> tuple[str, ...]:
        return self._instance(name, f"list the snapshots of {name}").snapshots

    def snapshots_in_full(self, name: str) -> tuple[Snapshot, ...]:
        found = self._instance(name, f"list the snapshots of {name}")
        return tuple(_in_full(name, found.kept.get(name)) for name in found.snapshots)

    def create_snapshot(self, name: str, snapshot: str) -> None:
        self._do("create_snapshot", f"{name}/{snapshot}")
        what = f"take the snapshot {snapshot} of {name}"
        found = self._instance(name, what)
        if "/" in snapshot:
            raise refused(what, "Snapshot names may not contain slashes", status=400)
        if snapshot in found.snapshots:
            raise refused(what, f'Snapshot "{snapshot}" already exists', status=409)
        found.kept[snapshot] = Kept(
            config=dict(found.config),
            devices=dict(found.devices),
            profiles=found.profiles,
            files=dict(found.files),
            created_at=EPOCH + timedelta(seconds=self.store.next()),
            owners=found.owners,
        )
        found.snapshots = (*found.snapshots, snapshot)

    def restore_snapshot(self, name: str, snapshot: str) -> None:
        self._do("restore_snapshot", f"{name}/{snapshot}")
        what = f"restore {name} from its snapshot {snapshot}"
        found = self._instance(name, what)
        if snapshot not in found.kept:
            raise refused(what, f"Snapshot {name}/{snapshot} does not exist", status=404)
        kept = found.kept[snapshot]
        found.config = self._identified(found.config, kept.config)
        found.devices = dict(kept.devices)
        found.files, found.owners = dict(kept.files), kept.owners
        # LXD 5.0 keeps no description in a snapshot.
        found.profiles, found.description = kept.profiles, ""

    def delete_snapshot(self, name: str, snapshot: str) -> None:
        self._do("delete_snapshot", f"{name}/{snapshot}")
        found = self.store.instances.get((self._project, name))
        if found is not None:
            found.snapshots = tuple(one for one in found.snapshots if one != snapshot)
            found.kept.pop(snapshot, None)

    def volume_snapshots(self, pool: str, name: str) -> tuple[str, ...]:
        content = self.store.contents.get((pool, name))
        return tuple(content.kept) if content else ()

    def volume_snapshots_in_full(self, pool: str, name: str) -> tuple[Snapshot, ...]:
        content = self.store.contents.get((pool, name))
        kept = content.kept if content else {}
        return tuple(Snapshot(name=one, config=kept[one].config) for one in kept)

    def volume_snapshot_used(self, pool: str, name: str, snapshot: str) -> int | None:
        return 1 << 20 if snapshot in self.volume_snapshots(pool, name) else None

    def create_volume_snapshot(self, pool: str, name: str, snapshot: str) -> None:
        self._do("create_volume_snapshot", f"{name}/{snapshot}")
        what = f"take the snapshot {snapshot} of the volume {name} in {pool}"
        found = self._content(pool, name, what)
        if snapshot in found.kept:
            raise refused(what, f"Snapshot by that name already exists: {snapshot}", status=409)
        found.kept[snapshot] = KeptVolume(
            owners=found.owners,
            config=dict(self.store.volumes[pool, name]),
            files=dict(found.files),
        )

    def copy_volume_snapshot(
        self, pool: str, name: str, snapshot: str, copy: str, config: Mapping[str, str]
    ) -> None:
        self._do("copy_volume_snapshot", f"{name}/{snapshot}")
        what = f"copy the snapshot {snapshot} of the volume {name} in {pool}"
        kept = self._content(pool, name, what).kept
        if snapshot not in kept:
            raise refused(what, "Storage volume snapshot not found", status=404)
        if (pool, copy) in self.store.volumes:
            raise refused(what, "Volume by that name already exists", status=409)
        self.store.volumes[pool, copy] = dict(config)
        self.store.contents[pool, copy] = FakeVolume(
            owners=kept[snapshot].owners, files=dict(kept[snapshot].files)
        )

    def restore_volume(self, pool: str, name: str, snapshot: str) -> None:
        self._do("restore_volume", f"{name}/{snapshot}")
        what = f"restore the volume {name} in {pool} from its snapshot {snapshot}"
        found = self._content(pool, name, what)
        if snapshot not in found.kept:
            raise refused(what, "Storage volume snapshot not found", status=404)
        if any(self.store.instances[one].state is State.RUNNING for one in self._uses(pool, name)):
            raise refused(what, "Cannot restore custom volume used by running instances")
        found.owners = found.kept[snapshot].owners
        found.files = dict(found.kept[snapshot].files)

    def delete_volume_snapshot(self, pool: str, name: str, snapshot: str) -> None:
        self._do("delete_volume_snapshot", f"{name}/{snapshot}")
        if (pool, name) in self.store.volumes:
            self._content(pool, name, "").kept.pop(snapshot, None)

    def _content(self, pool: str, name: str, what: str) -> FakeVolume:
        if (pool, name) not in self.store.volumes:
            raise refused(what, "Storage pool volume not found", status=404)
        return self.store.contents.setdefault((pool, name), FakeVolume())


def _in_full(name: str, kept: Kept | None) -> Snapshot:
    if kept is None:
        return Snapshot(name=name)
    return Snapshot(
        name=name,
        config=kept.config,
        created_at=kept.created_at,
        devices=kept.devices,
        profiles=kept.profiles,
    )
