"""The fake's snapshots."""

from __future__ import annotations

from lab.lxd.refusals import refused
from tests.fake_store import FakeCalls, Kept


class FakeSnapshots(FakeCalls):
    def snapshots(self, name: str) -> tuple[str, ...]:
        return self._instance(name, f"list the snapshots of {name}").snapshots

    def create_snapshot(self, name: str, snapshot: str) -> None:
        self._do("create_snapshot", f"{name}/{snapshot}")
        what = f"take the snapshot {snapshot} of {name}"
        found = self._instance(name, what)
        if "/" in snapshot:
            raise refused(what, "Snapshot names may not contain slashes", status=400)
        if snapshot in found.snapshots:
            raise refused(what, f'Snapshot "{snapshot}" already exists', status=409)
        found.kept[snapshot] = Kept(
            config=dict(found.config), devices=dict(found.devices), files=dict(found.files)
        )
        found.snapshots = (*found.snapshots, snapshot)

    def restore_snapshot(self, name: str, snapshot: str) -> None:
        self._do("restore_snapshot", f"{name}/{snapshot}")
        what = f"restore {name} from its snapshot {snapshot}"
        found = self._instance(name, what)
        if snapshot not in found.kept:
            raise refused(what, f"Snapshot {name}/{snapshot} does not exist", status=404)
        kept = found.kept[snapshot]
        found.config, found.devices = dict(kept.config), dict(kept.devices)
        found.files = dict(kept.files)

    def delete_snapshot(self, name: str, snapshot: str) -> None:
        self._do("delete_snapshot", f"{name}/{snapshot}")
        found = self.store.instances.get((self._project, name))
        if found is not None:
            found.snapshots = tuple(one for one in found.snapshots if one != snapshot)
            found.kept.pop(snapshot, None)
