"""What a container has and uses now, read in one go."""

from __future__ import annotations

from dataclasses import dataclass, field

from lab.lxd.devices import devices_of, root_of
from lab.lxd.model import Instance, Pool, Server, Volume
from lab.lxd.port import Lxd
from lab.machine.host_size import HostSize, read_host_size
from lab.settings.settings import Settings
from provision.homes import read_stores
from provision.states import seen_alone


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    instance: Instance
    root: tuple[str, dict[str, str]]
    """The device of its root, and its name."""
    root_pool: Pool | None = None
    root_used: int | None = None
    home: Volume | None = None
    home_pool: Pool | None = None
    home_used: int | None = None
    memory_held: int | None = None
    """What the kernel could not take back; None where it is not running, or not known."""
    server: Server
    host: HostSize = field(default_factory=HostSize)


def read(lxd: Lxd, settings: Settings, instance: Instance) -> Facts:
    name, device = root_of(devices_of(instance)) or ("root", {})
    pools = {pool.name: pool for pool in lxd.pools()}
    homes = read_stores(lxd).homes(instance.name)
    home = next((one for one in homes if instance.name in one.used_by), None)
    state = seen_alone(lxd, instance).state
    memory = lxd.memory(instance.name)
    return Facts(
        instance=instance,
        root=(name, dict(device)),
        root_pool=pools.get(device.get("pool", "")),
        root_used=state.disk_bytes.get(name),
        home=home,
        home_pool=pools.get(home.pool) if home else None,
        home_used=lxd.volume_used(home.pool, home.name) if home else None,
        memory_held=memory.held if memory else None,
        server=lxd.server(),
        host=read_host_size() if settings.is_local else HostSize(),
    )
