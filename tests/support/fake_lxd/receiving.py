"""The fake takes over instances and volumes from another fake."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from lab.errors import SnapshotUnfit
from lab.lxd.errors import refused
from lab.lxd.idmap import ON_DISK
from lab.lxd.model import Instance, InstanceSpec, Progress
from lab.lxd.port import Lxd, OnProgress
from tests.support.fake_lxd.instances import CLOUD_INIT_ID, FakeInstances
from tests.support.fake_lxd.snapshots import FakeSnapshots
from tests.support.fake_lxd.store import EPOCH, IDENTITY, FakeInstance, FakeVolume


class FakeReceiving(FakeInstances, FakeSnapshots):
    def receive_instance(
        self,
        source: Lxd,
        name: str,
        spec: InstanceSpec,
        *,
        refresh: bool = False,
        snapshots: bool = True,
        on_progress: OnProgress | None = None,
    ) -> Instance:
        self._do("receive_instance", spec.name)
        what = f"receive {name}"
        there = _fake(source)
        sent = there._instance(name, what)
        key = (self._project, spec.name)
        if key in self.store.instances and not refresh:
            raise refused(what, 'This "instances" entry already exists')
        if on_progress is not None:
            on_progress(Progress(text="root: 1MB"))
        found = self.store.instances.get(key)
        if found is None:
            self._expect_volumes(spec, what)
            found = self._begun(spec)
        found.snapshots, found.kept = (), {}
        if snapshots:
            self._expect_networks(sent, what)
            found.snapshots, found.kept = sent.snapshots, dict(sent.kept)
        self.store.instances[key] = found
        found.files, found.owners = dict(sent.files), sent.owners
        # LXD notes whose ids the files have.
        if ON_DISK in sent.config:
            found.config[ON_DISK] = sent.config[ON_DISK]
        return self._shown(spec.name)

    def receive_volume(
        self,
        source: Lxd,
        origin: tuple[str, str],
        pool: str,
        name: str,
        config: Mapping[str, str],
        *,
        refresh: bool = False,
        on_progress: OnProgress | None = None,
    ) -> None:
        self._do("receive_volume", name)
        what = f"receive the volume {origin[1]}"
        there = _fake(source)
        if origin not in there.store.volumes:
            raise refused(what, "Storage volume not found")
        if pool not in self.store.pools:
            raise refused(what, "Storage pool not found", status=404)
        if (pool, name) in self.store.volumes and not refresh:
            raise refused(what, "Volume by that name already exists", status=409)
        self.store.volumes.setdefault((pool, name), dict(config))
        sent = there.store.contents.get(origin, FakeVolume())
        self.store.contents[pool, name] = replace(
            sent, files=dict(sent.files), kept=dict(sent.kept)
        )

    def wait_until_volume_idle(self, pool: str, name: str, *, timeout: float = 600) -> None: ...

    def _expect_volumes(self, spec: InstanceSpec, what: str) -> None:
        for device in spec.devices.values():
            key = (device.get("pool", ""), device.get("source", ""))
            if device.get("source") and device.get("pool") and key not in self.store.volumes:
                raise refused(what, "Failed loading custom volume: Storage volume not found")

    def _expect_networks(self, sent: FakeInstance, what: str) -> None:
        """LXD judges the devices of each snapshot as those of an instance."""
        for kept in sent.kept.values():
            for device in kept.devices.values():
                network = device.get("network")
                if network is not None and network not in self.store.networks:
                    text = f"Failed creating instance snapshot record: no network {network}"
                    raise SnapshotUnfit(f"LXD could not {what}.", details=text)

    def _begun(self, spec: InstanceSpec) -> FakeInstance:
        number = self.store.next()
        made = FakeInstance(
            config={
                CLOUD_INIT_ID: f"{number:032d}",
                **spec.config,
                IDENTITY: str(uuid.UUID(int=number)),
                "volatile.uuid": f"00000000-0000-0000-0001-{number:012d}",
            },
            devices=dict(spec.devices),
            profiles=spec.profiles,
            description=spec.description,
            created_at=EPOCH + timedelta(seconds=number),
        )
        self._plug(made, number)
        made.config.update(self._mapped(made.config))
        return made


def _fake(source: Lxd) -> FakeReceiving:
    assert isinstance(source, FakeReceiving)
    return source
