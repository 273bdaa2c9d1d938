"""What instances of this machine's own LXD use, told by the kernel: LXD is not asked.

For a state LXD enters the instance's network and runs a command for each of its disks: for many
running instances that takes seconds. The kernel tells the same at once, and nothing inside can
hold it up.
"""

from __future__ import annotations

import glob
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import Final

from lab.errors import TooMuch
from lab.lxd.calls import Calls
from lab.lxd.devices import devices_of, of_type
from lab.lxd.local_pools import local_pools, root_space, volume_space
from lab.lxd.model import Instance, InstanceState, State
from lab.machine.cgroup import Memory, read_memory
from lab.machine.container_network import Addresses, addresses
from lab.machine.monitors import first_processes
from lab.machine.subvolumes import Space

_CONFIG: Final = "backup.yaml"
_LIVES: Final = (State.RUNNING, State.FROZEN)


class LocalStateCalls(Calls):
    def local_states(self, instances: Sequence[Instance]) -> Mapping[str, InstanceState]:
        directory, pools = self._rest.directory, local_pools(self._rest)
        if directory is None or pools is None:
            return {}
        first = first_processes(directory)
        found: dict[str, InstanceState] = {}
        for instance in instances:
            with suppress(OSError, TooMuch):
                told = self._told(instance, pools, first.get(self._host(instance.name)))
                if told is not None:
                    found[instance.name] = told
        return found

    def memory(self, name: str) -> Memory | None:
        return self._memory(name)

    def config_written(self, name: str) -> datetime | None:
        pools = local_pools(self._rest)
        if pools is None:
            return None
        for place in pools.glob(f"*/containers/{glob.escape(self._host(name))}"):
            with suppress(OSError):
                written = (place / _CONFIG).stat().st_mtime
                return datetime.fromtimestamp(written, tz=timezone.utc)
        return None

    def volume_owner(self, pool: str, name: str) -> int | None:
        pools = local_pools(self._rest)
        if pools is None:
            return None
        # A project without volumes of its own uses those of the default one.
        for owner in dict.fromkeys((self._project, "default")):
            with suppress(OSError):
                return (pools / pool / "custom" / f"{owner}_{name}").stat().st_uid
        return None

    def _told(self, instance: Instance, pools: Path, init: int | None) -> InstanceState | None:
        disks = dict(self._disks(instance, pools))
        spaces = {name: found for name, found in disks.items() if found is not None}
        if len(spaces) < len(disks):
            return None
        memory: Memory | None = None
        reached = Addresses()
        if instance.state in _LIVES:
            seen = read_memory(init) if init is not None else None
            met = addresses(init, _interfaces(instance)) if init is not None else None
            if seen is None or seen.used is None or met is None:
                return None
            memory, reached = seen, met
        elif instance.state is not State.STOPPED:
            return None
        return InstanceState(
            state=instance.state,
            ipv4=reached.ipv4,
            ipv6=reached.ipv6,
            disk_bytes={name: one.used for name, one in spaces.items() if one.used is not None},
            disk_quotas={name: one.quota for name, one in spaces.items()},
            memory_bytes=(memory and memory.used) or 0,
            memory=memory,
            processes=None,
        )

    def _disks(self, instance: Instance, pools: Path) -> Iterator[tuple[str, Space | None]]:
        """Those that LXD tells of, too: the root, and volumes of pools."""
        for name, device in of_type("disk", devices_of(instance)).items():
            pool, source = device.get("pool", ""), device.get("source", "")
            if device.get("path") == "/":
                yield name, root_space(pools, pool, self._host(instance.name))
            elif pool and source:
                yield name, volume_space(pools, pool, source, project=self._project)


def _interfaces(instance: Instance) -> tuple[str, ...]:
    """What its NICs are called inside."""
    nics = of_type("nic", devices_of(instance))
    named = (
        device.get("name") or instance.config.get(f"volatile.{name}.name", "")
        for name, device in nics.items()
    )
    return tuple(name for name in named if name)
