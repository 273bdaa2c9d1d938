"""The fake's instances, and what is inside them."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from lab.lxd.changes import changed
from lab.lxd.errors import no_image, refused
from lab.lxd.idmap import NEXT, ON_DISK, ON_VOLUME, IdRange
from lab.lxd.model import (
    Instance,
    InstanceSpec,
    InstanceState,
    Progress,
    State,
)
from lab.lxd.port import OnProgress
from lab.machine.cgroup import Memory
from lab.sizes import parse_size
from tests.support.fake_lxd.store import EPOCH, IDENTITY, MIXED, FakeCalls, FakeInstance, FakeVolume

_IDMAP = {"security.idmap.isolated", "security.idmap.base", "security.idmap.size"}
CLOUD_INIT_ID = "volatile.cloud-init.instance-id"
_COPIED = {"volatile.base_image", ON_DISK}
_NAME = re.compile(r"[A-Za-z](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")


class FakeInstances(FakeCalls):
    def instances(self) -> tuple[Instance, ...]:
        return tuple(
            self._shown(name)
            for project, name in sorted(self.store.instances)
            if project == self._project
        )

    def instance(self, name: str) -> Instance | None:
        return self._shown(name) if (self._project, name) in self.store.instances else None

    def create(self, spec: InstanceSpec, *, on_progress: OnProgress | None = None) -> Instance:
        self._do("create", spec.name)
        what = f"create {spec.name}"
        if not _NAME.fullmatch(spec.name):
            raise refused(what, "Invalid instance name", status=400)
        made = self._cloned(spec, what) if spec.copy_of else self._unpacked(spec, what)
        if (self._project, spec.name) in self.store.instances:
            raise refused(what, 'This "instances" entry already exists')
        expanded = self._expanded(made)
        if not any(device.get("path") == "/" for device in expanded.values()):
            raise refused(what, "No root device could be found")
        number = self.store.next()
        made.config[IDENTITY] = str(uuid.UUID(int=number))
        made.config["volatile.uuid"] = f"00000000-0000-0000-0000-{number:012d}"
        self._plug(made, number)
        made.config[CLOUD_INIT_ID] = f"{number:032d}"
        made.created_at = EPOCH + timedelta(seconds=number)
        if on_progress is not None:
            on_progress(Progress(text="Unpack: 100%", percent=100))
        made.config.update(self._mapped(made.config))
        self.store.instances[self._project, spec.name] = made
        return self._shown(spec.name)

    def update(
        self,
        name: str,
        *,
        config: Mapping[str, str | None] | None = None,
        devices: Mapping[str, Mapping[str, str] | None] | None = None,
        profiles: Sequence[str] | None = None,
        description: str | None = None,
    ) -> Instance:
        self._do("update", name)
        with self.store.lock:
            found = self._instance(name, f"show {name}")
            found.config = self._identified(found.config, changed(found.config, config))
            if any(key in _IDMAP for key in config or ()):
                found.config.update(self._mapped(found.config))
            found.devices = changed(found.devices, devices)
            self._plug(found)
            found.profiles = found.profiles if profiles is None else tuple(profiles)
            found.description = found.description if description is None else description
        return self._shown(name)

    def start(self, name: str) -> None:
        self._do("start", name)
        found = self._instance(name, f"show {name}")
        if found.state is not State.RUNNING:
            self._shift(name, found)
        found.state = State.RUNNING
        found.last_used_at = EPOCH + timedelta(seconds=self.store.next())

    def stop(self, name: str, *, force: bool = False, timeout: int = 30) -> None:
        self._do("stop", name)
        self._instance(name, f"show {name}").state = State.STOPPED

    def delete(self, name: str) -> None:
        self._do("delete", name)
        self.store.instances.pop((self._project, name), None)

    def rename(self, name: str, new_name: str) -> None:
        self._do("rename", name)
        what = f"rename {name} to {new_name}"
        found = self._instance(name, what)
        if (self._project, new_name) in self.store.instances:
            raise refused(what, f'Name "{new_name}" already in use', status=409)
        if not _NAME.fullmatch(new_name):
            raise refused(what, "Invalid instance name", status=400)
        if found.state is not State.STOPPED:
            raise refused(what, "Renaming of running instance not allowed")
        del self.store.instances[self._project, name]
        self.store.instances[self._project, new_name] = found
        found.config[CLOUD_INIT_ID] = f"{self.store.next():032d}"

    def state(self, name: str) -> InstanceState:
        found = self._instance(name, f"show the state of {name}")
        running = found.state is State.RUNNING
        return InstanceState(
            state=found.state,
            ipv4=(found.address,) if running and found.address else (),
            disk_bytes=dict.fromkeys(self._measured(found), 1 << 20) | {"root": self.store.used},
            memory_bytes=1 << 20 if running else 0,
            processes=1 if running else 0,
        )

    def _plug(self, instance: FakeInstance, number: int | None = None) -> None:
        """Each NIC has a MAC address, which it keeps, and the network gives an address for it."""
        instance.address = ""
        for name, device in self._expanded(instance).items():
            key = f"volatile.{name}.hwaddr"
            if device.get("type") == "nic":
                if key not in instance.config:
                    last = (self.store.next() if number is None else number) % 256
                    instance.config[key] = f"00:16:3e:00:00:{last:02x}"
                instance.address = f"10.77.0.{2 + int(instance.config[key][-2:], 16) % 250}"

    def local_states(self, instances: Sequence[Instance]) -> Mapping[str, InstanceState]:
        if not self.store.tells_states:
            return {}
        return {
            one.name: replace(
                self.state(one.name),
                disk_quotas=self._quotas(self.store.instances[self._project, one.name]),
                memory=self.memory(one.name),
                processes=None,
            )
            for one in instances
            if (self._project, one.name) in self.store.instances
        }

    def memory(self, name: str) -> Memory | None:
        found = self.store.instances.get((self._project, name))
        if found is None or found.state is not State.RUNNING or not self.store.tells_states:
            return None
        limit = self._expanded_config(found).get("limits.memory", "")
        usual = Memory(
            used=1 << 20, held=1 << 19, limit=parse_size(limit) if limit.endswith("B") else None
        )
        return self.store.memories.get(name, usual)

    def _measured(self, found: FakeInstance) -> tuple[str, ...]:
        """Its disks that LXD tells of: the root, and volumes of pools."""
        return tuple(
            name
            for name, device in self._expanded(found).items()
            if device.get("type") == "disk" and "pool" in device
        )

    def _quotas(self, found: FakeInstance) -> dict[str, int | None]:
        devices = self._expanded(found)
        sizes = {
            name: devices[name].get("size")
            if devices[name].get("path") == "/"
            else self.store.volumes.get(
                (devices[name]["pool"], devices[name].get("source", "")), {}
            ).get("size")
            for name in self._measured(found)
        }
        return {name: parse_size(size) if size else None for name, size in sizes.items()}

    def _mapped(self, config: Mapping[str, str]) -> dict[str, str]:
        """The map of its next start, as LXD notes it."""
        whole = self.store.id_range or IdRange(1_000_000, 1_000_000_000)
        isolated = config.get("security.idmap.isolated") == "true"
        base = config.get("security.idmap.base", "0") if isolated else "0"
        size = config.get("security.idmap.size", "65536") if isolated else str(whole.size)
        entries = [
            {
                "Isuid": users,
                "Isgid": not users,
                "Hostid": int(base) or whole.base,
                "Nsid": 0,
                "Maprange": int(size),
            }
            for users in (True, False)
        ]
        return {"volatile.idmap.base": base, NEXT: json.dumps(entries)}

    def _shift(self, name: str, found: FakeInstance) -> None:
        """Give root and volumes to the map of this start, as LXD does without idmapped mounts."""
        wanted = found.config.get(NEXT, "[]")
        found.owners = _shifted(found.owners, found.config.get(ON_DISK, "[]"), wanted)
        found.config[ON_DISK] = wanted
        for device in found.devices.values():
            key = (device.get("pool", ""), device.get("source", ""))
            volume = self.store.volumes.get(key)
            if volume is None:
                continue
            content = self.store.contents.setdefault(key, FakeVolume())
            failure = None
            if volume.get(ON_VOLUME) != wanted:
                failure = self.store.shift_failures.pop(name, None)
            if failure is not None:
                content.owners = MIXED
                raise failure
            content.owners = _shifted(content.owners, volume.get(ON_VOLUME, "[]"), wanted)
            volume[ON_VOLUME] = wanted

    def wait_until_idle(self, name: str, *, timeout: float = 600) -> None: ...

    def _shown(self, name: str) -> Instance:
        found = self.store.instances[self._project, name]
        return Instance(
            name=name,
            project=self._project,
            state=found.state,
            config=dict(found.config),
            expanded_config=self._expanded_config(found),
            devices=dict(found.devices),
            expanded_devices=self._expanded(found),
            profiles=found.profiles,
            description=found.description,
            created_at=found.created_at,
            last_used_at=found.last_used_at,
        )

    def _expanded(self, instance: FakeInstance) -> dict[str, Mapping[str, str]]:
        expanded: dict[str, Mapping[str, str]] = {}
        for profile in instance.profiles:
            expanded.update(self.store.profiles[profile].devices)
        return {**expanded, **instance.devices}

    def _expanded_config(self, instance: FakeInstance) -> dict[str, str]:
        expanded: dict[str, str] = {}
        for profile in instance.profiles:
            expanded.update(self.store.profiles[profile].config)
        return {**expanded, **instance.config}

    def _unpacked(self, spec: InstanceSpec, what: str) -> FakeInstance:
        if spec.image not in self.store.images:
            raise no_image(what, str(spec.image))
        source = self.store.images[spec.image]
        told = {f"image.{key}": value for key, value in source.image.properties.items()}
        return FakeInstance(
            config={**told, **spec.config, "volatile.base_image": spec.image},
            devices=dict(spec.devices),
            profiles=spec.profiles,
            description=spec.description,
            files=dict(source.files),
        )

    def _cloned(self, spec: InstanceSpec, what: str) -> FakeInstance:
        key = (spec.copy_project or self._project, spec.copy_of or "")
        if key not in self.store.instances:
            raise refused(what, "Instance not found", status=404)
        source = self.store.instances[key]
        inherited = {
            name: value
            for name, value in source.config.items()
            if not name.startswith("volatile.") or name in _COPIED
        }
        config = {**inherited, **spec.config}
        return FakeInstance(
            config={key: value for key, value in config.items() if value},
            devices={**source.devices, **spec.devices},
            profiles=spec.profiles,
            description=spec.description,
            files=dict(source.files),
            owners=source.owners,
        )


def _shifted(owners: str, noted: str, wanted: str) -> str:
    """What LXD makes of files: it believes its note, and spoils those that are otherwise."""
    if noted == wanted:
        return owners
    return wanted if owners == noted else MIXED
