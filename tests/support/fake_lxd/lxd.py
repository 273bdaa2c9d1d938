"""LXD in memory, behind the same port as the real one; tests/contract holds the two together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from lab.errors import LabError, LxdUnreachable
from lab.lxd.changes import changed
from lab.lxd.errors import refused
from lab.lxd.idmap import IdRange, read_map
from lab.lxd.model import Gpu, Network, Pool, Profile, Server, State, Volume
from tests.support.fake_lxd.commands import FakeCommands
from tests.support.fake_lxd.images import FakeImages
from tests.support.fake_lxd.local_files import FakeLocalFiles
from tests.support.fake_lxd.receiving import FakeReceiving
from tests.support.fake_lxd.store import FakeVolume, OnRun


class FakeLxd(FakeImages, FakeReceiving, FakeCommands, FakeLocalFiles):
    """Set `on_run` to answer commands; read and write `store` to arrange and to look behind."""

    @property
    def project(self) -> str:
        return self._project

    @property
    def on_run(self) -> OnRun:
        return self.store.on_run

    @on_run.setter
    def on_run(self, answer: OnRun) -> None:
        self.store.on_run = answer

    @property
    def changes(self) -> list[str]:
        return self.store.changes

    @property
    def failures(self) -> dict[str, LabError]:
        return self.store.failures

    @property
    def host_gpus(self) -> tuple[Gpu, ...]:
        return self.store.host_gpus

    @host_gpus.setter
    def host_gpus(self, gpus: tuple[Gpu, ...]) -> None:
        self.store.host_gpus = gpus

    def gpus(self) -> tuple[Gpu, ...]:
        return self.store.host_gpus

    def in_project(self, name: str) -> FakeLxd:
        return FakeLxd(name, self.store)

    def server(self) -> Server:
        return self.store.server

    def now(self) -> datetime:
        return self.store.now

    def id_range(self) -> IdRange | None:
        return self.store.id_range

    def projects(self) -> Mapping[str, Mapping[str, str]]:
        return {name: dict(config) for name, config in list(self.store.projects.items())}

    def create_project(self, name: str, config: Mapping[str, str]) -> None:
        self._do("create_project", name)
        if name in self.store.projects:
            raise refused(f"create the project {name}", "The project already exists")
        self.store.projects[name] = dict(config)

    def delete_project(self, name: str) -> None:
        self._do("delete_project", name)
        what = f"delete the project {name}"
        if name not in self.store.projects:
            raise refused(what, "Project not found", status=404)
        if any(project == name for project, _ in list(self.store.instances)):
            raise refused(what, "Only empty projects can be removed", status=400)
        del self.store.projects[name]

    def pools(self) -> tuple[Pool, ...]:
        return tuple(self.store.pools.values())

    def create_pool(self, name: str, driver: str, config: Mapping[str, str]) -> None:
        self._do("create_pool", name)
        if name in self.store.pools:
            raise refused(f"create the storage pool {name}", "The storage pool already exists")
        self.store.pools[name] = Pool(name=name, driver=driver, config=dict(config))

    def networks(self) -> tuple[Network, ...]:
        return tuple(self.store.networks.values())

    def create_network(self, name: str, config: Mapping[str, str]) -> None:
        self._do("create_network", name)
        if name in self.store.networks:
            raise refused(f"create the network {name}", "The network already exists")
        self.store.networks[name] = Network(
            name=name, type="bridge", managed=True, config=dict(config)
        )

    def network_acls(self) -> Mapping[str, Sequence[Mapping[str, str]]]:
        return dict(self.store.acls)

    def set_network_acl(self, name: str, ingress: Sequence[Mapping[str, str]]) -> None:
        self._do("set_network_acl", name)
        self.store.acls[name] = tuple(ingress)

    def profile(self, name: str) -> Profile | None:
        return self.store.profiles.get(name)

    def set_profile_devices(self, name: str, devices: Mapping[str, Mapping[str, str]]) -> None:
        self._do("set_profile_devices", name)
        if name not in self.store.profiles:
            raise refused(f"change the profile {name}", "Profile not found", status=404)
        self.store.profiles[name] = replace(self.store.profiles[name], devices=dict(devices))

    def set_profile(
        self, name: str, config: Mapping[str, str], devices: Mapping[str, Mapping[str, str]]
    ) -> None:
        self._do("set_profile", name)
        self.store.profiles[name] = Profile(name=name, config=dict(config), devices=dict(devices))

    def config_written(self, name: str) -> datetime | None:
        key = (self._project, name)
        if key not in self.store.instances:
            return None
        return self.store.written.get(key, self.store.instances[key].created_at)

    def volumes(self, pool: str) -> tuple[Volume, ...]:
        if pool not in self.store.pools:
            raise refused(f"list the volumes of {pool}", "Storage pool not found", status=404)
        return tuple(
            Volume(pool=pool, name=name, config=dict(config), used_by=self._users(pool, name))
            for (within, name), config in sorted(self.store.volumes.items())
            if within == pool
        )

    def create_volume(self, pool: str, name: str, config: Mapping[str, str]) -> None:
        self._do("create_volume", name)
        what = f"create the volume {name} in {pool}"
        if pool not in self.store.pools:
            raise refused(what, "Storage pool not found", status=404)
        if (pool, name) in self.store.volumes:
            raise refused(what, "Volume by that name already exists", status=409)
        self.store.volumes[pool, name] = dict(config)

    def copy_volume(
        self, source: tuple[str, str], pool: str, name: str, config: Mapping[str, str]
    ) -> None:
        self._do("copy_volume", name)
        what = f"copy the volume {source[1]} to {name} in {pool}"
        if source not in self.store.volumes:
            raise refused(what, "Storage volume not found")
        if (pool, name) in self.store.volumes:
            raise refused(what, "Volume by that name already exists", status=409)
        self.store.volumes[pool, name] = dict(config)
        origin = self.store.contents.get(source, FakeVolume())
        copied = FakeVolume(owners=origin.owners, files=dict(origin.files))
        self.store.contents[pool, name] = copied

    def update_volume(self, pool: str, name: str, config: Mapping[str, str | None]) -> None:
        self._do("update_volume", name)
        if (pool, name) not in self.store.volumes:
            what = f"change the volume {name} in {pool}"
            raise refused(what, "Storage pool volume not found", status=404)
        self.store.volumes[pool, name] = changed(self.store.volumes[pool, name], config)

    def volume_used(self, pool: str, name: str) -> int | None:
        if (pool, name) not in self.store.volumes:
            what = f"read the used space of the volume {name} in {pool}"
            raise refused(what, "Storage pool volume not found", status=404)
        return self.store.used

    def volume_owner(self, pool: str, name: str) -> int | None:
        if (pool, name) not in self.store.volumes or not self.store.tells_states:
            return None
        owners = read_map(self.store.contents.get((pool, name), FakeVolume()).owners)
        return owners.base if owners else 0

    def rename_volume(self, pool: str, name: str, new_name: str) -> None:
        self._do("rename_volume", name)
        what = f"rename the volume {name} in {pool} to {new_name}"
        if (pool, name) not in self.store.volumes:
            raise refused(what, "Storage pool volume not found", status=404)
        if (pool, new_name) in self.store.volumes:
            raise refused(what, f"A volume {new_name} exists.", status=409)
        users = [self.store.instances[key] for key in self._uses(pool, name)]
        if any(one.state is State.RUNNING for one in users):
            raise refused(what, "Volume is still in use by running instances")
        for user in users:
            for device, keys in user.devices.items():
                if (keys.get("pool"), keys.get("source")) == (pool, name):
                    user.devices[device] = {**keys, "source": new_name}
        if self.store.cut_off_in_rename_volume:
            raise LxdUnreachable("LXD was killed.")
        self.store.volumes[pool, new_name] = self.store.volumes.pop((pool, name))
        if (pool, name) in self.store.contents:
            self.store.contents[pool, new_name] = self.store.contents.pop((pool, name))

    def delete_volume(self, pool: str, name: str) -> None:
        self._do("delete_volume", name)
        if self._users(pool, name):
            what = f"delete the volume {name} in {pool}"
            raise refused(what, "The storage volume is still in use", status=400)
        self.store.volumes.pop((pool, name), None)
        self.store.contents.pop((pool, name), None)

    def _users(self, pool: str, volume: str) -> tuple[str, ...]:
        return tuple(sorted(name for _, name in self._uses(pool, volume)))
